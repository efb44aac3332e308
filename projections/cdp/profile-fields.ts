import { byText, newer } from '../../engine/reducers/candidate.ts'
import { forwardOnly } from '../../engine/reducers/forward-only.ts'
import type { GovernedState, GovernedWrites } from '../../engine/reducers/governed.ts'
import { firstAndNewestMinute, latest } from '../../engine/reducers/latest.ts'
import { mapOf } from '../../engine/reducers/map-of.ts'
import { rankedUnlessBlank } from '../../engine/reducers/ranked.ts'
import type { Candidate, Ranking } from '../../engine/reducers/rule.ts'
import { together } from '../../engine/reducers/together.ts'
import { governedFields, PROFILE_WINDOW_MS } from '../governed.ts'
import { LIFECYCLE } from '../vocabulary.ts'
import { ADDRESS, addressOf } from './address.ts'

/** The golden record's fields, each with its survivorship rule. */

const rules = {
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
  /**
   * Event time of whatever was heard: of each source the oldest event is kept, and one of the newest minute: a visit of
   * many pages shall not rewrite the profile with each of them.
   */
  seen: firstAndNewestMinute<number>(),
}

export type GoldenRules = typeof rules
export type GoldenState = GovernedState<GoldenRules>
export type GoldenWrites = GovernedWrites<GoldenRules>

/** Names under which traits without a field of their own are decided. */
export const TRAIT = 'traits.'

export const golden = governedFields({
  view: 'profile',
  rules,
  stewarded: {
    name: 'text',
    first_name: 'text',
    last_name: 'text',
    email: 'text',
    phone: 'text',
    company: 'text',
    domain: 'text',
    title: 'text',
    address: addressOf,
    country: 'text',
    industry: 'text',
    owner: 'text',
    lifecycle: 'text',
  },
  prefix: TRAIT,
  windowMs: PROFILE_WINDOW_MS,
})

/** Traits that have no field of their own. */
export const traits = mapOf(latest<unknown>())

/** When a profile was first and last heard of (ms), and from which sources, in code-unit order. */
export function heard(state: GoldenState) {
  const sources: string[] = []
  let first = Number.POSITIVE_INFINITY
  let last = Number.NEGATIVE_INFINITY
  // Kept in the order of the sources.
  for (const [, time, source] of golden.base.get(state, 'seen') ?? []) {
    if (source !== sources.at(-1)) sources.push(source)
    first = Math.min(first, time)
    last = Math.max(last, time)
  }
  if (sources.length === 0) return { sources }
  return { sources, first_seen: first, last_seen: last }
}

/** When a profile was first and last heard of, and from whom, with the events that say so. */
export function explainSeen(state: GoldenState, ranking: Ranking) {
  const kept = golden.base.get(state, 'seen') ?? []
  const writes = [...kept].sort((a, b) => newer(b, a, ranking))
  const newest = new Map<string, Candidate<number | null>>()
  for (const write of writes) if (!newest.has(write[2])) newest.set(write[2], write)
  const sources = [...newest.keys()].sort(byText)
  const last = writes.slice(0, 1)
  return {
    sources: { value: sources, rule: 'union', winners: [...newest.values()], overruled: [] },
    first_seen: rules.seen.explain(kept, ranking),
    last_seen: { value: last[0]?.[0], rule: 'latest', winners: last, overruled: writes.slice(1) },
  }
}
