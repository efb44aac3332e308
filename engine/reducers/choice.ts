import { byText, newer, overruledBy, preferred, roomFor, UNIFORM } from './candidate.ts'
import type { Candidate, Preference, Rule } from './rule.ts'

/** Values that most fields have; null removes, '' is blank. */
export type Scalar = string | number | boolean

/**
 * State of a choice rule: for each source its preferred write and, where that is another one, its newest write
 * after it; sources in code-unit order. It is the same for every order, duplication and ranking: within a source
 * the ranking never matters, and across sources it is applied only when the value is read.
 */
export type Kept<V> = readonly Candidate<V>[]

/**
 * A rule that picks one of the writes. It is a semilattice because the state is the set of maxima of total orders, one
 * pair of orders for each source, and a maximum doesn't depend on order, duplication or split. `fresher` says which
 * write is kept as a source's newest.
 */
export function choice<V>(
  name: string,
  better: Preference<V>,
  fresher: Preference<V> = newer,
): Rule<Kept<V>, V> {
  const initial: Kept<V> = Object.freeze([])
  const write = (state: Kept<V>, candidate: Candidate<V>): Kept<V> => keep(state, candidate, better, fresher)
  return {
    name,
    kind: 'choice',
    prefers: better,
    initial,
    write,
    join(a, b) {
      if (a.length === 0) return b
      let joined = a
      for (const candidate of b) joined = write(joined, candidate)
      return joined
    },
    value(state, ranking) {
      return preferred(state, better, ranking)?.[0]
    },
    explain(state, ranking) {
      const winner = preferred(state, better, ranking)
      const winners = winner === undefined ? [] : [winner]
      return { value: winner?.[0], rule: name, winners, overruled: overruledBy(winners, state, ranking) }
    },
  }
}

function keep<V>(
  state: Kept<V>,
  candidate: Candidate<V>,
  better: Preference<V>,
  fresher: Preference<V>,
): Kept<V> {
  const source = candidate[2]
  let from = 0
  while (from < state.length && byText((state[from] as Candidate<V>)[2], source) < 0) from += 1
  const best = state[from]
  if (best === undefined || best[2] !== source) return replaced(state, from, 0, candidate, candidate)
  const second = state[from + 1]
  const two = second !== undefined && second[2] === source
  const newest = two ? second : best
  const isBest = better(candidate, best, UNIFORM) > 0
  const isNewest = fresher(candidate, newest, UNIFORM) > 0
  if (!isBest && !isNewest) return state
  return replaced(state, from, two ? 2 : 1, isBest ? candidate : best, isNewest ? candidate : newest)
}

function replaced<V>(
  state: Kept<V>,
  from: number,
  dropped: number,
  best: Candidate<V>,
  newest: Candidate<V>,
): Kept<V> {
  const isOne = newer(best, newest, UNIFORM) === 0
  const next = roomFor<Candidate<V>>(state.length - dropped + (isOne ? 1 : 2))
  let at = 0
  for (; at < from; at++) next[at] = state[at] as Candidate<V>
  next[at++] = best
  if (!isOne) next[at++] = newest
  for (let i = from + dropped; i < state.length; i++) next[at++] = state[i] as Candidate<V>
  return next
}
