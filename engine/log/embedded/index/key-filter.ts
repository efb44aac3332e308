import assert from 'node:assert/strict'
import { endianness } from 'node:os'
import { FILTER_BITS_PER_KEY, FILTER_BLOCK_WORDS } from './index-format.ts'

/**
 * A split block Bloom filter (Parquet's: https://github.com/apache/parquet-format/blob/master/BloomFilter.md) of keys
 * that are hashes already: the first word chooses a block of 32 bytes, the second one bit in each of its eight words. So
 * a look-up touches one cache line. With 12 bits a key it takes 0.5 % of absent keys for present, and never a present
 * one for absent.
 */
const SALTS = [
  0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
] as const
const [S0, S1, S2, S3, S4, S5, S6, S7] = SALTS

assert.equal(SALTS.length, FILTER_BLOCK_WORDS)
assert.equal(endianness(), 'LE', 'the words of filters are read as the processor has them')

/** Words of a filter for so many keys; 0 for none. */
export function filterWords(keys: number): number {
  return Math.ceil((keys * FILTER_BITS_PER_KEY) / (FILTER_BLOCK_WORDS * 32)) * FILTER_BLOCK_WORDS
}

function blockOf(filter: Uint32Array, word0: number): number {
  return Math.floor((word0 * (filter.length / FILTER_BLOCK_WORDS)) / 0x1_0000_0000) * FILTER_BLOCK_WORDS
}

/** `word0`, `word1`: unsigned. */
export function addToFilter(filter: Uint32Array, word0: number, word1: number): void {
  const block = blockOf(filter, word0)
  for (let i = 0; i < FILTER_BLOCK_WORDS; i++) {
    filter[block + i] = (filter[block + i] ?? 0) | (1 << (Math.imul(word1, SALTS[i] ?? 0) >>> 27))
  }
}

/**
 * False only for keys that were not added. All eight bits are looked at: a branch for each would be guessed wrongly half the
 * time, and keep the processor from reading the next filter meanwhile.
 */
export function mayContain(filter: Uint32Array, word0: number, word1: number): boolean {
  const at = blockOf(filter, word0)
  const bits =
    bit(filter[at], word1, S0) &
    bit(filter[at + 1], word1, S1) &
    bit(filter[at + 2], word1, S2) &
    bit(filter[at + 3], word1, S3) &
    bit(filter[at + 4], word1, S4) &
    bit(filter[at + 5], word1, S5) &
    bit(filter[at + 6], word1, S6) &
    bit(filter[at + 7], word1, S7)
  return (bits & 1) !== 0
}

function bit(bits: number | undefined, word: number, salt: number): number {
  return (bits ?? 0) >>> (Math.imul(word, salt) >>> 27)
}
