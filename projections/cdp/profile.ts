import type { EventOf } from '../../engine/events/catalogue.ts'
import { namespaceOf } from '../../engine/events/identity.ts'
import type { Projection } from '../../engine/projector/projection.ts'
import { candidate } from '../../engine/reducers/candidate.ts'
import type { MapState } from '../../engine/reducers/map-of.ts'
import type { Explanation } from '../../engine/reducers/rule.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import { RANKED_BY, rankingFrom } from '../ranking.ts'
import { explainColumns, rowOf } from '../row.ts'
import { leadingOf, textAt } from '../values.ts'
import { ACTS, lifecycleOf, qualifiedStage } from '../vocabulary.ts'
import { explainSeen, type GoldenState, type GoldenWrites, golden, heard, traits } from './profile-fields.ts'
import { customerWrites, recordWrites, traitWrites } from './profile-writes.ts'

interface State {
  /** By the namespace of the atom; '' before its first event. A person prevails over a company. */
  readonly kind: '' | 'company' | 'person'
  readonly fields: GoldenState
  readonly traits: MapState<typeof traits.rule.initial>
}

const HANDLES = [
  ...ACTS,
  'lead.created',
  'lead.updated',
  'lead.lifecycle_changed',
  'lead.lifecycle_regressed',
  'lead.qualified',
  'lead.assigned',
  'lead.converted',
  'contact.created',
  'contact.updated',
  'account.created',
  'account.updated',
  'opportunity.won',
] as const

type Handled = EventOf<(typeof HANDLES)[number]>

const columns = {
  kind: { type: 'text', about: '`person` or `company`.' },
  name: { type: 'text', about: 'Name; of a person who states none, first and last name.' },
  first_name: { type: 'text', about: 'First name.' },
  last_name: { type: 'text', about: 'Last name.' },
  email: { type: 'text', about: 'E-mail address in lower case.' },
  phone: { type: 'text', about: 'Phone number, E.164 where it could be told.' },
  company: { type: 'text', about: 'Company, as the person or a record names it.' },
  domain: { type: 'text', about: 'Internet domain of a company.' },
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

/** The golden record of a person or company. */
export const profile: Projection<State, (typeof HANDLES)[number]> = {
  name: 'profile',
  version: 3,
  handles: HANDLES,
  configuredBy: RANKED_BY,
  keys(event) {
    const leading = leadingOf(event)
    return leading === undefined ? [] : [leading.id]
  },
  initial: () => NOBODY,
  reduce(state, event) {
    const kind = greater(state.kind, kindOf(event))
    if (event.type !== 'cdp.identify' && !describesTraits(event)) {
      const fields = golden.writeAll(state.fields, event, { ...writesOf(event), seen: event.time })
      return fields === state.fields && kind === state.kind ? state : { kind, fields, traits: state.traits }
    }
    const stated = traitWrites(event)
    let others = state.traits
    for (const [name, value] of stated.others) others = traits.write(others, name, candidate(event, value))
    return {
      kind,
      fields: golden.writeAll(state.fields, event, { ...stated.golden, seen: event.time }),
      traits: others,
    }
  },
  join: (a, b) => ({
    kind: greater(a.kind, b.kind),
    fields: golden.join(a.fields, b.fields),
    traits: traits.join(a.traits, b.traits),
  }),
  explain(state, config) {
    const ranking = rankingFrom(config)
    const explained: Record<string, Explanation<unknown>> = {
      ...golden.explain(state.fields, ranking),
      ...explainSeen(state.fields, ranking),
    }
    const name = nameFromParts(explained)
    if (name !== undefined) explained.name = name
    for (const [trait, each] of traits.explain(state.traits, ranking)) explained[`traits.${trait}`] = each
    return explainColumns(columns, explained)
  },
  table: {
    grain: 'profile',
    columns,
    indexes: [['kind', 'last_seen'], ['email'], ['lifecycle'], ['owner'], ['country'], ['last_seen']],
    search: ['name', 'email', 'company', 'phone'],
    rows(state, config) {
      if (state.kind === '') return oneRow(undefined)
      const ranking = rankingFrom(config)
      const values = golden.values(state.fields, ranking)
      const stated = [...traits.values(state.traits, ranking)].filter(([, value]) => value !== null)
      const name = values.name ?? fullName(values.first_name, values.last_name)
      const others = { name, kind: state.kind, traits: Object.fromEntries(stated) }
      return oneRow(rowOf(columns, { ...values, ...heard(state.fields), ...others }))
    },
  },
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

const NOBODY: State = { kind: '', fields: golden.initial, traits: traits.initial }

function kindOf(event: Handled): State['kind'] {
  const leading = leadingOf(event)
  return leading === undefined ? '' : namespaceOf(leading.namespace).kind
}

function greater(a: State['kind'], b: State['kind']): State['kind'] {
  return a > b ? a : b
}

/** The traits of a group are the company's; on a person's event they only name it. */
function describesTraits(event: Handled): boolean {
  return event.type === 'cdp.group' && kindOf(event) === 'company'
}

function writesOf(event: Exclude<Handled, { type: 'cdp.identify' }>): GoldenWrites {
  switch (event.type) {
    case 'cdp.group':
      return { company: textAt(event, 'traits.name') }
    case 'lead.created':
      return { ...aboutPerson(event), lifecycle: { stage: 'lead' } }
    case 'lead.updated':
    case 'contact.created':
    case 'contact.updated':
      return aboutPerson(event)
    case 'account.created':
    case 'account.updated':
      return recordWrites(event)
    case 'lead.lifecycle_changed':
      return { lifecycle: { stage: lifecycleOf(event.data.to) } }
    case 'lead.lifecycle_regressed':
      return { lifecycle: { regress: lifecycleOf(event.data.to) } }
    case 'lead.qualified':
      return { lifecycle: { stage: qualifiedStage(event.data.qualification) } }
    case 'lead.assigned':
      return { owner: event.data.owner }
    case 'lead.converted':
      return { lifecycle: { stage: 'opportunity' } }
    case 'opportunity.won':
      return { lifecycle: { stage: 'customer' } }
    case 'Order Completed':
    case 'order.placed':
    case 'erp.invoice_issued':
      return customerWrites(event)
    case 'cdp.track':
    case 'cdp.page':
    case 'cdp.screen':
    case 'cdp.alias':
    case 'social.interacted':
    case 'Email Opened':
    case 'Email Link Clicked':
    case 'Unsubscribed':
    case 'marketing.form_submitted':
    case 'marketing.asset_downloaded':
    case 'marketing.webinar_attended':
    case 'Live Chat Conversation Started':
    case 'csat.submitted':
    case 'article.viewed':
    case 'Product Viewed':
    case 'Product Added':
    case 'Cart Viewed':
    case 'Checkout Started':
      return NOTHING
  }
}

const NOTHING: GoldenWrites = {}

/** A lead or contact that only its company is known of says nothing about the company itself. */
function aboutPerson(
  event: EventOf<'lead.created' | 'lead.updated' | 'contact.created' | 'contact.updated'>,
): GoldenWrites {
  return kindOf(event) === 'person' ? recordWrites(event) : NOTHING
}
