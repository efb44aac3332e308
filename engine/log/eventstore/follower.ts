import type { Connection, Followed } from './connection.ts'
import { type Fed, Feed } from './feed.ts'
import type { IndexFile } from './index-file.ts'

export interface FollowerOptions {
  readonly connection: Pick<Connection, 'follow'>
  readonly index: IndexFile
  /** Whether this process writes under a name. */
  readonly isOurs: (writer: string) => boolean
  readonly signal: AbortSignal
  readonly pause: (ms: number) => Promise<void>
  readonly onFed: (fed: Fed) => void
  /** Following goes on from the checkpoint. */
  readonly onFailed: (error: unknown) => void
}

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5_000

/** Follows `$all` into the index, from its checkpoint on, whatever happens to the connection. */
export class Follower {
  readonly #options: FollowerOptions
  #feed: Feed

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#feed = new Feed(options.index, options.isOurs)
  }

  /** The position that the next writer begins at. */
  get next(): number {
    return this.#feed.next
  }

  /** Until the signal aborts. */
  async run(): Promise<void> {
    const { connection, index, isOurs, signal, pause, onFailed } = this.#options
    let pauseMs = FIRST_PAUSE_MS
    while (!signal.aborted) {
      // What isn't settled is read again from the checkpoint.
      this.#feed = new Feed(index, isOurs)
      try {
        for await (const batch of connection.follow(index.checkpoint().commit, signal)) {
          if (signal.aborted) return
          this.#take(batch)
          pauseMs = FIRST_PAUSE_MS
        }
      } catch (error) {
        if (signal.aborted) return
        onFailed(error)
      }
      await pause(pauseMs)
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)
    }
  }

  #take(batch: readonly Followed[]): void {
    this.#options.onFed(this.#feed.feed(batch))
  }
}
