import type { RecordedEvent } from '../../engine/events/event.ts'
import { uuidOf } from '../../engine/log/eventstore/event-id.ts'
import { type Opener, SealBroken } from '../../engine/privacy/privacy.ts'
import { reassemble } from '../../engine/privacy/sealing.ts'
import type { EsdbRecord } from './backend.ts'
import { BINARY, EXTENSIONS, KEPT } from './headwater-event.ts'
import { bytesKept } from './kept-bytes.ts'
import { shownName } from './log-names.ts'

/** How an event of the log looks to EventStoreDB's clients. */

type Json = Readonly<Record<string, unknown>>

const EMPTY = new Uint8Array()

/**
 * An event that came by this protocol has the bytes that were sent. Any other has its data as sent, as JSON, and its envelope as
 * metadata. What was erased is absent; of an event that came by this protocol that may be all of it, its metadata too.
 */
export function recordOf(recorded: RecordedEvent, opener: Opener): EsdbRecord {
  const { data, erased } = opened(recorded, opener)
  const { [EXTENSIONS]: extensions, ...own } = data
  const kept = isJson(extensions) ? extensions : {}
  const metadata = bytesKept(kept[KEPT.metadata])
  const { stream, type } = shownName(recorded)
  const common = {
    stream,
    type,
    revision: recorded.revision,
    position: recorded.position,
    id: uuidOf(recorded.source, recorded.id),
    createdMs: recorded.received,
  }
  if (metadata === undefined)
    return {
      ...common,
      isJson: true,
      data: jsonBytes(data),
      metadata: jsonBytes(envelopeOf(recorded, erased)),
    }
  const isBinary = kept[KEPT.content] === BINARY
  const bytes = bytesKept(kept[KEPT.data])
  return { ...common, isJson: !isBinary, data: bytes ?? (isBinary ? EMPTY : jsonBytes(own)), metadata }
}

/** One event whose seal is broken must not hide those behind it. */
function opened(recorded: RecordedEvent, opener: Opener): { readonly data: Json; readonly erased: number } {
  try {
    return reassemble(recorded, opener)
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error
    return { data: recorded.data, erased: recorded.sealed.length }
  }
}

function envelopeOf(recorded: RecordedEvent, erased: number): Json {
  const { identities, actor, origin, causation, correlation, basedOn, source, id, schema, time } = recorded
  return {
    ...{ source, id, schema, time: new Date(time).toISOString() },
    identities: identities.map((identity) => ({ namespace: identity.namespace, id: identity.id })),
    ...{ actor, origin, causation, correlation, basedOn },
    $causationId: causation,
    $correlationId: correlation,
    erased: erased > 0 ? erased : undefined,
  }
}

function jsonBytes(value: Json): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
