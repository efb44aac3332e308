import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { foldEntity, type Moment } from '../../engine/projector/asof.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsOf, HISTORY_LIMITS, type TooMuchHistory } from './component.ts'
import { storedRows } from './past-profile.ts'

interface RecordThen {
  /** In log order. */
  readonly events: readonly RecordedEvent[]
  readonly state: unknown
  readonly rows: readonly StoredRow[]
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
  const { events: limit } = HISTORY_LIMITS
  const events: RecordedEvent[] = []
  for await (const event of eventsOf(log, key, moment)) {
    if (events.length === limit) return E.left({ _tag: 'TooMuchHistory', what: 'events', limit })
    events.push(event)
  }
  const { state, rows } = foldEntity({ projection, key, atoms: [key], config }, events, moment, openEvent)
  return E.right({ events, state, rows: storedRows(projection, key, rows) })
}
