import type { Projection } from '../../engine/projector/projection.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import { type DecisionType, GOVERNED_BY } from '../governed.ts'
import { rankingFrom } from '../ranking.ts'
import { explainColumns, rowOf } from '../row.ts'
import { type DealEvent, type DealState, deal, dealFold } from './deal.ts'
import { derivedOf, explainDeal } from './standing.ts'

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

/** Deals with their stage, amount and forecast. */
export const opportunity: Projection<DealState, DealEvent['type'] | DecisionType> = {
  name: 'opportunity',
  version: 3,
  ...dealFold,
  configuredBy: [...GOVERNED_BY, 'stages.published'],
  explain: (state, config) => explainColumns(columns, explainDeal(state, config)),
  table: {
    grain: 'record',
    columns,
    indexes: [['account'], ['contact'], ['owner', 'status'], ['stage'], ['status', 'closed_on']],
    search: ['name', 'opportunity_id', 'product'],
    rows(state, config) {
      const values = deal.in(config).values(state, rankingFrom(config))
      if (values.updated_at === undefined) return oneRow(undefined)
      const derived = { ...derivedOf(state, config), archived: values.archived ?? false }
      return oneRow(rowOf(columns, { ...values, ...derived }))
    },
  },
}
