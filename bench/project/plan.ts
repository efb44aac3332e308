/** How much of everything. A quick run has the same parts with less of each. */
export interface ProjectPlan {
  readonly quick: boolean
  /** Everything, cleaning up included, ends within it, ms. */
  readonly deadlineMs: number
  /** The log that is rebuilt from, and how many people come back in it. */
  readonly log: { readonly events: number; readonly people: number }
  /** How often the whole catalogue is folded in memory and rebuilt, in turns; and one projection. */
  readonly rounds: number
  readonly oneRounds: number
  /** Events in Emmett's store. */
  readonly emmettEvents: number
  /** Events sent live, in each round, in order and out of it. */
  readonly live: { readonly rounds: number; readonly events: number }
  readonly asOf: { readonly people: number }
  readonly unmerge: { readonly pairs: number }
}

/** What the figures are about. A log of it takes longer to write and fold here than a bench may last. */
export const ASKED_EVENTS = 5_000_000

const FULL: ProjectPlan = {
  quick: false,
  deadlineMs: 570_000,
  log: { events: 800_000, people: 32_000 },
  rounds: 2,
  oneRounds: 5,
  emmettEvents: 20_000,
  live: { rounds: 3, events: 25_000 },
  asOf: { people: 1_000 },
  unmerge: { pairs: 40 },
}

const QUICK: ProjectPlan = {
  quick: true,
  deadlineMs: 55_000,
  log: { events: 60_000, people: 2_400 },
  rounds: 1,
  oneRounds: 3,
  emmettEvents: 2_000,
  live: { rounds: 1, events: 5_000 },
  asOf: { people: 100 },
  unmerge: { pairs: 10 },
}

export function projectPlanOf(quick: boolean): ProjectPlan {
  return quick ? QUICK : FULL
}
