import type { FastifySchema } from 'fastify'
import { operation } from './openapi.ts'
import type { ProblemCode } from './problem.ts'
import type { SegmentCall } from './routes/segment-message.ts'
import type { JsonSchema } from './schemas.ts'
import { array, BOOLEAN, object, POSITION, STRING } from './schemas.ts'

/** What the documentation says of the Segment tracking API. */

const HELP =
  'For Segment clients as they are: give them this host. The write key is the user name of Basic, a Bearer token, or ' +
  '`writeKey` in the body; `<write key>:<source>` names the source (default `segment`). 200 once everything is durable: ' +
  'what is not acceptable is kept in quarantine. A repetition with the same `messageId` changes nothing. Content-Type is ' +
  'not looked at.'

const INSTANT_TEXT = { ...STRING, description: 'ISO 8601.' }

const DELIVERY = {
  messageId: { ...STRING, description: "The event's id; made here where it is absent." },
  timestamp: INSTANT_TEXT,
  originalTimestamp: INSTANT_TEXT,
  sentAt: { ...INSTANT_TEXT, description: "By the clock of `timestamp`: corrects that clock's skew." },
} as const

const WRITE_KEY = { writeKey: { ...STRING, description: 'Where no header carries it.' } } as const

const QUARANTINED = {
  ...array(object({ messageId: STRING, quarantineId: STRING, reason: STRING, message: STRING })),
  description: 'What was not acceptable, the first hundred; absent where there is nothing.',
}

const ANSWER = object({ success: BOOLEAN, position: POSITION, quarantined: QUARANTINED }, [
  'success',
  'position',
])

const PROBLEMS: readonly ProblemCode[] = [
  'unparsable_body',
  'too_large',
  'unsupported_encoding',
  'overloaded',
  'read_only',
  'clock_jumped',
  'stopped',
  'log_damaged',
]

export function callSchema(call: SegmentCall): FastifySchema {
  return operation({
    tag: 'Tracking',
    summary: `Segment's ${call}`,
    description: HELP,
    access: 'tracking',
    body: { allOf: [{ $ref: `data.cdp.${call}#` }, object({ ...DELIVERY, ...WRITE_KEY }, [])] },
    answer: ANSWER,
    problems: PROBLEMS,
  })
}

export function batchSchema(): FastifySchema {
  const type: JsonSchema = {
    type: 'string',
    enum: ['identify', 'track', 'page', 'screen', 'group', 'alias'],
  }
  const body = {
    batch: array(object({ type, ...DELIVERY }, ['type'])),
    sentAt: INSTANT_TEXT,
    context: { type: 'object', description: 'For messages that lack it.' },
    ...WRITE_KEY,
  }
  return operation({
    tag: 'Tracking',
    summary: "Segment's batch",
    description: HELP,
    access: 'tracking',
    body: object(body, ['batch']),
    answer: ANSWER,
    problems: PROBLEMS,
  })
}

export function settingsSchema(): FastifySchema {
  return operation({
    tag: 'Tracking',
    summary: "The settings that analytics.js asks for at start: it sends here, and loads nobody's plugins",
    access: 'open',
    params: object({ key: { ...STRING, description: 'The write key.' } }),
    answer: { type: 'object' },
    problems: ['not_found'],
  })
}
