import type { Figure } from '../report.ts'

/** The one list: quick and full runs report these names, in this order. */
export const ESDB_FIGURES = {
  single: { name: 'esdb_single_events_per_s', unit: 'events/s' },
  singleRatio: { name: 'esdb_single_vs_noop', unit: 'ratio', atLeast: 0.7 },
  batch: { name: 'esdb_batch_events_per_s', unit: 'events/s' },
  batchRatio: { name: 'esdb_batch_vs_noop', unit: 'ratio', atLeast: 0.6 },
  read: { name: 'esdb_read_events_per_s', unit: 'events/s' },
  readRatio: { name: 'esdb_read_vs_noop', unit: 'ratio', atLeast: 0.6 },
  floodAnswered: { name: 'esdb_flood_answered', unit: 'appends', atLeast: 10_000 },
  floodSeconds: { name: 'esdb_flood_s', unit: 's', atMost: 5 },
  adapter: { name: 'adapter_overhead', unit: 'ratio', atMost: 0.15 },
} as const satisfies Readonly<Record<string, Figure>>

export type EsdbFigureKey = keyof typeof ESDB_FIGURES
