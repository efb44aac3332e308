import { isDay, localInstant, parseInstant } from '../../engine/events/instant.ts'
import type { Head, Log } from '../../engine/log/log.ts'
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

type Reader = Pick<Log, 'head' | 'read'>

/** The moment that an instant or position names on this log as it is now; undefined: a position it doesn't reach. */
export async function momentOf(log: Reader, asOf: AsOf, by: Moment['by']): Promise<Moment | undefined> {
  const head = log.head()
  if (asOf._tag === 'Instant') {
    if (by === 'occurred') return { by, ...head, time: asOf.time }
    return { by, ...(await lastWhere(log, (event) => event.received <= asOf.time)) }
  }
  if (asOf.position > head.position) return undefined
  return { by: 'received', ...(await lastWhere(log, (event) => event.position <= asOf.position)) }
}

/** The last event for which `holds`, which must hold for a prefix of the log; position 0 where it holds for none. */
async function lastWhere(log: Reader, holds: (place: Head) => boolean): Promise<Head> {
  const head = log.head()
  if (head.position === 0 || holds(head)) return head
  let found: Head = { position: 0, received: 0 }
  let beyond = head.position
  while (beyond - found.position > 1) {
    const middle = found.position + Math.floor((beyond - found.position) / 2)
    const next = await firstFrom(log, middle)
    if (next === undefined || next.position >= beyond) beyond = middle
    else if (holds(next)) found = next
    else beyond = middle
  }
  return found
}

async function firstFrom(log: Reader, from: number): Promise<Head | undefined> {
  for await (const [event] of log.read({ from, limit: 1 })) {
    if (event !== undefined) return { position: event.position, received: event.received }
  }
  return undefined
}
