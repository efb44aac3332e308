import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import { type Changes, changesBetween } from '../../engine/projector/past-changes.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsNamingOne, HISTORY_LIMITS, type Region, regionAt, type TooMuchHistory } from './component.ts'
import type { publishedHistory } from './configuration.ts'
import { eventsOfRecord } from './record-events.ts'

interface ChangesAsk {
  readonly projection: AnyProjection
  /** A record's key, or any identity of a profile. */
  readonly key: string
  /** Of a record whose key is the sender's own: the view under each configuration that counts. Absent: it is an identity's id. */
  readonly views?: readonly AnyProjection[] | undefined
  readonly from: Moment
  readonly to: Moment
}

/** Answers undefined where nothing had been heard of it by the later moment. */
export async function changesOf(
  { log, openEvent }: Pick<ApiDeps, 'log' | 'openEvent'>,
  publishedAt: ReturnType<typeof publishedHistory>,
  { projection, key, views, from, to }: ChangesAsk,
): Promise<Either<TooMuchHistory, Changes | undefined>> {
  const isOfPeople = projection.table.grain === 'profile'
  const found =
    views === undefined
      ? await eventsAround(log, key, to, isOfPeople)
      : await eventsOfRecord({ log, openEvent }, views, key, to)
  if (E.isLeft(found)) return found
  const events = found.right
  if (events.length === 0) return E.right(undefined)
  const rulesOf = (config: Parameters<typeof identityRulesOf>[0]) => identityRulesOf(config, DEFAULT_RULES)
  const published = await publishedAt(to)
  const entity = { projection, key, events, published, rulesOf, open: openEvent }
  const changes = await changesBetween(entity, from, to)
  return changes === undefined ? tooMuch('events') : E.right(changes)
}

/**
 * Every event that may touch it by then, in log order. Who belonged together at an earlier moment is in the region of a
 * later one, because evidence only grows.
 */
async function eventsAround(
  log: Pick<ApiDeps['log'], 'readIdentity'>,
  key: string,
  to: Moment,
  isOfPeople: boolean,
): Promise<Either<TooMuchHistory, readonly RecordedEvent[]>> {
  if (isOfPeople) {
    const region = await regionAt(log, [key], to, HISTORY_LIMITS)
    return E.map(({ events }: Region) => [...events.values()].sort((a, b) => a.position - b.position))(region)
  }
  return eventsNamingOne(log, key, to, HISTORY_LIMITS)
}

function tooMuch(what: keyof typeof HISTORY_LIMITS): Either<TooMuchHistory, never> {
  return E.left({ _tag: 'TooMuchHistory', what, limit: HISTORY_LIMITS[what] })
}
