import type { ResidentMemory } from '../main/proc.ts'
import type { Figure, Measured } from '../report.ts'

/** The one list: quick and full runs report these names, in this order. */
export const MEMORY_FIGURES = {
  growth: { name: 'rss_growth_mb', unit: 'MB', atMost: 200 },
  last: { name: 'rss_last_mb', unit: 'MB' },
  rate: { name: 'events_per_s', unit: 'events/s' },
} as const satisfies Readonly<Record<string, Figure>>

export type MemoryFigureKey = keyof typeof MEMORY_FIGURES

export interface MemorySample extends ResidentMemory {
  /** Acknowledged so far. */
  readonly events: number
}

export interface MemoryFindings {
  readonly measured: Map<MemoryFigureKey, Measured>
  readonly samples: MemorySample[]
  /** Whole sentences for whoever reads the figures. */
  readonly notes: string[]
  /** What broke, and why. */
  readonly failures: string[]
}

export function noMemoryFindings(): MemoryFindings {
  return { measured: new Map(), samples: [], notes: [], failures: [] }
}
