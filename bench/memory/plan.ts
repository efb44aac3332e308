import type { LabPlan } from '../main/lab.ts'

/** How much of everything; durations in ms. */
export interface MemoryPlan extends LabPlan {
  readonly quick: boolean
  /** Resident memory is compared between these numbers of events. */
  readonly fromEvents: number
  readonly toEvents: number
  /** Sent at a time; the next piece waits until the read models hold the one before the last. */
  readonly pieceEvents: number
}

/** What the figure is about. */
export const ASKED_FROM = 1_000_000
export const ASKED_TO = 5_000_000

/** Nothing is measured before its time, so nobody need be known beforehand. */
const UNPRIMED = { primingEvents: 0, primeWithinMs: 0, catchUpMs: 10_000 } as const

const FULL: MemoryPlan = {
  ...UNPRIMED,
  quick: false,
  deadlineMs: 575_000,
  // The last piece may be sent somewhat beyond its end.
  tapeEvents: ASKED_TO + 100_000,
  people: 20_000,
  graceMs: 8_000,
  fromEvents: ASKED_FROM,
  toEvents: ASKED_TO,
  pieceEvents: 10_000,
}

const QUICK: MemoryPlan = {
  ...UNPRIMED,
  quick: true,
  deadlineMs: 50_000,
  tapeEvents: 250_000,
  people: 5_000,
  graceMs: 1_500,
  fromEvents: 50_000,
  toEvents: 200_000,
  pieceEvents: 5_000,
}

export function memoryPlanOf(quick: boolean): MemoryPlan {
  return quick ? QUICK : FULL
}
