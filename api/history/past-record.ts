import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { foldEntity, type Moment } from '../../engine/projector/asof.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsNamingOne, HISTORY_LIMITS, type TooMuchHistory } from './component.ts'
import { type FoldedThen, storedRows } from './past-profile.ts'

interface RecordThen extends FoldedThen {
  /** In log order. */
  readonly events: readonly RecordedEvent[]
}

interface KeyedRecord {
  readonly projection: AnyProjection
  /** The id of the identity that names it. */
  readonly key: string
  readonly config: Configuration
}

/** A record whose key is an identity's id, at a moment: every event that touches it names that identity. */
export async function recordAt(
  { log, openEvent }: Pick<ApiDeps, 'log' | 'openEvent'>,
  { projection, key, config }: KeyedRecord,
  moment: Moment,
): Promise<Either<TooMuchHistory, RecordThen>> {
  const found = await eventsNamingOne(log, key, moment, HISTORY_LIMITS)
  if (E.isLeft(found)) return found
  const events = found.right
  const own = projectionUnder(projection, config)
  const { state, rows } = foldEntity(
    { projection: own, key, atoms: [key], config },
    events,
    moment,
    openEvent,
  )
  return E.right({ events, projection: own, state, rows: storedRows(own, key, rows) })
}
