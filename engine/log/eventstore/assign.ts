import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import { checkExpected, nextPlace } from '../expected.ts'
import type { AppendEvent, Appended, LogFailure } from '../log.ts'
import { type Batch, type Encoded, encode } from './codec.ts'
import { nextUuid, uuidOf } from './event-id.ts'
import { EVENT_OVERHEAD_BYTES, type Outgoing } from './writer.ts'

export const MAX_EVENT_BYTES = 1024 * 1024
export const MAX_BATCH_BYTES = 8 * MAX_EVENT_BYTES

export interface Limits {
  /** The largest append that the server takes. */
  readonly maxSentBytes: number
}

export interface Before {
  readonly atomic: boolean
  /** Who gives the places. */
  readonly writer: string
  readonly nextPosition: number
  /** Of the last event. */
  readonly received: number
  readonly limits: Limits
  readonly streamHead: (stream: string) => Appended | undefined
  /** Those UUIDs that another event, durable or under way, may have been given first. */
  readonly taken: (uuids: readonly string[]) => ReadonlySet<string>
}

export interface AssignedEvent {
  readonly stream: string
  readonly place: Appended
  /** What its id comes to; `outgoing` has another one where that was taken. */
  readonly uuid: string
  readonly outgoing: Outgoing
}

export interface Assigned {
  readonly results: readonly E.Either<LogFailure, Appended>[]
  /** Those that are to be sent, in order. */
  readonly events: readonly AssignedEvent[]
  readonly nextPosition: number
  readonly received: number
}

/** Gives events their places, after the rules of `Log.append`. Changes nothing; throws on what a log never stores. */
export function assign(appends: readonly AppendEvent[], before: Before): Assigned {
  const encoded = appends.map(({ event }) => encode(event))
  const received = checkReceived(appends, before.received)
  const uuids = appends.map(({ event }) => uuidOf(event.source, event.id))
  const assigning = new Assigning(before, before.taken(uuids))
  const results = appends.map((append, i) => {
    const [each, uuid] = [encoded[i], uuids[i]]
    assert.ok(each !== undefined && uuid !== undefined)
    return assigning.assign(append, each, uuid)
  })
  const failed = before.atomic ? (results.find(E.isLeft) ?? tooLarge(encoded)) : undefined
  if (failed !== undefined)
    return {
      results: appends.map(() => failed),
      events: [],
      nextPosition: before.nextPosition,
      received: before.received,
    }
  const { events, nextPosition } = assigning
  const batch = { first: before.nextPosition, last: nextPosition - 1 }
  const isBatch = before.atomic && events.length > 1
  return {
    results,
    events: isBatch ? events.map((event) => inBatch(event, batch)) : events,
    nextPosition,
    received: events.length === 0 ? before.received : received,
  }
}

class Assigning {
  readonly events: AssignedEvent[] = []
  nextPosition: number
  readonly #before: Before
  readonly #heads = new Map<string, Appended>()
  readonly #taken: Set<string>

  constructor(before: Before, taken: ReadonlySet<string>) {
    this.#before = before
    this.#taken = new Set(taken)
    this.nextPosition = before.nextPosition
  }

  /** `first`: what the event's id comes to. */
  assign({ event, expected }: AppendEvent, encoded: Encoded, first: string): E.Either<LogFailure, Appended> {
    const { stream, type } = event
    const head = this.#heads.get(stream) ?? this.#before.streamHead(stream)
    const wrong = checkExpected(stream, expected, head) ?? eventTooLarge(encoded, this.#before.limits)
    if (wrong !== undefined) return E.left(wrong)
    const place = nextPlace(head, this.nextPosition++)
    this.#heads.set(stream, place)
    const isTaken = this.#taken.has(first)
    this.#taken.add(first)
    const uuid = isTaken ? nextUuid(first, this.#before.writer, place.position) : first
    const outgoing = { uuid, type, position: place.position, batch: undefined, encoded }
    this.events.push({ stream, place, uuid: first, outgoing })
    return E.right(place)
  }
}

function inBatch(event: AssignedEvent, batch: Batch): AssignedEvent {
  return { ...event, outgoing: { ...event.outgoing, batch } }
}

/** The last one. */
function checkReceived(appends: readonly AppendEvent[], before: number): number {
  let received = before
  for (const { event } of appends) {
    assert.ok(event.received >= received, `received ${event.received} is before ${received}`)
    received = event.received
  }
  return received
}

function eventTooLarge({ sizeBytes, sentBytes }: Encoded, limits: Limits): LogFailure | undefined {
  if (sizeBytes > MAX_EVENT_BYTES) return { _tag: 'EventTooLarge', sizeBytes, limitBytes: MAX_EVENT_BYTES }
  const limitBytes = limits.maxSentBytes - EVENT_OVERHEAD_BYTES
  return sentBytes > limitBytes ? { _tag: 'EventTooLarge', sizeBytes: sentBytes, limitBytes } : undefined
}

function tooLarge(encoded: readonly Encoded[]): E.Left<LogFailure> | undefined {
  const sizeBytes = encoded.reduce((sum, each) => sum + each.sizeBytes, 0)
  if (sizeBytes <= MAX_BATCH_BYTES) return undefined
  return { _tag: 'Left', left: { _tag: 'EventTooLarge', sizeBytes, limitBytes: MAX_BATCH_BYTES } }
}
