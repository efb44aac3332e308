import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { NewEvent, RecordedEvent } from '../../events/event.ts'
import type { Appended } from '../log.ts'
import { copyFields } from '../plain-data.ts'
import { lazily } from '../recorded.ts'
import type { StoredEvent } from './connection.ts'
import { exactFields, fieldsOf, fromExactJson, type JsonFields, toExactJson } from './exact-json.ts'

/**
 * An event of ours as EventStoreDB keeps it. Stream and type are the same; `data` is the JSON of what may stand in clear;
 * the metadata is the rest of the envelope as JSON, sealed parts in base64, and how it lies in our log:
 *
 * - `headwater`: version of this format
 * - `writer`: who wrote it, named by the marker that it wrote when it opened the log
 * - `position`: its position in our log
 * - `batch`: first and last position of the atomic append that it belongs to; without all of them none of them counts
 */
export const FORMAT = 1

/** Stream and type of the marker that a writer leaves when it opens the log: what earlier writers write after it doesn't count. */
export const MARKER_STREAM = '%headwater-log'
export const MARKER_TYPE = 'headwater.log_opened'

export interface Batch {
  readonly first: number
  readonly last: number
}

export interface Encoded {
  /** As JSON. */
  readonly dataText: string
  readonly envelope: JsonFields
  /** The same as JSON. */
  readonly envelopeText: string
  /** As a log counts it: sealed parts as bytes. */
  readonly sizeBytes: number
  /** As it is sent. */
  readonly sentBytes: number
}

/** Throws on data that isn't plain. Nothing of the event is shared with what comes back. */
export function encode(event: NewEvent): Encoded {
  const { stream: _, type: __, data, normalised, sealed, identities, sequence, ...rest } = event
  const envelope = {
    ...rest,
    sequence: sequence === undefined ? undefined : toExactJson(sequence),
    identities: identities.map(({ id, namespace }) => ({ id, namespace })),
    normalised: exactFields(copyFields(normalised)),
    sealed: sealed.map(({ keyId, blob }) => ({ keyId, blob: Buffer.from(blob).toString('base64') })),
  }
  const dataText = JSON.stringify(exactFields(copyFields(data)))
  const envelopeText = JSON.stringify(envelope)
  const sentBytes = Buffer.byteLength(dataText) + Buffer.byteLength(envelopeText)
  const blobBytes = sealed.reduce((sum, { blob }) => sum + blob.length, 0)
  const textBytes = envelope.sealed.reduce((sum, { blob }) => sum + blob.length, 0)
  return { dataText, envelope, envelopeText, sizeBytes: sentBytes - textBytes + blobBytes, sentBytes }
}

/** Where an event lies in our log. */
export interface Place {
  readonly writer: string
  readonly position: number
  readonly batch: Batch | undefined
}

/** As bytes, which the client brings on their way at a fraction of the cost of values. */
export function dataBytes({ dataText }: Pick<Encoded, 'dataText'>): Uint8Array {
  return utf8.encode(dataText)
}

/** An event's metadata: its envelope and its place; as bytes too. */
export function metadataBytes({ envelopeText }: Encoded, { writer, position, batch }: Place): Uint8Array {
  const place = JSON.stringify({ headwater: FORMAT, writer, position, batch })
  return utf8.encode(`${envelopeText.slice(0, -1)},${place.slice(1)}`)
}

const utf8 = new TextEncoder()

const optional = <C extends t.Mixed>(codec: C) => t.union([codec, t.undefined])
const fields = t.record(t.string, t.unknown)

const Envelope = t.type({
  headwater: t.literal(FORMAT),
  writer: t.string,
  position: t.number,
  batch: optional(t.type({ first: t.number, last: t.number })),
  id: t.string,
  source: t.string,
  schema: t.number,
  time: t.number,
  received: t.number,
  sequence: t.unknown,
  identities: t.array(t.type({ id: t.string, namespace: t.string })),
  actor: optional(t.string),
  origin: optional(t.string),
  causation: optional(t.string),
  correlation: optional(t.string),
  basedOn: optional(t.number),
  originalTime: optional(t.number),
  sentTime: optional(t.number),
  normalised: fields,
  normaliser: t.number,
  sealed: t.array(t.type({ keyId: t.string, blob: t.string })),
})
export type Envelope = t.TypeOf<typeof Envelope>

const Marker = t.type({
  headwater: t.literal(FORMAT),
  writer: t.string,
  opened: t.literal(true),
  workspace: optional(t.string),
})

/** undefined: nobody of us wrote it. `isOurs`: whether this process wrote under a name, and so in the form of these days. */
export function envelopeOf(
  { metadata }: StoredEvent,
  isOurs: (writer: string) => boolean = () => false,
): Envelope | undefined {
  if (isWritten(metadata, isOurs)) return metadata
  const decoded = Envelope.decode(metadata)
  return E.isRight(decoded) ? decoded.right : undefined
}

/** No more than a name that nobody else has: to look at all of an envelope costs more than to index its event. */
function isWritten(metadata: unknown, isOurs: (writer: string) => boolean): metadata is Envelope {
  return (
    typeof metadata === 'object' &&
    metadata !== null &&
    'position' in metadata &&
    'writer' in metadata &&
    typeof metadata.writer === 'string' &&
    isOurs(metadata.writer)
  )
}

/** Who opened the log with this event; undefined: it is no marker. */
export function openedBy(event: StoredEvent): string | undefined {
  if (event.stream !== MARKER_STREAM || event.type !== MARKER_TYPE) return undefined
  const decoded = Marker.decode(event.metadata)
  return E.isRight(decoded) ? decoded.right.writer : undefined
}

/** Whose log it is, as far as the marker says so. */
export function workspaceOf(marker: StoredEvent): string | undefined {
  const decoded = Marker.decode(marker.metadata)
  return E.isRight(decoded) ? decoded.right.workspace : undefined
}

export function markerOf(writer: string, workspace?: string): JsonFields {
  return { headwater: FORMAT, writer, opened: true, ...(workspace === undefined ? {} : { workspace }) }
}

/** `place`: ours. */
export function recordedOf(event: StoredEvent, envelope: Envelope, place: Appended): RecordedEvent {
  const {
    headwater: _,
    writer: __,
    batch: ___,
    position: ____,
    sequence,
    normalised,
    sealed,
    ...rest
  } = envelope
  return lazily({
    ...rest,
    ...(sequence === undefined ? {} : { sequence: Number(fromExactJson(sequence)) }),
    stream: streamOf(event.stream),
    type: event.type,
    data: fieldsOf(event.data as JsonFields),
    normalised: fieldsOf(normalised),
    sealed: sealed.map(({ keyId, blob }) => ({ keyId, blob: new Uint8Array(Buffer.from(blob, 'base64')) })),
    ...place,
  })
}

/** Names that begin with `$` are EventStoreDB's own, and `%` begins ours: a first `$` or `%` is percent-encoded. */
export function theirName(stream: string): string {
  if (stream.startsWith('$')) return `%24${stream.slice(1)}`
  if (stream.startsWith('%')) return `%25${stream.slice(1)}`
  return stream
}

export function streamOf(theirs: string): string {
  if (theirs.startsWith('%24')) return `$${theirs.slice(3)}`
  if (theirs.startsWith('%25')) return `%${theirs.slice(3)}`
  return theirs
}
