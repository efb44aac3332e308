import { moreTrusted, newer } from './candidate.ts'
import { choice, type Kept, type Scalar } from './choice.ts'
import type { Preference, Ranking, Rule } from './rule.ts'

/**
 * The newest write of the source of highest priority that ever wrote the field; sources of one priority count as one.
 * A ranking of the field's own takes the place of the one that is handed to `value`.
 */
export function ranked<V = Scalar>(own?: Ranking): Rule<Kept<V | null>, V | null> {
  return choice<V | null>('ranked', byRank(own))
}

/**
 * As `ranked`, but a blank never beats a value, not even one of a source of lower priority. Only '' is blank: null is
 * a removal that somebody asked for, and counts as a value.
 */
export function rankedUnlessBlank<V = Scalar>(own?: Ranking): Rule<Kept<V | null>, V | null> {
  const rank = byRank(own)
  return choice<V | null>('rankedUnlessBlank', (a, b, ranking) => {
    const blank = a[0] === ''
    return blank === (b[0] === '') ? rank(a, b, ranking) : blank ? -1 : 1
  })
}

function byRank(own: Ranking | undefined): Preference<unknown> {
  return (a, b, handed) => {
    const ranking = a[2] === b[2] ? handed : (own ?? handed)
    return (a[2] === b[2] ? 0 : moreTrusted(a, b, ranking)) || newer(a, b, ranking)
  }
}
