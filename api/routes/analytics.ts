import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'
import type { FigureView } from './figures.ts'
import { registerFigures } from './figures.ts'

/** Figures over read models. To offer others, add a view here. */
const FIGURES: readonly FigureView[] = [
  {
    path: '/v1/pipeline',
    projection: 'pipeline',
    tag: 'Sales',
    about: 'Opportunities by stage and owner: how many, worth how much',
    by: ['stage', 'owner'],
    dimensions: [
      'stage',
      'stage_label',
      'stage_position',
      'owner',
      'account',
      'product',
      'origin',
      'status',
      'forecast_category',
      'currency',
    ],
    apart: ['currency'],
    figures: [
      { name: 'count', of: 'count' },
      { name: 'amount', of: 'sum', column: 'amount' },
      { name: 'weighted', of: 'sum', column: 'weighted' },
    ],
  },
  {
    path: '/v1/analytics/events',
    projection: 'daily_events',
    tag: 'Analytics',
    about: 'Events by day (UTC, when they happened), type and source',
    by: ['day'],
    dimensions: ['day', 'month', 'year', 'type', 'source'],
    apart: [],
    figures: [{ name: 'events', of: 'sum', column: 'events' }],
  },
  {
    path: '/v1/analytics/people',
    projection: 'active_people',
    tag: 'Analytics',
    about: 'Distinct people who did something',
    by: ['day'],
    dimensions: ['day', 'month', 'year'],
    apart: [],
    figures: [{ name: 'people', of: 'count_distinct', column: 'key' }],
  },
  {
    path: '/v1/analytics/revenue',
    projection: 'revenue',
    tag: 'Analytics',
    about: 'Revenue by day, product and country; what was ordered and what was invoiced stand apart',
    by: ['month'],
    dimensions: ['day', 'month', 'year', 'product', 'country', 'basis', 'currency'],
    apart: ['basis', 'currency'],
    figures: [
      { name: 'amount', of: 'sum', column: 'amount' },
      { name: 'quantity', of: 'sum', column: 'quantity' },
      { name: 'lines', of: 'sum', column: 'lines' },
    ],
  },
  {
    path: '/v1/analytics/leads',
    projection: 'lead',
    tag: 'Analytics',
    about: 'Leads, and how many of them became a deal',
    by: ['origin'],
    dimensions: [
      'origin',
      'status',
      'lifecycle',
      'landing_page',
      'campaign_id',
      'owner',
      'sla',
      'industry',
      'country',
      'business_segment',
      'business_type',
      'lead_type',
    ],
    apart: [],
    figures: [
      { name: 'leads', of: 'count' },
      { name: 'converted', of: 'count', column: 'converted_at' },
    ],
  },
]

export function registerAnalytics(app: FastifyInstance, deps: ApiDeps): void {
  for (const view of FIGURES) registerFigures(app, deps, view)
}
