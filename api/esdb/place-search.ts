import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Log } from '../../engine/log/log.ts'

/** So few revisions are read one after the other. */
const NEAR = 32

interface Place {
  readonly revision: number
  readonly position: number
}

/**
 * The position of a stream's revision, found by asking what stands at or behind a guess, nearer and nearer: the log's index knows
 * positions alone. As many questions as halving takes, and few where the stream was written evenly. `head`: the stream's last event,
 * or one behind the revision. undefined: it isn't durable.
 */
export async function positionOf(
  log: Pick<Log, 'readStream'>,
  stream: string,
  revision: number,
  head: Place,
): Promise<number | undefined> {
  if (revision === head.revision) return head.position
  let low: Place = { revision: -1, position: 0 }
  let high = head
  for (let evenly = true; high.revision - low.revision > NEAR; evenly = !evenly) {
    const guess = guessBetween(low, high, revision, evenly)
    const found = await firstOf(log.readStream(stream, { from: guess, limit: 1 }))
    if (found?.revision === revision) return found.position
    if (found !== undefined && found.revision < revision) low = found
    else high = { revision: found?.revision ?? high.revision, position: guess }
    if (high.position - low.position < 2) return undefined
  }
  for await (const batch of log.readStream(stream, { from: low.position + 1, limit: NEAR })) {
    const found = batch.find((event) => event.revision === revision)
    if (found !== undefined) return found.position
  }
  return undefined
}

/** Strictly between the two. Every other guess halves what is left, however unevenly the stream was written. */
function guessBetween(low: Place, high: Place, revision: number, evenly: boolean): number {
  const width = high.position - low.position
  const share = evenly ? (revision - low.revision) / (high.revision - low.revision) : 0.5
  return low.position + Math.min(width - 1, Math.max(1, Math.floor(width * share)))
}

async function firstOf(batches: AsyncIterable<readonly RecordedEvent[]>): Promise<RecordedEvent | undefined> {
  for await (const [first] of batches) return first
  return undefined
}
