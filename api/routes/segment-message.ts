import * as E from 'fp-ts/lib/Either.js'
import { localInstant, parseInstant } from '../../engine/events/instant.ts'
import { EARLIEST_TIME, isRecord } from '../../engine/intake/envelope.ts'
import type { Incoming } from '../../engine/intake/result.ts'
import { formatInstant } from './cells.ts'

/**
 * Messages of the Segment tracking API as events. What a message says of itself becomes the envelope, what it says of its
 * delivery is left out, so that a repetition is the same event whatever it was sent with; all else is `data`, as it came.
 */

export const SEGMENT_CALLS = ['identify', 'track', 'page', 'screen', 'group', 'alias'] as const

export type SegmentCall = (typeof SEGMENT_CALLS)[number]

interface Reading {
  readonly source: string
  /** An id for a message without one. */
  readonly newId: () => string
}

type Message = Readonly<Record<string, unknown>>

/** Part of the envelope (`type` and `messageId` to `sentAt`), or of this delivery alone: clients change it when they retry. */
const NOT_DATA: ReadonlySet<string> = new Set([
  'type',
  'messageId',
  'timestamp',
  'originalTimestamp',
  'sentAt',
  'receivedAt',
  'writeKey',
  '_metadata',
])

/** The body of a call of its own. */
export function readCall(call: SegmentCall, body: unknown, reading: Reading): Incoming {
  return readMessage(body, call, undefined, reading)
}

interface BatchTooLarge {
  readonly _tag: 'BatchTooLarge'
}

/**
 * The messages of `{batch, sentAt?, context?, integrations?}`; the last two stand in for what a message lacks of them.
 * With them repeated in every message the batch may be no larger than `limitBytes`.
 */
export function readBatch(
  body: unknown,
  limitBytes: number,
  reading: Reading,
): E.Either<BatchTooLarge, readonly Incoming[]> {
  const batch = isRecord(body) ? body['batch'] : undefined
  if (!isRecord(body) || !Array.isArray(batch))
    return E.right([refused(withoutKey(body), 'a batch is an object with an array "batch"')])
  const shared = sharedOf(body)
  if (sizeBytes(shared) * batch.length > limitBytes) return E.left({ _tag: 'BatchTooLarge' })
  const sentAt = body['sentAt']
  return E.right(batch.map((message: unknown) => readItem(message, shared, sentAt, reading)))
}

interface Shared {
  readonly context?: Message
  readonly integrations?: Message
}

function sharedOf({ context, integrations }: Message): Shared {
  return {
    ...(isRecord(context) ? { context } : {}),
    ...(isRecord(integrations) ? { integrations } : {}),
  }
}

function sizeBytes(shared: Shared): number {
  if (Object.keys(shared).length === 0) return 0
  try {
    return Buffer.byteLength(JSON.stringify(shared))
  } catch {
    // Nested deeper than can be written out.
    return Number.POSITIVE_INFINITY
  }
}

function readItem(message: unknown, shared: Shared, sentAt: unknown, reading: Reading): Incoming {
  if (!isRecord(message)) return refused(message, 'a message is a JSON object')
  const type = message['type']
  const call = SEGMENT_CALLS.find((name) => name === type)
  const whole = { ...message, ...completed(message, shared) }
  if (call !== undefined) return readMessage(whole, call, sentAt, reading)
  const value = { ...eventOf(whole, sentAt, reading), ...(typeof type === 'string' ? { type } : {}) }
  return refused(value, `type must be one of ${SEGMENT_CALLS.join(', ')}`)
}

/** What a message says itself comes first, property by property. */
function completed(message: Message, shared: Shared): Message {
  const parts = Object.entries(shared).map(([name, common]: [string, Message]) => {
    const own = message[name]
    if (own === undefined || own === null) return [name, common] as const
    return [name, isRecord(own) ? { ...common, ...own } : own] as const
  })
  return Object.fromEntries(parts)
}

function readMessage(message: unknown, call: SegmentCall, sentAt: unknown, reading: Reading): Incoming {
  if (!isRecord(message)) return refused(message, 'a message is a JSON object')
  return { value: { ...eventOf(message, sentAt, reading), type: `cdp.${call}` } }
}

function refused(value: unknown, message: string): Incoming {
  return { refused: value, reason: 'invalid_envelope', message }
}

/** A message in the envelope's form, without its type. `sentAt` is the batch's, which went out last. */
function eventOf(message: Message, sentAt: unknown, { source, newId }: Reading): Message {
  const sent = instantOf(sentAt) ?? instantOf(message['sentAt'])
  const time = timeOf(message, sent !== undefined)
  return {
    id: idOf(message['messageId']) ?? newId(),
    source,
    ...(time === undefined ? {} : { time }),
    ...(sent === undefined ? {} : { sent: formatInstant(sent) }),
    data: Object.fromEntries(Object.entries(message).filter(([name]) => !NOT_DATA.has(name))),
  }
}

/** A number is an id written otherwise; anything else is for the intake to judge. */
function idOf(messageId: unknown): unknown {
  return Number.isSafeInteger(messageId) ? String(messageId) : present(messageId)
}

/** By the sender's clock where `sentAt` says how wrong that is, else the corrected time that it may have worked out. */
function timeOf(message: Message, corrected: boolean): unknown {
  const original = present(message['originalTimestamp'])
  const time = present(message['timestamp'])
  const chosen = corrected ? (original ?? time) : (time ?? original)
  const ms = instantOf(chosen)
  return ms === undefined ? chosen : formatInstant(ms)
}

function present(value: unknown): unknown {
  return value === null || value === '' ? undefined : value
}

const COMPACT_OFFSET = /([+-]\d{2})(\d{2})$/

/** ISO 8601 as clients write it: RFC 3339, an offset without its colon, none at all for UTC; undefined for anything else. */
function instantOf(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined
  const ms =
    parseInstant(value) ?? parseInstant(value.replace(COMPACT_OFFSET, '$1:$2')) ?? localInstant(value, 'UTC')
  return ms === undefined || ms < EARLIEST_TIME ? undefined : ms
}

/** The key must not stand in what quarantine keeps. */
function withoutKey(body: unknown): unknown {
  if (!isRecord(body)) return body
  return Object.fromEntries(Object.entries(body).filter(([name]) => name !== 'writeKey'))
}
