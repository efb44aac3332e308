import type { Clock } from '../clock.ts'

/** A wall clock that moved this far against the monotonic one is not believed. */
const MAX_JUMP_MS = 10 * 60_000

/**
 * Watches the wall clock: `received` is what folds know of time, and it never goes back, so a clock that jumps a day
 * ahead would poison it for good. While `trusted()` is false nothing is acknowledged, until an operator confirms.
 */
export interface ClockGuard {
  trusted(): boolean
  /** The operator says that the clock is right as it is now. */
  confirm(): void
}

export function guardClock(clock: Clock, lastReceivedMs: number): ClockGuard {
  let offset = clock.nowMs() - clock.monotonicMs()
  // A log whose last event lies ahead of now: the clock was wrong then, or is wrong now.
  let jumped = lastReceivedMs - clock.nowMs() > MAX_JUMP_MS
  return {
    trusted() {
      const drift = clock.nowMs() - clock.monotonicMs() - offset
      if (Math.abs(drift) > MAX_JUMP_MS) jumped = true
      return !jumped
    },
    confirm() {
      offset = clock.nowMs() - clock.monotonicMs()
      jumped = false
    },
  }
}
