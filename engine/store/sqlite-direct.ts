import { SqliteConnection } from './sqlite-connection.ts'
import type { JobOutcome, Question } from './sqlite-protocol.ts'

/** To look whether the file is still the same costs a fifth of a look-up, so that isn't done each time. */
const CHECK_FILE_EVERY_MS = 100

/**
 * Asks the file on the calling thread, for look-ups by key: some ten pages, 20 µs. To ask a reader thread and hear of
 * it costs the caller about twice as much, and the machine some six times.
 *
 * It never waits and never fails: where it can't answer at once (no file yet, a lock, a damaged page), a reader thread
 * is asked instead, which waits and tells why.
 */
export class DirectReader {
  readonly #path: string
  #connection: SqliteConnection | undefined
  #recheck: NodeJS.Timeout | undefined
  #closed = false

  constructor(path: string) {
    this.#path = path
  }

  run(question: Question): Extract<JobOutcome, { kind: 'rows' | 'stale' }> | undefined {
    if (this.#closed) return undefined
    try {
      return this.#open().run(question)
    } catch {
      this.#letGo()
      return undefined
    }
  }

  close(): void {
    this.#closed = true
    this.#letGo()
  }

  #letGo(): void {
    clearTimeout(this.#recheck)
    this.#recheck = undefined
    this.#connection?.close()
    this.#connection = undefined
  }

  #open(): SqliteConnection {
    if (this.#recheck === undefined) {
      if (this.#connection?.isReplaced()) this.#letGo()
      this.#recheck = setTimeout(() => {
        this.#recheck = undefined
      }, CHECK_FILE_EVERY_MS)
      this.#recheck.unref()
    }
    this.#connection ??= new SqliteConnection(this.#path, 0)
    return this.#connection
  }
}
