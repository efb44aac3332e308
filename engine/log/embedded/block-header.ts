import { crc32 } from 'node:zlib'
import { BLOCK, BLOCK_PREFIX, MAX_BLOCK_BYTES, UINT32 } from './format.ts'

const TWO_32 = 0x1_0000_0000

/** A block's fixed-width header. */
export interface BlockHeader {
  /** The whole block with its header. */
  readonly sizeBytes: number
  readonly checksum: number
  readonly first: number
  readonly count: number
  /** The greatest `received` in it: that of its last event. */
  readonly received: number
  /** The last position before it, 0 for none. */
  readonly previous: number
}

/** The header at `offset`, or undefined where none can be: the checksum isn't looked at. */
export function readBlockHeader(bytes: Buffer, offset: number): BlockHeader | undefined {
  if (bytes.length - offset < BLOCK.COLUMNS) return undefined
  if (bytes.compare(BLOCK_PREFIX, 0, BLOCK_PREFIX.length, offset, offset + BLOCK_PREFIX.length) !== 0) {
    return undefined
  }
  // The checksum's own encoding is the one byte that it doesn't cover.
  if (bytes[offset + BLOCK.CHECKSUM] !== UINT32) return undefined
  const header: BlockHeader = {
    sizeBytes: bytes.readUInt32BE(offset + BLOCK.LENGTH + 1) + BLOCK.CHECKSUM,
    checksum: bytes.readUInt32BE(offset + BLOCK.CHECKSUM + 1),
    first: readWide64(bytes, offset + BLOCK.FIRST),
    count: bytes.readUInt32BE(offset + BLOCK.COUNT + 1),
    received: readWide64(bytes, offset + BLOCK.RECEIVED),
    previous: readWide64(bytes, offset + BLOCK.PREVIOUS),
  }
  const sized = header.sizeBytes > BLOCK.COLUMNS && header.sizeBytes <= MAX_BLOCK_BYTES
  const placed = header.count > 0 && header.previous < header.first && header.count < header.sizeBytes
  return sized && placed && Number.isSafeInteger(header.first + header.count) ? header : undefined
}

function readWide64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset + 1) * TWO_32 + bytes.readUInt32BE(offset + 5)
}

/** Of everything in the block but the checksum itself, seeded by the segment's salt. */
export function blockChecksum(block: Buffer, salt: number): number {
  return crc32(block.subarray(BLOCK.FIRST), crc32(block.subarray(0, BLOCK.CHECKSUM), salt))
}
