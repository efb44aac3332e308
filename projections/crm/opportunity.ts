import type { Projection } from '../../engine/projector/projection.ts'
import { oneRow } from '../../engine/store/table.ts'
import { type DecisionType, recordFold } from '../governed.ts'
import { rankingFrom } from '../ranking.ts'
import { recordView } from '../record-view.ts'
import { explainColumns, rowOf } from '../row.ts'
import { type DealEvent, type DealState, dealRecord } from './deal.ts'
import { derivedOf, explainDeal } from './standing.ts'

/** Deals with their stage, amount and forecast. */
export const opportunity: Projection<DealState, DealEvent['type'] | DecisionType> = recordView(
  dealRecord,
  ({ fields, columns, ...record }) => ({
    name: 'opportunity',
    version: 3,
    ...recordFold({ fields, columns, ...record }),
    explain: (state, config) => explainColumns(columns, explainDeal(fields, state, config)),
    table: {
      grain: 'record',
      columns,
      indexes: [['account'], ['contact'], ['owner', 'status'], ['stage'], ['status', 'closed_on']],
      search: ['name', 'opportunity_id', 'product'],
      rows(state, config) {
        const values = fields.in(config).values(state, rankingFrom(config))
        if (values.updated_at === undefined) return oneRow(undefined)
        const derived = { ...derivedOf(state, config), archived: values.archived ?? false }
        return oneRow(rowOf(columns, { ...values, ...derived }))
      },
    },
  }),
  ['stages.published'],
)
