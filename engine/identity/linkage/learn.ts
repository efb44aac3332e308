import assert from 'node:assert/strict'
import { type Blocks, blocksOf, pairsAmong, pairsInBlocks, visitPairs } from './blocking.ts'
import { compare, levelCounts, type Pattern, patternCode } from './compare.ts'
import { type Estimate, estimate, type Observations } from './em.ts'
import { LEVELS, WEIGHED_BY_FREQUENCY } from './levels.ts'
import type { LinkageModel, LinkageRecord } from './model.ts'
import { mayMatch, type PreparedRecord, prepareAll } from './prepare.ts'
import { chanceOf, SeededRandom } from './random.ts'
import { type Frequencies, oddsBits, probabilityOf, type Weights } from './weights.ts'

/** How many pairs are compared to learn from; where there are fewer, all of them. */
export interface Sample {
  /** Drawn from all pairs of records. */
  readonly randomPairs: number
  /** About that many of those with a blocking key in common, each counted in every block that has it. */
  readonly blockedPairs: number
}

/**
 * What one random pair in ten thousand agrees on is seen some twenty times, which tells its bits to a third of one; more pairs
 * cost more than that is worth.
 */
export const SAMPLE: Sample = { randomPairs: 200_000, blockedPairs: 1_000_000 }

/**
 * Learns weights from records without being told which of them match. The same for the same records, in any order, and
 * seed. A field's weights are learnt from passes that block by other fields: with a single pass, its own aren't.
 */
export function learn(
  records: Iterable<LinkageRecord>,
  model: LinkageModel,
  seed: number,
  sample: Sample = SAMPLE,
): Weights {
  const prepared = prepareAll(records, model)
  const blocks = blocksOf(prepared, model)
  const tally = new PatternTally(model)
  const share = Math.min(1, sample.blockedPairs / Math.max(pairsInBlocks(blocks), 1))
  const pairs = tallyBlocked(prepared, blocks, model, tally, share, seed)
  tallyRandom(prepared, model, tally, sample.randomPairs, seed)
  const observed = tally.observations(pairsThatMayMatch(prepared, model) * share)
  const found = estimate(observed)
  const people = expectedSizes(prepared.length, pairs, observed.patterns, found, share).map(
    (size) => 1 / size,
  )
  return weightsOf(found, model, prepared, people)
}

interface BlockedPairs {
  readonly a: number[]
  readonly b: number[]
  /** Index of the pattern. */
  readonly pattern: number[]
}

/** Patterns in the order in which they were first seen, with their numbers. */
class PatternTally {
  readonly #model: LinkageModel
  readonly #levelCounts: readonly number[]
  readonly #index = new Map<number, number>()
  readonly #patterns: Pattern[] = []
  readonly random: number[] = []
  readonly blocked: number[] = []
  readonly byPass: number[][]

  constructor(model: LinkageModel) {
    this.#model = model
    this.#levelCounts = levelCounts(model)
    this.byPass = model.passes.map(() => [])
  }

