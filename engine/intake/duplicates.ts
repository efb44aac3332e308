import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import type { RecordedEvent } from '../events/event.ts'
import type { Hash64 } from './keyed-hash.ts'
import { halfSipHash } from './keyed-hash.ts'

type Keyed = Pick<RecordedEvent, 'source' | 'id' | 'position'>

/**
 * Where in the log the event with a (source, id) may be: exact after the caller has compared the candidates with the
 * log. Lives in memory only and is built from the log at every start.
 *
 * An id costs 8 bytes in a table that is 73 % to 87.5 % full: 9.1 to 11 bytes. Two ids whose hashes agree in 40
 * bits (8 choose the partition, 32 are the tag) are candidates for each other; of 10 million that happens to one
 * look-up in 100,000 and costs one read of the log. Nothing is ever lost to it: both are kept.
 */
export interface Duplicates {
  /** Positions that may hold the event; nearly always none or one. */
  candidates(source: string, id: string): readonly number[]
  /** The caller has made sure that it isn't there yet. */
  add(source: string, id: string, position: number): void
  /** Adds a scan of the log. */
  addMany(batches: AsyncIterable<readonly Keyed[]>): Promise<void>
  readonly size: number
  /** Memory of the tables. */
  readonly sizeBytes: number
}

/**
 * The event with this key, if there is one. `at` reads the log; candidates that are not durable yet, which `at`
 * doesn't find, are for the caller to know of.
 */
export async function findDuplicate<T extends { readonly source: string; readonly id: string }>(
  duplicates: Duplicates,
  key: { readonly source: string; readonly id: string },
  at: (position: number) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const position of duplicates.candidates(key.source, key.id)) {
    const found = await at(position)
    if (found?.source === key.source && found.id === key.id) return found
  }
  return undefined
}

interface DuplicatesOptions {
  /** For tests; default: HalfSipHash under a random key, so that nobody outside can make ids collide. */
  readonly hash?: Hash64 | undefined
  /** Makes room for so many from the start. */
  readonly expected?: number | undefined
}

const PARTITIONS = 256
/** Bits of the first half of the hash that choose the partition. */
const PARTITION_BITS = 8

export function createDuplicates(options: DuplicatesOptions = {}): Duplicates {
  return new PartitionedTable(options)
}

class PartitionedTable implements Duplicates {
  readonly #hash: Hash64
  readonly #hashed = new Uint32Array(2)
  readonly #partitions: readonly Partition[]
  #size = 0
  #last = 0

  constructor(options: DuplicatesOptions) {
    this.#hash = options.hash ?? halfSipHash(randomBytes(8))
    const each = Math.ceil(Math.ceil((options.expected ?? 0) / PARTITIONS) / MAX_LOAD)
    this.#partitions = Array.from({ length: PARTITIONS }, () => new Partition(each))
  }

  get size(): number {
    return this.#size
  }

  get sizeBytes(): number {
    return this.#partitions.reduce((sum, partition) => sum + partition.sizeBytes, 0)
  }

  candidates(source: string, id: string): readonly number[] {
    return this.#partition(source, id).find(this.#tag(), this.#last)
  }

  add(source: string, id: string, position: number): void {
    assert(Number.isSafeInteger(position) && position > 0)
    this.#partition(source, id).add(this.#tag(), position)
    this.#size += 1
    this.#last = Math.max(this.#last, position)
  }

  async addMany(batches: AsyncIterable<readonly Keyed[]>): Promise<void> {
    for await (const batch of batches) {
      for (const { source, id, position } of batch) this.add(source, id, position)
    }
  }

  #partition(source: string, id: string): Partition {
    this.#hash(source, id, this.#hashed)
    const partition = this.#partitions[(this.#hashed[0] ?? 0) >>> (32 - PARTITION_BITS)]
    assert(partition !== undefined)
    return partition
  }

  /** Of what was hashed last; 0 stands for an empty slot. */
  #tag(): number {
    return this.#hashed[1] || 1
  }
}

const MAX_LOAD = 0.875
/** Small steps waste less than doubling; a partition of 40,000 ids is copied in well under a millisecond. */
const GROWTH = 1.2
const SMALLEST = 16
const NO_CANDIDATES: readonly number[] = Object.freeze([])

/** Positions are kept modulo this, in 4 bytes; the log says which one it was. */
const ERA = 2 ** 32

/** Open addressing with linear probing; a slot is a tag and a position, and its home follows from the tag. */
class Partition {
  #tags: Uint32Array
  #positions: Uint32Array
  #count = 0

  constructor(slots: number) {
    this.#tags = new Uint32Array(Math.max(SMALLEST, slots))
    this.#positions = new Uint32Array(this.#tags.length)
  }

  get sizeBytes(): number {
    return this.#tags.byteLength + this.#positions.byteLength
  }

  /** Positions up to `last`. */
  find(tag: number, last: number): readonly number[] {
    const tags = this.#tags
    const slots = tags.length
    let found: number[] | undefined
    for (let slot = homeOf(tag, slots); tags[slot] !== 0; slot = slot + 1 === slots ? 0 : slot + 1) {
      if (tags[slot] !== tag) continue
      found ??= []
      for (let position = this.#positions[slot] ?? 0; position <= last; position += ERA) found.push(position)
    }
    return found ?? NO_CANDIDATES
  }

  add(tag: number, position: number): void {
    if (this.#count + 1 > this.#tags.length * MAX_LOAD) this.#grow()
    this.#insert(tag, position)
    this.#count += 1
  }

  #insert(tag: number, position: number): void {
    const tags = this.#tags
    const slots = tags.length
    let slot = homeOf(tag, slots)
    while (tags[slot] !== 0) slot = slot + 1 === slots ? 0 : slot + 1
    tags[slot] = tag
    this.#positions[slot] = position
  }

  #grow(): void {
    const tags = this.#tags
    const positions = this.#positions
    const slots = Math.ceil(tags.length * GROWTH)
    this.#tags = new Uint32Array(slots)
    this.#positions = new Uint32Array(slots)
    for (let slot = 0; slot < tags.length; slot++) {
      const tag = tags[slot]
      if (tag) this.#insert(tag, positions[slot] ?? 0)
    }
  }
}

/** Spreads tags evenly over any number of slots below 2^21. */
function homeOf(tag: number, slots: number): number {
  return Math.floor((tag * slots) / 0x1_0000_0000)
}
