import { strict as assert } from 'node:assert'
import { hash } from 'node:crypto'
import type { StatedIdentity } from '../events/identity.ts'

/** A secret that turns identity values into the MACs that the key store is searched by. */
export interface MacKey {
  readonly generation: number
  /** The key XOR the inner and the outer pad of HMAC (RFC 2104), each one block of SHA-256. */
  readonly inner: Buffer
  readonly outer: Buffer
}

const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

export function macKey(generation: number, bytes: Uint8Array): MacKey {
  assert(bytes.length <= BLOCK_BYTES)
  const padded = (pad: number): Buffer =>
    Buffer.from(Array.from({ length: BLOCK_BYTES }, (_, at) => (bytes[at] ?? 0) ^ pad))
  return { generation, inner: padded(INNER_PAD), outer: padded(OUTER_PAD) }
}

let message = Buffer.allocUnsafeSlow(1_024)
const digested = Buffer.allocUnsafeSlow(BLOCK_BYTES + DIGEST_BYTES)

/**
 * HMAC-SHA256 of: length of the namespace in bytes (u32, big-endian), namespace, value. As two hashes of one call
 * each: an Hmac object costs twice as much as all the hashing, and an intake asks for every new visitor.
 */
export function identityMac(macKey: MacKey, stated: StatedIdentity): Buffer {
  const { namespace, value } = stated
  const most = BLOCK_BYTES + 4 + 3 * (namespace.length + value.length) + 1
  if (most > message.length) message = Buffer.allocUnsafeSlow(most * 2)
  macKey.inner.copy(message)
  const namespaceBytes = message.write(namespace, BLOCK_BYTES + 4)
  message.writeUInt32BE(namespaceBytes, BLOCK_BYTES)
  const start = BLOCK_BYTES + 4 + namespaceBytes
  const end = start + writeValue(value, start)
  macKey.outer.copy(digested)
  digested.write(hash('sha256', message.subarray(0, end), 'latin1'), BLOCK_BYTES, 'latin1')
  return Buffer.from(hash('sha256', digested, 'latin1'), 'latin1')
}

function writeValue(value: string, start: number): number {
  if (value.isWellFormed()) return message.write(value, start)
  return valueBytes(value).copy(message, start)
}

/** No UTF-8 text begins with this byte. */
const ILL_FORMED = 0xff

/**
 * UTF-8. A value with lone surrogates, which UTF-8 can't tell apart, is 0xff and its UTF-16 (little-endian): two
 * people must never share an identity because of an encoding.
 */
export function valueBytes(value: string): Buffer {
  if (value.isWellFormed()) return Buffer.from(value)
  return Buffer.concat([Buffer.of(ILL_FORMED), Buffer.from(value, 'utf16le')])
}

export function valueText(bytes: Buffer): string {
  return bytes[0] === ILL_FORMED ? bytes.toString('utf16le', 1) : bytes.toString('utf8')
}

/** The generation that identities are under. */
export function newest(macKeys: readonly MacKey[]): MacKey {
  const last = macKeys.at(-1)
  assert(last !== undefined, 'a key store has at least one MAC key')
  return last
}
