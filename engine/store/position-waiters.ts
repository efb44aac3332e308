import { refuse } from './plan.ts'

const POLL_MS = 50
const MAX_TIMER_MS = 2 ** 31 - 1

interface Waiter {
  readonly position: number
  settle(reached: boolean): void
  fail(error: unknown): void
}

/** Those who wait for a position: told by `notify`, and by a look at the store now and then in case nobody tells. */
export class PositionWaiters {
  readonly #poll: () => Promise<number>
  readonly #limit: number
  readonly #onWait: ((position: number) => void) | undefined
  readonly #waiters = new Set<Waiter>()
  #known = 0
  #resets = 0
  #asking = 0
  #looking: Promise<void> | undefined
  #next: Promise<void> | undefined
  #polling = false
  #closed = false
  #timer: NodeJS.Timeout | undefined

  /** `onWait` hears of every position that somebody begins to wait for. */
  constructor(poll: () => Promise<number>, limit: number, onWait?: ((position: number) => void) | undefined) {
    this.#poll = poll
    this.#limit = limit
    this.#onWait = onWait
  }

  async waitFor(position: number, timeoutMs: number): Promise<boolean> {
    if (this.#closed) refuse({ _tag: 'StoreClosed' })
    if (position <= this.#known) return true
    if (this.#waiters.size + this.#asking >= this.#limit) refuse({ _tag: 'Overloaded', limit: this.#limit })
    this.#asking += 1
    try {
      await this.#ask()
    } finally {
      this.#asking -= 1
    }
    if (this.#closed) refuse({ _tag: 'StoreClosed' })
    return position <= this.#known || (await this.#wait(position, timeoutMs))
  }

  /** Only this takes it back: a look at the store may find less than was notified meanwhile. */
  notify(position: number): void {
    if (position < this.#known) {
      this.#known = position
      this.#resets += 1
    }
    this.#reached(position)
  }

  close(failure: unknown): void {
    this.#closed = true
    for (const waiter of this.#waiters) waiter.fail(failure)
  }

  /** Looks at the store. Whoever asks while a look is under way shares the next one: that one may have seen too little. */
  #ask(): Promise<void> {
    if (this.#looking === undefined) {
      this.#looking = this.#lookOnce().finally(() => {
        this.#looking = undefined
      })
      return this.#looking
    }
    this.#next ??= this.#looking
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.#ask()
      })
    return this.#next
  }

  /** What was asked before a reset doesn't count after it. */
  async #lookOnce(): Promise<void> {
    const resets = this.#resets
    const position = await this.#poll()
    if (resets === this.#resets) this.#reached(position)
  }

  #reached(position: number): void {
    if (!(position > this.#known)) return
    this.#known = position
    for (const waiter of this.#waiters) if (waiter.position <= position) waiter.settle(true)
  }

  #wait(position: number, timeoutMs: number): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const leave = () => {
      clearTimeout(timeout)
      this.#waiters.delete(waiter)
      if (this.#waiters.size === 0) this.#stopPolling()
    }
    const waiter: Waiter = {
      position,
      settle: (reached) => {
        leave()
        resolve(reached)
      },
      fail: (error) => {
        leave()
        reject(error)
      },
    }
    const bounded = Math.min(Math.max(0, timeoutMs || 0), MAX_TIMER_MS)
    const timeout = setTimeout(() => waiter.settle(false), bounded)
    this.#waiters.add(waiter)
    this.#onWait?.(position)
    this.#timer ??= setInterval(() => void this.#look(), POLL_MS)
    return promise
  }

  #stopPolling(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** A store that can't be read just now may be readable before the waiters' time is up. */
  async #look(): Promise<void> {
    if (this.#polling) return
    this.#polling = true
    try {
      await this.#ask()
    } catch {
      // The waiters time out; whoever then queries learns why.
    } finally {
      this.#polling = false
    }
  }
}
