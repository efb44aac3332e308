import type { StoreSnapshot } from '../../engine/store/snapshot.ts'
import { failureText } from '../failure-place.ts'
import { FIND_LIMITS, type FindLimits, type FindProgress, type Found, findDuplicates } from './find.ts'
import type { Decided } from './verdicts.ts'

/** What looks for duplicates beside everything else, and how a search ends. */

export type FindFailure =
  /** An erasure, or the end of the engine, came in between. */
  | { readonly _tag: 'Dropped' }
  /** It would have taken more memory than a search may. */
  | { readonly _tag: 'TooLarge'; readonly limitMb: number }
  /** `message` names places, never personal data. */
  | { readonly _tag: 'Broken'; readonly message: string }

export type FindOutcome =
  | { readonly _tag: 'Found'; readonly found: Found }
  | { readonly _tag: 'Failed'; readonly failure: FindFailure }

export interface SearchOrder {
  readonly decided: Decided
  readonly onProgress: (progress: FindProgress) => void
}

/** A search under way. */
export interface Search {
  /** Never rejects. */
  readonly outcome: Promise<FindOutcome>
  /** Gives it up: `outcome` is then `Dropped`. Resolves once nothing of it is left. */
  stop(): Promise<void>
}

export interface Finder {
  readonly limits: FindLimits
  /** One at a time is asked of it. */
  start(order: SearchOrder): Search
}

/** Looks on the calling thread, for tests. */
export function directFinder(open: () => StoreSnapshot, limits: FindLimits = FIND_LIMITS): Finder {
  return {
    limits,
    start(order) {
      let isStopped = false
      const outcome = Promise.resolve().then((): FindOutcome => {
        if (isStopped) return { _tag: 'Failed', failure: { _tag: 'Dropped' } }
        try {
          return { _tag: 'Found', found: findDuplicates(open(), { ...order, limits }) }
        } catch (error) {
          return { _tag: 'Failed', failure: { _tag: 'Broken', message: failureText(error) } }
        }
      })
      return {
        outcome,
        async stop() {
          isStopped = true
          await outcome
        },
      }
    },
  }
}
