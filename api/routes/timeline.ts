import { setImmediate } from 'node:timers/promises'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Log } from '../../engine/log/log.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { eventsOf } from '../history/component.ts'

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

/** Where an event stands in a timeline of the past. */
export type TimelinePlace = Pick<RecordedEvent, 'time' | 'position'>

interface PastTimelinePage {
  readonly events: readonly RecordedEvent[]
  /** Place to go on from (inclusive), while there is more. */
  readonly next: TimelinePlace | undefined
}

interface PastPage {
  /** Where the page begins (inclusive). */
  readonly from: TimelinePlace | undefined
  readonly limit: number
}

/** Events between turns of whoever else is on this thread. */
const TURN = 256

/** Newest first, by the order that the moment goes by. */
export function newestFirst({ by }: Pick<Moment, 'by'>): (a: TimelinePlace, b: TimelinePlace) => number {
  return by === 'occurred'
    ? (a, b) => b.time - a.time || b.position - a.position
    : (a, b) => b.position - a.position
}

/** A page of events at hand, which are all that count at a moment. */
export function pageOf(
  events: readonly RecordedEvent[],
  moment: Moment,
  { from, limit }: PastPage,
): PastTimelinePage {
  const order = newestFirst(moment)
  const rest = events.filter((event) => from === undefined || order(event, from) >= 0).sort(order)
  return { events: rest.slice(0, limit), next: rest[limit] }
}

/**
 * A page of the events that name any of these identities and count at a moment. As `received` it reads at most `limit + 1`
 * events of each; the order of time is found by looking at all, of which it keeps no more than it answers.
 */
export async function readPastTimeline(
  log: Pick<Log, 'readIdentity' | 'at'>,
  identities: readonly string[],
  moment: Moment,
  { from, limit }: PastPage,
): Promise<PastTimelinePage> {
  if (moment.by === 'received') {
    const start = Math.min(from?.position ?? moment.position, moment.position)
    const { events, next } = await readTimeline(log, identities, { from: start, limit })
    return { events, next: next === undefined ? undefined : { time: 0, position: next } }
  }
  const places = await newestPlaces(log, identities, moment, { from, limit: limit + 1 })
  const events = await Promise.all(places.slice(0, limit).map(({ position }) => log.at(position)))
  return { events: events.filter((event) => event !== undefined), next: places[limit] }
}

async function newestPlaces(
  log: Pick<Log, 'readIdentity'>,
  identities: readonly string[],
  moment: Moment,
  { from, limit }: PastPage,
): Promise<readonly TimelinePlace[]> {
  const order = newestFirst(moment)
  const seen = new Set<number>()
  let newest: TimelinePlace[] = []
  for (const id of identities) {
    for await (const { time, position } of eventsOf(log, id, moment, { skip: (at) => seen.has(at) })) {
      if (seen.has(position)) continue
      seen.add(position)
      if (seen.size % TURN === 0) await setImmediate()
      const place = { time, position }
      if (from !== undefined && order(place, from) < 0) continue
      newest.push(place)
      if (newest.length > 4 * limit) newest = newest.sort(order).slice(0, limit)
    }
  }
  return newest.sort(order).slice(0, limit)
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
