import assert from 'node:assert/strict'
import { type LogFile, UnreadableBytes } from './files.ts'
import { KIB, MIB } from './format.ts'
import {
  CHECKSUM_FLAG,
  decompressFrame,
  type FrameEntry,
  type FrameList,
  GUARD,
  guardedSize,
  isGuard,
  MAX_FRAME_BYTES,
  plainSize,
  SEEKABLE_MAGIC,
  TABLE,
  tableBytes,
  tableChecksum,
} from './seekable-zstd.ts'
import { walkFrames } from './seekable-zstd-walk.ts'

/** Holds the table of a segment of 256 MiB. */
const TAIL_BYTES = 16 * KIB
/** Decompressed frames that are kept. One larger frame may be kept instead. */
const CACHE_BYTES = 8 * MIB
const MOST_FRAMES = 2 ** 24
/** Compressed frames up to this size are read into the same memory, one after the other. */
const SHARED_BYTES = MIB
/** What the memory of a frame of its own may be longer than the frame. */
const SLACK_BYTES = 64

/** Decompressed frames of all the files of one reader, those used last. */
export class FrameCache {
  readonly #frames = new Map<number, Buffer>()
  #sizeBytes = 0
  readonly #capacityBytes: number
  #shared: Buffer = Buffer.alloc(0)
  #files = 0

  constructor(capacityBytes: number = CACHE_BYTES) {
    this.#capacityBytes = capacityBytes
  }

  /** A number that tells a file's frames from those of others. */
  join(): number {
    this.#files++
    return this.#files
  }

  /** Its bytes are there until another frame is set. */
  get(file: number, frame: number): Buffer | undefined {
    const key = file * MOST_FRAMES + frame
    const plain = this.#frames.get(key)
    if (plain === undefined) return undefined
    this.#frames.delete(key)
    this.#frames.set(key, plain)
    return plain
  }

  /** One that isn't here. Takes it over: its memory is given back with the frame. */
  set(file: number, frame: number, plain: Buffer): void {
    this.#frames.set(file * MOST_FRAMES + frame, plain)
    this.#sizeBytes += plain.length
    for (const [key, oldest] of this.#frames) {
      if (this.#sizeBytes <= this.#capacityBytes || oldest === plain) return
      this.#frames.delete(key)
      this.#sizeBytes -= oldest.length
      release(oldest)
    }
  }

  /** Memory for a compressed frame, until it is asked for again. */
  memory(sizeBytes: number): Buffer {
    if (sizeBytes > SHARED_BYTES) return Buffer.allocUnsafeSlow(sizeBytes)
    if (this.#shared.length < sizeBytes) this.#shared = Buffer.allocUnsafeSlow(sizeBytes)
    return this.#shared.subarray(0, sizeBytes)
  }
}

/**
 * Left to the collector, the memory of a few hundred frames makes it stop everybody else. Small frames share theirs with
 * whatever else took little (`Buffer.poolSize`).
 */
function release({ buffer, byteOffset, length }: Buffer): void {
  const own = byteOffset === 0 && buffer.byteLength <= length + SLACK_BYTES
  if (own && buffer instanceof ArrayBuffer) buffer.transfer(0)
}

/**
 * The file as it was before compression. Takes over `file`. A frame is decompressed, and its checksum compared, when
 * it is first read; `read` throws `UnreadableBytes` where it can't be restored. If the table is damaged, or missing
 * because the end of the file is, the frames are found by walking over them: what precedes the first damaged one can
 * be read. Then `sizeBytes` counts what can be read, and reading beyond it throws rather than answer nothing.
 */
export function openSeekable(file: LogFile, cache: FrameCache): LogFile {
  try {
    const list = readTable(file) ?? walkFrames(file)
    return seekableFile(file, cache, new FramePlaces(list.entries), list.complete)
  } catch (error) {
    file.close()
    throw error
  }
}

/** What the table says; undefined unless all of it is sound. */
function readTable(file: LogFile): FrameList | undefined {
  const sizeBytes = file.sizeBytes()
  let tail = readExactly(file, Math.max(0, sizeBytes - TAIL_BYTES), Math.min(sizeBytes, TAIL_BYTES))
  const count = entryCount(tail)
  if (tail === undefined || count === undefined) return undefined
  const closingBytes = GUARD.BYTES + tableBytes(count - 1)
  if (closingBytes > sizeBytes) return undefined
  if (closingBytes > tail.length) tail = readExactly(file, sizeBytes - closingBytes, closingBytes)
  if (tail === undefined) return undefined
  const guard = tail.subarray(tail.length - closingBytes, tail.length - closingBytes + GUARD.BYTES)
  const table = tail.subarray(tail.length - closingBytes + GUARD.BYTES)
  if (!isGuard(guard) || tableChecksum(guard, table) !== guard.readUInt32LE(GUARD.TABLE_CHECKSUM)) {
    return undefined
  }
  const entries = readEntries(table, count - 1)
  const framesEnd = entries.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0)
  const sized = entries.every(({ plainBytes }) => plainBytes > 0 && plainBytes <= MAX_FRAME_BYTES)
  const whole = framesEnd + closingBytes === sizeBytes && plainSize(entries) === guardedSize(guard)
  return sized && whole ? { entries, complete: true } : undefined
}

function readExactly(file: LogFile, offset: number, count: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafeSlow(count)
  return file.read(bytes, offset) === count ? bytes : undefined
}

/** From the footer; the guard's entry is among them. */
function entryCount(tail: Buffer | undefined): number | undefined {
  if (tail === undefined || tail.length < TABLE.FOOTER_BYTES) return undefined
  const footer = tail.subarray(tail.length - TABLE.FOOTER_BYTES)
  if (footer.readUInt32LE(5) !== SEEKABLE_MAGIC || footer[4] !== CHECKSUM_FLAG) return undefined
  const count = footer.readUInt32LE(0)
  return count >= 1 && count < MOST_FRAMES ? count : undefined
}

function readEntries(table: Buffer, frames: number): FrameEntry[] {
  return Array.from({ length: frames }, (_, index) => {
    const at = TABLE.ENTRIES + index * TABLE.ENTRY_BYTES
    return {
      compressedBytes: table.readUInt32LE(at),
      plainBytes: table.readUInt32LE(at + 4),
      checksum: table.readUInt32LE(at + 8),
    }
  })
}

/** Offsets of frames, in both files. */
class FramePlaces {
  readonly entries: readonly FrameEntry[]
  readonly #plainEnds: Float64Array
  readonly #compressedEnds: Float64Array

