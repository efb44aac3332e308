import type { Measured } from '../report.ts'
import type { EsdbFigureKey } from './figures.ts'

/** What the parts of the bench found so far. */
export interface EsdbFindings {
  readonly measured: Map<EsdbFigureKey, Measured>
  /** Median events per second of everybody, and the rounds behind it. */
  readonly contenders: { readonly what: string; readonly name: string; readonly rates: readonly number[] }[]
  /** Whole sentences for whoever reads the figures. */
  readonly notes: string[]
  /** Parts that broke, and why. */
  readonly failures: string[]
}

export function noEsdbFindings(): EsdbFindings {
  return { measured: new Map(), contenders: [], notes: [], failures: [] }
}
