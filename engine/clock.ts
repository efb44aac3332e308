/**
 * The only place that asks the machine for time or randomness; everything else is handed a `Clock`.
 * Milliseconds since 1970-01-01T00:00:00Z; `monotonicMs` counts from an arbitrary start and never jumps.
 */
export interface Clock {
  nowMs(): number
  monotonicMs(): number
  /** Where time is simulated, waiting is too. Absent: the machine's timers. */
  readonly sleep?: ((ms: number) => Promise<void>) | undefined
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

/** A clock that a test moves by hand. */
export interface ManualClock extends Clock {
  advance(ms: number): void
  /** Moves the wall clock alone, as an operator or NTP would. */
  jump(ms: number): void
}

export function manualClock(startMs: number): ManualClock {
  let wall = startMs
  let monotonic = 0
  return {
    nowMs: () => wall,
    monotonicMs: () => monotonic,
    advance: (ms) => {
      wall += ms
      monotonic += ms
    },
    jump: (ms) => {
      wall += ms
    },
  }
}
