import type { Configuration, Projection } from '../../engine/projector/projection.ts'
import { byText, candidate } from '../../engine/reducers/candidate.ts'
import { explanationOf } from '../../engine/reducers/decisions.ts'
import type { MapState } from '../../engine/reducers/map-of.ts'
import type { Explanation, Ranking } from '../../engine/reducers/rule.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import { companiesIn, companyDomainOf, explainCompanyDomain, withCompanies } from '../company.ts'
import { concernsOf } from '../defined.ts'
import { isEcho } from '../echo.ts'
import { DEFINED_BY, decisionOf, isDecision } from '../governed.ts'
import { rankingFrom } from '../ranking.ts'
import { perConfiguration } from '../record-view.ts'
import { explainColumns, rowOf } from '../row.ts'
import { leadingOf } from '../values.ts'
import { decidedIn, type Gold, goldUnder, takenInProfile, withDefined } from './profile-defined.ts'
import {
  describesTraits,
  kindOf,
  PROFILE_EVENTS,
  type ProfileEvent,
  type ProfileKind,
  writesOf,
} from './profile-events.ts'
import {
  explainSeen,
  type GoldenState,
  type GoldenWrites,
  golden,
  heard,
  TRAIT,
  traits,
} from './profile-fields.ts'
import { traitWrites } from './profile-writes.ts'

interface State {
  /** By the namespace of the atom; '' before its first event. A person prevails over a company. */
  readonly kind: ProfileKind
  readonly fields: GoldenState
  readonly traits: MapState<typeof traits.rule.initial>
}

const columns = {
  kind: { type: 'text', about: '`person` or `company`.' },
  name: { type: 'text', about: 'Name; of a person who states none, first and last name.' },
  first_name: { type: 'text', about: 'First name.' },
  last_name: { type: 'text', about: 'Last name.' },
  email: { type: 'text', about: 'E-mail address in lower case.' },
  phone: { type: 'text', about: 'Phone number, E.164 where it could be told.' },
  company: { type: 'text', about: 'Company, as the person or a record names it.' },
  domain: { type: 'text', about: 'Internet domain of a company.' },
  company_domain: {
    type: 'text',
    about:
      'Domain that says which company this is, or whose mail address the person has; none for free mail providers.',
  },
  title: { type: 'text', about: 'Job title.' },
  address: { type: 'json', about: 'Postal address, all of it from one writer.' },
  country: { type: 'text', about: 'ISO 3166-1 code, or the country as sent.' },
  industry: { type: 'text', about: 'Industry.' },
  lifecycle: { type: 'text', about: 'How far the relation has come; never goes back but by a regress.' },
  owner: { type: 'text', about: 'Who looks after the person or company.' },
  traits: { type: 'json', about: 'All other traits by name; removed ones are left out.' },
  sources: { type: 'json', about: 'Sources that sent events about the profile.' },
  first_seen: { type: 'instant', about: 'Time of the oldest event about the profile.' },
  last_seen: { type: 'instant', about: 'Time of the newest event about the profile, to the minute.' },
} as const satisfies Readonly<Record<string, Column>>

type ProfileProjection = Projection<State, (typeof PROFILE_EVENTS)[number]>

export const TAKEN_IN_PROFILE: ReadonlySet<string> = takenInProfile(columns)

/** The golden record's fields under a configuration. */
export const goldIn: (config: Configuration) => Gold = goldUnder(columns)

/** The golden record of a person or company. */
export const profile: ProfileProjection = {
  ...profileOf({ golden, columns, defined: [], names: undefined }),
  under: perConfiguration((config) => {
    const gold = goldIn(config)
    return gold.defined.length === 0 ? profile : profileOf(gold)
  }),
}

