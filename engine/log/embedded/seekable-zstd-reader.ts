import assert from 'node:assert/strict'
import { type LogFile, UnreadableBytes, type VerifiedParts } from './files.ts'
import { KIB, MIB } from './format.ts'
import type { FrameCache } from './frame-cache.ts'
import { FramePlaces } from './frame-places.ts'
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

/** Holds the table of a segment of 64 MiB. */
const TAIL_BYTES = 128 * KIB
const MOST_FRAMES = 2 ** 24
/** Compressed bytes that are read at once. */
const READ_BYTES = MIB / 2

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

function seekableFile(file: LogFile, cache: FrameCache, places: FramePlaces, complete: boolean): LogFile {
  const frames = new Frames(file, places, cache)
  const read = (into: Uint8Array, offset: number): number => {
    const done = frames.read(into, offset)
    if (done < into.length && !complete) {
      throw new UnreadableBytes(places.plainBytes, Number.POSITIVE_INFINITY, 'its compressed file is damaged')
    }
    return done
  }
  const readOnly = (): never => assert.fail('a compressed segment is never written to')
  return {
    read,
    parts: () => frames,
    write: readOnly,
    sync: readOnly,
    truncate: readOnly,
    sizeBytes: () => places.plainBytes,
    close: () => file.close(),
  }
}

/** Reads through the frames of one file. */
class Frames implements VerifiedParts {
  readonly #file: LogFile
  readonly #places: FramePlaces
  readonly #cache: FrameCache
  readonly #number: number

  constructor(file: LogFile, places: FramePlaces, cache: FrameCache) {
    this.#file = file
    this.#places = places
    this.#cache = cache
    this.#number = cache.join()
  }

  indexOf(offset: number): number {
    return this.#places.indexOf(offset)
  }

  start(index: number): number {
    return this.#places.start(index)
  }

  fetch(from: number, until: number): void {
    const places = this.#places
    const start = places.compressedStart(places.indexOf(from))
    const end = places.compressedStart(Math.min(places.count, places.indexOf(until - 1) + 1))
    if (end - start <= READ_BYTES) this.#compressed(start, end)
  }

  /** Bytes of the compressed file, fewer where it ends before; until any others are asked for. */
  #compressed(start: number, end: number): Buffer {
    const fetched = this.#cache.fetched(this.#number, start, end)
    if (fetched !== undefined) return fetched
    const bytes = this.#cache.memory(end - start)
    const count = this.#file.read(bytes, start)
    if (end - start <= READ_BYTES) this.#cache.fetch(this.#number, start, bytes.subarray(0, count))
    return bytes.subarray(0, count)
  }

  /** As `LogFile.read`. Frames that are asked for whole are restored right where they are wanted. */
  read(into: Uint8Array, offset: number): number {
    const places = this.#places
    const until = offset + into.length
    let at = offset
    for (let index = places.indexOf(offset); at < until && index < places.count; ) {
      const next = this.#untilWhole(index, at, until)
      if (next > index) {
        this.#restore(index, next, (start) => into.subarray(start - offset))
        at = places.start(next)
        index = next
      } else {
        const plain = this.#cached(index)
        const start = at - places.start(index)
        const piece = plain.subarray(start, Math.min(plain.length, start + until - at))
        into.set(piece, at - offset)
        at += piece.length
        index++
      }
    }
    return at - offset
  }

  /** The end of the run of frames from `index` on, whose content begins at `at`, that lie before `until` and aren't known. */
  #untilWhole(index: number, at: number, until: number): number {
    const places = this.#places
    if (places.start(index) !== at) return index
    let next = index
    while (next < places.count && places.start(next + 1) <= until && !this.#cache.has(this.#number, next))
      next++
    return next
  }

  #cached(index: number): Buffer {
    const known = this.#cache.get(this.#number, index)
    if (known !== undefined) return known
    const plain = Buffer.allocUnsafe(this.#places.start(index + 1) - this.#places.start(index))
    this.#restore(index, index + 1, () => plain)
    this.#cache.set(this.#number, index, plain)
    return plain
  }

  /** Frames [from, until), each into what `into` answers for where it begins. Reads as many at once as fit into memory. */
  #restore(from: number, until: number, into: (start: number) => Uint8Array): void {
    const places = this.#places
    for (let first = from; first < until; ) {
      const offset = places.compressedStart(first)
      let next = first + 1
      while (next < until && places.compressedStart(next + 1) - offset <= READ_BYTES) next++
      const bytes = this.#compressed(offset, places.compressedStart(next))
      for (let index = first; index < next; index++) {
        const start = places.start(index)
        const plain = into(start).subarray(0, places.start(index + 1) - start)
        const frameFrom = places.compressedStart(index) - offset
        const frameUntil = places.compressedStart(index + 1) - offset
        const frame = bytes.subarray(frameFrom, frameUntil)
        const whole = frameUntil <= bytes.length && decompressFrame(frame, places.checksum(index), plain)
        if (whole) continue
        // Whoever tries again reads the file again.
        this.#cache.memory(0)
        throw this.#unreadable(index)
      }
      first = next
    }
  }

  #unreadable(index: number): UnreadableBytes {
    const places = this.#places
    const why = `the frame at byte ${places.compressedStart(index)} of its compressed file is damaged`
    return new UnreadableBytes(places.start(index), places.start(index + 1), why)
  }
}
