import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import { workerUrl } from '../worker-url.ts'
import { refuse } from './plan.ts'
import type { Job, JobResult, Script, WorkerData } from './sqlite-protocol.ts'
import { StoreQueryError } from './store.ts'

const WORKER_URL = workerUrl('sqlite-reader-worker', import.meta.url)

interface Pending {
  readonly resolve: (result: JobResult) => void
  readonly reject: (error: unknown) => void
}

/** Worker threads that share out read-only jobs. One that dies fails its jobs and is replaced by the next job. */
export class SqliteThreads {
  readonly #path: string
  readonly #maxPending: number
  readonly #threads: (ReaderThread | undefined)[]
  #closed = false

  constructor(path: string, count: number, maxPending: number) {
    assert(Number.isInteger(count) && count >= 1 && count <= 16, 'from 1 to 16 reader threads')
    this.#path = path
    this.#maxPending = maxPending
    this.#threads = Array.from({ length: count }, () => new ReaderThread(path))
  }

  async run(scripts: readonly Script[], generation: number | undefined): Promise<JobResult> {
    if (this.#closed) refuse({ _tag: 'StoreClosed' })
    let pending = 0
    let idlest = 0
    for (const [i, thread] of this.#threads.entries()) {
      const load = thread?.pending ?? 0
      pending += load
      if (load < (this.#threads[idlest]?.pending ?? 0)) idlest = i
    }
    if (pending >= this.#maxPending) refuse({ _tag: 'Overloaded', limit: this.#maxPending })
    return this.#thread(idlest).run(scripts, generation)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#threads.map((thread) => thread?.close()))
  }

  #thread(i: number): ReaderThread {
    const known = this.#threads[i]
    if (known?.alive) return known
    const thread = new ReaderThread(this.#path)
    this.#threads[i] = thread
    return thread
  }
}

class ReaderThread {
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  #exited: Promise<void>
  #lastId = 0
  #closing = false
  alive = true

  constructor(path: string) {
    const workerData: WorkerData = { path }
    this.#worker = new Worker(WORKER_URL, { workerData, name: 'store-reader' })
    // An idle reader doesn't keep the process from ending.
    this.#worker.unref()
    this.#worker.on('message', (result: JobResult) => this.#settle(result))
    this.#worker.on('error', (error) => this.#fail(String(error)))
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#exited = promise
    this.#worker.on('exit', () => {
      this.#fail('the reader thread ended')
      resolve()
    })
  }

  get pending(): number {
    return this.#pending.size
  }

  run(scripts: readonly Script[], generation: number | undefined): Promise<JobResult> {
    const { promise, resolve, reject } = Promise.withResolvers<JobResult>()
    this.#lastId += 1
    const job: Job = { id: this.#lastId, generation, scripts }
    if (this.#pending.size === 0) this.#worker.ref()
    this.#pending.set(job.id, { resolve, reject })
    this.#worker.postMessage(job)
    return promise
  }

  /** What was asked before is answered first. */
  async close(): Promise<void> {
    if (!this.#closing && this.alive) this.#worker.postMessage('close')
    this.#closing = true
    this.#worker.ref()
    await this.#exited
  }

  #settle(result: JobResult): void {
    const pending = this.#pending.get(result.id)
    assert(pending !== undefined, 'an answer to no question')
    this.#pending.delete(result.id)
    if (this.#pending.size === 0 && !this.#closing) this.#worker.unref()
    pending.resolve(result)
  }

  #fail(why: string): void {
    this.alive = false
    for (const { reject } of this.#pending.values())
      reject(new StoreQueryError({ _tag: 'StoreUnavailable', why }))
    this.#pending.clear()
  }
}
