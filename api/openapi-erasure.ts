import type { FastifySchema } from 'fastify'
import { operation } from './openapi.ts'
import { answerSchema, array, BOOLEAN, INSTANT, INTEGER, object, POSITION, STRING } from './schemas.ts'

/** What the documentation says of forgetting people. */

const NULLABLE_INSTANT = { type: ['string', 'null'], format: 'date-time' }

const CERTIFICATE = {
  ...object(
    {
      format: STRING,
      number: STRING,
      workspace: STRING,
      requested: INSTANT,
      erased: INSTANT,
      reason: { type: ['string', 'null'] },
      identities: array(object({ id: STRING, namespace: STRING })),
      linkedSince: {
        ...array(STRING),
        description: 'Which of the identities were linked only after the erasure was asked for.',
      },
      destroyed: object({ mappings: INTEGER, keys: INTEGER, keyIds: array(STRING) }),
      positions: { ...array(POSITION), description: 'Of the `person.erased` events.' },
      purged: object({ readModelStates: INTEGER, quarantinedBodies: INTEGER }),
      remains: { ...array(STRING), description: 'What an erasure leaves, in plain words.' },
      proofs: {
        ...array({ type: 'object' }),
        description: 'Inclusion proofs of those events, as `headwater audit verify` takes them.',
      },
    },
    ['format', 'number', 'identities', 'destroyed', 'positions'],
  ),
  description: 'What was done. It names nobody.',
}

const ERASURE = object(
  {
    number: STRING,
    state: { type: 'string', enum: ['scheduled', 'executing', 'done', 'cancelled'] },
    identity: { ...STRING, description: 'Id of the identity that it was asked for by.' },
    requested: INSTANT,
    due: INSTANT,
    finished: NULLABLE_INSTANT,
    reason: { type: ['string', 'null'] },
    identities: { ...INTEGER, description: 'How many are erased; 0 before it is carried out.' },
    heldUp: { type: ['string', 'null'], description: 'Why the last try did not get through.' },
    certificate: { anyOf: [CERTIFICATE, { type: 'null' }] },
  },
  ['number', 'state', 'identity', 'requested', 'due'],
)

const NUMBER = object({ id: { ...STRING, description: 'The number of an erasure.' } })
const ANSWER = answerSchema({ data: ERASURE })
const tag = 'Governance'

export function requestErasureSchema(): FastifySchema {
  const body = object(
    {
      identity: { ...STRING, description: 'namespace:value, or the id of an identity or profile.' },
      wait: { type: 'number', minimum: 0, maximum: 720, description: 'Hours; 0: at once.' },
      reason: {
        ...STRING,
        description:
          'Kept in the log for ever: it must name nobody. Refused with 503 while read models lag behind, since that can’t be told.',
      },
    },
    ['identity'],
  )
  return operation({
    tag,
    summary: 'Has a person forgotten: mapping, keys, read models, quarantine',
    description:
      'The whole profile that the identity belongs to is erased, as it is when the wait is over. Asked again, the ' +
      'erasure that is under way answers; a shorter wait brings it forward. Read models that lag behind the log hold up ' +
      'carrying it out, not asking without a reason. It needs both credentials.',
    access: 'admin',
    body,
    answer: ANSWER,
    problems: ['invalid_query', 'invalid_body', 'not_found', 'erasure_held_up'],
  })
}

export function listErasuresSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'Erasures, newest first',
    access: 'read',
    answer: answerSchema({ data: array(ERASURE) }),
    problems: ['invalid_query'],
  })
}

export function erasureSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'One erasure, with its certificate once it is done',
    access: 'read',
    params: NUMBER,
    answer: ANSWER,
    problems: ['invalid_query', 'not_found'],
  })
}

export function cancelErasureSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'Cancels an erasure that still waits',
    access: 'admin',
    params: NUMBER,
    answer: ANSWER,
    problems: ['invalid_query', 'not_found', 'erasure_begun'],
  })
}

export function verifyErasureSchema(): FastifySchema {
  const finding = object({ check: STRING, ok: BOOLEAN, message: STRING })
  return operation({
    tag,
    summary: 'Compares a certificate with log and key store',
    description: 'Reads the whole log.',
    access: 'read',
    body: object({ certificate: CERTIFICATE }),
    answer: answerSchema({ data: object({ holds: BOOLEAN, findings: array(finding) }) }),
    problems: ['invalid_query', 'invalid_body'],
  })
}
