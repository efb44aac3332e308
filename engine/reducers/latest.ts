import { newer, older } from './candidate.ts'
import { choice, type Kept, type Scalar } from './choice.ts'
import type { Candidate, Ranking, Rule } from './rule.ts'

/** The newest write by event time, a removal or a blank included. */
export function latest<V = Scalar>(): Rule<Kept<V | null>, V | null> {
  return choice<V | null>('latest', newer)
}

/** The oldest write by event time. */
export function first<V = Scalar>(): Rule<Kept<V | null>, V | null> {
  return choice<V | null>('first', older)
}

/** What stewards decide: the newest write meanwhile, while every source's own stays beside it as an open conflict. */
export function review<V = Scalar>(): Rule<Kept<V | null>, V | null> {
  return choice<V | null>('review', newer)
}

const MINUTE_MS = 60_000

/**
 * As `first`; of each source's newest minute the write that the log holds first is kept, so that what happens many times
 * a minute changes the state once a minute.
 */
export function firstAndNewestMinute<V = Scalar>(): Rule<Kept<V | null>, V | null> {
  return choice<V | null>('first', older, newerMinute)
}

function newerMinute(a: Candidate<unknown>, b: Candidate<unknown>, ranking: Ranking): number {
  const minutes = Math.floor(a[1] / MINUTE_MS) - Math.floor(b[1] / MINUTE_MS)
  return minutes || b[5] - a[5] || newer(a, b, ranking)
}
