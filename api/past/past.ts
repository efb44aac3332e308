import type { Head } from '../../engine/log/log.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import type { StoreReader } from '../../engine/store/store.ts'

/** Whole read models as of a moment: what builds them, what keeps them, and what asking for them comes to. */

/** Why a build ended without read models; `message` names places, never personal data. */
export type PastFailure =
  /** They would take more room on the disk than pasts may. */
  | { readonly _tag: 'TooLarge'; readonly limitBytes: number }
  | { readonly _tag: 'DiskFull' }
  /** An erasure, or the end of the engine, came in between. */
  | { readonly _tag: 'Dropped' }
  | { readonly _tag: 'Broken'; readonly message: string }

/** Read models that are built. */
export interface Built {
  readonly sizeBytes: number
  /** A reader costs a thread: whoever opens one closes it. */
  open(): StoreReader
  /** Leaves nothing behind; its readers are closed before. */
  remove(): Promise<void>
}

export type BuildOutcome =
  | { readonly _tag: 'Built'; readonly built: Built }
  | { readonly _tag: 'Failed'; readonly failure: PastFailure }

export interface BuildOrder {
  readonly moment: Moment
  readonly projections: readonly string[]
  /** The most that it may take on the disk. */
  readonly limitBytes: number
  /** How far it has come, in positions up to the moment's. */
  readonly onProgress: (position: number) => void
}

/** A build under way. */
export interface Building {
  /** Never rejects. */
  readonly outcome: Promise<BuildOutcome>
  /** Gives it up: `outcome` is then `Dropped`, and nothing is left behind. */
  stop(): Promise<void>
}

/** Folds read models as of a moment, beside everything else. One at a time is asked of it. */
export interface PastBuilder {
  build(order: BuildOrder): Building
}

/** Read models as of a moment, for as long as `use` of them lasts. */
export interface PastTables {
  readonly reader: StoreReader
  /** Where the answer stands: `occurred` builds hold as long as nothing that had happened by then came in since. */
  readonly at: Head
  readonly moment: Moment
}

export type PastOutcome<T> =
  | { readonly _tag: 'Answered'; readonly value: T }
  | {
      readonly _tag: 'Building'
      readonly state: 'queued' | 'building'
      /** How far it has come, and the position at which it is done. */
      readonly position: number
      readonly of: number
      /** When it was first asked for (ms). */
      readonly startedMs: number
    }
  /** So many wait to be built already. */
  | { readonly _tag: 'Busy'; readonly limit: number }
  | { readonly _tag: 'Failed'; readonly failure: PastFailure }

export interface PastAsk {
  readonly moment: Moment
  /** All of them are in `reader`. */
  readonly projections: readonly string[]
  /** An answer that stands before this position won't do. */
  readonly after?: number | undefined
  /** How long to wait for a build, ms. */
  readonly waitMs: number
}

/** One build as an operator sees it. */
export interface PastStatus {
  readonly moment: Moment
  readonly projections: readonly string[]
  readonly state: 'queued' | 'building' | 'ready' | 'failed'
  readonly position: number
  readonly startedMs: number
  /** ms; absent until it is ready. */
  readonly usedMs?: number | undefined
  readonly sizeBytes?: number | undefined
  readonly failure?: PastFailure['_tag'] | undefined
}

export interface Pasts {
  /** Calls `work` with the read models once they are built; what it throws is thrown. They stay until it has ended. */
  use<T>(ask: PastAsk, work: (tables: PastTables) => Promise<T>): Promise<PastOutcome<T>>
  status(): readonly PastStatus[]
  /** Drops everything, builds under way included: resolves when nothing of them is left. */
  forget(): Promise<void>
  /** As `forget`, for good. */
  close(): Promise<void>
}
