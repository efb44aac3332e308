/** How much of everything; durations in ms. A quick run has the same parts with less of each. */
export interface Plan {
  readonly quick: boolean
  /** Everything, cleaning up included, ends within it. */
  readonly deadlineMs: number
  readonly tapeEvents: number
  /** The simulated population that keeps coming back. */
  readonly people: number
  /**
   * Sent to each new engine before anything is measured on it, so that most of the population is known: a company's
   * first day, where everybody is new, isn't what the figures are about.
   */
  readonly primingEvents: number
  readonly primeWithinMs: number
  /** How long the read models may take to catch up before the next measurement begins all the same. */
  readonly catchUpMs: number
  /** How long what is under way at the end of a measurement may still take. */
  readonly graceMs: number
  readonly batch: Windows
  readonly single: Windows
  readonly freshness: Windows & { readonly probesPerS: number; readonly probedPeople: number }
  readonly sustained: Windows & { readonly steps: number }
  readonly queries: Windows
  readonly queriesClosed: Windows
  readonly sweep: Windows & { readonly shares: readonly number[] }
}

export interface Windows {
  readonly warmUpMs: number
  readonly windowMs: number
  readonly windows: number
}

const FULL: Plan = {
  quick: false,
  deadlineMs: 580_000,
  tapeEvents: 5_300_000,
  people: 20_000,
  primingEvents: 300_000,
  primeWithinMs: 30_000,
  catchUpMs: 25_000,
  graceMs: 8_000,
  batch: { warmUpMs: 4_000, windowMs: 4_000, windows: 5 },
  single: { warmUpMs: 3_000, windowMs: 3_000, windows: 5 },
  freshness: { warmUpMs: 4_000, windowMs: 20_000, windows: 1, probesPerS: 200, probedPeople: 500 },
  sustained: { warmUpMs: 3_000, windowMs: 12_000, windows: 1, steps: 7 },
  queries: { warmUpMs: 3_000, windowMs: 12_000, windows: 1 },
  queriesClosed: { warmUpMs: 1_000, windowMs: 1_500, windows: 5 },
  sweep: {
    warmUpMs: 1_000,
    windowMs: 4_000,
    windows: 1,
    shares: [0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1, 1.15, 1.3],
  },
}

const QUICK: Plan = {
  quick: true,
  deadlineMs: 50_000,
  tapeEvents: 700_000,
  people: 5_000,
  primingEvents: 30_000,
  primeWithinMs: 3_000,
  catchUpMs: 2_000,
  graceMs: 1_500,
  batch: { warmUpMs: 1_000, windowMs: 1_000, windows: 3 },
  single: { warmUpMs: 500, windowMs: 1_000, windows: 2 },
  freshness: { warmUpMs: 1_000, windowMs: 3_000, windows: 1, probesPerS: 200, probedPeople: 100 },
  sustained: { warmUpMs: 1_000, windowMs: 2_500, windows: 1, steps: 2 },
  queries: { warmUpMs: 500, windowMs: 2_000, windows: 1 },
  queriesClosed: { warmUpMs: 500, windowMs: 1_000, windows: 1 },
  sweep: { warmUpMs: 300, windowMs: 1_200, windows: 1, shares: [0.1, 0.5, 0.9, 1.2] },
}

export function planOf(quick: boolean): Plan {
  return quick ? QUICK : FULL
}

/** Messages of 100 events that wait for their acknowledgement: 5,000 events, a quarter of what the intake lets wait. */
export const BATCHES_IN_FLIGHT = 50
/** In an open loop past saturation: 15,000 events, so that the intake's own limit (20,000) refuses none. */
export const MAX_BATCHES_IN_FLIGHT = 150
export const SINGLES_IN_FLIGHT = 1_000

export function durationMs({ warmUpMs, windowMs, windows }: Windows): number {
  return warmUpMs + windowMs * windows
}
