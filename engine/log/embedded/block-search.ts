import { blockChecksum, readBlockHeader } from './block-header.ts'
import { type LogFile, UnreadableBytes } from './files.ts'
import { BLOCK_PREFIX, MAX_BLOCK_BYTES } from './format.ts'
import type { BlockPlace } from './segment-reader.ts'

/**
 * The next whole block at or after `offset` that holds positions beyond `last`. The segment's salt keeps data that
 * looks like a block from being taken for one.
 */
export function findWholeBlock(
  file: LogFile,
  offset: number,
  salt: number,
  last: number,
): BlockPlace | undefined {
  const sizeBytes = file.sizeBytes()
  let at = offset
  while (at < sizeBytes) {
    const bytes = Buffer.allocUnsafeSlow(Math.min(MAX_BLOCK_BYTES * 2, sizeBytes - at))
    const { piece, next } = readableStretch(file, bytes, at)
    const found = findIn(piece, salt, last)
    if (found !== undefined) return { ...found, offset: found.offset + at }
    // A block that begins in the second half may end beyond this piece.
    at = next ?? at + Math.min(piece.length, MAX_BLOCK_BYTES)
    if (piece.length === 0 && next === undefined) return undefined
  }
  return undefined
}

/** Reads from `at` on as far as possible. `next`: where unreadable bytes end that cut it short; no block crosses them. */
function readableStretch(
  file: LogFile,
  into: Buffer,
  at: number,
): { readonly piece: Buffer; readonly next: number | undefined } {
  try {
    return { piece: into.subarray(0, file.read(into, at)), next: undefined }
  } catch (error) {
    if (!(error instanceof UnreadableBytes)) throw error
    const piece = into.subarray(0, Math.max(0, error.from - at))
    return { piece: piece.subarray(0, file.read(piece, at)), next: error.until }
  }
}

function findIn(bytes: Buffer, salt: number, last: number): BlockPlace | undefined {
  for (let at = bytes.indexOf(BLOCK_PREFIX); at >= 0; at = bytes.indexOf(BLOCK_PREFIX, at + 1)) {
    const header = readBlockHeader(bytes, at)
    if (header === undefined || header.first <= last || at + header.sizeBytes > bytes.length) continue
    if (blockChecksum(bytes.subarray(at, at + header.sizeBytes), salt) !== header.checksum) continue
    const { sizeBytes, first, count } = header
    return { offset: at, sizeBytes, first, last: first + count - 1 }
  }
  return undefined
}

const ZEROS = Buffer.alloc(256 * 1024)

/** True if the file holds nothing but zeros from `offset` on. Throws `UnreadableBytes`. */
export function isZeroFrom(file: LogFile, offset: number): boolean {
  const bytes = Buffer.allocUnsafeSlow(ZEROS.length)
  for (let at = offset; ; at += bytes.length) {
    const count = file.read(bytes, at)
    if (ZEROS.compare(bytes, 0, count, 0, count) !== 0) return false
    if (count < bytes.length) return true
  }
}
