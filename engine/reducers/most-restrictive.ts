import { newer } from './candidate.ts'
import { choice, type Kept } from './choice.ts'
import type { Rule } from './rule.ts'

/**
 * For consent: the newest write by event time; of several at that time the most restrictive, whatever their sources'
 * priority. `values` are given most restrictive first; a value that isn't among them is more restrictive than all.
 */
export function mostRestrictive<V extends string | boolean>(
  values: readonly V[],
): Rule<Kept<V | null>, V | null> {
  const order = new Map<V | null, number>(values.map((value, index) => [value, index]))
  return choice<V | null>('mostRestrictive', (a, b, ranking) => {
    if (a[1] !== b[1]) return a[1] < b[1] ? -1 : 1
    return (order.get(b[0]) ?? -1) - (order.get(a[0]) ?? -1) || newer(a, b, ranking)
  })
}
