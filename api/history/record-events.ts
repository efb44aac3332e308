import assert from 'node:assert/strict'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import type { Log } from '../../engine/log/log.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { counts, type Moment } from '../../engine/projector/asof.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import type { ApiDeps } from '../deps.ts'
import { HISTORY_LIMITS, type TooMuchHistory } from './component.ts'

/** Events of a view's types that one answer looks through. */
export const MAX_LOOKED_THROUGH = 200_000

const NO_KEYS = { open: () => undefined }

/**
 * Every event by then that touches a record whose key is the sender's own, in log order. The log has no index by such keys, so all
 * events of the view's types are looked through, unopened where they tell their keys in clear. `projections`: the view under each
 * configuration that counts.
 */
export async function eventsOfRecord(
  { log, openEvent: open }: { readonly log: Pick<Log, 'read'> } & Pick<ApiDeps, 'openEvent'>,
  projections: readonly AnyProjection[],
  key: string,
  to: Moment,
  maxRead = MAX_LOOKED_THROUGH,
): Promise<Either<TooMuchHistory, readonly RecordedEvent[]>> {
  const found: RecordedEvent[] = []
  const types = new Set(projections.flatMap(handled))
  // A log that is asked for no types reads all.
  if (types.size === 0) return E.right(found)
  let read = 0
  for await (const batch of log.read({ types })) {
    for (const event of batch) {
      if (to.by === 'received' && event.position > to.position) return E.right(found)
      read += 1
      if (read > maxRead) return tooMuch(maxRead)
      if (!counts(to, event) || !touches(projections, open, event, key)) continue
      found.push(event)
      if (found.length > HISTORY_LIMITS.events) return tooMuch(HISTORY_LIMITS.events)
    }
  }
  return E.right(found)
}

function handled({ handles }: AnyProjection): readonly string[] {
  assert(handles !== 'every', 'a view of records says what it handles')
  return handles
}

function touches(
  projections: readonly AnyProjection[],
  open: ApiDeps['openEvent'],
  event: RecordedEvent,
  key: string,
): boolean {
  return projections.some((projection) => {
    if (!handled(projection).includes(event.type)) return false
    const isHidden = projection.hidesKeys?.(event.type) === true
    return keysOf(projection, () => (isHidden ? open(event) : openEvent(event, NO_KEYS, registry))).includes(
      key,
    )
  })
}

/** An event that can't be opened or read has touched nothing. */
function keysOf(projection: AnyProjection, opened: () => DecodedEvent): readonly string[] {
  try {
    return projection.keys(opened())
  } catch {
    return []
  }
}

function tooMuch(limit: number): Either<TooMuchHistory, never> {
  return E.left({ _tag: 'TooMuchHistory', what: 'events', limit })
}
