import { strict as assert } from 'node:assert'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { GroupAnswer, GroupWriterOptions, PackedWrite } from './group-writer.ts'
import { type Step, unpackSteps } from './packed-steps.ts'
import { arrays, columns, isDiskFull, openForWriting } from './sqlite-file.ts'

/** Entry of the writer thread: see `GroupWriter`. */

class Writer {
  readonly #database: DatabaseSync
  readonly #statements: readonly StatementSync[]
  readonly #fence: Step | undefined

  constructor(options: GroupWriterOptions) {
    this.#database = openForWriting(options.path)
    this.#statements = options.statements.map((sql) => arrays(this.#database, sql))
    this.#fence = options.fence
    for (const step of options.setUp ?? []) this.#run(step)
  }

  write({ packed, purge, counted }: PackedWrite): GroupAnswer {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      if (this.#fence !== undefined && !this.#finds(this.#fence)) {
        this.#database.exec('ROLLBACK')
        return { _tag: 'Fenced' }
      }
      const changes: number[] = []
      for (const step of unpackSteps(packed)) {
        const changed = this.#run(step)
        if (counted) changes.push(changed)
      }
      this.#database.exec('COMMIT')
      return { _tag: 'Written', changes, purged: !purge || this.#purge() }
    } catch (error) {
      return this.#failed(error)
    }
  }

  close(): void {
    this.#database.close()
  }

  #failed(error: unknown): GroupAnswer {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
    } catch (rollback) {
      return { _tag: 'Failed', cause: `${error}; then ${rollback}` }
    }
    return isDiskFull(error) ? { _tag: 'DiskFull' } : { _tag: 'Failed', cause: String(error) }
  }

  #run([statement, parameters]: Step): number {
    return Number(this.#statement(statement).run(...parameters).changes)
  }

  #finds([statement, parameters]: Step): boolean {
    return this.#statement(statement).get(...parameters) !== undefined
  }

  #statement(at: number): StatementSync {
    const statement = this.#statements[at]
    assert(statement !== undefined, `statement ${at}`)
    return statement
  }

  /** The first column says whether a reader was in the way, after waiting for it as long as the busy timeout. */
  #purge(): boolean {
    try {
      return columns(arrays(this.#database, 'PRAGMA wal_checkpoint(TRUNCATE)').get())?.[0] === 0
    } catch {
      // The transaction itself is durable; only the traces are still there.
      return false
    }
  }
}

assert(parentPort !== null, 'runs as a thread')
const port = parentPort
const options: GroupWriterOptions = workerData
const writer = new Writer(options)
port.on('message', (message: PackedWrite | 'close') => {
  if (message !== 'close') {
    port.postMessage(writer.write(message))
    return
  }
  writer.close()
  port.close()
})
