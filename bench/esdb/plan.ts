/** How much of everything; durations in ms. A quick run has the same parts with less of each. */
export interface EsdbPlan {
  readonly quick: boolean
  /** Everything, cleaning up included, ends within it. */
  readonly deadlineMs: number
  /** How long the engine may take to come to rest before the next turn begins all the same. */
  readonly restMs: number
  /** The first round of each warms up and doesn't count; `turnMs`: of one contender in one round. */
  readonly single: Turns
  readonly batch: Turns
  /** `events`: read in one turn. */
  readonly read: { readonly rounds: number; readonly events: number }
  readonly flood: { readonly rounds: number }
  /** `appends`: of one turn, each of `ADAPTER_BATCH` events. */
  readonly adapter: { readonly rounds: number; readonly appends: number }
}

interface Turns {
  readonly rounds: number
  readonly turnMs: number
}

const FULL: EsdbPlan = {
  quick: false,
  deadlineMs: 570_000,
  restMs: 10_000,
  single: { rounds: 7, turnMs: 5_000 },
  batch: { rounds: 7, turnMs: 4_000 },
  read: { rounds: 7, events: 60_000 },
  flood: { rounds: 3 },
  adapter: { rounds: 9, appends: 2_000 },
}

const QUICK: EsdbPlan = {
  quick: true,
  deadlineMs: 50_000,
  restMs: 500,
  single: { rounds: 2, turnMs: 700 },
  batch: { rounds: 2, turnMs: 700 },
  read: { rounds: 2, events: 6_000 },
  flood: { rounds: 1 },
  adapter: { rounds: 3, appends: 200 },
}

export const SINGLES_IN_FLIGHT = 1_000
export const BATCH_EVENTS = 100
/** 2,000 events: what fills client and server alike. */
export const BATCHES_IN_FLIGHT = 20
export const FLOOD_APPENDS = 10_000
/** Appends under way to as many streams, and their size: what the log's own writer would make of a busy intake. */
export const ADAPTER_STREAMS = 100
export const ADAPTER_BATCH = 20

export function esdbPlanOf(quick: boolean): EsdbPlan {
  return quick ? QUICK : FULL
}