function profileOf(gold: Gold): ProfileProjection {
  const { golden, columns, names } = gold
  const nobody: State = { kind: '', fields: golden.base.initial, traits: traits.initial }
  return {
    name: 'profile',
    version: 6,
    handles: PROFILE_EVENTS,
    configuredBy: DEFINED_BY,
    concerns: withCompanies(concernsOf((view) => view === golden.view)),
    keys(event) {
      const leading = leadingOf(event)
      if (leading === undefined) return []
      // A decision about another view's record may name a person too.
      return isDecision(event) && (event.data.view ?? golden.view) !== golden.view ? [] : [leading.id]
    },
    initial: () => nobody,
    reduce(state, event, config) {
      const kept = golden.in(config)
      if (isDecision(event)) {
        const decision = decidedIn(gold, decisionOf(event, golden))
        return decision === undefined ? state : withFields(state, kept.decide(state.fields, event, decision))
      }
      const kind = greater(state.kind, kindOf(event))
      if (isEcho(event, config)) return wrote(state, kind, kept.writeAll(state.fields, event, heardAt(event)))
      if (event.type !== 'cdp.identify' && !describesTraits(event)) {
        const writes = withDefined(gold, event, { ...writesOf(event), seen: event.time })
        return wrote(state, kind, kept.writeAll(state.fields, event, writes))
      }
      const stated = traitWrites(event)
      let others = state.traits
      for (const [name, value] of stated.others)
        if (names?.has(name) !== true) others = traits.write(others, name, candidate(event, value))
      return {
        kind,
        fields: kept.writeAll(
          state.fields,
          event,
          withDefined(gold, event, { ...stated.golden, seen: event.time }),
        ),
        traits: others,
      }
    },
    join: (a, b, config) => ({
      kind: greater(a.kind, b.kind),
      fields: golden.in(config).join(a.fields, b.fields),
      traits: traits.join(a.traits, b.traits),
    }),
    due: (state) => golden.base.due(state.fields),
    tick: (state, { at }) => withFields(state, golden.base.tick(state.fields, at)),
    explain(state, config) {
      const ranking = rankingFrom(config)
      const explained: Record<string, Explanation<unknown>> = {
        ...golden.in(config).explain(state.fields, ranking),
        ...explainSeen(state.fields, ranking),
      }
      const name = nameFromParts(explained)
      if (name !== undefined) explained.name = name
      const company = explainCompanyDomain(state.kind, explained, companiesIn(config))
      if (company !== undefined) explained.company_domain = company
      for (const [trait, each] of explainTraits(state, config, ranking)) explained[`${TRAIT}${trait}`] = each
      return explainColumns(columns, explained)
    },
    table: {
      grain: 'profile',
      columns,
      indexes: [
        ['kind', 'last_seen'],
        ['email'],
        ['lifecycle'],
        ['owner'],
        ['country'],
        ['last_seen'],
        ['company_domain', 'kind'],
      ],
      search: ['name', 'email', 'company', 'phone'],
      rows(state, config) {
        if (state.kind === '') return oneRow(undefined)
        const ranking = rankingFrom(config)
        const values = golden.in(config).values(state.fields, ranking)
        const stated = [...traitValues(state, config, ranking)].filter(([, value]) => value !== null)
        const name = values.name ?? fullName(values.first_name, values.last_name)
        const company_domain = companyDomainOf(state.kind, values, companiesIn(config))
        const others = { name, kind: state.kind, company_domain, traits: Object.fromEntries(stated) }
        return oneRow(rowOf(columns, { ...values, ...heard(state.fields), ...others }))
      },
    },
  }
}

function fullName(first: unknown, last: unknown): string | null {
  return [first, last].filter((part) => typeof part === 'string' && part !== '').join(' ') || null
}

/** Where no name is stated, first and last name make one. */
function nameFromParts(
  explained: Readonly<Record<string, Explanation<unknown>>>,
): Explanation<unknown> | undefined {
  const { name, first_name, last_name } = explained
  const value = fullName(first_name?.value, last_name?.value)
  if (value === null || (name?.value ?? null) !== null) return undefined
  const winners = [...(first_name?.winners ?? []), ...(last_name?.winners ?? [])]
  return { value, rule: 'latest', winners, overruled: [...(name?.winners ?? []), ...(name?.overruled ?? [])] }
}

function heardAt({ time }: ProfileEvent): GoldenWrites {
  return { seen: time }
}

function wrote(state: State, kind: ProfileKind, fields: GoldenState): State {
  return fields === state.fields && kind === state.kind ? state : { kind, fields, traits: state.traits }
}

function withFields(state: State, fields: GoldenState): State {
  return fields === state.fields ? state : { kind: state.kind, fields, traits: state.traits }
}

/** By rule, and by decision where there is one; sorted by name where it is by rule. */
function traitValues(state: State, config: Configuration, ranking: Ranking): ReadonlyMap<string, unknown> {
  const values = traits.values(state.traits, ranking)
  if (golden.base.decisions(state.fields) === undefined) return values
  const decided = new Map<string, unknown>(values)
  for (const [name, { value }] of decidedTraits(state, config, ranking)) decided.set(name, value)
  return new Map([...decided].sort(([a], [b]) => byText(a, b)))
}

function explainTraits(
  state: State,
  config: Configuration,
  ranking: Ranking,
): ReadonlyMap<string, Explanation<unknown>> {
  const explained = traits.explain(state.traits, ranking)
  if (golden.base.decisions(state.fields) === undefined) return explained
  return new Map([...explained, ...decidedTraits(state, config, ranking)])
}

function decidedTraits(
  { fields, traits: written }: State,
  config: Configuration,
  ranking: Ranking,
): ReadonlyMap<string, Explanation<unknown>> {
  const explained = new Map<string, Explanation<unknown>>()
  const kept = new Map(written)
  for (const [field] of golden.base.decisions(fields)?.[1] ?? []) {
    if (!field.startsWith(TRAIT)) continue
    const name = field.slice(TRAIT.length)
    const found = golden
      .in(config)
      .standingOf(fields, field, kept.get(name) ?? traits.rule.initial, traits.rule, ranking)
    if (found !== undefined) explained.set(name, explanationOf(found))
  }
  return explained
}

function greater(a: ProfileKind, b: ProfileKind): ProfileKind {
  return a > b ? a : b
}
