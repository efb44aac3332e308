import type { Clock } from '../../engine/clock.ts'
import { candidates, type PassCount } from '../../engine/identity/linkage/candidates.ts'
import { clusters } from '../../engine/identity/linkage/clusters.ts'
import { learn } from '../../engine/identity/linkage/learn.ts'
import { modelOf } from '../../engine/identity/linkage/model.ts'
import type { LoadedSet } from './data-sets.ts'
import { pairKey, pairsOfGroups, type Score, scoreOf } from './score.ts'

const SEED = 1

export interface Judged {
  readonly name: string
  readonly records: number
  readonly truePairs: number
  readonly compared: number
  readonly learnS: number
  readonly proposeS: number
  readonly passes: readonly PassCount[]
  readonly converged: boolean
  /** Matching pairs that the estimate expects, not having been told of any. */
  readonly expectedPairs: number
  /** Of all pairs within the groups that come out if every proposal is followed. */
  readonly grouped: Score
  /** Of the proposed pairs alone. */
  readonly proposed: Score
}

/** Learns, proposes, and only then looks at the truth. */
export function judge({ set, records, truth }: LoadedSet, clock: Clock): Judged {
  const model = modelOf(set.fields)
  const startMs = clock.monotonicMs()
  const weights = learn(records, model, SEED)
  const learntMs = clock.monotonicMs()
  const proposals = candidates(records, model, weights)
  const proposedMs = clock.monotonicMs()
  const groups = clusters(proposals.candidates, records, model)
  return {
    name: set.name,
    records: records.length,
    truePairs: truth.size,
    compared: proposals.compared,
    learnS: (learntMs - startMs) / 1_000,
    proposeS: (proposedMs - learntMs) / 1_000,
    passes: proposals.passes,
    converged: weights.converged,
    expectedPairs: (weights.prior * records.length * (records.length - 1)) / 2,
    grouped: scoreOf(pairsOfGroups(groups), truth),
    proposed: scoreOf(new Set(proposals.candidates.map(({ a, b }) => pairKey(a, b))), truth),
  }
}
