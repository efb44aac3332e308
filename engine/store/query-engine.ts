import type { Build } from './build.ts'
import type { Cell } from './cells.ts'
import type { ListPlan, VisibleTable } from './plan.ts'
import type { AggregatePlan } from './plan-aggregate.ts'
import type { Answer, BuildStatus, PoisonEvent, RefusedEvidence } from './store.ts'

/** Which builds serve, and what they look like. */
export interface Catalogue {
  /** Raised by whatever changes which builds serve; plans of another generation aren't run. */
  readonly generation: number
  readonly serving: readonly Pick<Build, 'projection' | 'build' | 'version' | 'columns' | 'shape'>[]
  readonly cursorKey: Uint8Array
}

/** The plan was made for builds that don't serve any more: look at the catalogue and plan again. */
export const STALE = Symbol('stale')
export type Fresh<T> = Answer<T> | typeof STALE

/** `key`, `part`, then the table's columns. */
export type KeyedCells = readonly Cell[]

export type Figure = Cell | bigint

export interface GetPlan {
  /** Those of grain `profile` are asked for the profile that the id belongs to, others for the id as it is. */
  readonly tables: readonly VisibleTable[]
  readonly key: string
}

export interface Got {
  readonly profile: string
  /** Identities known to belong to it. */
  readonly members: readonly string[]
  /** In the order of the plan's tables, each table's by part. */
  readonly rows: readonly (readonly KeyedCells[])[]
}

export interface StatesPlan {
  readonly build: string
  /** All atoms of the id's profile, or the id as it is. */
  readonly byProfile: boolean
  readonly key: string
}

/**
 * What runs plans: each answer is one snapshot, with the position that the builds it draws on have reached. Failures
 * are `StoreQueryError`s.
 */
export interface QueryEngine {
  catalogue(): Promise<Catalogue>
  /** At most `limit` rows in the plan's order. */
  list(plan: ListPlan, generation: number): Promise<Fresh<readonly KeyedCells[]>>
  /** Rows of groups, then figures. */
  aggregate(plan: AggregatePlan, generation: number): Promise<Fresh<readonly (readonly Figure[])[]>>
  get(plan: GetPlan, generation: number): Promise<Fresh<Got>>
  states(
    plan: StatesPlan,
    generation: number,
  ): Promise<Fresh<readonly { readonly key: string; readonly state: Uint8Array }[]>>
  /** Identity → its profile, and profile → those known to belong to it. */
  members(identities: readonly string[]): Promise<
    Answer<{
      readonly profiles: ReadonlyMap<string, string>
      readonly members: ReadonlyMap<string, readonly string[]>
    }>
  >
  builds(): Promise<Answer<readonly BuildStatus[]>>
  poison(limit: number): Promise<Answer<readonly PoisonEvent[]>>
  review(after: number, limit: number): Promise<Answer<readonly RefusedEvidence[]>>
  /** What all serving builds have reached. */
  position(): Promise<number>
  close(): Promise<void>
}
