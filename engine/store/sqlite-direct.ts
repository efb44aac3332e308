import { type ReadOutcome, SqliteConnection } from './sqlite-connection.ts'
import type { Question } from './sqlite-protocol.ts'

/** To look whether the file is still the same costs a fifth of a look-up, so that isn't done each time. */
const CHECK_FILE_EVERY_MS = 100

/** Look-ups in one snapshot: with what is made of their answers, a millisecond or two of the calling thread. */
export const MAX_AT_ONCE = 32

interface Asked {
  readonly question: Question
  readonly resolve: (outcome: ReadOutcome | undefined) => void
}

/**
 * Asks the file on the calling thread, for look-ups by key: some ten pages, 20 µs. To ask a reader thread and hear of
 * it costs the caller about twice as much, and the machine some six times.
 *
 * What is asked in one turn of the event loop is answered at its end, of one snapshot. Several requests are then looked up
 * one after the other and sent one after the other, which costs each of them about half of what alternating between the
 * two does: code and data stay in the caches, and whoever waits for the answers on this machine is woken once for all.
 *
 * It never waits and never fails: where it can't answer at once (no file yet, a lock, a damaged page), a reader thread
 * is asked instead, which waits and tells why.
 */
export class DirectReader {
  readonly #path: string
  #connection: SqliteConnection | undefined
  #recheck: NodeJS.Timeout | undefined
  #asked: Asked[] = []
  #closed = false

  constructor(path: string) {
    this.#path = path
  }

  /** undefined: a reader thread must be asked. */
  ask(question: Question): Promise<ReadOutcome | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    const { promise, resolve } = Promise.withResolvers<ReadOutcome | undefined>()
    if (this.#asked.length === 0) this.#answerLater()
    this.#asked.push({ question, resolve })
    return promise
  }

  close(): void {
    this.#closed = true
    this.#letGo()
  }

  #answerLater(): void {
    setImmediate(() => {
      const asked = this.#asked.splice(0, MAX_AT_ONCE)
      // Before the others everybody else has a turn.
      if (this.#asked.length > 0) this.#answerLater()
      const outcomes = this.#run(asked.map(({ question }) => question))
      for (const [i, { resolve }] of asked.entries()) resolve(outcomes?.[i])
    })
  }

  #run(questions: readonly Question[]): readonly ReadOutcome[] | undefined {
    if (this.#closed) return undefined
    try {
      return this.#open().runAll(questions)
    } catch {
      this.#letGo()
      return undefined
    }
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
