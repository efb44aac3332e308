/**
 * Theorem: from patterns alone, without labels, the estimate finds the shares of levels among matches (m) and others (u) and
 * the share of matches that made the patterns: within 2 % from exact frequencies, within 15 % from a sample; although random
 * pairs hold matches too, and each blocking pass chose its pairs by a field.
 */
import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import type { Pattern } from '../../../engine/identity/linkage/compare.ts'
import { type Estimate, estimate, type Observations } from '../../../engine/identity/linkage/em.ts'
import { SeededRandom } from '../../../engine/identity/linkage/random.ts'

const TOTAL_PAIRS = 1_000_000
/** As many as where records have several duplicates each. */
const PRIOR = 0.004
const M = [
  [0.9, 0.07, 0.03],
  [0.8, 0.15, 0.05],
  [0.7, 0.2, 0.1],
  [0.6, 0.4],
  [0.85, 0.1, 0.05],
]
const U = [
  [0.004, 0.01, 0.986],
  [0.01, 0.02, 0.97],
  [0.002, 0.03, 0.968],
  [0.2, 0.8],
  [0.05, 0.05, 0.9],
]
/** Each pass has the pairs that agree on the comparison of its number. */
const PASSES = [0, 1, 2]
const SHAPE = M.map((levels) => levels.length)

function allPatterns(): readonly Pattern[] {
  let patterns: readonly Pattern[] = [[]]
  for (const levels of SHAPE)
    patterns = patterns.flatMap((pattern) =>
      Array.from({ length: levels }, (_, level) => [...pattern, level]),
    )
  return patterns
}

function shareOf(pattern: Pattern, shares: readonly (readonly number[])[]): number {
  return pattern.reduce((product, level, at) => product * (shares[at]?.[level] ?? 0), 1)
}

function observations(patterns: readonly Pattern[], counts: readonly number[]): Observations {
  const among = (which: (pattern: Pattern) => boolean): readonly number[] =>
    counts.map((count, at) => (which(patterns[at] ?? []) ? count : 0))
  return {
    levelCounts: SHAPE,
    patterns,
    random: counts,
    blocked: among((pattern) => PASSES.some((at) => pattern[at] === 0)),
    passes: PASSES.map((at) => ({ counts: among((pattern) => pattern[at] === 0), leftOut: new Set([at]) })),
    totalPairs: TOTAL_PAIRS,
  }
}

function expectFound(found: Estimate, tolerance: number): void {
  expect(found.converged).toBe(true)
  expect(Math.abs(found.prior / PRIOR - 1)).toBeLessThan(tolerance)
  for (const [name, estimated, truth] of [['m', found.m, M] as const, ['u', found.u, U] as const]) {
    for (const [at, levels] of truth.entries()) {
      for (const [level, share] of levels.entries()) {
        const ratio = (estimated[at]?.[level] ?? Number.NaN) / share
        expect({ name, at, level, within: Math.abs(ratio - 1) < tolerance, ratio }).toMatchObject({
          within: true,
        })
      }
    }
  }
}

describe('the estimate', () => {
  test('finds m, u and the share of matches from exact frequencies', () => {
    const patterns = allPatterns()
    const counts = patterns.map(
      (pattern) => TOTAL_PAIRS * (PRIOR * shareOf(pattern, M) + (1 - PRIOR) * shareOf(pattern, U)),
    )
    expectFound(estimate(observations(patterns, counts)), 0.02)
  })

  test('finds them from a sample', () => {
    const patterns = allPatterns()
    const random = new SeededRandom(7)
    const counts = patterns.map(() => 0)
    const places = new Map(patterns.map((pattern, at) => [pattern.join(), at]))
    for (let pair = 0; pair < TOTAL_PAIRS; pair++) {
      const shares = random.below(1_000_000) < PRIOR * 1_000_000 ? M : U
      const at = places.get(shares.map((levels) => drawn(levels, random)).join())
      assert(at !== undefined)
      counts[at] = (counts[at] ?? 0) + 1
    }
    expectFound(estimate(observations(patterns, counts)), 0.15)
  })

  test('of nothing is finite', () => {
    const found = estimate({ ...observations([], []), totalPairs: 0 })
    expect([found.prior, ...found.m.flat(), ...found.u.flat()].every((share) => share > 0 && share < 1)).toBe(
      true,
    )
  })
})

function drawn(levels: readonly number[], random: SeededRandom): number {
  let left = random.below(1_000_000) / 1_000_000
  const level = levels.findIndex((share) => {
    left -= share
    return left < 0
  })
  return level < 0 ? levels.length - 1 : level
}
