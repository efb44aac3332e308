import assert from 'node:assert/strict'
import { candidate as candidateOf, newer } from './candidate.ts'
import { choice, type Kept, type Scalar } from './choice.ts'
import type { Candidate, Rule } from './rule.ts'

/** Some of the fields, from one write. A field that the writer left out is absent. */
export type Group<N extends string> = Readonly<Partial<Record<N, Scalar | null | undefined>>>

/**
 * Fields that must come from one writer (an address): `latest` over a record of them, so that no street of one source
 * ever stands beside another's town. null removes all of them. Properties that aren't named in `fields` are dropped; a
 * write that states none of the fields is no write.
 */
export function together<N extends string>(
  fields: readonly N[],
): Rule<Kept<Group<N> | null>, Group<N> | null> {
  const names = [...new Set(fields)]
  for (const name of names) assert(!(name in Object.prototype), `${name} can't be a field's name`)
  const rule = choice<Group<N> | null>('together', newer)
  return {
    ...rule,
    write(state, candidate) {
      const group = candidate[0] === null ? null : stated(names, candidate[0])
      return group === undefined ? state : rule.write(state, withValue(candidate, group))
    },
  }
}

/** Undefined: none of the fields is stated. */
function stated<N extends string>(names: readonly N[], group: Group<N>): Group<N> | undefined {
  const picked: Partial<Record<N, Scalar | null>> = {}
  let any = false
  for (const name of names) {
    const value = group[name]
    if (value === undefined) continue
    picked[name] = value
    any = true
  }
  return any ? picked : undefined
}

function withValue<V>(candidate: Candidate<V>, value: V): Candidate<V> {
  const [, time, source, sequence, id, position, basedOn] = candidate
  return candidateOf({ time, source, sequence, id, position, basedOn }, value)
}
