import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'

/** Numbers that look random and are the same for the same seed, on every machine. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** Whole, both ends included. */
  integer(least: number, most: number): number
  /** In [least, most). */
  between(least: number, most: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
  /** Of pairs of a value and its weight. */
  weighted<T>(from: readonly (readonly [value: T, weight: number])[]): T
}

/**
 * sfc32 by Chris Doty-Humphrey (PractRand), its state filled from SHA-256 of the seed, so that seeds that look alike
 * give unrelated numbers.
 */
export function createRandom(seed: string): Random {
  const digest = createHash('sha256').update(seed).digest()
  let a = digest.readInt32LE(0)
  let b = digest.readInt32LE(4)
  let c = digest.readInt32LE(8)
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 4_294_967_296
  }
  // The first numbers still resemble the state.
  for (let i = 0; i < 12; i++) next()
  return {
    next,
    integer: (least, most) => least + Math.floor(next() * (most - least + 1)),
    between: (least, most) => least + next() * (most - least),
    chance: (probability) => next() < probability,
    pick: (from) => chosen(from, Math.floor(next() * from.length)),
    weighted: (from) => {
      let left = next() * from.reduce((sum, [, weight]) => sum + weight, 0)
      const found = from.findIndex(([, weight]) => {
        left -= weight
        return left < 0
      })
      return chosen(from, found < 0 ? from.length - 1 : found)[0]
    },
  }
}

function chosen<T>(from: readonly T[], index: number): T {
  assert(index >= 0 && index < from.length, 'there is something to choose from')
  return from[index] as T
}
