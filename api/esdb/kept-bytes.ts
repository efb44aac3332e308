/** Bytes as a JSON value that gives them back: text where they are UTF-8, else base64. */
export type KeptBytes = string | { readonly base64: string }

export function keptBytes(bytes: Uint8Array): KeptBytes {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = buffer.toString('utf8')
  return Buffer.from(text).equals(buffer) ? text : { base64: buffer.toString('base64') }
}

/** undefined: not such a value. Others may send anything under the same name. */
export function bytesKept(value: unknown): Uint8Array | undefined {
  if (typeof value === 'string') return Buffer.from(value)
  if (typeof value !== 'object' || value === null || !('base64' in value)) return undefined
  return typeof value.base64 === 'string' ? Buffer.from(value.base64, 'base64') : undefined
}
