import type { Measured } from '../report.ts'
import type { LogFigureKey } from './figures.ts'

/** What the parts of the bench found so far. */
export interface LogFindings {
  readonly measured: Map<LogFigureKey, Measured>
  /** The contenders of the durable append: median events per second, and of which nothing could be found. */
  readonly contenders: { readonly name: string; readonly eventsPerS: number | null; readonly about: string }[]
  /** Whole sentences for whoever reads the figures. */
  readonly notes: string[]
  /** Parts that broke, and why; peers that are missing. */
  readonly failures: string[]
}

export function noLogFindings(): LogFindings {
  return { measured: new Map(), contenders: [], notes: [], failures: [] }
}

/** `1,234,567`, or three digits below a hundred. */
export function shown(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)))
}
