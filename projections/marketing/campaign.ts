import type { EventOf } from '../../engine/events/catalogue.ts'
import type { Projection } from '../../engine/projector/projection.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import type { GovernedState, GovernedWrites } from '../../engine/reducers/governed.ts'
import { latest } from '../../engine/reducers/latest.ts'
import type { Column } from '../../engine/store/table.ts'
import {
  type DecisionType,
  governedFields,
  RECORD_WINDOW_MS,
  type RecordDeclaration,
  recordFold,
} from '../governed.ts'
import { recordView, shownAsKept } from '../record-view.ts'
import { amountAt, textAt } from '../values.ts'

const rules = {
  campaign_id: latest<string>(),
  name: latest<string>(),
  type: latest<string>(),
  channel: latest<string>(),
  status: latest<string>(),
  owner: latest<string>(),
  parent_id: latest<string>(),
  segment_id: latest<string>(),
  starts_on: latest<string>(),
  ends_on: latest<string>(),
  budget: latest<number | ''>(),
  currency: latest<string>(),
  launched_at: min(),
  completed_at: max(),
  updated_at: max(),
}

type State = GovernedState<typeof rules>
type Writes = GovernedWrites<typeof rules>

const campaignFields = governedFields({
  view: 'campaign',
  rules,
  stewarded: {
    name: 'text',
    type: 'text',
    channel: 'text',
    status: 'text',
    owner: 'text',
    parent_id: 'text',
    segment_id: 'text',
    starts_on: 'day',
    ends_on: 'day',
    budget: 'money',
    currency: 'text',
  },
  windowMs: RECORD_WINDOW_MS,
})

const HANDLES = [
  'marketing.campaign_created',
  'marketing.campaign_launched',
  'marketing.campaign_completed',
] as const

const columns = {
  campaign_id: { type: 'text', about: 'Id in the sending system.' },
  name: { type: 'text', about: 'Name of the campaign.' },
  type: { type: 'text', about: 'Kind of campaign.' },
  channel: { type: 'text', about: 'Channel: email, ads, events and so on.' },
  status: { type: 'text', about: 'As stated, else `planned`, `running` or `completed`.' },
  owner: { type: 'text', about: 'Who runs it.' },
  parent_id: { type: 'text', about: 'Campaign that it belongs to.' },
  segment_id: { type: 'text', about: 'Segment that it is aimed at.' },
  starts_on: { type: 'day', about: 'First day.' },
  ends_on: { type: 'day', about: 'Last day.' },
  budget: { type: 'money', about: 'What it may cost.' },
  currency: { type: 'text', about: 'ISO 4217 code.' },
  launched_at: { type: 'instant', about: 'When it was launched first.' },
  completed_at: { type: 'instant', about: 'When it was completed last.' },
  updated_at: { type: 'instant', about: 'Time of its newest event.' },
} as const satisfies Readonly<Record<string, Column>>

export const campaignRecord: RecordDeclaration<typeof rules, (typeof HANDLES)[number]> = {
  fields: campaignFields,
  columns,
  handles: HANDLES,
  presence: ['campaign_id', 'updated_at'],
  keys: (event) => [event.data.campaign_id],
  writes: writesOf,
}

/** Campaigns as the sending systems describe them. Who is in them, and who answered, is `campaign_member`. */
export const campaign: Projection<State, (typeof HANDLES)[number] | DecisionType> = recordView(
  campaignRecord,
  (record) => ({
    name: 'campaign',
    version: 3,
    ...recordFold(record),
    ...shownAsKept(record, {
      indexes: [['status'], ['starts_on']],
      search: ['name', 'campaign_id'],
    }),
  }),
)

function writesOf(event: EventOf<(typeof HANDLES)[number]>): Writes {
  return {
    campaign_id: event.data.campaign_id,
    name: textAt(event, 'name'),
    type: textAt(event, 'type'),
    channel: textAt(event, 'channel'),
    owner: textAt(event, 'owner'),
    parent_id: textAt(event, 'parent_id'),
    segment_id: textAt(event, 'segment_id'),
    starts_on: textAt(event, 'starts_on'),
    ends_on: textAt(event, 'ends_on'),
    budget: amountAt(event, 'budget'),
    currency: textAt(event, 'currency'),
    updated_at: event.time,
    ...stepOf(event),
  }
}

function stepOf(event: EventOf<(typeof HANDLES)[number]>): Writes {
  const stated = textAt(event, 'status')
  switch (event.type) {
    case 'marketing.campaign_created':
      return { status: stated ?? 'planned' }
    case 'marketing.campaign_launched':
      return { status: stated ?? 'running', launched_at: event.time }
    case 'marketing.campaign_completed':
      return { status: stated ?? 'completed', completed_at: event.time }
  }
}
