import type { EventOf } from '../../engine/events/catalogue.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import type { GovernedState, GovernedWrites } from '../../engine/reducers/governed.ts'
import { latest } from '../../engine/reducers/latest.ts'
import type { Column } from '../../engine/store/table.ts'
import { governedFields, RECORD_WINDOW_MS, type RecordDeclaration, recordFold } from '../governed.ts'
import { amountAt, numberAt, referenceAt, textAt } from '../values.ts'
import type { Outcome } from './stages.ts'

/** The fold of one deal, which the views `opportunity` and `pipeline` show. */

const rules = {
  opportunity_id: latest<string>(),
  name: latest<string>(),
  account: latest<string>(),
  contact: latest<string>(),
  owner: latest<string>(),
  product: latest<string>(),
  type: latest<string>(),
  origin: latest<string>(),
  /** As sent: an id or a label. */
  stage: latest<string>(),
  outcome: latest<Outcome>(),
  reason: latest<string>(),
  amount: latest<number | ''>(),
  currency: latest<string>(),
  close_date: latest<string>(),
  probability: latest<number | ''>(),
  forecast_category: latest<string>(),
  overridden_amount: latest<number | ''>(),
  overridden_probability: latest<number | ''>(),
  overridden_category: latest<string>(),
  archived: latest<boolean>(),
  created_at: min(),
  updated_at: max(),
}

export type DealState = GovernedState<typeof rules>
type Writes = GovernedWrites<typeof rules>

/** Where a deal stands follows from several fields at once: those are moved by events alone. */
export const deal = governedFields({
  view: 'opportunity',
  rules,
  stewarded: {
    name: 'text',
    account: 'identity',
    contact: 'identity',
    owner: 'text',
    product: 'text',
    type: 'text',
    origin: 'text',
    amount: 'money',
    currency: 'text',
    close_date: 'day',
  },
  windowMs: RECORD_WINDOW_MS,
})

const DEAL_EVENTS = [
  'opportunity.created',
  'opportunity.updated',
  'opportunity.stage_changed',
  'opportunity.forecast_overridden',
  'opportunity.won',
  'opportunity.lost',
  'opportunity.archived',
] as const

export type DealEvent = EventOf<(typeof DEAL_EVENTS)[number]>

/** Of the view `opportunity`. */
const columns = {
  opportunity_id: { type: 'text', about: 'Id in the sending system.' },
  name: { type: 'text', about: 'Name of the deal.' },
  account: { type: 'identity', about: 'Company that would buy.' },
  contact: { type: 'identity', about: 'Person who is talked to.' },
  owner: { type: 'text', about: 'Who works the deal.' },
  product: { type: 'text', about: 'What is sold.' },
  type: { type: 'text', about: 'Kind of deal: new business, renewal and so on.' },
  origin: { type: 'text', about: 'Where the deal came from.' },
  stage: { type: 'text', about: 'Id of the stage; as sent where no such stage was published.' },
  stage_label: { type: 'text', about: 'Name of the stage.' },
  status: { type: 'text', about: '`open`, `won` or `lost`.' },
  reason: { type: 'text', about: 'Why it was won or lost.' },
  amount: { type: 'money', about: 'Value of the deal.' },
  currency: { type: 'text', about: 'ISO 4217 code.' },
  close_date: { type: 'day', about: 'Day on which it is expected to close, or closed.' },
  closed_on: { type: 'day', about: 'Day on which it was won or lost.' },
  probability: { type: 'real', about: 'Percent: stated for this stage, else the default of the stage.' },
  forecast_category: { type: 'text', about: 'Overridden, stated, else the default of the stage.' },
  forecast_amount: {
    type: 'money',
    about: 'Amount in the forecast: overridden, else the value of the deal.',
  },
  archived: { type: 'boolean', about: 'True once archived, until created again.' },
  created_at: { type: 'instant', about: 'When it was created.' },
  updated_at: { type: 'instant', about: 'Time of its newest event.' },
} as const satisfies Readonly<Record<string, Column>>

export const dealRecord: RecordDeclaration<typeof rules, (typeof DEAL_EVENTS)[number]> = {
  fields: deal,
  columns,
  handles: DEAL_EVENTS,
  presence: ['opportunity_id', 'created_at', 'updated_at'],
  keys: (event) => [event.data.opportunity_id],
  writes: (event) => ({
    ...writesOf(event),
    opportunity_id: event.data.opportunity_id,
    updated_at: event.time,
  }),
}

export const dealFold = recordFold(dealRecord)

function writesOf(event: DealEvent): Writes {
  switch (event.type) {
    case 'opportunity.created':
      return { ...described(event), stage: textAt(event, 'stage'), archived: false, created_at: event.time }
    case 'opportunity.updated':
      return { ...described(event), stage: textAt(event, 'stage') }
    case 'opportunity.stage_changed':
      return { ...described(event), stage: event.data.to }
    case 'opportunity.forecast_overridden':
      return {
        overridden_amount: amountAt(event, 'amount'),
        overridden_probability: numberAt(event, 'probability'),
        overridden_category: textAt(event, 'forecast_category'),
      }
    case 'opportunity.won':
      return { ...described(event), ...closedBy(event), outcome: 'won' }
    case 'opportunity.lost':
      return { ...described(event), ...closedBy(event), outcome: 'lost' }
    case 'opportunity.archived':
      return { archived: true }
  }
}

function closedBy(event: DealEvent): Writes {
  return { stage: event.data.stage ?? undefined, reason: textAt(event, 'reason') }
}

function described(event: DealEvent): Writes {
  return {
    name: textAt(event, 'name'),
    account: referenceAt(event, 'account_id', 'account'),
    contact: referenceAt(event, 'contact_id', 'contact'),
    owner: textAt(event, 'owner'),
    product: textAt(event, 'product'),
    type: textAt(event, 'type'),
    origin: textAt(event, 'origin'),
    amount: amountAt(event, 'amount'),
    currency: textAt(event, 'currency'),
    close_date: textAt(event, 'close_date'),
    probability: numberAt(event, 'probability'),
    forecast_category: textAt(event, 'forecast_category'),
  }
}
