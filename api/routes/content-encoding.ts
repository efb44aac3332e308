import { promisify } from 'node:util'
import type { InputType, ZlibOptions } from 'node:zlib'
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib'
import * as E from 'fp-ts/lib/Either.js'

export type DecodingFailure =
  | { readonly _tag: 'UnsupportedEncoding' }
  | { readonly _tag: 'TooLarge' }
  /** The bytes aren't what Content-Encoding says. */
  | { readonly _tag: 'Damaged' }

type Decompress = (bytes: InputType, options: { maxOutputLength: number }) => Promise<Buffer>

const inflateZlib = promisify<InputType, ZlibOptions, Buffer>(inflate)
const inflateBare = promisify<InputType, ZlibOptions, Buffer>(inflateRaw)

const DECOMPRESSORS: ReadonlyMap<string, Decompress> = new Map<string, Decompress>([
  ['gzip', promisify<InputType, ZlibOptions, Buffer>(gunzip)],
  ['x-gzip', promisify<InputType, ZlibOptions, Buffer>(gunzip)],
  ['br', promisify<InputType, { maxOutputLength: number }, Buffer>(brotliDecompress)],
  ['zstd', promisify<InputType, { maxOutputLength: number }, Buffer>(zstdDecompress)],
  ['deflate', inflateEither],
])

/** For Accept-Encoding in a refusal (RFC 9110, 12.5.3). */
export const ACCEPTED_ENCODINGS = 'gzip, deflate, br, zstd'

/** RFC 9110 means the zlib format; a number of clients send bare deflate under that name. */
function inflateEither(bytes: InputType, options: { maxOutputLength: number }): Promise<Buffer> {
  const first = bytes instanceof Uint8Array ? (bytes[0] ?? 0) : 0
  return (first & 0x0f) === 8 ? inflateZlib(bytes, options) : inflateBare(bytes, options)
}

/** Undoes one Content-Encoding; never makes more than `limitBytes`, whatever the body claims to be. */
export async function decodeContent(
  bytes: Buffer,
  encoding: string | undefined,
  limitBytes: number,
): Promise<E.Either<DecodingFailure, Buffer>> {
  const name = encoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return E.right(bytes)
  const decompress = DECOMPRESSORS.get(name)
  if (decompress === undefined) return E.left({ _tag: 'UnsupportedEncoding' })
  try {
    return E.right(await decompress(bytes, { maxOutputLength: limitBytes }))
  } catch (error) {
    const tooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    return E.left({ _tag: tooLarge ? 'TooLarge' : 'Damaged' })
  }
}
