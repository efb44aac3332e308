import { setTimeout as timer } from 'node:timers/promises'
import { type Connection, ConnectionFailed, type Followed } from './connection.ts'
import type { Feed } from './feed.ts'

const FEED_EVENTS = 1_000
const ATTEMPTS = 6
const FIRST_PAUSE_MS = 50

/** Feeds `$all` behind a commit position (undefined: from its beginning), as far as it goes now. Throws `ConnectionFailed`. */
export async function catchUp(
  connection: Pick<Connection, 'readAll'>,
  feed: Pick<Feed, 'feed'>,
  begin: number | undefined,
): Promise<void> {
  let after = begin
  for (let failures = 0; ; ) {
    let batch: Followed[] = []
    const flush = (): void => {
      const last = batch.at(-1)
      feed.feed(batch)
      if (last?._tag === 'Event') after = last.event.commit
      batch = []
    }
    try {
      for await (const event of connection.readAll(after ?? 0, Number.MAX_SAFE_INTEGER)) {
        if (after !== undefined && event.commit <= after) continue
        batch.push({ _tag: 'Event', event })
        failures = 0
        if (batch.length >= FEED_EVENTS) flush()
      }
      flush()
      return
    } catch (error) {
      const isAway = error instanceof ConnectionFailed && error.failure._tag === 'Away'
      flush()
      // Whoever isn't there at first is told at once.
      if (!isAway || after === begin || ++failures === ATTEMPTS) throw error
      await timer(FIRST_PAUSE_MS * 2 ** failures)
    }
  }
}
