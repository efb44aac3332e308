import { strict as assert } from 'node:assert'
import type { Clock } from '../../engine/clock.ts'

export interface OpenLoopOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly ratePerS: number
  /** How many are sent in all. */
  readonly count: number
  /** Further ones wait for an answer, and their waiting counts: latency is from `intendedMs`. */
  readonly maxInFlight: number
  /** `setTimeout`, or a test's. */
  readonly wait: (ms: number, then: () => void) => void
  /**
   * Sends one. `intendedMs` (on the clock) is when the schedule wanted it sent, whenever that could be; `done` is called
   * once, with the answer. False: there is nothing left to send, which ends the loop.
   */
  readonly send: (index: number, intendedMs: number, done: () => void) => boolean
}

export interface OpenLoop {
  /** Resolves when everything is sent and answered. */
  readonly finished: Promise<void>
  /**
   * Sends no more; `finished` still awaits what is under way. Returns when each of those was wanted sent that were due
   * and never sent: whoever leaves them out flatters.
   */
  stop(): readonly number[]
}

/**
 * Sends by schedule, whatever the answers do. A closed loop, or a latency counted from the sending, would leave out all
 * that a stalled server kept from being sent: "coordinated omission" (Gil Tene).
 */
export function startOpenLoop(options: OpenLoopOptions): OpenLoop {
  assert.ok(options.ratePerS > 0 && options.maxInFlight > 0)
  const { clock, wait, send, maxInFlight, ratePerS } = options
  const { promise: finished, resolve } = Promise.withResolvers<void>()
  const startMs = clock.monotonicMs()
  let count = options.count
  let sent = 0
  let inFlight = 0
  let waiting = false
  let pumping = false
  const intendedMs = (index: number): number => startMs + (index * 1_000) / ratePerS
  const sendOne = (): void => {
    inFlight += 1
    const more = send(sent, intendedMs(sent), () => {
      inFlight -= 1
      pump()
    })
    if (more) {
      sent += 1
      return
    }
    inFlight -= 1
    count = sent
  }
  const pump = (): void => {
    // An answer that comes while sending is seen by the loop below.
    if (pumping) return
    pumping = true
    while (sent < count && inFlight < maxInFlight && intendedMs(sent) <= clock.monotonicMs()) sendOne()
    pumping = false
    if (sent === count && inFlight === 0) resolve()
    if (sent === count || inFlight === maxInFlight || waiting) return
    waiting = true
    wait(Math.max(intendedMs(sent) - clock.monotonicMs(), 0), () => {
      waiting = false
      pump()
    })
  }
  pump()
  return {
    finished,
    stop() {
      const nowMs = clock.monotonicMs()
      const late: number[] = []
      for (let index = sent; index < count && intendedMs(index) <= nowMs; index++)
        late.push(intendedMs(index))
      count = sent
      pump()
      return late
    },
  }
}
