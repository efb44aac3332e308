import type { EventOf } from '../../engine/events/catalogue.ts'
import { type IdentityId, namespaceOf } from '../../engine/events/identity.ts'
import type { Configuration, Projection } from '../../engine/projector/projection.ts'
import { count } from '../../engine/reducers/counting.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import { type FieldStates, type FieldWrites, fields } from '../../engine/reducers/fields.ts'
import { forwardOnly } from '../../engine/reducers/forward-only.ts'
import { latest } from '../../engine/reducers/latest.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import { concernsOf } from '../defined.ts'
import { RANKED_BY, rankingFrom } from '../ranking.ts'
import { explainColumns, rowOf } from '../row.ts'
import { leadingOf, textAt } from '../values.ts'

const kept = fields({
  campaign_id: latest<string>(),
  person: latest<string>(),
  /** What somebody set; it beats what mails tell. */
  stated: latest<string>(),
  reached: forwardOnly(['sent', 'delivered', 'opened', 'clicked', 'responded']),
  channel: latest<string>(),
  coupon: latest<string>(),
  responses: count(),
  first_response_at: min(),
  last_response_at: max(),
  joined_at: min(),
  updated_at: max(),
})

type State = FieldStates<typeof kept.rules>
type Writes = FieldWrites<typeof kept.rules>

const HANDLES = [
  'marketing.campaign_member_status_changed',
  'marketing.message_sent',
  'Email Delivered',
  'Email Opened',
  'Email Link Clicked',
  'marketing.form_submitted',
  'marketing.asset_downloaded',
  'marketing.webinar_attended',
] as const

type Handled = EventOf<(typeof HANDLES)[number]>

/** Statuses by which a member has answered, where the sender doesn't say whether they do. */
const RESPONSES: ReadonlySet<string> = new Set([
  'responded',
  'replied',
  'clicked',
  'registered',
  'attended',
  'visited',
  'downloaded',
  'submitted',
  'redeemed',
  'purchased',
  'converted',
])

const columns = {
  campaign_id: { type: 'text', about: 'Campaign; its name stands in `campaign`.' },
  person: { type: 'identity', about: 'Who is in it.' },
  status: {
    type: 'text',
    about: 'As set last, else the furthest that messages tell: `sent` to `responded`.',
  },
  channel: { type: 'text', about: 'Channel that the person was reached by last.' },
  responded: { type: 'boolean', about: 'Whether the person has answered.' },
  responses: { type: 'integer', about: 'How many answers there were.' },
  first_response_at: { type: 'instant', about: 'When the person answered first.' },
  last_response_at: { type: 'instant', about: 'When the person answered last.' },
  coupon: { type: 'text', about: 'Coupon that the person used last.' },
  joined_at: { type: 'instant', about: 'Time of the first event of the membership.' },
  updated_at: { type: 'instant', about: 'Time of its newest event.' },
} as const satisfies Readonly<Record<string, Column>>

/**
 * Who is in which campaign, and how they answered: a record for each campaign and identity that senders name, as a
 * CRM keeps it. Two identities of one person may both be members; figures count people after merges.
 */
export const campaignMember: Projection<State, (typeof HANDLES)[number]> = {
  name: 'campaign_member',
  version: 2,
  handles: HANDLES,
  configuredBy: RANKED_BY,
  concerns: concernsOf(() => false),
  keys(event) {
    const campaign = campaignOf(event)
    const person = personOf(event)
    return campaign === '' || person === undefined ? [] : [JSON.stringify([campaign, person])]
  },
  initial: () => kept.initial,
  reduce: (state, event) => kept.writeAll(state, event, writesOf(event)),
  join: kept.join,
  explain: (state, config) => explainColumns(columns, explained(state, config)),
  table: {
    grain: 'record',
    columns,
    indexes: [['campaign_id', 'status'], ['person']],
    rows(state, config) {
      const values = kept.values(state, rankingFrom(config))
      if (values.updated_at === undefined) return oneRow(undefined)
      const { stated, reached, responses = 0 } = values
      const derived = { status: stated ?? reached, responses, responded: responses > 0 }
      return oneRow(rowOf(columns, { ...values, ...derived }))
    },
  },
}

function campaignOf(event: Handled): string {
  return textAt(event, 'campaign_id') ?? ''
}

function personOf(event: Handled): IdentityId | undefined {
  const leading = leadingOf(event)
  return leading !== undefined && namespaceOf(leading.namespace).kind === 'person' ? leading.id : undefined
}

/** A count follows from all its writes alike, so nothing in particular explains it. */
function explained(state: State, config: Configuration) {
  const { stated, reached, responses: _, ...others } = kept.explain(state, rankingFrom(config))
  return { ...others, status: (stated?.value ?? null) === null ? (reached ?? stated) : stated }
}

function writesOf(event: Handled): Writes {
  const base = {
    campaign_id: campaignOf(event),
    person: personOf(event),
    channel: textAt(event, 'channel'),
    joined_at: event.time,
    updated_at: event.time,
  }
  switch (event.type) {
    case 'marketing.campaign_member_status_changed': {
      const { to, responded = RESPONSES.has(to.trim().toLowerCase()) } = event.data
      const stated = { ...base, stated: to, coupon: textAt(event, 'coupon') }
      return responded ? { ...stated, ...answered(event) } : stated
    }
    case 'marketing.message_sent':
      return { ...base, reached: { stage: 'sent' } }
    case 'Email Delivered':
      return { ...base, channel: 'email', reached: { stage: 'delivered' } }
    case 'Email Opened':
      return { ...base, channel: 'email', reached: { stage: 'opened' } }
    case 'Email Link Clicked':
      return { ...base, channel: 'email', reached: { stage: 'clicked' }, ...answered(event) }
    case 'marketing.form_submitted':
    case 'marketing.asset_downloaded':
    case 'marketing.webinar_attended':
      return { ...base, reached: { stage: 'responded' }, ...answered(event) }
  }
}

function answered({ time }: Handled): Writes {
  return { responses: 1, first_response_at: time, last_response_at: time }
}
