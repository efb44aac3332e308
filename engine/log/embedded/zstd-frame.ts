/**
 * What the bytes of a zstd frame say of it (RFC 8878, 3.1.1), for frames as `compressFrame` makes them: with a content
 * size and a checksum, without a dictionary.
 */

export const FRAME_MAGIC = 0xfd2fb528
/** Magic, descriptor, window, dictionary and content size at their longest. */
export const FRAME_HEADER_BYTES = 18
export const BLOCK_HEADER_BYTES = 3
/** Bytes of the frame's checksum: the lower half of the XXH64 of its content. */
export const CHECKSUM_BYTES = 4
/** In a frame header's descriptor: a checksum ends the frame. Without it a decompressor would compare nothing. */
const CHECKSUM_FLAG = 0x04
const SINGLE_SEGMENT_FLAG = 0x20
const DICTIONARY_BITS = 0x03
const SHORTEST_HEADER_BYTES = 6
const RLE_BLOCK = 1
const RESERVED_BLOCK = 3

export interface FrameHeader {
  /** Blocks follow. */
  readonly headerBytes: number
  readonly plainBytes: number
}

/** Of the frame that begins with `bytes`; undefined where none of ours does. */
export function readFrameHeader(bytes: Buffer): FrameHeader | undefined {
  if (bytes.length < SHORTEST_HEADER_BYTES || bytes.readUInt32LE(0) !== FRAME_MAGIC) return undefined
  const descriptor = bytes.readUInt8(4)
  if ((descriptor & CHECKSUM_FLAG) === 0 || (descriptor & DICTIONARY_BITS) !== 0) return undefined
  const singleSegment = (descriptor & SINGLE_SEGMENT_FLAG) !== 0
  const at = singleSegment ? 5 : 6
  const sizeBytes = contentSizeBytes(descriptor >> 6, singleSegment)
  if (sizeBytes === 0 || at + sizeBytes > bytes.length) return undefined
  return { headerBytes: at + sizeBytes, plainBytes: contentSize(bytes, at, sizeBytes) }
}

/** How many bytes the content size takes; 0 where it isn't stated. */
function contentSizeBytes(flag: number, singleSegment: boolean): number {
  if (flag === 0) return singleSegment ? 1 : 0
  return 1 << flag
}

function contentSize(bytes: Buffer, at: number, sizeBytes: number): number {
  switch (sizeBytes) {
    case 1:
      return bytes.readUInt8(at)
    case 2:
      return bytes.readUInt16LE(at) + 256
    case 4:
      return bytes.readUInt32LE(at)
    default:
      return Number(bytes.readBigUInt64LE(at))
  }
}

/** What a block's header, three bytes, says: bytes behind it, and whether it is the last; undefined for no block. */
export function readBlockSize(
  header: number,
): { readonly sizeBytes: number; readonly last: boolean } | undefined {
  const type = (header >> 1) & 3
  if (type === RESERVED_BLOCK) return undefined
  return { sizeBytes: type === RLE_BLOCK ? 1 : header >> 3, last: (header & 1) === 1 }
}

/** Whether these bytes are one frame of this content size: by its headers it ends, with its checksum, where they end. */
export function isOneFrame(bytes: Buffer, plainBytes: number): boolean {
  const header = readFrameHeader(bytes)
  if (header?.plainBytes !== plainBytes) return false
  let at = header.headerBytes
  while (at + BLOCK_HEADER_BYTES + CHECKSUM_BYTES <= bytes.length) {
    const block = readBlockSize(bytes.readUIntLE(at, BLOCK_HEADER_BYTES))
    if (block === undefined) return false
    at += BLOCK_HEADER_BYTES + block.sizeBytes
    if (block.last) return at + CHECKSUM_BYTES === bytes.length
  }
  return false
}
