import { join } from 'node:path'
import { LogDamaged } from '../log.ts'
import { Block } from './block-decoder.ts'
import { blockChecksum, readBlockHeader } from './block-header.ts'
import { findWholeBlock } from './block-search.ts'
import { type Files, type LogFile, UnreadableBytes } from './files.ts'
import { BLOCK, FORMAT_VERSION, SEGMENT } from './format.ts'
import type { BlockTable } from './index/segment-index.ts'
import { readSegmentHeader, type SegmentHeader } from './segment.ts'
import { Window } from './window.ts'

/** The segment was written by a newer release. */
export class UnsupportedFormat extends Error {
  readonly segment: string
  readonly version: number
  constructor(segment: string, version: number) {
    super(`log segment ${segment} has format version ${version}; this release reads ${FORMAT_VERSION}`)
    this.name = 'UnsupportedFormat'
    this.segment = segment
    this.version = version
  }
}

/** Where a block lies, as its header says. */
export interface BlockPlace {
  readonly offset: number
  readonly sizeBytes: number
  readonly first: number
  readonly last: number
}

/** A stretch without whole blocks, found because a whole block follows it. */
interface Hole {
  /** The block after it. */
  readonly before: number
  readonly damage: LogDamaged
}

/** The error where a compressed file is damaged. */
function orUnreadable(read: () => Buffer): Buffer | UnreadableBytes {
  try {
    return read()
  } catch (error) {
    if (error instanceof UnreadableBytes) return error
    throw error
  }
}

/** Only headers are looked at, and at a live head there is one new block or a few. */
const WALK_BYTES = 4 * 1024

/**
 * One segment as a reader knows it: where its blocks lie, as far as they were looked for. Blocks are found by their
 * headers alone; `block` verifies them.
 */
export class SegmentReader {
  readonly name: string
  readonly header: SegmentHeader
  readonly file: LogFile
  readonly #places: BlockPlace[] = []
  readonly #holes: Hole[] = []
  /** The places are those of its index. */
  #indexed = false

  private constructor(name: string, header: SegmentHeader, file: LogFile) {
    this.name = name
    this.header = header
    this.file = file
  }

  /** Throws `LogDamaged` when the segment's header is. `first`: the position that its name states. */
  static open(files: Files, directory: string, name: string, first: number): SegmentReader {
    const file = files.openRead(join(directory, name))
    try {
      const bytes = Buffer.alloc(SEGMENT.MAX_BYTES)
      const header = readSegmentHeader(bytes.subarray(0, file.read(bytes, 0)))
      if (header.version !== FORMAT_VERSION) throw new UnsupportedFormat(name, header.version)
      return new SegmentReader(name, header, file)
    } catch (error) {
      file.close()
      if (error instanceof UnsupportedFormat) throw error
      const why = error instanceof Error ? error.message : 'its header'
      throw new LogDamaged(name, 0, first, undefined, why)
    }
  }

  get blockCount(): number {
    return this.#places.length
  }

  /** Where the next block is looked for. */
  get end(): number {
    const place = this.#places.at(-1)
    return place === undefined ? this.header.sizeBytes : place.offset + place.sizeBytes
  }

  /** The last position found so far; the one before the segment when there is none. */
  get last(): number {
    return this.#places.at(-1)?.last ?? this.header.previous
  }

  place(index: number): BlockPlace | undefined {
    return this.#places[index]
  }

  /** Tells of a block that the writer has just made durable, so that it needn't be looked for. */
  note(place: BlockPlace): void {
    if (place.offset === this.end) this.#places.push(place)
  }

