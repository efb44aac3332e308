import * as E from 'fp-ts/lib/Either.js'
import type { EsdbRecord, Expectation, ProposedEvent } from './backend.ts'
import type { CallFailure } from './errors.ts'
import type { Resolved } from './links.ts'
import { messages, shared } from './protocol.ts'
import { revisionText } from './stream-metadata.ts'

/** Between the protocol's messages and plain records. */

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const JSON_CONTENT = 'application/json'
const BINARY_CONTENT = 'application/octet-stream'
/** `created` counts from 1970 in units of 100 ns. */
const TICKS_PER_MS = 10_000n

/** Counts and places come as unsigned 64-bit numbers; what is larger than any of ours stands for the end. */
export function placeOf(text: string): number {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : Number.MAX_SAFE_INTEGER
}

export function streamNameOf(identifier: shared.StreamIdentifier | undefined): E.Either<CallFailure, string> {
  const bytes = identifier?.getStreamName_asU8() ?? new Uint8Array()
  const name = Buffer.from(bytes).toString('utf8')
  if (name === '') return invalid('the stream has no name')
  return Buffer.from(name).equals(bytes) ? E.right(name) : invalid("the stream's name is not UTF-8")
}

export function streamIdentifier(name: string): shared.StreamIdentifier {
  const identifier = new shared.StreamIdentifier()
  identifier.setStreamName(new Uint8Array(Buffer.from(name)))
  return identifier
}

/** In lower case; undefined where there is none. */
export function uuidOf(uuid: shared.UUID | undefined): string | undefined {
  if (uuid === undefined) return undefined
  const structured = uuid.getStructured()
  if (structured === undefined) {
    const text = uuid.getString().toLowerCase()
    return UUID.test(text) ? text : undefined
  }
  const bits = [structured.getMostSignificantBits(), structured.getLeastSignificantBits()]
  const hex = bits.map((half) => BigInt.asUintN(64, BigInt(half)).toString(16).padStart(16, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

export function uuidMessage(text: string, structured: boolean): shared.UUID {
  const uuid = new shared.UUID()
  if (!structured) {
    uuid.setString(text)
    return uuid
  }
  const hex = text.replaceAll('-', '')
  const halves = new shared.UUID.Structured()
  halves.setMostSignificantBits(String(BigInt.asIntN(64, BigInt(`0x${hex.slice(0, 16)}`))))
  halves.setLeastSignificantBits(String(BigInt.asIntN(64, BigInt(`0x${hex.slice(16)}`))))
  uuid.setStructured(halves)
  return uuid
}

type ProposedMessage = messages.AppendReq.ProposedMessage | messages.BatchAppendReq.ProposedMessage

export function proposedEvent(message: ProposedMessage): E.Either<CallFailure, ProposedEvent> {
  const id = uuidOf(message.getId())
  if (id === undefined) return invalid('an event has no UUID as its id')
  const properties = message.getMetadataMap()
  const type = properties.get('type')
  if (type === undefined) return E.left({ _tag: 'MetadataMissing', property: 'type' })
  const content = properties.get('content-type')
  if (content === undefined) return E.left({ _tag: 'MetadataMissing', property: 'content-type' })
  const [data, metadata] = [message.getData_asU8(), message.getCustomMetadata_asU8()]
  return E.right({ id, type, isJson: content === JSON_CONTENT, data, metadata })
}

/** About what an event comes to, for the limit of an append: as EventStoreDB counts it, and its id. */
export function appendSizeBytes({ type, data, metadata }: ProposedEvent): number {
  return type.length * 2 + data.length + metadata.length + 16
}

interface ExpectationMessage {
  hasNoStream(): boolean
  hasStreamExists(): boolean
}

/** `revision`: as the message has it, where it states one. */
export function expectationOf(message: ExpectationMessage, revision: string | undefined): Expectation {
  if (revision !== undefined) return { kind: 'revision', revision: placeOf(revision) }
  if (message.hasNoStream()) return { kind: 'no_stream' }
  return message.hasStreamExists() ? { kind: 'stream_exists' } : { kind: 'any' }
}

export function eventResponse({ event, link }: Resolved, structuredIds: boolean): messages.ReadResp {
  const read = new messages.ReadResp.ReadEvent()
  if (event !== undefined) read.setEvent(recordedEvent(event, structuredIds))
  if (link !== undefined) read.setLink(recordedEvent(link, structuredIds))
  const original = link ?? event
  if (original !== undefined) read.setCommitPosition(String(original.position))
  const response = new messages.ReadResp()
  response.setEvent(read)
  return response
}

/** About what it takes. */
export function sizeBytesOf({ event, link }: Resolved): number {
  return recordBytes(event) + recordBytes(link)
}

function recordBytes(record: EsdbRecord | undefined): number {
  return record === undefined ? 0 : record.data.length + record.metadata.length
}

function recordedEvent(
  record: EsdbRecord,
  structuredIds: boolean,
): messages.ReadResp.ReadEvent.RecordedEvent {
  const recorded = new messages.ReadResp.ReadEvent.RecordedEvent()
  const position = String(record.position)
  recorded.setId(uuidMessage(record.id, structuredIds))
  recorded.setStreamIdentifier(streamIdentifier(record.stream))
  recorded.setStreamRevision(revisionText(record.revision))
  recorded.setCommitPosition(position)
  recorded.setPreparePosition(position)
  const properties = recorded.getMetadataMap()
  properties.set('type', record.type)
  properties.set('created', String(BigInt(record.createdMs) * TICKS_PER_MS))
  properties.set('content-type', record.isJson ? JSON_CONTENT : BINARY_CONTENT)
  recorded.setData(record.data)
  recorded.setCustomMetadata(record.metadata)
  return recorded
}

export function invalid(reason: string): E.Either<CallFailure, never> {
  return E.left({ _tag: 'InvalidArgument', reason })
}
