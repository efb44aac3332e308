import { join } from 'node:path'
import { LogDamaged } from '../log.ts'
import { Block } from './block-decoder.ts'
import { blockChecksum, readBlockHeader } from './block-header.ts'
import { findWholeBlock } from './block-search.ts'
import type { Files, LogFile } from './files.ts'
import { BLOCK, FORMAT_VERSION, SEGMENT } from './format.ts'
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

  /** Looks for blocks until `position` is among them, or the segment ends. */
  extend(position: number): void {
    if (this.last >= position) return
    const window = new Window(this.file, WALK_BYTES)
    while (this.last < position) {
      const offset = this.end
      const header = readBlockHeader(window.bytes(offset, BLOCK.COLUMNS), 0)
      if (header !== undefined && header.previous === this.last) {
        const last = header.first + header.count - 1
        this.#places.push({ offset, sizeBytes: header.sizeBytes, first: header.first, last })
      } else if (!this.#skipDamage()) {
        return
      }
    }
  }

  /** At a spot where no block begins: goes on behind the hole if a whole block follows. */
  #skipDamage(): boolean {
    // What led here may be the length in the last block's header.
    if (this.#places.length > 0 && this.verified(this.#places.length - 1) === undefined) this.#places.pop()
    const offset = this.end
    const found = findWholeBlock(this.file, offset, this.header.salt, this.last)
    if (found === undefined) return false
    const damage = new LogDamaged(
      this.name,
      offset,
      this.last + 1,
      found.first,
      'no whole block begins there',
    )
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

  /** Bytes of the blocks from `index` on that begin at or before `position`; no more than `limit`. Call `extend` before. */
  sizeUntil(index: number, position: number, limit: number): number {
    let sizeBytes = 0
    for (let i = index; i < this.#places.length && sizeBytes < limit; i++) {
      const place = this.#places[i]
      if (place === undefined || place.first > position) break
      sizeBytes += place.sizeBytes
    }
    return Math.min(sizeBytes, limit)
  }

  /** The damage between a block and the one before it. */
  damageBefore(index: number): LogDamaged | undefined {
    return this.#holes.find((hole) => hole.before === index)?.damage
  }

  /** The block's bytes if its checksum is right. */
  verified(index: number, window = new Window(this.file, 0)): Buffer | undefined {
    const place = this.#places[index]
    if (place === undefined) return undefined
    const bytes = window.bytes(place.offset, place.sizeBytes)
    const header = readBlockHeader(bytes, 0)
    const whole = header?.sizeBytes === bytes.length
    return whole && blockChecksum(bytes, this.header.salt) === header.checksum ? bytes : undefined
  }

  /** A block, verified. Throws `LogDamaged`. */
  block(index: number, window?: Window): Block {
    const bytes = this.verified(index, window)
    if (bytes === undefined) throw this.damageAt(index, 'its checksum is wrong')
    try {
      return new Block(bytes)
    } catch (error) {
      throw this.damageAt(index, error instanceof Error ? error.message : 'it breaks the format')
    }
  }

  damageAt(index: number, why: string): LogDamaged {
    const from = (this.#places[index - 1]?.last ?? this.header.previous) + 1
    const place = this.#places[index]
    return new LogDamaged(this.name, place?.offset ?? this.end, from, this.#places[index + 1]?.first, why)
  }

  close(): void {
    this.file.close()
  }
}
