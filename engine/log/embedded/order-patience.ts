/// <reference lib="esnext.sharedmemory" />
import type { Clock } from '../../clock.ts'

/** So long the next order is looked for before the thread sleeps: whoever waits for each commit is back within it. */
const LOOK_MS = 0.15
/** Looks at the counter between two at the clock. */
const LOOKS = 16
/** After so many times in vain it sleeps at once, */
const VAIN = 4
/** but for one time in so many. */
const EVERY = 32

/**
 * Waits for orders. Waking a sleeping processor costs the caller and the thread some 50 µs, as long as many a commit takes;
 * where orders follow each other closely the thread stays awake for them.
 */
export class OrderPatience {
  readonly #orders: Int32Array<SharedArrayBuffer>
  readonly #clock: Pick<Clock, 'monotonicMs'>
  #vain = 0

  /** `orders`: counts them. */
  constructor(orders: Int32Array<SharedArrayBuffer>, clock: Pick<Clock, 'monotonicMs'>) {
    this.#orders = orders
    this.#clock = clock
  }

  /** Blocks until there are others than `seen`; answers how many. */
  beyond(seen: number): number {
    if (this.#vain < VAIN || this.#vain % EVERY === 0) this.#vain = this.#look(seen) ? 0 : this.#vain + 1
    else this.#vain++
    Atomics.wait(this.#orders, 0, seen)
    return Atomics.load(this.#orders, 0)
  }

  #look(seen: number): boolean {
    const untilMs = this.#clock.monotonicMs() + LOOK_MS
    do {
      for (let i = 0; i < LOOKS; i++) {
        if (Atomics.load(this.#orders, 0) !== seen) return true
        Atomics.pause()
      }
    } while (this.#clock.monotonicMs() < untilMs)
    return false
  }
}
