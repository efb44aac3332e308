import { randomUUID } from 'node:crypto'
import type { Clock } from '../../engine/clock.ts'

/** How something that takes long is getting on. */
export interface Job<Result> {
  readonly id: string
  readonly what: string
  readonly state: 'waiting' | 'running' | 'done' | 'failed'
  /** When it was asked for, and when it ended (ms). */
  readonly asked: number
  readonly ended: number | undefined
  readonly progress: JobProgress | undefined
  readonly result: Result | undefined
  /** A whole sentence. */
  readonly failure: string | undefined
}

export interface JobProgress {
  readonly step: string
  readonly done: number
  readonly of: number
}

/** An expected failure of a job, to be told as it is. */
export class JobFailed extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'JobFailed'
  }
}

type Work<Result> = (onProgress: (progress: JobProgress) => void) => Promise<Result>

/** Jobs that wait; more are refused. */
const MOST_WAITING = 16
/** Of those that have ended so many are remembered, for whoever asked to fetch what came of them. */
const MOST_ENDED = 32

interface Queued<Result> {
  job: Job<Result>
  readonly work: Work<Result>
  readonly settled: PromiseWithResolvers<Job<Result>>
}

/** One at a time, in the order in which they were asked for: each is as much as a core can do. */
export class Jobs<Result> {
  readonly #clock: Clock
  readonly #onUnexpected: (error: unknown) => void
  readonly #queue: Queued<Result>[] = []
  readonly #known = new Map<string, Queued<Result>>()
  #running = false
  #closed = false

  /** Told of failures that nobody expected; the job says only that it failed. */
  constructor(clock: Clock, onUnexpected: (error: unknown) => void) {
    this.#clock = clock
    this.#onUnexpected = onUnexpected
  }

  /** undefined: too many wait already. */
  add(what: string, work: Work<Result>): Job<Result> | undefined {
    if (this.#queue.length >= MOST_WAITING || this.#closed) return undefined
    const asked = this.#clock.nowMs()
    const unknown = { ended: undefined, progress: undefined, result: undefined, failure: undefined }
    const job: Job<Result> = { id: randomUUID(), what, state: 'waiting', asked, ...unknown }
    const queued = { job, work, settled: Promise.withResolvers<Job<Result>>() }
    this.#known.set(job.id, queued)
    this.#queue.push(queued)
    void this.#run()
    return job
  }

  get(id: string): Job<Result> | undefined {
    return this.#known.get(id)?.job
  }

  /** The job once it has ended. */
  settled(id: string): Promise<Job<Result>> | undefined {
    return this.#known.get(id)?.settled.promise
  }

  /** Newest first. */
  list(): readonly Job<Result>[] {
    return [...this.#known.values()].map(({ job }) => job).reverse()
  }

  /** Nothing more is begun. */
  close(): void {
    this.#closed = true
    for (const queued of this.#queue.splice(0)) this.#end(queued, { failure: 'The engine is stopping.' })
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      await this.#carryOut(next)
    this.#running = false
  }

  async #carryOut(queued: Queued<Result>): Promise<void> {
    queued.job = { ...queued.job, state: 'running' }
    try {
      const result = await queued.work((progress) => {
        queued.job = { ...queued.job, progress }
      })
      this.#end(queued, { result })
    } catch (error) {
      if (!(error instanceof JobFailed)) this.#onUnexpected(error)
      const failure = error instanceof JobFailed ? error.message : "It failed; the engine's log says where."
      this.#end(queued, { failure })
    }
  }

  #end(queued: Queued<Result>, came: { readonly result: Result } | { readonly failure: string }): void {
    const state = 'failure' in came ? 'failed' : 'done'
    queued.job = { ...queued.job, ...came, state, ended: this.#clock.nowMs() }
    queued.settled.resolve(queued.job)
    const ended = [...this.#known.values()].filter(({ job }) => job.ended !== undefined)
    for (const { job } of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) this.#known.delete(job.id)
  }
}
