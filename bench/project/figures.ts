import type { Figure, Measured } from '../report.ts'

/** The one list: quick and full runs report these names, in this order. */
export const PROJECT_FIGURES = {
  all: { name: 'rebuild_all_events_per_s', unit: 'events/s', atLeast: 200_000 },
  rss: { name: 'rebuild_rss_mb', unit: 'MB', atMost: 1_500 },
  one: { name: 'rebuild_one_events_per_s', unit: 'events/s', atLeast: 700_000 },
  vsFold: { name: 'rebuild_all_vs_fold', unit: 'ratio', atLeast: 0.3 },
  vsEmmett: { name: 'rebuild_vs_emmett', unit: 'ratio', atLeast: 50 },
  dirty: { name: 'dirty_vs_clean', unit: 'ratio', atLeast: 0.8 },
  asOf: { name: 'asof_p99_ms', unit: 'ms', atMost: 20 },
  unmerge: { name: 'unmerge_ms', unit: 'ms', atMost: 20 },
} as const satisfies Readonly<Record<string, Figure>>

export type ProjectFigureKey = keyof typeof PROJECT_FIGURES

/** What the parts of the bench found so far. */
export interface ProjectFindings {
  readonly measured: Map<ProjectFigureKey, Measured>
  /** Whole sentences for whoever reads the figures. */
  readonly notes: string[]
  /** Parts that broke, and why; peers that are missing. */
  readonly failures: string[]
}

export function noProjectFindings(): ProjectFindings {
  return { measured: new Map(), notes: [], failures: [] }
}
