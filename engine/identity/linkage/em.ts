import assert from 'node:assert/strict'
import { NO_EVIDENCE, type Pattern } from './compare.ts'

/** What was counted: patterns, and how often each was seen where. */
export interface Observations {
  /** By comparison. */
  readonly levelCounts: readonly number[]
  readonly patterns: readonly Pattern[]
  /** By pattern: among pairs drawn at random. */
  readonly random: readonly number[]
  readonly passes: readonly ObservedPass[]
  /** By pattern: among all pairs that some pass has, each once. */
  readonly blocked: readonly number[]
  /** How many pairs of records there are at all. */
  readonly totalPairs: number
}

export interface ObservedPass {
  /** By pattern. */
  readonly counts: readonly number[]
  /** Comparisons that the pass says nothing about, because its pairs agree there by choice. */
  readonly leftOut: ReadonlySet<number>
}

export interface Estimate {
  /** Share of pairs that match, of all pairs of records. */
  readonly prior: number
  /** By comparison and level: its share among pairs that match, and among those that don't. */
  readonly m: readonly (readonly number[])[]
  readonly u: readonly (readonly number[])[]
  readonly iterations: number
  readonly converged: boolean
}

const MAX_ITERATIONS = 300
/** In the natural logarithm of any m and u. */
const CONVERGED = 1e-3
/** Pairs that are added to what was counted, so that nothing is impossible for not having been seen. */
const PSEUDO_PAIRS = 1

interface Tally {
  matches: number
  pairs: number
  /** By comparison and level. */
  readonly matching: number[][]
  readonly other: number[][]
}

/**
 * Fellegi & Sunter's (1969) probabilities without labels, by expectation-maximisation (Dempster, Laird & Rubin 1977; Winkler
 * 1988). As Splink does: m from the pairs of each blocking pass, without the fields that it blocks by, each pass with a share
 * of matches of its own; u from pairs drawn at random. Other than there, one estimate for all passes together, and random pairs
 * count for u as far as they probably don't match: where records have many duplicates, those would spoil it.
 * Comparisons are taken as independent given whether a pair matches.
 */
export function estimate(observed: Observations): Estimate {
  const shape = observed.levelCounts
  let m = shape.map(startingMatches)
  let u = shape.map((levels, at) => shares(levelsSeen(observed, at, levels), uniform(levels)))
  let prior = 1 / Math.max(Math.sqrt(observed.totalPairs), 2)
  const shareByPass = observed.passes.map(() => 0.1)
  let iterations = 0
  let converged = false
  while (!converged && iterations < MAX_ITERATIONS) {
    iterations++
    const matching = zeros(shape)
    for (const [pass, { counts, leftOut }] of observed.passes.entries()) {
      const tally = expect(observed, counts, shareByPass[pass] ?? 0, m, u, leftOut)
      shareByPass[pass] = (tally.matches + 0.5) / (tally.pairs + 1)
      add(matching, tally.matching)
    }
    const nextM = matching.map((counts, at) => shares(counts, startingMatches(shape[at] ?? 1)))
    const blocked = expect(observed, observed.blocked, prior, nextM, u, NOTHING)
    prior = (blocked.matches + 0.5) / (observed.totalPairs + 1)
    const random = expect(observed, observed.random, prior, nextM, u, NOTHING)
    const nextU = random.other.map((counts) => shares(counts, uniform(counts.length)))
    converged = change(m, nextM) < CONVERGED && change(u, nextU) < CONVERGED
    m = nextM
    u = nextU
  }
  return { prior, m, u, iterations, converged }
}

const NOTHING: ReadonlySet<number> = new Set()

/** Expected numbers of matching and other pairs by level, given m, u and the share of matches. */
function expect(
  { patterns, levelCounts }: Observations,
  counts: readonly number[],
  share: number,
  m: readonly (readonly number[])[],
  u: readonly (readonly number[])[],
  leftOut: ReadonlySet<number>,
): Tally {
  const tally: Tally = { matches: 0, pairs: 0, matching: zeros(levelCounts), other: zeros(levelCounts) }
  const weights = m.map((levels, at) =>
    leftOut.has(at)
      ? levels.map(() => 0)
      : levels.map((each, level) => Math.log(each / (u[at]?.[level] ?? 1))),
  )
  const odds = Math.log(share / (1 - share))
  for (const [at, pattern] of patterns.entries()) {
    const count = counts[at] ?? 0
    if (count === 0) continue
    const probability = 1 / (1 + Math.exp(-(odds + sumOf(weights, pattern))))
    tally.pairs += count
    tally.matches += count * probability
    for (const [comparison, level] of pattern.entries()) {
      if (level === NO_EVIDENCE || leftOut.has(comparison)) continue
      bump(tally.matching[comparison], level, count * probability)
      bump(tally.other[comparison], level, count * (1 - probability))
    }
  }
  return tally
}

function sumOf(weights: readonly (readonly number[])[], pattern: Pattern): number {
  let sum = 0
  for (let at = 0; at < pattern.length; at++) {
    const level = pattern[at] ?? NO_EVIDENCE
    if (level !== NO_EVIDENCE) sum += weights[at]?.[level] ?? 0
  }
  return sum
}

/** Half of what matches is expected in the best level, half of the rest in the next …: only where it starts from. */
function startingMatches(levels: number): readonly number[] {
  return Array.from({ length: levels }, (_, level) => 2 ** -Math.min(level + 1, levels - 1))
}

function uniform(levels: number): readonly number[] {
  return Array.from({ length: levels }, () => 1 / levels)
}

function levelsSeen(
  { patterns, random }: Observations,
  comparison: number,
  levels: number,
): readonly number[] {
  const seen = Array.from({ length: levels }, () => 0)
  for (const [at, pattern] of patterns.entries()) {
    const level = pattern[comparison] ?? NO_EVIDENCE
    if (level !== NO_EVIDENCE) bump(seen, level, random[at] ?? 0)
  }
  return seen
}

function shares(counts: readonly number[], expected: readonly number[]): readonly number[] {
  const all = counts.reduce((sum, count) => sum + count, PSEUDO_PAIRS)
  return counts.map((count, level) => (count + PSEUDO_PAIRS * (expected[level] ?? 0)) / all)
}

function zeros(shape: readonly number[]): number[][] {
  return shape.map((levels) => Array.from({ length: levels }, () => 0))
}

function add(sums: number[][], more: readonly (readonly number[])[]): void {
  for (const [at, counts] of more.entries())
    for (const [level, count] of counts.entries()) bump(sums[at], level, count)
}

function bump(counts: number[] | undefined, at: number, by: number): void {
  assert(counts !== undefined && at < counts.length, 'levels are those of the model')
  counts[at] = (counts[at] ?? 0) + by
}

function change(before: readonly (readonly number[])[], after: readonly (readonly number[])[]): number {
  let most = 0
  for (const [at, levels] of after.entries())
    for (const [level, value] of levels.entries())
      most = Math.max(most, Math.abs(Math.log(value / (before[at]?.[level] ?? value))))
  return most
}
