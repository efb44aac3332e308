import { newer, UNIFORM } from './candidate.ts'
import type { Candidate } from './rule.ts'

/** Orders candidates by the place that they compete for; 0: the same place. */
export type Places<V> = (a: Candidate<V>, b: Candidate<V>) => number

/** `state`, sorted by place, with at most one candidate in each: the newest. The same object if nothing changes. */
export function keepNewest<V>(
  state: readonly Candidate<V>[],
  candidate: Candidate<V>,
  places: Places<V>,
): readonly Candidate<V>[] {
  let low = 0
  let high = state.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (places(state[middle] as Candidate<V>, candidate) < 0) low = middle + 1
    else high = middle
  }
  const known = state[low]
  const taken = known !== undefined && places(known, candidate) === 0
  if (taken && newer(candidate, known, UNIFORM) <= 0) return state
  return [...state.slice(0, low), candidate, ...state.slice(taken ? low + 1 : low)]
}

/** The newest of either in every place: one pass over both. The same object as `a` if `b` adds nothing. */
export function joinNewest<V>(
  a: readonly Candidate<V>[],
  b: readonly Candidate<V>[],
  places: Places<V>,
): readonly Candidate<V>[] {
  if (a.length === 0) return b
  const joined: Candidate<V>[] = []
  let changed = false
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = a[i]
    const right = b[j]
    const order = left === undefined ? 1 : right === undefined ? -1 : places(left, right)
    if (order <= 0) i += 1
    if (order >= 0) j += 1
    const fromRight =
      order > 0 || (order === 0 && newer(right as Candidate<V>, left as Candidate<V>, UNIFORM) > 0)
    changed ||= fromRight
    joined.push((fromRight ? right : left) as Candidate<V>)
  }
  return changed ? joined : a
}
