import type { LogFile } from './files.ts'
import {
  decompressFrame,
  type FrameEntry,
  type FrameList,
  GUARD,
  guardedSize,
  isGuard,
  MAX_FRAME_BYTES,
  plainSize,
} from './seekable-zstd.ts'
import {
  BLOCK_HEADER_BYTES,
  CHECKSUM_BYTES,
  FRAME_HEADER_BYTES,
  readBlockSize,
  readFrameHeader,
} from './zstd-frame.ts'

/**
 * The frames of a file whose table can't be used, found by walking over them from the beginning (RFC 8878, 3.1.1).
 * Stops at the first one that can't be restored: a wrong size there would shift all that follows.
 */
export function walkFrames(file: LogFile): FrameList {
  const entries: FrameEntry[] = []
  let offset = 0
  for (;;) {
    const entry = frameAt(file, offset)
    if (entry === undefined) break
    entries.push(entry)
    offset += entry.compressedBytes
  }
  const guard = bytesAt(file, offset, GUARD.BYTES)
  return { entries, complete: isGuard(guard) && guardedSize(guard) === plainSize(entries) }
}

function bytesAt(file: LogFile, offset: number, count: number): Buffer {
  const bytes = Buffer.alloc(count)
  return bytes.subarray(0, file.read(bytes, offset))
}

function frameAt(file: LogFile, offset: number): FrameEntry | undefined {
  const header = readFrameHeader(bytesAt(file, offset, FRAME_HEADER_BYTES))
  if (header === undefined || header.plainBytes < 1 || header.plainBytes > MAX_FRAME_BYTES) return undefined
  const compressedBytes = frameSize(file, offset, header.headerBytes)
  if (compressedBytes === undefined) return undefined
  const frame = bytesAt(file, offset, compressedBytes)
  if (frame.length < compressedBytes) return undefined
  const checksum = frame.readUInt32LE(compressedBytes - CHECKSUM_BYTES)
  const { plainBytes } = header
  const sound = decompressFrame(frame, checksum, Buffer.allocUnsafe(plainBytes))
  return sound ? { compressedBytes, plainBytes, checksum } : undefined
}

/** The compressed size of the frame, by the headers of its blocks. */
function frameSize(file: LogFile, offset: number, headerBytes: number): number | undefined {
  let end = headerBytes
  for (;;) {
    const bytes = bytesAt(file, offset + end, BLOCK_HEADER_BYTES)
    if (bytes.length < BLOCK_HEADER_BYTES) return undefined
    const block = readBlockSize(bytes.readUIntLE(0, BLOCK_HEADER_BYTES))
    if (block === undefined) return undefined
    end += BLOCK_HEADER_BYTES + block.sizeBytes
    if (end > 2 * MAX_FRAME_BYTES) return undefined
    if (block.last) return end + CHECKSUM_BYTES
  }
}
