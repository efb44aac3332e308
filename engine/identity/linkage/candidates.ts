import assert from 'node:assert/strict'
import { blocksOf, type LeftOut, visitPairs } from './blocking.ts'
import { compare } from './compare.ts'
import { type LinkageModel, type LinkageRecord, MATCH_PROBABILITY } from './model.ts'
import { mayMatch, type PreparedRecord, prepareAll } from './prepare.ts'
import { bitsOf, type Candidate, candidateOf, oddsBits, surestFirst, type Weights } from './weights.ts'

export interface Proposals {
  /** Pairs that are probably one, the surest first. */
  readonly candidates: readonly Candidate[]
  /** Pairs that were compared. */
  readonly compared: number
  readonly passes: readonly PassCount[]
}

/** What a blocking pass came to. */
export interface PassCount {
  readonly pass: string
  /** Pairs that have a key of it in common, and of them those that no pass before it had. */
  readonly pairs: number
  readonly fresh: number
  readonly leftOut: LeftOut
}

/** All probable duplicates among records; the same in whatever order they come. Time and memory grow with the pairs in blocks. */
export function candidates(
  records: Iterable<LinkageRecord>,
  model: LinkageModel,
  weights: Weights,
): Proposals {
  const prepared = prepareAll(records, model)
  const blocks = blocksOf(prepared, model)
  const pairs = model.passes.map(() => 0)
  const fresh = model.passes.map(() => 0)
  const found: Candidate[] = []
  visitPairs(blocks, (a, b, passes) => {
    for (const at of pairs.keys()) if (passes & (1 << at)) pairs[at] = (pairs[at] ?? 0) + 1
    const first = 31 - Math.clz32(passes & -passes)
    fresh[first] = (fresh[first] ?? 0) + 1
    const [one, other] = [prepared[a], prepared[b]]
    assert(one !== undefined && other !== undefined, 'blocks are of these records')
    const candidate = propose(one, other, model, weights)
    if (candidate !== undefined) found.push(candidate)
  })
  return {
    candidates: found.sort(surestFirst),
    compared: fresh.reduce((sum, count) => sum + count, 0),
    passes: model.passes.map(({ name }, at) => ({
      pass: name,
      pairs: pairs[at] ?? 0,
      fresh: fresh[at] ?? 0,
      leftOut: blocks.leftOut[at] ?? { blocks: 0, pairs: 0 },
    })),
  }
}

const LEAST_BITS = oddsBits(MATCH_PROBABILITY)

/** Of two records that have a blocking key in common: the proposal, if they are probably one. */
export function propose(
  a: PreparedRecord,
  b: PreparedRecord,
  model: LinkageModel,
  weights: Weights,
): Candidate | undefined {
  if (!mayMatch(a, b, model)) return undefined
  const pattern = compare(a, b, model)
  return bitsOf(a, b, pattern, weights) >= LEAST_BITS ? candidateOf(a, b, pattern, model, weights) : undefined
}