  /** What the segment's index says of its blocks, all of them; nothing was looked for yet. */
  useBlocks({ offsets, firsts, counts, sizes }: BlockTable): void {
    if (this.#places.length > 0) return
    this.#indexed = true
    for (const [i, offset] of offsets.entries()) {
      const first = firsts[i] ?? 0
      this.#places.push({ offset, sizeBytes: sizes[i] ?? 0, first, last: first + (counts[i] ?? 0) - 1 })
    }
  }

  /** Looks for blocks until `position` is among them, or the segment ends. */
  extend(position: number): void {
    if (this.last >= position) return
    const window = new Window(this.file, WALK_BYTES)
    while (this.last < position) {
      const offset = this.end
      const bytes = orUnreadable(() => window.bytes(offset, BLOCK.COLUMNS))
      const unreadable = bytes instanceof UnreadableBytes
      const header = unreadable ? undefined : readBlockHeader(bytes, 0)
      if (header !== undefined && header.previous === this.last) {
        const last = header.first + header.count - 1
        this.#places.push({ offset, sizeBytes: header.sizeBytes, first: header.first, last })
      } else if (!this.#skipDamage(unreadable ? bytes.message : 'no whole block begins there')) {
        return
      }
    }
  }

  /** At a spot where no block begins: goes on behind the hole if a whole block follows. */
  #skipDamage(why: string): boolean {
    // What led here may be the length in the last block's header.
    if (this.#places.length > 0 && this.verified(this.#places.length - 1) === undefined) this.#places.pop()
    const offset = this.end
    const found = findWholeBlock(this.file, offset, this.header.salt, this.last)
    if (found === undefined) return false
    const damage = new LogDamaged(this.name, offset, this.last + 1, found.first, why)
    this.#holes.push({ before: this.#places.length, damage })
    this.#places.push(found)
    return true
  }

  /** The first block that ends at `position` or later; `blockCount` where there is none. Call `extend` before. */
  indexOf(position: number): number {
    let low = 0
    let high = this.#places.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#places[middle]?.last ?? 0) < position) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Reads ahead whole blocks that begin at or before `position`, of `limit` bytes in all at most. Call `extend` before. */
  window(position: number, limit: number): Window {
    return new Window(this.file, (offset) => this.#sizeFrom(offset, position, limit))
  }

  #sizeFrom(offset: number, position: number, limit: number): number {
    let low = 0
    let high = this.#places.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#places[middle]?.offset ?? 0) < offset) low = middle + 1
      else high = middle
    }
    let sizeBytes = 0
    for (let i = low; i < this.#places.length; i++) {
      const place = this.#places[i]
      if (place === undefined || place.first > position || sizeBytes + place.sizeBytes > limit) break
      // Behind a hole another window begins.
      if (place.offset !== offset + sizeBytes) break
      sizeBytes += place.sizeBytes
    }
    return sizeBytes
  }

  /** The damage between a block and the one before it. */
  damageBefore(index: number): LogDamaged | undefined {
    return this.#holes.find((hole) => hole.before === index)?.damage
  }

  /** The block's bytes if its checksum is right. */
  verified(index: number, window?: Window): Buffer | undefined {
    const bytes = this.#verifiedOrWhy(index, window)
    return typeof bytes === 'string' ? undefined : bytes
  }

  #verifiedOrWhy(index: number, window = new Window(this.file, 0)): Buffer | string {
    const place = this.#places[index]
    if (place === undefined) return 'it is missing'
    const bytes = orUnreadable(() => window.bytes(place.offset, place.sizeBytes))
    if (bytes instanceof UnreadableBytes) return bytes.message
    const header = readBlockHeader(bytes, 0)
    const whole = header?.sizeBytes === bytes.length
    return whole && blockChecksum(bytes, this.header.salt) === header.checksum
      ? bytes
      : 'its checksum is wrong'
  }

  /** A block, verified. Throws `LogDamaged`. */
  block(index: number, window?: Window): Block {
    const bytes = this.#verifiedOrWhy(index, window)
    if (typeof bytes === 'string') throw this.damageAt(index, bytes)
    try {
      return new Block(bytes)
    } catch (error) {
      throw this.damageAt(index, error instanceof Error ? error.message : 'it breaks the format')
    }
  }

  /** Of blocks that were looked for the next one's header was sound; of those in the index nothing is known yet. */
  damageAt(index: number, why: string): LogDamaged {
    const from = (this.#places[index - 1]?.last ?? this.header.previous) + 1
    const place = this.#places[index]
    let next = index + 1
    while (this.#indexed && next < this.#places.length && this.verified(next) === undefined) next++
    return new LogDamaged(this.name, place?.offset ?? this.end, from, this.#places[next]?.first, why)
  }

  close(): void {
    this.file.close()
  }
}
