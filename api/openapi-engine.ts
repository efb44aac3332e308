import type { FastifySchema } from 'fastify'
import { ID, operation } from './openapi.ts'
import { AFTER, answerSchema, array, BOOLEAN, INTEGER, object, POSITION, RESULT, STRING } from './schemas.ts'

/** What the documentation says of the way in and of the operators' routes. */

const SEND_HELP =
  'CloudEvents 1.0: one event, a batch, or binary mode with `ce-` headers. Every event has a fate of its own in ' +
  '`results`; 429 or 503 where one could not be taken now: send all again. `expectedrevision` (-1: no such stream) or `expectedposition` (0: ' +
  'none) say what the sender believes of the stream. Sending an event again is safe: its first position is answered. ' +
  'Events that decide or define something (stewards’ decisions, rules, fields, sources …) need the read token in Authorization ' +
  'and the write key in `headwater-write-key`; with the write key alone they are answered `forbidden`.'

const RESULTS = object({ position: POSITION, results: array(RESULT) })

export function eventsSchema(): FastifySchema {
  const event = { $ref: 'CloudEvent#' }
  const one = { schema: event }
  const many = { schema: array(event) }
  const body = {
    content: {
      'application/cloudevents+json': one,
      'application/cloudevents-batch+json': many,
      'application/json': { schema: { anyOf: [event, array(event)] } },
    },
  }
  return operation({
    tag: 'Log',
    summary: 'Sends events',
    description: SEND_HELP,
    access: 'write',
    body,
    answer: RESULTS,
    problems: [
      'unparsable_body',
      'wrong_expected',
      'too_large',
      'unsupported_encoding',
      'overloaded',
      'read_only',
      'clock_jumped',
      'stopped',
      'log_damaged',
    ],
  })
}

export function preflightSchema(): FastifySchema {
  return { hide: true }
}

export function resubmitSchema(): FastifySchema {
  const event = { $ref: 'CloudEvent#' }
  return operation({
    tag: 'Governance',
    summary: 'Submits a quarantined event again, corrected or as it was; once',
    access: 'write',
    params: ID,
    body: { ...object({ event }), description: 'The corrected event; without a body, the event as it was.' },
    answer: RESULTS,
    problems: [
      'invalid_body',
      'not_found',
      'wrong_expected',
      'already_resubmitted',
      'overloaded',
      'read_only',
      'clock_jumped',
      'stopped',
      'log_damaged',
    ],
  })
}

export function projectionsSchema(): FastifySchema {
  const build = object({ build: STRING, version: INTEGER, serving: BOOLEAN, position: POSITION })
  const projection = object({
    name: STRING,
    version: INTEGER,
    grain: STRING,
    columns: { type: 'object' },
    builds: array(build),
  })
  const poison = object({ build: STRING, position: POSITION, type: STRING, reason: STRING })
  return operation({
    tag: 'Operations',
    summary: "The views: what they are, where they stand, what they couldn't fold",
    access: 'read',
    query: object({ after: AFTER }, []),
    answer: answerSchema({ data: array(projection), poison: array(poison) }),
    problems: ['invalid_query', 'position_not_reached'],
  })
}

export function clockSchema(): FastifySchema {
  return operation({
    tag: 'Operations',
    summary: 'Confirms that the wall clock is right after it jumped',
    access: 'admin',
    answer: answerSchema({ clockTrusted: BOOLEAN }),
    problems: ['invalid_query'],
  })
}

const DEMO = object({
  state: {
    type: 'string',
    enum: ['absent', 'loading', 'loaded', 'failed'],
    description:
      'absent: nobody has asked for it since the start. failed: it stopped midway, maybe before a restart; asking again goes on.',
  },
  sent: { ...INTEGER, description: 'Events acknowledged so far.' },
  total: { ...INTEGER, description: 'Events in all; 0 until that is known.' },
})

export function demoSchema(): FastifySchema {
  return operation({
    tag: 'Operations',
    summary: 'How far the demo company is loaded',
    access: 'read',
    answer: DEMO,
    problems: ['invalid_query', 'demo_unavailable'],
  })
}

export function loadDemoSchema(): FastifySchema {
  const schema = operation({
    tag: 'Operations',
    summary: "Loads a made-up company's year into an empty log; GET tells how far it is",
    access: 'write',
    answer: DEMO,
    problems: ['invalid_query', 'log_not_empty', 'demo_unavailable'],
  })
  const { 200: _, ...others } = schema.response as Readonly<Record<string, unknown>>
  return { ...schema, response: { 202: { description: 'It has begun.', ...DEMO }, ...others } }
}

export function healthSchema(): FastifySchema {
  const answer = object({ status: STRING })
  return operation({
    tag: 'Operations',
    summary: 'The process answers',
    access: 'open',
    answer,
    problems: [],
  })
}

export function readySchema(): FastifySchema {
  const answer = object({
    ready: BOOLEAN,
    reasons: { ...array(STRING), description: 'Why it is not ready; empty when it is.' },
    caughtUp: BOOLEAN,
    viewsStopped: BOOLEAN,
    writer: {
      type: 'string',
      enum: ['running', 'read_only', 'stopped'],
      description:
        'read_only: no room on the disk, or the EventStoreDB that has the log is away; events are refused, queries answered: ready all the same. stopped: not ready ' +
        'until a restart.',
    },
    eventstore: {
      ...object({
        address: STRING,
        state: { type: 'string', enum: ['writing', 'away', 'stopped'] },
        position: POSITION,
        replica: POSITION,
      }),
      description:
        'Where the log lies in an EventStoreDB: which, whether it takes events, its last position, and that of the replica.',
    },
    clockTrusted: { ...BOOLEAN, description: 'false: not ready until an operator confirms the clock.' },
    audit: {
      type: 'string',
      enum: ['signing', 'refused', 'stopped'],
      description:
        "Whether tree heads are signed; refused: the log isn't what was signed before. It serves all the same.",
    },
    head: POSITION,
    projected: POSITION,
    reading: {
      ...POSITION,
      description:
        'While views are made from the beginning of the log: how far it is read. It may be read twice.',
    },
  })
  const schema = operation({
    tag: 'Operations',
    summary: 'Ready to serve',
    access: 'open',
    answer,
    problems: [],
  })
  return { ...schema, response: { 200: answer, 503: { description: 'Not ready.', ...answer } } }
}

export function metricsSchema(): FastifySchema {
  const content = { 'text/plain': { schema: STRING } }
  const answer = { content }
  return operation({ tag: 'Operations', summary: 'Prometheus metrics', access: 'open', answer, problems: [] })
}
