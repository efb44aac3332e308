import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Log } from '../../engine/log/log.ts'

/** One identity's events, newest first, as far as they were read. */
interface Source {
  readonly batches: AsyncIterator<readonly RecordedEvent[]>
  batch: readonly RecordedEvent[]
  index: number
}

interface TimelinePage {
  /** Newest first. */
  readonly events: readonly RecordedEvent[]
  /** Position to go on from (inclusive), while there is more. */
  readonly next: number | undefined
}

/**
 * The events that name any of these identities, newest first, from position `from` downwards. An event that names
 * several of them stands there once. Reads at most `limit + 1` events of each identity.
 */
export async function readTimeline(
  log: Pick<Log, 'readIdentity'>,
  identities: readonly string[],
  options: { readonly from: number; readonly limit: number },
): Promise<TimelinePage> {
  const { from, limit } = options
  const open = identities.map((id): Source => {
    const read = log.readIdentity(id, { direction: 'backwards', from, limit: limit + 1 })
    return { batches: read[Symbol.asyncIterator](), batch: [], index: 0 }
  })
  try {
    await Promise.all(open.map(fill))
    return await merge(open, limit)
  } finally {
    await Promise.all(open.map(({ batches }) => batches.return?.()))
  }
}

async function merge(sources: readonly Source[], limit: number): Promise<TimelinePage> {
  const events: RecordedEvent[] = []
  for (;;) {
    const newest = newestOf(sources)
    if (newest === undefined) return { events, next: undefined }
    if (events.length === limit) return { events, next: newest.position }
    events.push(newest)
    for (const source of sources) {
      if (source.batch[source.index]?.position !== newest.position) continue
      source.index += 1
      await fill(source)
    }
  }
}

function newestOf(sources: readonly Source[]): RecordedEvent | undefined {
  let newest: RecordedEvent | undefined
  for (const { batch, index } of sources) {
    const event = batch[index]
    if (event !== undefined && (newest === undefined || event.position > newest.position)) newest = event
  }
  return newest
}

/** Makes the source's next event present, unless there is none. */
async function fill(source: Source): Promise<void> {
  while (source.index >= source.batch.length) {
    const { value, done } = await source.batches.next()
    if (done === true) return
    source.batch = value
    source.index = 0
  }
}