  constructor(entries: readonly FrameEntry[]) {
    this.entries = entries
    this.#plainEnds = new Float64Array(entries.length)
    this.#compressedEnds = new Float64Array(entries.length)
    let plainBytes = 0
    let compressedBytes = 0
    entries.forEach((entry, index) => {
      plainBytes += entry.plainBytes
      compressedBytes += entry.compressedBytes
      this.#plainEnds[index] = plainBytes
      this.#compressedEnds[index] = compressedBytes
    })
  }

  get plainBytes(): number {
    return this.#plainEnds.at(-1) ?? 0
  }

  plainStart(index: number): number {
    return this.#plainEnds[index - 1] ?? 0
  }

  compressedStart(index: number): number {
    return this.#compressedEnds[index - 1] ?? 0
  }

  /** The frame that holds this byte of the plain file; their number where there is none. */
  indexOf(plainOffset: number): number {
    let low = 0
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#plainEnds[middle] ?? 0) <= plainOffset) low = middle + 1
      else high = middle
    }
    return low
  }
}

function seekableFile(file: LogFile, cache: FrameCache, places: FramePlaces, complete: boolean): LogFile {
  const number = cache.join()
  const frameAt = (index: number): Buffer => {
    const known = cache.get(number, index)
    if (known !== undefined) return known
    const plain = readFrame(file, places, index, cache)
    cache.set(number, index, plain)
    return plain
  }
  const read = (into: Uint8Array, offset: number): number => {
    let done = 0
    for (let index = places.indexOf(offset); done < into.length && index < places.entries.length; index++) {
      const plain = frameAt(index)
      const start = offset + done - places.plainStart(index)
      const piece = plain.subarray(start, Math.min(plain.length, start + into.length - done))
      into.set(piece, done)
      done += piece.length
    }
    if (done < into.length && !complete) {
      throw new UnreadableBytes(places.plainBytes, Number.POSITIVE_INFINITY, 'its compressed file is damaged')
    }
    return done
  }
  const readOnly = (): never => assert.fail('a compressed segment is never written to')
  return {
    read,
    write: readOnly,
    sync: readOnly,
    truncate: readOnly,
    sizeBytes: () => places.plainBytes,
    close: () => file.close(),
  }
}

function readFrame(file: LogFile, places: FramePlaces, index: number, cache: FrameCache): Buffer {
  const entry = places.entries[index]
  assert.ok(entry !== undefined)
  const offset = places.compressedStart(index)
  const bytes = cache.memory(entry.compressedBytes)
  const whole = file.read(bytes, offset) === entry.compressedBytes
  const plain = whole ? decompressFrame(bytes, entry) : undefined
  if (plain !== undefined) return plain
  const start = places.plainStart(index)
  const why = `the frame at byte ${offset} of its compressed file is damaged`
  throw new UnreadableBytes(start, start + entry.plainBytes, why)
}
