import type { EventOf } from '../../engine/events/catalogue.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import { type FieldStates, type FieldWrites, fields } from '../../engine/reducers/fields.ts'
import { latest } from '../../engine/reducers/latest.ts'
import { amountAt, numberAt, referenceAt, textAt } from '../values.ts'
import type { Outcome } from './stages.ts'

/** The fold of one deal, which the views `opportunity` and `pipeline` show. */

export const deal = fields({
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
})

export type DealState = FieldStates<typeof deal.rules>
type Writes = FieldWrites<typeof deal.rules>

export const DEAL_EVENTS = [
  'opportunity.created',
  'opportunity.updated',
  'opportunity.stage_changed',
  'opportunity.forecast_overridden',
  'opportunity.won',
  'opportunity.lost',
  'opportunity.archived',
] as const

type DealEvent = EventOf<(typeof DEAL_EVENTS)[number]>

export function reduceDeal(state: DealState, event: DealEvent): DealState {
  const seen = { opportunity_id: event.data.opportunity_id, updated_at: event.time }
  return deal.writeAll(state, event, { ...writesOf(event), ...seen })
}

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
