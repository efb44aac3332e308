import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import { Random, seedOf } from './random.ts'

interface Task {
  readonly atMs: number
  readonly number: number
  readonly act: () => void
}

/** How much work a look at the clock stands for, ms: most often none. Some looks end a slice of the projector. */
const LOOK_MS = [0, 0, 0, 0, 0, 0, 0.25, 0.25, 0.5, 2.5]
/** Turns of the event loop between two tasks: what is under way gets more or less far before the next thing happens. */
const MOST_TURNS = 3

/** 2026-03-01T12:00:00Z. */
export const START_MS = Date.UTC(2026, 2, 1, 12)

/**
 * Simulated time: tasks happen in the order of their instants, and nothing waits for the machine's timers. Looking at
 * the clock takes time. The wall clock may jump against the monotonic one.
 */
export class Timeline implements Clock {
  readonly #looks: Random
  readonly #turns: Random
  readonly #tasks: Task[] = []
  #nowMs = 0
  #wallMs = START_MS
  #number = 0

  constructor(seed: number) {
    this.#looks = new Random(seedOf(seed, 1))
    this.#turns = new Random(seedOf(seed, 2))
  }

  monotonicMs(): number {
    this.#nowMs += this.#looks.pick(LOOK_MS)
    return this.#nowMs
  }

  nowMs(): number {
    return Math.floor(this.#wallMs + this.#nowMs)
  }

  /** Moves the wall clock alone. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  /** How far it is from the wall clock as it was set first, ms. */
  get jumpedMs(): number {
    return this.#wallMs - START_MS
  }

  readonly sleep = (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.after(ms, resolve)
    return promise
  }

  after(ms: number, act: () => void): void {
    const task = { atMs: this.#nowMs + Math.max(0, ms), number: this.#number++, act }
    const index = this.#tasks.findLastIndex((other) => other.atMs <= task.atMs)
    this.#tasks.splice(index + 1, 0, task)
  }

  /** Lets the next thing happen, and what follows from it go on for a while. False: nothing is to come. */
  async step(): Promise<boolean> {
    const task = this.#tasks.shift()
    if (task !== undefined) {
      this.#nowMs = Math.max(this.#nowMs, task.atMs)
      task.act()
    }
    for (let turns = this.#turns.between(1, MOST_TURNS); turns > 0; turns--) await setImmediate()
    return task !== undefined || this.#tasks.length > 0
  }
}
