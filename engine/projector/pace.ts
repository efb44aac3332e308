import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { LogReader } from '../log/log.ts'

/** A reader waits this long for what arrives, while there is little of it. */
const LEAST_COMMIT_MS = 5
/** Events gather for this many times as long as the last commit took to write, so that commits take a quarter of the time. */
const GATHER_PER_COMMIT = 3
/** Under load larger commits cost less per event. While somebody waits for one, no longer than this. */
const AWAITED_COMMIT_MS = 200
/** … and no longer than this otherwise. */
const MOST_COMMIT_MS = 500
/** Whoever is this many events behind gathers for longer: nobody sees those events soon anyway, and commits get cheaper. */
const BEHIND_EVENTS = 10_000
const BEHIND_COMMIT_MS = 2_000
/** A commit never holds more events than this, so that memory stays bounded. */
const MAX_COMMIT_EVENTS = 50_000
/** While something waits to be committed, somebody may come to wait for it: looked at this often. */
const LOOK_MS = 20
/**
 * A burst is taken at full speed: while whoever takes events in is saturated, folding pauses, because on few cores each
 * event folded is one acknowledged later. It doesn't fall further behind than this for their sake, ms.
 */
const PATIENCE_MS = 30_000
/** How long a pause is, ms. */
const PAUSE_MS = 20

/** Events that are folded and not yet in a commit. */
export interface Batch {
  events: number
  /** Monotonic instant of its first event. */
  sinceMs: number
  /** `received` of its first event. */
  firstReceived: number | undefined
}

interface Load {
  readonly log: Pick<LogReader, 'head'>
  readonly clock: Clock
  /** True while other work should go first. */
  readonly isUnderPressure?: (() => boolean) | undefined
}

/** When a projector commits, and when it lets others go first. */
export class Pace {
  readonly #load: Load
  #lastCommitMs = 0
  #committed = 0
  #awaited = 0
  /** Monotonic instant since when it has given way without a break. */
  #givingWaySinceMs: number | undefined
  /** … and when it was last asked to. */
  #askedMs = 0

  constructor(load: Load) {
    this.#load = load
  }

  /** A commit up to this position is done; writing it took so long. */
  committed(position: number, workMs: number): void {
    this.#committed = position
    this.#lastCommitMs = workMs
  }

  /** Somebody waits for this position to be committed. One that the log doesn't hold can't be had by hurrying. */
  hurry(position: number): void {
    this.#awaited = Math.max(this.#awaited, Math.min(position, this.#load.log.head().position))
  }

  get isAwaited(): boolean {
    return this.#awaited > this.#committed
  }

  isFull({ events }: Batch): boolean {
    return events >= MAX_COMMIT_EVENTS
  }

  /** How long the batch may still gather, ms; everything up to `position` is folded. */
  untilCommitMs({ events, sinceMs }: Batch, position: number): number {
    const { log, clock } = this.#load
    const isBehind = log.head().position > position + BEHIND_EVENTS
    const mostMs = this.isAwaited ? AWAITED_COMMIT_MS : MOST_COMMIT_MS
    const gatherMs = isBehind
      ? BEHIND_COMMIT_MS
      : Math.min(Math.max(GATHER_PER_COMMIT * this.#lastCommitMs, LEAST_COMMIT_MS), mostMs)
    // A few events after a large commit shouldn't wait as long as many would.
    return sinceMs + Math.min(gatherMs, Math.max(LEAST_COMMIT_MS, events)) - clock.monotonicMs()
  }

  /** Waits for `arriving`, but not beyond the time to commit. True: that has come. */
  async gather(arriving: Promise<unknown>, untilCommitMs: number): Promise<boolean> {
    const { sleep } = this.#load.clock
    const hasArrived = await settledWithin(arriving, Math.max(0, Math.min(untilCommitMs, LOOK_MS)), sleep)
    return !hasArrived && untilCommitMs <= LOOK_MS
  }

  /** Lets the event loop turn, and others go first. `received` of the event folded last; `isAwaited`: somebody waits. */
  async giveWay(received: number, isAwaited: () => boolean, signal: AbortSignal): Promise<void> {
    const { clock, isUnderPressure } = this.#load
    await setImmediate()
    while (isUnderPressure?.() === true) {
      const now = clock.monotonicMs()
      // Nothing was folded for a while: this is another burst.
      if (now - this.#askedMs > PATIENCE_MS) this.#givingWaySinceMs = undefined
      this.#askedMs = now
      this.#givingWaySinceMs ??= now
      // The wall clock alone might have been set back.
      const isPatient = now - this.#givingWaySinceMs < PATIENCE_MS && clock.nowMs() - received < PATIENCE_MS
      if (!isPatient || signal.aborted || isAwaited()) return
      await (clock.sleep ?? setTimeout)(PAUSE_MS)
    }
    this.#givingWaySinceMs = undefined
  }
}

/** True if `promise` settles within `waitMs`. */
async function settledWithin(
  promise: Promise<unknown>,
  waitMs: number,
  sleep: Clock['sleep'],
): Promise<boolean> {
  const waiting = new AbortController()
  const settled = promise.then(
    () => true,
    () => true,
  )
  const timeout =
    sleep?.(waitMs).then(() => false) ??
    setTimeout(waitMs, false, { signal: waiting.signal }).catch(() => false)
  const isSettled = await Promise.race([settled, timeout])
  waiting.abort()
  return isSettled
}
