import type { Figure } from '../report.ts'

/** The one list: quick and full runs report these names, in this order. */
export const FIGURES = {
  batch: { name: 'nats_batch_events_per_s', unit: 'events/s', atLeast: 50_000 },
  single: { name: 'nats_single_events_per_s', unit: 'events/s', atLeast: 15_000 },
  freshness: { name: 'freshness_p99_ms', unit: 'ms', atMost: 20 },
  sustained: { name: 'sustained_events_per_s', unit: 'events/s', atLeast: 40_000 },
  queryRate: { name: 'query_per_s', unit: 'queries/s', atLeast: 5_000 },
  queryLatency: { name: 'query_p99_ms', unit: 'ms', atMost: 10 },
} as const satisfies Readonly<Record<string, Figure>>

export type FigureKey = keyof typeof FIGURES
