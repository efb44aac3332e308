import { setTimeout as timer } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import { LocalHead } from '../follow.ts'
import type { LogReader } from '../log.ts'
import { type Connection, ConnectionFailed, type Followed } from './connection.ts'
import type { OpenFailure } from './event-store-log.ts'
import { Feed } from './feed.ts'
import { IndexFile } from './index-file.ts'
import { Reads } from './reads.ts'

const FEED_EVENTS = 1_000
const ATTEMPTS = 6
const FIRST_PAUSE_MS = 50

/** A log as it is when it is opened, whoever writes it; what is under way then is not in it. */
export type LogSnapshot = Pick<LogReader, 'head' | 'read' | 'close'>

/** Reads all of `$all` into a new index at the path. The connection is closed with the snapshot, or when it doesn't open. */
export async function openEventStoreSnapshot(
  connection: Connection,
  indexPath: string,
): Promise<E.Either<OpenFailure, LogSnapshot>> {
  const index = new IndexFile(indexPath)
  index.clear()
  const closed = new AbortController()
  const close = async (): Promise<void> => {
    closed.abort()
    await connection.close()
    index.close()
  }
  try {
    await readAll(connection, new Feed(index))
  } catch (error) {
    await close()
    if (!(error instanceof ConnectionFailed)) throw error
    return E.left({ _tag: 'Unreachable', cause: error.message })
  }
  const fetching = { connection, pause: timer }
  const reads = new Reads(index, new LocalHead(index.head()), fetching, closed.signal)
  return E.right({ head: () => reads.head(), read: (options = {}) => reads.read(options), close })
}

async function readAll(connection: Connection, feed: Feed): Promise<void> {
  let from = 0
  for (let failures = 0; ; ) {
    try {
      let batch: Followed[] = []
      for await (const event of connection.readAll(from, Number.MAX_SAFE_INTEGER)) {
        batch.push({ _tag: 'Event', event })
        from = event.commit
        if (batch.length < FEED_EVENTS) continue
        feed.feed(batch)
        batch = []
        failures = 0
      }
      feed.feed(batch)
      return
    } catch (error) {
      const isAway = error instanceof ConnectionFailed && error.failure._tag === 'Away'
      // Whoever isn't there at first is told at once.
      if (!isAway || from === 0 || ++failures === ATTEMPTS) throw error
      await timer(FIRST_PAUSE_MS * 2 ** failures)
    }
  }
}
