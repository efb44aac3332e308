import { newer } from './candidate.ts'
import { choice, type Kept } from './choice.ts'
import type { Candidate, Preference, Rule } from './rule.ts'

/**
 * The least value ever written; numbers come before strings, strings compare by code units. null has no place in that
 * order: it never beats a value, and shows only where nothing else was written.
 */
export function min<V extends number | string = number>(): Rule<Kept<V | null>, V | null> {
  return choice<V | null>('min', extreme(-1))
}

/** The greatest value ever written; otherwise as `min`. */
export function max<V extends number | string = number>(): Rule<Kept<V | null>, V | null> {
  return choice<V | null>('max', extreme(1))
}

type Extreme = number | string | null

function extreme(sign: 1 | -1): Preference<Extreme> {
  return (a, b, ranking) => sign * compare(a, b, sign) || newer(a, b, ranking)
}

/** Positive: `a` is greater. A null is placed at the end that loses. */
function compare(a: Candidate<Extreme>, b: Candidate<Extreme>, sign: 1 | -1): number {
  const left = a[0]
  const right = b[0]
  if (left === null || right === null) return left === right ? 0 : left === null ? -sign : sign
  if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1
  return left < right ? -1 : left > right ? 1 : 0
}
