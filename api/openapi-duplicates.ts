import type { FastifySchema } from 'fastify'
import { operation } from './openapi.ts'
import {
  AFTER,
  answerSchema,
  array,
  BOOLEAN,
  INSTANT,
  INTEGER,
  limitSchema,
  object,
  POSITION,
  RESULT,
  STRING,
} from './schemas.ts'

/** What the documentation says of probable duplicates. */

const tag = 'Identity'
const NUMBER = { type: 'number' }
const KIND = { type: 'string', enum: ['person', 'company'] }
const NULLABLE_TEXT = { type: ['string', 'null'] }
const SHOWN_IDENTITY = object({ id: STRING, namespace: STRING, value: STRING }, ['id'])
const BITS = { ...NUMBER, description: 'log2 of the odds: what it says for a match, or below 0 against it.' }

const REASON = object({
  field: STRING,
  level: { ...STRING, description: 'How alike the two values are, or why they say nothing.' },
  bits: BITS,
  a: { ...NULLABLE_TEXT, description: 'The value as it is now.' },
  b: NULLABLE_TEXT,
})
const SIDE = object({
  id: { ...STRING, description: "The profile's id." },
  name: NULLABLE_TEXT,
  identities: { ...array(SHOWN_IDENTITY), description: 'The first ten.' },
})
const DUPLICATE = object({
  kind: KIND,
  a: SIDE,
  b: SIDE,
  probability: { ...NUMBER, description: 'That both are one.' },
  bits: { ...BITS, description: 'The sum of `priorBits` and those of all reasons.' },
  priorBits: { ...BITS, description: 'Of any two profiles: what the reasons must outweigh.' },
  reasons: array(REASON),
  obstacle: {
    type: ['object', 'null'],
    properties: { reason: { type: 'string', enum: ['limit', 'size', 'cut'] }, detail: STRING },
    description: 'Why a link would not be followed as the identity rules are; null: it would.',
  },
})

const COUNT = object({
  kind: KIND,
  profiles: {
    ...object({ compared: INTEGER, sparse: INTEGER, leftOut: INTEGER }),
    description: 'sparse: with fewer than two fields that are compared; leftOut: beyond the limit.',
  },
  pairs: {
    ...object({ compared: INTEGER, leftOut: INTEGER }),
    description: 'Of those with something in common; leftOut: in blocks too large, or beyond the limit.',
  },
  candidates: {
    ...object({ kept: INTEGER, decided: INTEGER, households: INTEGER, leftOut: INTEGER }),
    description:
      'decided: about whom a steward has decided before; households: with another first name, and no birth date that says ' +
      'otherwise.',
  },
  reliable: { ...BOOLEAN, description: 'false: something else than being one was learnt: look twice.' },
})

const RUN = {
  type: ['object', 'null'],
  description: 'The last run; null: nothing was looked for since the start.',
  properties: {
    position: { ...POSITION, description: 'Where the read models stood.' },
    asOf: INSTANT,
    done: INSTANT,
    tookMs: INTEGER,
    model: STRING,
    candidates: { ...INTEGER, description: 'Kept, less those forgotten since.' },
    linked: { ...INTEGER, description: 'How many it linked without asking.' },
    kinds: array(COUNT),
  },
}

const STATUS = object({
  mode: { type: 'string', enum: ['off', 'suggest', 'link'] },
  state: { type: 'string', enum: ['off', 'idle', 'running', 'waiting'] },
  everyHours: { ...INTEGER, description: '0: only on request.' },
  started: { type: ['string', 'null'], format: 'date-time' },
  progress: {
    type: ['object', 'null'],
    properties: { step: STRING, kind: { type: ['string', 'null'] }, done: INTEGER },
  },
  failure: { ...NULLABLE_TEXT, description: 'Why the last run ended without results.' },
  thresholds: object({ propose: NUMBER, link: NUMBER }),
  limits: {
    ...object({ profiles: INTEGER, pairs: INTEGER, candidates: INTEGER, links: INTEGER }),
    description: 'Of each kind; links: of one run.',
  },
  run: RUN,
})
const LEAST = ['mode', 'state']

export function duplicatesSchema({
  maximum,
  fallback,
}: {
  maximum: number
  fallback: number
}): FastifySchema {
  const query = {
    kind: KIND,
    minProbability: { ...NUMBER, minimum: 0, maximum: 1 },
    limit: limitSchema(maximum, fallback),
    cursor: { ...STRING, description: '`next` of the answer before; opaque.' },
    after: AFTER,
  }
  return operation({
    tag,
    summary: 'Profiles that are probably one, the surest first, with reasons field by field',
    description:
      'By the weights of the last run (Fellegi and Sunter, learnt without labels). About whom a steward has decided, and who ' +
      'was linked since, is left out.',
    access: 'read',
    query: object(query, []),
    answer: answerSchema({ data: array(DUPLICATE), next: NULLABLE_TEXT, run: RUN }),
    problems: ['invalid_query', 'duplicates_off', 'projection_unavailable', 'position_not_reached'],
  })
}

export function duplicatesStatusSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'How the search for duplicates is getting on, and what the last one came to',
    access: 'read',
    query: object({ wait: WAIT }, []),
    answer: answerSchema({ data: { ...STATUS, required: LEAST } }),
    problems: ['invalid_query'],
  })
}

const WAIT = {
  ...INTEGER,
  minimum: 0,
  maximum: 60_000,
  description: 'ms to wait until nothing is under way.',
}

export function duplicatesRunSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'Looks for duplicates now',
    description: 'One run at a time: where one is under way, its status is answered and `begun` is false.',
    access: 'admin',
    query: object({ wait: WAIT }, []),
    answer: answerSchema({ begun: BOOLEAN, data: { ...STATUS, required: LEAST } }),
    problems: ['invalid_query', 'duplicates_off'],
  })
}

export function duplicatesDecisionSchema(): FastifySchema {
  const body = {
    a: { ...STRING, description: "A profile's id, any identity's id, or namespace:value." },
    b: STRING,
    decision: { type: 'string', enum: ['link', 'keep_apart'] },
    steward: { ...STRING, description: 'Who decides; default `steward`.' },
    reason: { ...STRING, description: 'Kept in the log in clear: it must name nobody.' },
  }
  const profile = object({
    id: STRING,
    identities: array(SHOWN_IDENTITY),
    events: INTEGER,
    views: { type: 'object', description: 'Its row in the view of profiles.' },
  })
  return operation({
    tag,
    summary: 'Link two profiles, or say that they are not one',
    description:
      'Neither is proposed again afterwards. A link goes before what events state, but not beyond limits; a cut undoes it.',
    access: 'admin',
    query: object({ dryRun: { ...BOOLEAN, description: 'true: nothing is appended.' }, after: AFTER }, []),
    body: object(body, ['a', 'b', 'decision']),
    answer: answerSchema({
      data: object({
        decision: STRING,
        dryRun: BOOLEAN,
        pairs: { ...array(array(SHOWN_IDENTITY)), description: 'The identities that the event names.' },
        before: array(profile),
        after: array(profile),
        refused: array(object({ pair: array(STRING), reason: STRING, detail: STRING })),
        results: { type: ['array', 'null'], items: RESULT, description: 'null in a dry run.' },
      }),
    }),
    problems: [
      'invalid_query',
      'invalid_body',
      'not_found',
      'duplicates_off',
      'nothing_to_decide',
      'history_too_large',
      'overloaded',
      'read_only',
      'stopped',
      'position_not_reached',
    ],
  })
}
