import type { LatencySummary } from '../load/latency.ts'
import type { RunReport } from '../load/protocol.ts'
import type { Measured } from '../report.ts'
import type { FigureKey } from './figures.ts'

/** What the parts of the bench found so far. */
export interface Findings {
  readonly measured: Map<FigureKey, Measured>
  readonly sustained: SustainedStep[]
  readonly sweep: SweepStep[]
  /** Whole sentences for whoever reads the figures. */
  readonly notes: string[]
  /** Parts that broke, and why. */
  readonly failures: string[]
}

export interface SustainedStep {
  readonly offeredPerS: number
  readonly acknowledgedPerS: number
  readonly medianLagMs: number
  /** What the fitted line of the lag rises over the window. */
  readonly growthMs: number
  readonly held: boolean
}

export interface SweepStep {
  readonly offeredPerS: number
  readonly acknowledgedPerS: number
  readonly latency: LatencySummary
  /** Messages. */
  readonly unanswered: number
  /** Events that the intake told to come again later. */
  readonly refused: number
}

export function noFindings(): Findings {
  return { measured: new Map(), sustained: [], sweep: [], notes: [], failures: [] }
}

/** Events per second of each window. */
export function ratesOf(report: RunReport): readonly number[] {
  return report.windows.map(({ events, ms }) => (events * 1_000) / ms)
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  const lower = sorted.length % 2 === 0 ? sorted[middle - 1] : upper
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2
}
