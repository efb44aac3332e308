import type { Clock } from '../../clock.ts'

/** Messages are taken for so long, ms, before whoever shares the thread gets a turn. */
export const SLICE_MS = 4
/** A socket is read faster than messages are decided: above it they are taken without a pause, and refused where they are too many. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** About what a message takes in memory beside its bytes. */
const OVERHEAD_BYTES = 512
/** Places of messages that were taken are given back, so many at a time. */
const TAKEN_AT_ONCE = 1_000

interface Waiting<Message> {
  readonly message: Message
  readonly sizeBytes: number
}

/**
 * Hands messages on in the order in which they came, a slice at a time: one read of a socket may bring thousands of events,
 * and a query that waits for all of them to be decided and sealed waits for a tenth of a second.
 */
export class Inbox<Message> {
  readonly #take: (message: Message) => void
  readonly #clock: Clock
  #waiting: (Waiting<Message> | undefined)[] = []
  #next = 0
  #waitingBytes = 0
  #sliceMs: number | undefined

  /** `take` doesn't throw. */
  constructor(take: (message: Message) => void, clock: Clock) {
    this.#take = take
    this.#clock = clock
  }

  add(message: Message, sizeBytes: number): void {
    if (this.#isTurnOver()) {
      this.#waiting.push({ message, sizeBytes: sizeBytes + OVERHEAD_BYTES })
      this.#waitingBytes += sizeBytes + OVERHEAD_BYTES
      if (this.#waitingBytes > MAX_WAITING_BYTES)
        this.#takeWaiting(() => this.#waitingBytes > MAX_WAITING_BYTES)
    } else this.#take(message)
  }

  /** Of the turn of the event loop that this is called in. */
  #isTurnOver(): boolean {
    if (this.#sliceMs === undefined) {
      this.#sliceMs = this.#clock.monotonicMs()
      setImmediate(() => this.#nextTurn())
      return false
    }
    return this.#next < this.#waiting.length || this.#isSpent(this.#sliceMs)
  }

  #isSpent(sinceMs: number): boolean {
    return this.#clock.monotonicMs() - sinceMs >= SLICE_MS
  }

  #nextTurn(): void {
    this.#sliceMs = undefined
    if (this.#waiting.length === 0) return
    const sinceMs = this.#clock.monotonicMs()
    this.#takeWaiting(() => !this.#isSpent(sinceMs))
    // What is read meanwhile comes behind what still waits.
    this.#sliceMs = sinceMs
    setImmediate(() => this.#nextTurn())
  }

  #takeWaiting(goesOn: () => boolean): void {
    do {
      const waiting = this.#waiting[this.#next]
      if (waiting === undefined) break
      this.#waiting[this.#next] = undefined
      this.#next += 1
      this.#waitingBytes -= waiting.sizeBytes
      this.#take(waiting.message)
    } while (goesOn())
    const left = this.#waiting.length - this.#next
    // Half of them at least, so that the rest is seldom moved.
    if (left > 0 && (this.#next < TAKEN_AT_ONCE || this.#next < left)) return
    this.#waiting = this.#waiting.slice(this.#next)
    this.#next = 0
  }
}
