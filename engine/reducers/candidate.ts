import assert from 'node:assert/strict'
import type { RecordedEvent } from '../events/event.ts'
import type { Candidate, Preference, Ranking } from './rule.ts'

/** What a write needs of its event's envelope. */
export type Written = Pick<RecordedEvent, 'time' | 'source' | 'sequence' | 'id' | 'position' | 'basedOn'>

/**
 * A field's write by an event. `value` is null (remove), '' (blank) or a value; a field that the event leaves out is
 * no candidate, so undefined is a bug. -0 becomes 0, which is what MessagePack makes of it.
 */
export function candidate<V>(event: Written, value: V): Candidate<V> {
  assert(value !== undefined, 'an absent field is no candidate')
  assert(Number.isSafeInteger(event.time), 'event time is a safe integer')
  const written: unknown[] = roomFor(7)
  written[0] = Object.is(value, -0) ? 0 : value
  written[1] = event.time
  written[2] = event.source
  written[3] = event.sequence ?? 0
  written[4] = event.id
  written[5] = event.position
  written[6] = event.basedOn ?? 0
  return written as readonly unknown[] as Candidate<V>
}

/**
 * An array to be filled, of the kind that msgpackr makes when it reads a state. V8 tells arrays that began with holes
 * from those that didn't, turns one kind into the other where both meet, and throws away what it has compiled each
 * time: a fold that mixes them runs several times slower.
 */
export function roomFor<T>(count: number): T[] {
  return new Array<T>(count)
}

/** Priority of a source that nobody ranked: after all others. */
export const UNRANKED: number = Number.MAX_SAFE_INTEGER

/** Earlier in the list is of higher priority. */
export function rankingOf(sources: readonly string[]): Ranking {
  const priorities = new Map<string, number>()
  for (const [priority, source] of sources.entries()) {
    if (!priorities.has(source)) priorities.set(source, priority)
  }
  return (source) => priorities.get(source) ?? UNRANKED
}

/** All sources alike. Within one source every ranking gives the same order as this one. */
export const UNIFORM: Ranking = () => 0

/**
 * The order that breaks every rule's ties: event time, source priority, `sequence`, event id and (so that it is
 * total) source, the last two by UTF-16 code units; the newer is preferred. Should one event write a field twice,
 * the greater value is.
 */
export function newer(a: Candidate<unknown>, b: Candidate<unknown>, ranking: Ranking): number {
  if (a[1] !== b[1]) return a[1] < b[1] ? -1 : 1
  const bySource = a[2] === b[2] ? 0 : moreTrusted(a, b, ranking)
  if (bySource !== 0) return bySource
  return laterWithin(a, b) || byValue(a[0], b[0])
}

/** As `newer`, with the oldest preferred; of equal times the source of higher priority all the same. */
export function older(a: Candidate<unknown>, b: Candidate<unknown>, ranking: Ranking): number {
  if (a[1] !== b[1]) return a[1] < b[1] ? 1 : -1
  const bySource = a[2] === b[2] ? 0 : moreTrusted(a, b, ranking)
  if (bySource !== 0) return bySource
  return -laterWithin(a, b) || byValue(a[0], b[0])
}

/** Positive: `a` comes from a source of higher priority. */
export function moreTrusted(a: Candidate<unknown>, b: Candidate<unknown>, ranking: Ranking): number {
  const left = ranking(a[2])
  const right = ranking(b[2])
  return left < right ? 1 : left > right ? -1 : 0
}

function laterWithin(a: Candidate<unknown>, b: Candidate<unknown>): number {
  if (a[3] !== b[3]) return a[3] < b[3] ? -1 : 1
  return byText(a[4], b[4]) || byText(a[2], b[2])
}

/** Strings by UTF-16 code units. */
export function byText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

function byValue(a: unknown, b: unknown): number {
  if (a === b) return 0
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : 0
  return byText(JSON.stringify(a), JSON.stringify(b))
}

/** The most preferred of some candidates; undefined where there are none. */
export function preferred<V>(
  candidates: readonly Candidate<V>[],
  better: Preference<V>,
  ranking: Ranking,
): Candidate<V> | undefined {
  let best = candidates[0]
  for (const other of candidates) {
    if (best !== undefined && better(other, best, ranking) > 0) best = other
  }
  return best
}

/** Newest first, without those that won. */
export function overruledBy<V>(
  winners: readonly Candidate<V>[],
  candidates: readonly Candidate<V>[],
  ranking: Ranking,
): readonly Candidate<V>[] {
  const won = new Set(winners)
  return candidates.filter((each) => !won.has(each)).sort((a, b) => newer(b, a, ranking))
}
