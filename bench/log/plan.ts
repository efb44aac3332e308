/** How much of everything; durations in ms. A quick run has the same parts with less of each. */
export interface LogPlan {
  readonly quick: boolean
  /** Everything, cleaning up included, ends within it. */
  readonly deadlineMs: number
  /** After so long a part begins no further round, whatever is planned. */
  readonly shareMs: number
  /** Batches of 1,000 that every contender is given in a round, and how long one may take for them. */
  readonly append: { readonly rounds: number; readonly batches: number; readonly withinMs: number }
  readonly single: { readonly rounds: number; readonly events: number }
  readonly writers: { readonly windows: number; readonly windowMs: number }
  /** The large log is built up to this many events; `rounds` slices of `batches` are compared. */
  readonly growth: { readonly events: number; readonly rounds: number; readonly batches: number }
  readonly read: { readonly rounds: number; readonly events: number; readonly people: number }
  readonly sealed: { readonly rounds: number; readonly batches: number }
  readonly audit: { readonly events: number; readonly proofs: number }
}

const FULL: LogPlan = {
  quick: false,
  deadlineMs: 570_000,
  shareMs: 90_000,
  append: { rounds: 9, batches: 100, withinMs: 1_500 },
  single: { rounds: 7, events: 2_500 },
  writers: { windows: 5, windowMs: 2_000 },
  growth: { events: 10_000_000, rounds: 7, batches: 100 },
  read: { rounds: 5, events: 2_000_000, people: 1_500 },
  sealed: { rounds: 5, batches: 50 },
  audit: { events: 2_000_000, proofs: 5_000 },
}

const QUICK: LogPlan = {
  quick: true,
  deadlineMs: 50_000,
  shareMs: 6_000,
  append: { rounds: 3, batches: 50, withinMs: 300 },
  single: { rounds: 3, events: 1_200 },
  writers: { windows: 3, windowMs: 500 },
  growth: { events: 1_000_000, rounds: 2, batches: 30 },
  read: { rounds: 3, events: 300_000, people: 100 },
  sealed: { rounds: 3, batches: 10 },
  audit: { events: 400_000, proofs: 1_000 },
}

/** Small logs that the large one is compared with. */
export const SMALL_LOG_EVENTS = 100_000

/** Batches under way at once, for every contender that can have more than one: what four senders would keep under way. */
export const BATCHES_IN_FLIGHT = 4

export function logPlanOf(quick: boolean): LogPlan {
  return quick ? QUICK : FULL
}
