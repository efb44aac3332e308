import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { type LogFile, writeFully } from './files.ts'
import { KIB, MAX_BLOCK_BYTES, SEGMENT } from './format.ts'
import { compressFrame, restoreFrame } from './zstd-codec.ts'
import { CHECKSUM_BYTES } from './zstd-frame.ts'

/**
 * Files of zstd frames with a table of the frames at their end: the "Zstandard Seekable Format" 0.1.0
 * (facebook/zstd, contrib/seekable_format/zstd_seekable_compression_format.md), so that any zstd tool restores the whole
 * file and a seekable reader any part of it. Integers are little-endian.
 *
 *   frames                 each with its content size and checksum
 *   guard, skippable       magic, size, then `HWZ1`, CRC-32 of the table, CRC-32 and size (64 bit) of the plain file
 *   seek table, skippable  magic, size, then for each frame and the guard: compressed size, plain size, checksum;
 *                          number of entries, descriptor, seekable magic
 *
 * The guard is ours: the seekable format protects what the frames hold, but not its table. Other readers take it for
 * one more frame, without content.
 */

/** The largest frame that is written. Of a larger block each part has a frame of its own; see block-frames.ts. */
export const FRAME_TARGET_BYTES = 8 * KIB
/** The largest frame that is read, uncompressed: the segment's header and one block, as earlier releases wrote them. */
export const MAX_FRAME_BYTES = SEGMENT.MAX_BYTES + MAX_BLOCK_BYTES

export const GUARD = {
  MAGIC: 0x184d2a50,
  MARKER: 8,
  TABLE_CHECKSUM: 12,
  PLAIN_CHECKSUM: 16,
  PLAIN_SIZE: 20,
  BYTES: 28,
} as const
const GUARD_MARKER = 'HWZ1'
export const TABLE = { MAGIC: 0x184d2a5e, ENTRIES: 8, ENTRY_BYTES: 12, FOOTER_BYTES: 9 } as const
export const SEEKABLE_MAGIC = 0x8f92eab1
/** Bit 7 of the descriptor: the entries have checksums. No other bit is in use. */
export const CHECKSUM_FLAG = 0x80
/** The checksum of no content. */
const EMPTY_CHECKSUM = 0x51d8e999

const WRITE_BYTES = 256 * KIB

export interface FrameEntry {
  readonly compressedBytes: number
  readonly plainBytes: number
  /** Of what the frame holds; also the frame's last four bytes. */
  readonly checksum: number
}

/** Where the frames of a file lie. `complete`: there are no others. */
export interface FrameList {
  readonly entries: readonly FrameEntry[]
  readonly complete: boolean
}

export function tableBytes(frames: number): number {
  return TABLE.ENTRIES + (frames + 1) * TABLE.ENTRY_BYTES + TABLE.FOOTER_BYTES
}

/** Restores into `into`, as long as the entry says, what a frame holds; false unless it is exactly what its entry says. */
export function decompressFrame(frame: Buffer, checksum: number, into: Uint8Array): boolean {
  const end = frame.length - CHECKSUM_BYTES
  return end > 0 && frame.readUInt32LE(end) === checksum && restoreFrame(frame, into)
}

/** CRC-32 of the table, the rest of the guard included. */
export function tableChecksum(guard: Buffer, table: Buffer): number {
  return crc32(table, crc32(guard.subarray(GUARD.PLAIN_CHECKSUM, GUARD.BYTES)))
}

/** Whether a guard begins here. */
export function isGuard(bytes: Buffer): boolean {
  const magic = bytes.length >= GUARD.BYTES && bytes.readUInt32LE(0) === GUARD.MAGIC
  return magic && bytes.toString('latin1', GUARD.MARKER, GUARD.TABLE_CHECKSUM) === GUARD_MARKER
}

/** The plain file's size, as the guard states it. */
export function guardedSize(guard: Buffer): number {
  return Number(guard.readBigUInt64LE(GUARD.PLAIN_SIZE))
}

export function plainSize(entries: readonly FrameEntry[]): number {
  return entries.reduce((sum, { plainBytes }) => sum + plainBytes, 0)
}

/** Writes frames one after the other, then the table. */
export class SeekableWriter {
  readonly #file: LogFile
  readonly #level: number
  readonly #entries: FrameEntry[] = []
  readonly #pending: Uint8Array[] = []
  #pendingBytes = 0
  #end = 0
  #plainBytes = 0
  #plainChecksum = 0

  /** `file` is empty. `level`: zstd's. */
  constructor(file: LogFile, level: number) {
    this.#file = file
    this.#level = level
  }

  add(plain: Uint8Array): void {
    assert.ok(plain.length > 0 && plain.length <= MAX_FRAME_BYTES)
    const frame = compressFrame(plain, this.#level)
    const checksum = frame.readUInt32LE(frame.length - CHECKSUM_BYTES)
    this.#entries.push({ compressedBytes: frame.length, plainBytes: plain.length, checksum })
    this.#plainBytes += plain.length
    this.#plainChecksum = crc32(plain, this.#plainChecksum)
    this.#append(frame)
  }

  /** Writes what follows the frames; answers the file's size. Nothing is synced. */
  finish(): number {
    const guard = Buffer.alloc(GUARD.BYTES)
    guard.writeUInt32LE(GUARD.MAGIC, 0)
    guard.writeUInt32LE(GUARD.BYTES - GUARD.MARKER, 4)
    guard.write(GUARD_MARKER, GUARD.MARKER, 'latin1')
    guard.writeUInt32LE(this.#plainChecksum, GUARD.PLAIN_CHECKSUM)
    guard.writeBigUInt64LE(BigInt(this.#plainBytes), GUARD.PLAIN_SIZE)
    const table = this.#table()
    guard.writeUInt32LE(tableChecksum(guard, table), GUARD.TABLE_CHECKSUM)
    this.#append(guard)
    this.#append(table)
    this.#flush()
    return this.#end
  }

  #table(): Buffer {
    const guard: FrameEntry = { compressedBytes: GUARD.BYTES, plainBytes: 0, checksum: EMPTY_CHECKSUM }
    const entries = [...this.#entries, guard]
    const table = Buffer.alloc(tableBytes(this.#entries.length))
    table.writeUInt32LE(TABLE.MAGIC, 0)
    table.writeUInt32LE(table.length - TABLE.ENTRIES, 4)
    let at: number = TABLE.ENTRIES
    for (const { compressedBytes, plainBytes, checksum } of entries) {
      table.writeUInt32LE(compressedBytes, at)
      table.writeUInt32LE(plainBytes, at + 4)
      table.writeUInt32LE(checksum, at + 8)
      at += TABLE.ENTRY_BYTES
    }
    table.writeUInt32LE(entries.length, at)
    table.writeUInt8(CHECKSUM_FLAG, at + 4)
    table.writeUInt32LE(SEEKABLE_MAGIC, at + 5)
    return table
  }

  /** Frames are small: several are written at once. */
  #append(bytes: Uint8Array): void {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes >= WRITE_BYTES) this.#flush()
  }

  #flush(): void {
    writeFully(this.#file, Buffer.concat(this.#pending), this.#end)
    this.#end += this.#pendingBytes
    this.#pending.length = 0
    this.#pendingBytes = 0
  }
}

assert.equal(GUARD.MARKER + GUARD_MARKER.length, GUARD.TABLE_CHECKSUM)
assert.equal(GUARD.PLAIN_SIZE + 8, GUARD.BYTES)
assert.ok(FRAME_TARGET_BYTES <= MAX_FRAME_BYTES)
