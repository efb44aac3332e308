import { strict as assert } from 'node:assert'
import { basename } from 'node:path'
import { Worker } from 'node:worker_threads'
import { workerUrl } from '../worker-url.ts'
import { packSteps, type Step } from './packed-steps.ts'

export interface GroupWriterOptions {
  readonly path: string
  readonly statements: readonly string[]
  /** Run when the writer opens. */
  readonly setUp?: readonly Step[] | undefined
  /** Run first in every transaction; when it finds no row, another writer has taken over and nothing is written. */
  readonly fence?: Step | undefined
}

export interface GroupWrite {
  readonly steps: readonly Step[]
  /** Empties the write-ahead log afterwards, so that nothing deleted stays in it. */
  readonly purge: boolean
}

/** The same as it is handed to the thread, together with the memory of `packed`. */
export interface PackedWrite {
  readonly packed: Uint8Array<ArrayBuffer>
  readonly purge: boolean
  /** Whether the answer says how many rows each step changed. */
  readonly counted: boolean
}

/** What the thread answers to one transaction. */
export type GroupAnswer =
  /** `changes` is empty where they weren't to be counted. */
  | { readonly _tag: 'Written'; readonly changes: readonly number[]; readonly purged: boolean }
  | { readonly _tag: 'DiskFull' }
  | { readonly _tag: 'Fenced' }
  | { readonly _tag: 'Failed'; readonly cause: string }

/**
 * A SQLite file's writer on a thread of its own, so that nobody else waits for fsync. Transactions run in the
 * order of the calls; the promise resolves when the transaction is durable or has failed as a whole.
 */
export class GroupWriter {
  readonly #worker: Worker
  readonly #waiting: ((answer: GroupAnswer) => void)[] = []
  readonly #exited: Promise<void>
  #broken: string | undefined

  constructor(options: GroupWriterOptions) {
    // Flags such as --input-type are meant for the main script and would keep the thread from starting.
    const url = workerUrl('key-writer', import.meta.url)
    this.#worker = new Worker(url, {
      workerData: options,
      execArgv: [],
      name: `${basename(options.path, '.sqlite')}-writer`,
    })
    this.#worker.on('message', (answer: GroupAnswer) => this.#answer(answer))
    this.#worker.on('error', (error) => this.#break(String(error)))
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#break('the writer thread has ended')
        resolve()
      })
    })
    // An idle writer must not keep the process alive; one with work under way must.
    this.#worker.unref()
  }

  write({ steps, purge }: GroupWrite): Promise<GroupAnswer> {
    return this.writePacked({ packed: packSteps(steps), purge, counted: true })
  }

  writePacked(write: PackedWrite): Promise<GroupAnswer> {
    if (this.#broken !== undefined) return Promise.resolve({ _tag: 'Failed', cause: this.#broken })
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#worker.ref()
      this.#worker.postMessage(write, [write.packed.buffer])
    })
  }

  /** After everything that was asked for is written. */
  async close(): Promise<void> {
    this.#worker.ref()
    this.#worker.postMessage('close')
    await this.#exited
  }

  #answer(answer: GroupAnswer): void {
    const resolve = this.#waiting.shift()
    assert(resolve !== undefined, 'an answer for every transaction')
    if (this.#waiting.length === 0) this.#worker.unref()
    resolve(answer)
  }

  #break(cause: string): void {
    this.#broken ??= cause
    for (const resolve of this.#waiting.splice(0)) resolve({ _tag: 'Failed', cause: this.#broken })
  }
}
