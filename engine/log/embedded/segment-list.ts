import { LogDamaged } from '../log.ts'
import type { Block } from './block-decoder.ts'
import type { ReadBlock } from './block-reading.ts'
import { type Files, isDiskError } from './files.ts'
import { MIB } from './format.ts'
import { SegmentIndexes } from './index/segment-indexes.ts'
import type { EventBlock } from './lone-block.ts'
import { LoneBlocks } from './lone-blocks.ts'
import { parseSegmentName, segmentName } from './segment.ts'
import { type BlockPlace, SegmentReader } from './segment-reader.ts'

const CACHE_BYTES = 16 * MIB

/** Verified blocks that single events were read from, the least recently used dropped first. */
class BlockCache {
  readonly #blocks = new Map<string, { readonly block: Block; readonly sizeBytes: number }>()
  #sizeBytes = 0

  get(key: string): Block | undefined {
    const entry = this.#blocks.get(key)
    if (entry === undefined) return undefined
    this.#blocks.delete(key)
    this.#blocks.set(key, entry)
    return entry.block
  }

  set(key: string, block: Block, sizeBytes: number): void {
    this.#blocks.set(key, { block, sizeBytes })
    this.#sizeBytes += sizeBytes
    for (const [oldest, entry] of this.#blocks) {
      if (this.#sizeBytes <= CACHE_BYTES) break
      this.#blocks.delete(oldest)
      this.#sizeBytes -= entry.sizeBytes
    }
  }

  clear(): void {
    this.#blocks.clear()
    this.#sizeBytes = 0
  }
}

/** A log's segments in order, as one reader knows them. Opened when they are first needed. */
export class SegmentList {
  readonly #files: Files
  readonly #directory: string
  #firsts: readonly number[] = []
  readonly #open = new Map<number, SegmentReader>()
  readonly #cache = new BlockCache()
  readonly #lone = new LoneBlocks()
  readonly #indexes: SegmentIndexes

  constructor(files: Files, directory: string) {
    this.#files = files
    this.#directory = directory
    this.#indexes = new SegmentIndexes(files, directory)
    this.refresh()
  }

  /** Looks which segments there are. */
  refresh(): void {
    const names = this.#files.list(this.#directory)
    this.#firsts = names
      .map(parseSegmentName)
      .filter((first) => first !== undefined)
      .sort((a, b) => a - b)
  }

  /** Exchanges plain segments that were compressed while they were open: they take room on the disk until then. */
  letGo(): void {
    this.#files.list(this.#directory)
  }

  /** First positions by their names. */
  get firsts(): readonly number[] {
    return this.#firsts
  }

  /** Index of the segment that would hold `position`; 0 for one before all. */
  indexFor(position: number): number {
    let index = this.#firsts.length - 1
    while (index > 0 && (this.#firsts[index] ?? 0) > position) index--
    return index
  }

  /** The last position that the segment's blocks can hold, as far as the next segment's name tells. */
  limit(index: number): number {
    return (this.#firsts[index + 1] ?? Number.POSITIVE_INFINITY) - 1
  }

  /** Throws `LogDamaged` when its header is. */
  at(index: number): SegmentReader | undefined {
    const first = this.#firsts[index]
    if (first === undefined) return undefined
    let segment = this.#open.get(first)
    if (segment === undefined) {
      segment = SegmentReader.open(this.#files, this.#directory, segmentName(first), first)
      this.#open.set(first, segment)
    }
    return segment
  }

  /** The segment that holds `position`, which is at or before the head, with its blocks found up to there. */
  reach(position: number, head: number): { readonly index: number; readonly segment: SegmentReader } {
    let index = this.indexFor(position)
    const stale = index === this.#firsts.length - 1 && (this.at(index)?.last ?? 0) < head
    if (stale) {
      this.refresh()
      index = this.indexFor(position)
    }
    const segment = this.at(index)
    if (segment === undefined) throw new LogDamaged(segmentName(1), 0, 1, undefined, 'it is missing')
    this.checkBeginning(index, position)
    this.extend(index, segment, Math.min(head, this.limit(index)))
    return { index, segment }
  }

  /** Finds a segment's blocks up to `position`: those of a sealed one in its index, where it has one. */
  extend(index: number, segment: SegmentReader, position: number): void {
    if (segment.last >= position) return
    const sealed = index < this.#firsts.length - 1
    const blocks = sealed && segment.blockCount === 0 ? this.#indexes.blocks(segment) : undefined
    if (blocks !== undefined) segment.useBlocks(blocks)
    segment.extend(position)
  }

  /** Of a sealed segment's blocks, those that hold one of these types are 1; undefined where that isn't known. */
  blocksWith(segment: SegmentReader, types: ReadonlySet<string> | undefined): Uint8Array | undefined {
    const sealed = segment.header.first !== this.#firsts.at(-1)
    return sealed && types !== undefined ? this.#indexes.blocksWith(segment, types) : undefined
  }

  /** Throws when the segment that held `position` is missing before the first one. */
  checkBeginning(index: number, position: number): void {
    const previous = index === 0 ? (this.at(0)?.header.previous ?? 0) : 0
    if (position < 1 || position > previous) return
    throw new LogDamaged(segmentName(1), 0, 1, previous + 1, 'it is missing')
  }

  /** Throws when positions are missing between a segment, whose end was reached, and what follows it. */
  checkEnd(index: number, head: number): void {
    const segment = this.at(index)
    if (segment === undefined || segment.last >= head) return
    const next = this.at(index + 1)
    if (next !== undefined && next.header.previous === segment.last) return
    const until = this.#firsts[index + 1]
    throw new LogDamaged(segment.name, segment.end, segment.last + 1, until, 'positions are missing')
  }

  /** Tells of a block that has just become durable. */
  note(first: number, place: BlockPlace): void {
    if (this.#firsts.at(-1) !== first) this.#firsts = [...this.#firsts, first]
    try {
      this.at(this.#firsts.length - 1)?.note(place)
    } catch (error) {
      // The block is durable all the same: whoever reads it looks for it, and is told then.
      if (!(error instanceof LogDamaged) && !isDiskError(error)) throw error
    }
  }

  /** A verified block, from memory where it was read lately. */
  readonly cachedBlock: ReadBlock<Block> = (segment, index) => {
    const key = `${segment.name} ${index}`
    let block = this.#cache.get(key)
    if (block === undefined) {
      block = segment.block(index)
      this.#cache.set(key, block, segment.place(index)?.sizeBytes ?? 0)
    }
    return block
  }

  /**
   * Reads blocks for single events, into memory that is shared: a block is valid until any other is read so. `whole`:
   * whether most of a block will be asked for.
   */
  lone(whole: (place: BlockPlace) => boolean): ReadBlock<EventBlock> {
    this.#lone.forget()
    return (segment, index) => this.#lone.read(segment, index, whole)
  }

  close(): void {
    this.#lone.close()
    for (const segment of this.#open.values()) segment.close()
    this.#open.clear()
    this.#indexes.close()
    this.#cache.clear()
  }
}
