import type { Cell } from './cells.ts'

/** What the reader and its worker threads say to each other. */

export interface Statement {
  readonly sql: string
  readonly parameters: readonly Cell[]
}

/** Statements whose rows are one answer. */
export interface Script {
  readonly statements: readonly Statement[]
  /** The later statements are left out once there are as many rows. */
  readonly limit?: number | undefined
  /** Integers come as bigints: sums may leave the safe integers. */
  readonly bigints?: boolean | undefined
  /** In place of parameters: what this earlier script of the question found, the first cell of its first row. */
  readonly boundTo?: number | undefined
}

export interface Question {
  /** Asked only if this is the store's generation; undefined: whatever it is. */
  readonly generation: number | undefined
  /** All in one read transaction. */
  readonly scripts: readonly Script[]
}

export interface Job extends Question {
  readonly id: number
}

export type SqlValue = Cell | bigint | Uint8Array
export type SqlRow = readonly SqlValue[]

export type JobOutcome =
  | { readonly kind: 'rows'; readonly rows: readonly (readonly SqlRow[])[] }
  | { readonly kind: 'stale' }
  | { readonly kind: 'overflow' }
  | { readonly kind: 'unavailable'; readonly why: string }

export type JobResult = JobOutcome & { readonly id: number }

export interface WorkerData {
  readonly path: string
}
