import { BoundedCache } from '../../engine/bounded-cache.ts'
import { isDay, localInstant, parseInstant } from '../../engine/events/instant.ts'
import type { Head, LogReader } from '../../engine/log/log.ts'
import type { Moment } from '../../engine/projector/asof.ts'

/** What `asOf` names: a place in the log, or an instant (ms). */
export type AsOf =
  | { readonly _tag: 'Position'; readonly position: number }
  | { readonly _tag: 'Instant'; readonly time: number }

/** Digits are a position; a day is its first instant in UTC. */
export function parseAsOf(text: string): AsOf | undefined {
  if (/^\d{1,16}$/.test(text)) {
    const position = Number(text)
    return Number.isSafeInteger(position) && position > 0 ? { _tag: 'Position', position } : undefined
  }
  const time = isDay(text) ? localInstant(text, 'UTC') : parseInstant(text)
  return time === undefined ? undefined : { _tag: 'Instant', time }
}

type Reader = Pick<LogReader, 'head' | 'read' | 'at'>

/** The moment that an instant or position names on this log as it is now; undefined: a position it doesn't reach. */
export async function momentOf(log: Reader, asOf: AsOf, by: Moment['by']): Promise<Moment | undefined> {
  const head = log.head()
  if (asOf._tag === 'Instant') {
    if (by === 'occurred') return { by, ...head, time: asOf.time }
    return { by, ...(await lastWhere(log, (event) => event.received <= asOf.time)) }
  }
  if (asOf.position > head.position) return undefined
  const event = await log.at(asOf.position)
  // Positions may have gaps.
  const last = event ?? (await lastWhere(log, (other) => other.position <= asOf.position))
  return { by: 'received', position: last.position, received: last.received }
}

/** Events between the places that are looked at one by one; within them the log is read. A power of two. */
const STRIDE = 1_024

/** The last event for which `holds`, which must hold for a prefix of the log; position 0 where it holds for none. */
async function lastWhere(log: Reader, holds: (place: Head) => boolean): Promise<Head> {
  const head = log.head()
  if (head.position === 0 || holds(head)) return head
  let found: Head = { position: 0, received: 0 }
  let base = 0
  // Multiples of powers of two: other questions look at the same places, however long the log has become.
  for (let step = 2 ** Math.floor(Math.log2(head.position)); step >= STRIDE; step /= 2) {
    if (base + step > head.position) continue
    const next = await firstFrom(log, base + step)
    if (next === undefined || !holds(next)) continue
    found = next
    base += step
  }
  for await (const batch of log.read({ from: Math.max(base, 1), limit: STRIDE + 1 })) {
    for (const { position, received } of batch) {
      if (!holds({ position, received })) return found
      if (position > found.position) found = { position, received }
    }
  }
  return found
}

const MAX_PLACES = 50_000
/** What stands at a place of a log never changes. */
const places = new WeakMap<Reader, BoundedCache<number, Head>>()

async function firstFrom(log: Reader, from: number): Promise<Head | undefined> {
  const known = places.get(log) ?? new BoundedCache<number, Head>(MAX_PLACES)
  places.set(log, known)
  const place = known.get(from)
  if (place !== undefined) return place
  for await (const [event] of log.read({ from, limit: 1 })) {
    if (event === undefined) continue
    const { position, received } = event
    known.set(from, { position, received })
    return { position, received }
  }
  return undefined
}
