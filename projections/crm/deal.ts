import type { EventOf } from '../../engine/events/catalogue.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import type { GovernedState, GovernedWrites } from '../../engine/reducers/governed.ts'
import { latest } from '../../engine/reducers/latest.ts'
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

export const dealRecord: RecordDeclaration<typeof rules, (typeof DEAL_EVENTS)[number]> = {
  fields: deal,
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
