import type { AnyProjection } from '../../engine/projector/projection.ts'
import { fields } from '../../engine/reducers/fields.ts'
import { latest } from '../../engine/reducers/latest.ts'
import type { Column, TableShape } from '../../engine/store/table.ts'

/** Read models as small as the routes allow, one column of each type among them. Nothing is folded: tests put rows. */

export const kept = fields({ name: latest<string>(), spent: latest<number>() })

type Kept = Parameters<typeof kept.join>[0]

interface Shape extends Partial<Pick<TableShape, 'search'>> {
  readonly name: string
  readonly grain: TableShape['grain']
  readonly columns: Readonly<Record<string, Column['type']>>
}

function projection({ name, grain, columns, search }: Shape): AnyProjection {
  const described = Object.entries(columns).map(
    ([column, type]) => [column, { type, about: `The ${column}.` }] as const,
  )
  return {
    name,
    version: 1,
    handles: ['cdp.identify'],
    configuredBy: [],
    keys: () => [],
    initial: () => kept.initial,
    reduce: (state) => state,
    join: (a, b) => kept.join(a as Kept, b as Kept),
    explain: (state) => kept.explain(state as Kept, () => 0),
    table: { grain, columns: Object.fromEntries(described), indexes: [], search, rows: () => new Map() },
  }
}

const envelope = ({ explain: _, ...others }: AnyProjection): AnyProjection => others

const LEAD_COLUMNS = {
  lead_id: 'text',
  origin: 'text',
  status: 'text',
  lifecycle: 'text',
  landing_page: 'text',
  campaign_id: 'text',
  owner: 'text',
  sla: 'text',
  industry: 'text',
  country: 'text',
  business_segment: 'text',
  business_type: 'text',
  lead_type: 'text',
  converted_at: 'instant',
} as const

export const PROJECTIONS: readonly AnyProjection[] = [
  projection({
    name: 'profile',
    grain: 'profile',
    columns: {
      name: 'text',
      email: 'text',
      spent: 'money',
      orders: 'integer',
      score: 'real',
      since: 'instant',
      born: 'day',
      customer: 'boolean',
      employer: 'identity',
      traits: 'json',
    },
    search: ['name', 'email'],
  }),
  projection({
    name: 'opportunity',
    grain: 'record',
    columns: { name: 'text', stage: 'text', amount: 'money', currency: 'text', contact: 'identity' },
  }),
  projection({ name: 'lead', grain: 'record', columns: LEAD_COLUMNS }),
  envelope(
    projection({
      name: 'daily_events',
      grain: 'bucket',
      columns: { day: 'day', type: 'text', source: 'text', events: 'integer' },
    }),
  ),
  envelope(projection({ name: 'active_people', grain: 'profile', columns: { day: 'day' } })),
  envelope(
    projection({
      name: 'revenue',
      grain: 'bucket',
      columns: {
        day: 'day',
        basis: 'text',
        product: 'text',
        country: 'text',
        currency: 'text',
        amount: 'money',
        quantity: 'real',
        lines: 'integer',
      },
    }),
  ),
  projection({
    name: 'quarantine',
    grain: 'record',
    columns: { reason: 'text', message: 'text', received: 'instant', resubmitted_position: 'integer' },
  }),
]
