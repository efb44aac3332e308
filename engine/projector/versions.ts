import type * as E from 'fp-ts/lib/Either.js'
import type { BuildName } from '../store/store.ts'

/** What an operator asks of builds while the projector runs. */
export type VersionOrder =
  | {
      readonly kind: 'rebuild'
      /** Names; each has a build that serves. */
      readonly projections: readonly string[]
      readonly onProgress: (progress: RebuildProgress) => void
      readonly done: (outcome: E.Either<OrderRefusal, readonly Rebuilt[]>) => void
    }
  | {
      readonly kind: 'switch' | 'rollback'
      readonly projection: string
      readonly done: (outcome: E.Either<OrderRefusal, Switched>) => void
    }

export interface RebuildProgress {
  readonly step: 'folding' | 'comparing'
  /** Of the log, or how many builds are compared. */
  readonly done: number
  readonly of: number
}

export interface Rebuilt {
  readonly projection: string
  readonly from: BuildName
  readonly to: BuildName
  readonly rows: number
  /** Of what served and of what serves now, both at `position`. */
  readonly before: string
  readonly after: string
  readonly position: number
}

export interface Switched {
  readonly projection: string
  readonly from: BuildName
  readonly to: BuildName
  readonly rows: number
  /** Of `to`. */
  readonly digest: string
  readonly position: number
}

export type OrderRefusal =
  | { readonly _tag: 'UnknownProjection'; readonly projection: string }
  /** The build that is wanted serves already. */
  | { readonly _tag: 'NothingWaits'; readonly projection: string; readonly serving: BuildName }
  /** Nothing that served before is kept. */
  | { readonly _tag: 'NoBuildBefore'; readonly projection: string; readonly serving: BuildName }
  /** Another build waits to serve: one of them at a time. */
  | { readonly _tag: 'BuildWaits'; readonly projection: string; readonly waiting: BuildName }
