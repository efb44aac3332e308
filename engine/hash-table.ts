import { strict as assert } from 'node:assert'

/**
 * A growing multimap from 64-bit hashes to numbers below 2^32, outside the heap. It compares 40 bits of the hash (8 choose
 * the partition, 32 are the tag), so who asks must compare what the answers stand for.
 *
 * An entry costs 8 bytes in a table that is 54 % to 75 % full: 10.7 to 15 bytes. It grows partition by partition in small
 * steps, so that adding never waits for a large copy.
 */
export class HashTable {
  /**
   * Of each partition its slots, a tag and a number each: open addressing with linear probing, a slot's home follows from
   * the tag.
   */
  readonly #partitions: Uint32Array<ArrayBuffer>[]
  readonly #counts = new Uint32Array(PARTITIONS)
  #size = 0

  /** Makes room for `expected` entries from the start. */
  constructor(expected = 0) {
    const each = Math.max(SMALLEST, Math.ceil(Math.ceil(expected / PARTITIONS) / MAX_LOAD))
    this.#partitions = Array.from({ length: PARTITIONS }, () => new Uint32Array(each * 2))
  }

  get size(): number {
    return this.#size
  }

  get sizeBytes(): number {
    return this.#partitions.reduce((sum, words) => sum + words.byteLength, 0)
  }

  /** The first number under a hash like this one that `accepts` takes; `hash` is two halves of 32 bits. */
  find(hash: Uint32Array, accepts: (value: number) => boolean): number | undefined {
    const words = this.#words(partitionOf(hash))
    const tag = tagOf(hash)
    const { length } = words
    let at = homeOf(tag, length)
    for (let found = words[at]; found !== 0; found = words[at]) {
      if (found === tag) {
        const value = words[at + 1] ?? 0
        if (accepts(value)) return value
      }
      at += 2
      if (at === length) at = 0
    }
    return undefined
  }

  add(hash: Uint32Array, value: number): void {
    const partition = partitionOf(hash)
    let words = this.#words(partition)
    const count = (this.#counts[partition] ?? 0) + 1
    if (count * 2 > words.length * MAX_LOAD) {
      words = grown(words)
      this.#partitions[partition] = words
    }
    insert(words, tagOf(hash), value)
    this.#counts[partition] = count
    this.#size += 1
  }

  #words(partition: number): Uint32Array<ArrayBuffer> {
    const words = this.#partitions[partition]
    if (words === undefined) assert.fail('a partition')
    return words
  }
}

const PARTITIONS = 256
/** Bits of the first half of the hash that choose the partition. */
const PARTITION_BITS = 8

function partitionOf(hash: Uint32Array): number {
  return (hash[0] ?? 0) >>> (32 - PARTITION_BITS)
}

/** 0 stands for a free slot. */
function tagOf(hash: Uint32Array): number {
  return hash[1] || 1
}

/** Fuller ones are probed many times for what isn't there. */
const MAX_LOAD = 0.75
/** Smaller steps insert everything anew more often; a partition of 40,000 entries is copied in well under a millisecond. */
const GROWTH = 1.4
const SMALLEST = 16

function insert(words: Uint32Array, tag: number, value: number): void {
  const { length } = words
  let at = homeOf(tag, length)
  while (words[at] !== 0) {
    at += 2
    if (at === length) at = 0
  }
  words[at] = tag
  words[at + 1] = value
}

function grown(old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil((old.length / 2) * GROWTH) * 2)
  for (let at = 0; at < old.length; at += 2) {
    const tag = old[at]
    if (tag) insert(words, tag, old[at + 1] ?? 0)
  }
  // Freed at once: waiting for a collection of the heap, hundreds of them would pile up.
  old.buffer.transfer(0)
  return words
}

/** Where a tag's home is among so many words; spreads tags evenly over any number of slots below 2^21. */
function homeOf(tag: number, length: number): number {
  return Math.floor((tag * (length / 2)) / 0x1_0000_0000) * 2
}