  index(pattern: Pattern): number {
    const code = patternCode(pattern, this.#levelCounts)
    const known = this.#index.get(code)
    if (known !== undefined) return known
    const index = this.#patterns.length
    this.#index.set(code, index)
    this.#patterns.push(pattern)
    for (const counts of [this.random, this.blocked, ...this.byPass]) counts.push(0)
    return index
  }

  observations(totalPairs: number): Observations {
    const { comparisons, passes } = this.#model
    return {
      levelCounts: this.#levelCounts,
      patterns: this.#patterns,
      random: this.random,
      blocked: this.blocked,
      passes: passes.map(({ parts }, at) => ({
        counts: this.byPass[at] ?? [],
        leftOut: new Set(parts.map((part) => comparisons.findIndex(({ field }) => field === part.field))),
      })),
      totalPairs,
    }
  }
}

function tallyBlocked(
  records: readonly PreparedRecord[],
  blocks: Blocks,
  model: LinkageModel,
  tally: PatternTally,
  share: number,
  seed: number,
): BlockedPairs {
  const pairs: BlockedPairs = { a: [], b: [], pattern: [] }
  visitPairs(blocks, (a, b, passes) => {
    if (share < 1 && chanceOf(seed, a, b) >= share) return
    const index = tallied(records, a, b, model, tally)
    if (index === undefined) return
    increment(tally.blocked, index)
    for (const [pass, counts] of tally.byPass.entries()) if (passes & (1 << pass)) increment(counts, index)
    pairs.a.push(a)
    pairs.b.push(b)
    pairs.pattern.push(index)
  })
  return pairs
}

/** All pairs, where there are no more than it would draw. */
function tallyRandom(
  records: readonly PreparedRecord[],
  model: LinkageModel,
  tally: PatternTally,
  pairs: number,
  seed: number,
): void {
  const count = (a: number, b: number): void => {
    const index = tallied(records, a, b, model, tally)
    if (index !== undefined) increment(tally.random, index)
  }
  if (pairsAmong(records.length) <= pairs) {
    for (let b = 1; b < records.length; b++) for (let a = 0; a < b; a++) count(a, b)
    return
  }
  const random = new SeededRandom(seed)
  for (let drawn = 0; drawn < pairs; drawn++) {
    const a = random.below(records.length)
    const b = random.below(records.length - 1)
    count(a, b < a ? b : b + 1)
  }
}

function tallied(
  records: readonly PreparedRecord[],
  a: number,
  b: number,
  model: LinkageModel,
  tally: PatternTally,
): number | undefined {
  const one = records[a]
  const other = records[b]
  assert(one !== undefined && other !== undefined, 'pairs are of these records')
  return mayMatch(one, other, model) ? tally.index(compare(one, other, model)) : undefined
}

function pairsThatMayMatch(records: readonly PreparedRecord[], { onePerSource }: LinkageModel): number {
  const all = pairsAmong(records.length)
  if (!onePerSource) return all
  const bySource = new Map<string, number>()
  for (const { source } of records)
    if (source !== undefined) bySource.set(source, (bySource.get(source) ?? 0) + 1)
  return [...bySource.values()].reduce((pairs, held) => pairs - pairsAmong(held), all)
}

/** By record: how many records its person is expected to have, itself counted. */
function expectedSizes(
  records: number,
  pairs: BlockedPairs,
  patterns: readonly Pattern[],
  { prior, m, u }: Estimate,
  share: number,
): readonly number[] {
  const bits = patterns.map((pattern) =>
    pattern.reduce(
      (sum, level, at) => (level < 0 ? sum : sum + Math.log2((m[at]?.[level] ?? 1) / (u[at]?.[level] ?? 1))),
      oddsBits(prior),
    ),
  )
  const sizes = Array.from({ length: records }, () => 1)
  for (const [at, pattern] of pairs.pattern.entries()) {
    const expected = probabilityOf(bits[pattern] ?? 0) / share
    for (const record of [pairs.a[at] ?? 0, pairs.b[at] ?? 0]) sizes[record] = (sizes[record] ?? 1) + expected
  }
  return sizes
}

function weightsOf(
  { prior, m, u, converged }: Estimate,
  model: LinkageModel,
  records: readonly PreparedRecord[],
  people: readonly number[],
): Weights {
  const levels = model.comparisons.map(({ kind }, at) =>
    LEVELS[kind].map((level, index) => {
      const [matching, other] = [m[at]?.[index] ?? 1, u[at]?.[index] ?? 1]
      return { level, m: matching, u: other, bits: Math.log2(matching / other) }
    }),
  )
  const frequencies = model.comparisons.map(({ kind }, at) =>
    WEIGHED_BY_FREQUENCY.has(kind) ? frequenciesOf(records, at, people) : undefined,
  )
  return { prior, levels, frequencies, converged }
}

/**
 * Shares of people, not of records: a record counts as one part of what its person is expected to have. So a rare name isn't
 * taken for a frequent one because its bearer is there six times.
 */
function frequenciesOf(
  records: readonly PreparedRecord[],
  at: number,
  people: readonly number[],
): Frequencies {
  const counts = new Map<string, number>()
  let all = 0
  for (const [index, { values }] of records.entries()) {
    const value = values[at]
    if (value === undefined || typeof value === 'string') continue
    const part = people[index] ?? 1
    counts.set(value.text, (counts.get(value.text) ?? 0) + part)
    all += part
  }
  const frequent = [...counts].filter(([, count]) => count > 1)
  return {
    shares: new Map(frequent.map(([text, count]) => [text, count / all])),
    least: 1 / Math.max(all, 1),
  }
}

function increment(counts: number[], at: number): void {
  counts[at] = (counts[at] ?? 0) + 1
}
