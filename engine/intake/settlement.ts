import assert from 'node:assert/strict'
import type { Clock } from '../clock.ts'
import type { Decided } from './decider.ts'
import { Entry, type Submission } from './entry.ts'
import type { IntakeResult } from './result.ts'
import type { UnderWay } from './under-way.ts'

interface SettlementOptions {
  readonly clock: Clock
  /** Told of every event's fate, once, and of the time since it was submitted. */
  readonly onResult: (result: IntakeResult, durationMs: number) => void
}

/** Keeps account of what is under way, from when it is submitted until its sender is told. */
export class Settlement {
  readonly #options: SettlementOptions
  readonly #underWay: UnderWay
  readonly #queue: (entry: Entry) => void
  #events = 0
  #bytes = 0
  #whenIdle: (() => void) | undefined
  /** Submissions are counted by the epoch that they came in; draining begins the other one. */
  #epoch: 0 | 1 = 0
  readonly #unsettled: [number, number] = [0, 0]
  #whenDrained: (() => void) | undefined

  /** `queue`: where entries go, and those that waited for one that is settled. */
  constructor(options: SettlementOptions, underWay: UnderWay, queue: (entry: Entry) => void) {
    this.#options = options
    this.#underWay = underWay
    this.#queue = queue
  }

  get events(): number {
    return this.#events
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Queues them. Resolves when all are told. */
  enter(decided: readonly Decided[], startMs: number, atomic = false): Promise<readonly IntakeResult[]> {
    const { promise, resolve } = Promise.withResolvers<readonly IntakeResult[]>()
    if (decided.length === 0) resolve([])
    else this.#unsettled[this.#epoch] += 1
    const epoch = this.#epoch
    const results: IntakeResult[] = Array(decided.length)
    const submission: Submission = { results, left: decided.length, atomic, epoch, startMs, resolve }
    const members: Entry[] = []
    for (let index = 0; index < decided.length; index++) {
      const one = decided[index]
      assert(one !== undefined)
      this.#events += 1
      this.#bytes += one.sizeBytes
      const entry = new Entry(one, submission, index)
      if (atomic) members.push(entry)
      else this.#queue(entry)
    }
    const [lead] = members
    if (lead !== undefined) {
      lead.members = members
      this.#queue(lead)
    }
    return promise
  }

  told(result: IntakeResult, startMs: number, nowMs = this.#options.clock.monotonicMs()): IntakeResult {
    this.#options.onResult(result, nowMs - startMs)
    return result
  }

  settle(entry: Entry, result: IntakeResult, nowMs?: number): void {
    if (entry.told) return
    entry.told = true
    this.#events -= 1
    this.#bytes -= entry.sizeBytes
    this.#underWay.release(entry)
    if (entry.followers !== undefined) for (const follower of entry.followers) this.#queue(follower)
    const { submission } = entry
    submission.results[entry.index] = this.told(result, submission.startMs, nowMs)
    submission.left -= 1
    if (submission.left === 0) this.#settled(submission)
    if (this.#events === 0) this.#whenIdle?.()
  }

  #settled({ epoch, results, resolve }: Submission): void {
    resolve(results)
    this.#unsettled[epoch] -= 1
    if (epoch === this.#epoch || this.#unsettled[epoch] > 0) return
    this.#whenDrained?.()
    this.#whenDrained = undefined
  }

  /** See `EngineIntake.drain`. */
  drain(): Promise<void> {
    assert(this.#whenDrained === undefined, 'one call at a time')
    const former = this.#epoch
    this.#epoch = former === 0 ? 1 : 0
    assert(this.#unsettled[this.#epoch] === 0, 'the epoch before was drained')
    if (this.#unsettled[former] === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenDrained = resolve
    })
  }

  /** Resolves when everything under way is told. */
  close(): Promise<void> {
    if (this.#events === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle = resolve
    })
  }
}
