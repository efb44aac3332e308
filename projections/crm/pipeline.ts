import { multiplyExact } from '../../engine/events/money.ts'
import type { Projection } from '../../engine/projector/projection.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import { concernsOf } from '../defined.ts'
import { type DecisionType, GOVERNED_BY } from '../governed.ts'
import { rankingFrom } from '../ranking.ts'
import { explainColumns, rowOf } from '../row.ts'
import { type DealEvent, type DealState, deal, dealFold } from './deal.ts'
import { derivedOf, explainDeal } from './standing.ts'

const columns = {
  stage: { type: 'text', about: 'Id of the stage; as sent where no such stage was published.' },
  stage_label: { type: 'text', about: 'Name of the stage.' },
  stage_position: { type: 'integer', about: 'Place of the stage in the pipeline, from 0.' },
  owner: { type: 'text', about: 'Who works the deal.' },
  account: { type: 'identity', about: 'Company that would buy.' },
  product: { type: 'text', about: 'What is sold.' },
  origin: { type: 'text', about: 'Where the deal came from.' },
  status: { type: 'text', about: '`open`, `won` or `lost`.' },
  amount: { type: 'money', about: 'Value of the deal.' },
  weighted: { type: 'money', about: 'Amount in the forecast × probability.' },
  currency: { type: 'text', about: 'ISO 4217 code.' },
  forecast_category: { type: 'text', about: 'Overridden, stated, else the default of the stage.' },
  close_date: { type: 'day', about: 'Day on which it is expected to close, or closed.' },
  closed_on: { type: 'day', about: 'Day on which it was won or lost.' },
} as const satisfies Readonly<Record<string, Column>>

/** Deals as figures, to be added up by stage, owner, product or day; archived deals are left out. */
export const pipeline: Projection<DealState, DealEvent['type'] | DecisionType> = {
  name: 'pipeline',
  version: 3,
  ...dealFold,
  configuredBy: [...GOVERNED_BY, 'stages.published'],
  concerns: concernsOf((view) => view === deal.view),
  explain: (state, config) => explainColumns(columns, explainDeal(deal, state, config)),
  table: {
    grain: 'record',
    columns,
    indexes: [
      ['stage', 'owner'],
      ['owner', 'status'],
      ['status', 'closed_on'],
    ],
    rows(state, config) {
      const values = deal.in(config).values(state, rankingFrom(config))
      if (values.updated_at === undefined || values.archived === true) return oneRow(undefined)
      const derived = derivedOf(state, config)
      const { forecast_amount, probability } = derived
      const weighted =
        forecast_amount === null || probability === null
          ? null
          : (multiplyExact(probability / 100, forecast_amount) ?? null)
      return oneRow(rowOf(columns, { ...values, ...derived, weighted }))
    },
  },
}
