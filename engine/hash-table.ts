import { strict as assert } from 'node:assert'

/**
 * A growing multimap from 64-bit hashes to numbers below 2^32, outside the heap. It compares 40 bits of the hash (8 choose
 * the partition, 32 are the tag), so who asks must compare what the answers stand for.
 *
 * An entry costs 8 bytes in a table that is 73 % to 87.5 % full: 9.1 to 11 bytes. It grows partition by partition in small
 * steps, so that adding never waits for a large copy.
 */
export class HashTable {
  readonly #partitions: readonly Partition[]
  #size = 0

  /** Makes room for `expected` entries from the start. */
  constructor(expected = 0) {
    const each = Math.ceil(Math.ceil(expected / PARTITIONS) / MAX_LOAD)
    this.#partitions = Array.from({ length: PARTITIONS }, () => new Partition(each))
  }

  get size(): number {
    return this.#size
  }

  get sizeBytes(): number {
    return this.#partitions.reduce((sum, partition) => sum + partition.sizeBytes, 0)
  }

  /** The first number under a hash like this one that `accepts` takes; `hash` is two halves of 32 bits. */
  find(hash: Uint32Array, accepts: (value: number) => boolean): number | undefined {
    return this.#partition(hash).find(tagOf(hash), accepts)
  }

  add(hash: Uint32Array, value: number): void {
    this.#partition(hash).add(tagOf(hash), value)
    this.#size += 1
  }

  #partition(hash: Uint32Array): Partition {
    const partition = this.#partitions[(hash[0] ?? 0) >>> (32 - PARTITION_BITS)]
    assert(partition !== undefined)
    return partition
  }
}

const PARTITIONS = 256
/** Bits of the first half of the hash that choose the partition. */
const PARTITION_BITS = 8

/** 0 stands for a free slot. */
function tagOf(hash: Uint32Array): number {
  return hash[1] || 1
}

const MAX_LOAD = 0.875
/** Small steps waste less than doubling; a partition of 40,000 entries is copied in well under a millisecond. */
const GROWTH = 1.2
const SMALLEST = 16

/** Open addressing with linear probing; a slot is a tag and a number, and its home follows from the tag. */
class Partition {
  #slots: number
  /** Tag and number of each slot in turn. */
  #words: Uint32Array<ArrayBuffer>
  #count = 0

  constructor(slots: number) {
    this.#slots = Math.max(SMALLEST, slots)
    this.#words = new Uint32Array(this.#slots * 2)
  }

  get sizeBytes(): number {
    return this.#words.byteLength
  }

  find(tag: number, accepts: (value: number) => boolean): number | undefined {
    const words = this.#words
    for (let slot = homeOf(tag, this.#slots); words[slot * 2] !== 0; slot = this.#after(slot)) {
      if (words[slot * 2] !== tag) continue
      const value = words[slot * 2 + 1] ?? 0
      if (accepts(value)) return value
    }
    return undefined
  }

  add(tag: number, value: number): void {
    if (this.#count + 1 > this.#slots * MAX_LOAD) this.#grow()
    this.#insert(tag, value)
    this.#count += 1
  }

  #after(slot: number): number {
    return slot + 1 === this.#slots ? 0 : slot + 1
  }

  #insert(tag: number, value: number): void {
    const words = this.#words
    let slot = homeOf(tag, this.#slots)
    while (words[slot * 2] !== 0) slot = this.#after(slot)
    words[slot * 2] = tag
    words[slot * 2 + 1] = value
  }

  #grow(): void {
    const old = this.#words
    this.#slots = Math.ceil(this.#slots * GROWTH)
    this.#words = new Uint32Array(this.#slots * 2)
    for (let at = 0; at < old.length; at += 2) {
      const tag = old[at]
      if (tag) this.#insert(tag, old[at + 1] ?? 0)
    }
    // Freed at once: waiting for a collection of the heap, hundreds of them would pile up.
    old.buffer.transfer(0)
  }
}

/** Spreads tags evenly over any number of slots below 2^21. */
function homeOf(tag: number, slots: number): number {
  return Math.floor((tag * slots) / 0x1_0000_0000)
}
