import type { LogFile } from './files.ts'
import {
  CHECKSUM_BYTES,
  decompressFrame,
  FRAME_MAGIC,
  type FrameEntry,
  type FrameList,
  GUARD,
  guardedSize,
  isGuard,
  MAX_FRAME_BYTES,
  plainSize,
} from './seekable-zstd.ts'

/** Magic, descriptor, window, dictionary and content size at their longest. */
const FRAME_HEADER_BYTES = 18
const BLOCK_HEADER_BYTES = 3
const RLE_BLOCK = 1
const RESERVED_BLOCK = 3

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
  if (header === undefined) return undefined
  const compressedBytes = frameSize(file, offset, header.headerBytes)
  if (compressedBytes === undefined) return undefined
  const frame = bytesAt(file, offset, compressedBytes)
  if (frame.length < compressedBytes) return undefined
  const checksum = frame.readUInt32LE(compressedBytes - CHECKSUM_BYTES)
  const entry: FrameEntry = { compressedBytes, plainBytes: header.plainBytes, checksum }
  return decompressFrame(frame, entry) === undefined ? undefined : entry
}

/** Of frames as `compressFrame` makes them: with a content size and without a dictionary. */
function readFrameHeader(bytes: Buffer): { headerBytes: number; plainBytes: number } | undefined {
  if (bytes.length < FRAME_HEADER_BYTES || bytes.readUInt32LE(0) !== FRAME_MAGIC) return undefined
  const descriptor = bytes.readUInt8(4)
  const singleSegment = (descriptor & 0x20) !== 0
  if ((descriptor & 0x03) !== 0) return undefined
  const at = singleSegment ? 5 : 6
  const [plainBytes, sizeBytes] = contentSize(bytes, at, descriptor >> 6, singleSegment)
  if (plainBytes < 1 || plainBytes > MAX_FRAME_BYTES) return undefined
  return { headerBytes: at + sizeBytes, plainBytes }
}

/** The content size and how many bytes it takes; 0 where it isn't stated. */
function contentSize(bytes: Buffer, at: number, flag: number, singleSegment: boolean): [number, number] {
  switch (flag) {
    case 0:
      return singleSegment ? [bytes.readUInt8(at), 1] : [0, 0]
    case 1:
      return [bytes.readUInt16LE(at) + 256, 2]
    case 2:
      return [bytes.readUInt32LE(at), 4]
    default:
      return [Number(bytes.readBigUInt64LE(at)), 8]
  }
}

/** The compressed size of the frame, by the headers of its blocks. */
function frameSize(file: LogFile, offset: number, headerBytes: number): number | undefined {
  let end = headerBytes
  for (;;) {
    const bytes = bytesAt(file, offset + end, BLOCK_HEADER_BYTES)
    if (bytes.length < BLOCK_HEADER_BYTES) return undefined
    const header = bytes.readUIntLE(0, BLOCK_HEADER_BYTES)
    const type = (header >> 1) & 3
    if (type === RESERVED_BLOCK) return undefined
    end += BLOCK_HEADER_BYTES + (type === RLE_BLOCK ? 1 : header >> 3)
    if (end > 2 * MAX_FRAME_BYTES) return undefined
    if ((header & 1) === 1) return end + CHECKSUM_BYTES
  }
}
