import { max, min } from '../../engine/reducers/extreme.ts'
import { type FieldStates, type FieldWrites, fields } from '../../engine/reducers/fields.ts'
import { forwardOnly } from '../../engine/reducers/forward-only.ts'
import { latest } from '../../engine/reducers/latest.ts'
import { mapOf } from '../../engine/reducers/map-of.ts'
import { rankedUnlessBlank } from '../../engine/reducers/ranked.ts'
import { together } from '../../engine/reducers/together.ts'
import { union } from '../../engine/reducers/union.ts'
import { LIFECYCLE } from '../vocabulary.ts'

/** The golden record's fields, each with its survivorship rule. */

export const ADDRESS = ['text', 'street', 'city', 'state', 'postal_code', 'country'] as const

export const golden = fields({
  name: latest<string>(),
  first_name: latest<string>(),
  last_name: latest<string>(),
  // Where to reach somebody is best known by the system that the workspace trusts most.
  email: rankedUnlessBlank<string>(),
  phone: rankedUnlessBlank<string>(),
  company: latest<string>(),
  domain: latest<string>(),
  title: latest<string>(),
  address: together(ADDRESS),
  country: latest<string>(),
  industry: latest<string>(),
  owner: latest<string>(),
  lifecycle: forwardOnly(LIFECYCLE),
  sources: union(),
  first_seen: min(),
  last_seen: max(),
})

export type GoldenState = FieldStates<typeof golden.rules>
export type GoldenWrites = FieldWrites<typeof golden.rules>

/** Traits that have no field of their own. */
export const traits = mapOf(latest<unknown>())
