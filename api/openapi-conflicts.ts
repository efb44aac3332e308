import type { FastifySchema } from 'fastify'
import { operation } from './openapi.ts'
import {
  answerSchema,
  array,
  BOOLEAN,
  INSTANT,
  type JsonSchema,
  object,
  POSITION,
  STRING,
} from './schemas.ts'

/** What the documentation says of stewards' decisions and of survivorship rules. */

const tag = 'Governance'

const DRY_RUN = object(
  { dryRun: { ...BOOLEAN, description: 'true: only tells what would change; nothing is appended.' } },
  [],
)

const THEN = object({
  value: {},
  explanation: { type: ['object', 'null'], description: 'As with explain=true.' },
  conflict: { type: ['object', 'null'], description: 'The row of the view of conflicts.' },
})

const DECIDED = answerSchema({
  data: object({
    dryRun: BOOLEAN,
    event: object({
      id: STRING,
      type: STRING,
      position: {
        type: ['integer', 'null'],
        description: 'Place in the log; null where nothing was appended.',
      },
    }),
    view: STRING,
    id: STRING,
    field: STRING,
    from: THEN,
    to: THEN,
    changes: {
      ...array(object({ column: STRING, from: {}, to: {} })),
      description: 'Every column of the row that changes.',
    },
  }),
})

const VALUE = { description: 'As the field is shown; null removes it. A value, or "" for a blank.' }
const REASON = { ...STRING, description: 'Kept in the log in the clear: it must name nobody.' }
const STEWARD = { ...STRING, description: 'Who decides, by a name of your own staff.' }

function target(kind: string): JsonSchema {
  return { ...STRING, description: kind === 'record' ? "The record's id." : 'A profile, or namespace:value.' }
}

export function resolutionSchema(kind: 'profile' | 'record'): FastifySchema {
  const field = { ...STRING, description: 'The field that sources contradict each other about.' }
  const params = kind === 'record' ? { view: STRING, id: target(kind), field } : { id: target(kind), field }
  return operation({
    tag,
    summary: `Resolves a conflict about a ${kind}'s field`,
    description:
      'The value beats every write that is not newer; later ones compete with it again. Without a value the rule’s ' +
      'choice stands, and the conflict is settled. Appends conflict.resolved. It needs both credentials.',
    access: 'admin',
    params: object(params),
    query: DRY_RUN,
    body: object({ value: VALUE, steward: STEWARD, reason: REASON }, ['steward']),
    answer: DECIDED,
    problems: ['invalid_query', 'invalid_body', 'not_found', 'cannot_decide', 'projection_unavailable'],
  })
}

export function lockSchema(kind: 'profile' | 'record'): FastifySchema {
  const params = kind === 'record' ? { view: STRING, id: target(kind) } : { id: target(kind) }
  const body = object(
    {
      field: STRING,
      act: { type: 'string', enum: ['lock', 'unlock'], description: 'Default lock.' },
      value: { ...VALUE, description: 'What the field is to hold; default: what it holds now.' },
      steward: STEWARD,
      reason: REASON,
      expires_at: { ...INSTANT, description: 'When the lock ends by itself; default: never.' },
    },
    ['field', 'steward'],
  )
  return operation({
    tag,
    summary: `Locks or unlocks a field of a ${kind}`,
    description:
      'A locked field keeps its value whatever sources write, until it is unlocked or the lock expires. Appends ' +
      'field.locked or field.unlocked. It needs both credentials.',
    access: 'admin',
    params: object(params),
    query: DRY_RUN,
    body,
    answer: DECIDED,
    problems: ['invalid_query', 'invalid_body', 'not_found', 'cannot_decide', 'projection_unavailable'],
  })
}

const PROBLEM = object({ entry: STRING, code: STRING, message: STRING })
const RULED = object({
  view: STRING,
  field: STRING,
  type: STRING,
  default: { ...STRING, description: 'The rule that the view gives the field.' },
  rule: { ...STRING, description: 'The rule in force.' },
  window_seconds: { type: 'integer' },
  overridable: BOOLEAN,
})

export function rulesSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'Survivorship rules in force, and what is wrong with the published ones',
    access: 'read',
    answer: answerSchema({ data: array(RULED), problems: array(PROBLEM) }),
    problems: ['invalid_query'],
  })
}

export function publishRulesSchema(): FastifySchema {
  const about = 'An object of "<view>.<field>": {"rule": …, "sources": […], "window": "30d"}.'
  return operation({
    tag,
    summary: 'Publishes survivorship rules in place of those published before',
    description:
      'Checked against the views first; the answer to a dry run says what is wrong. The views are folded anew under ' +
      'the new rules while the old ones serve. It needs both credentials.',
    access: 'admin',
    query: DRY_RUN,
    body: object({ rules: { type: 'object', description: about }, by: STRING, version: STRING }, ['rules']),
    answer: answerSchema({
      data: object({
        dryRun: BOOLEAN,
        problems: array(PROBLEM),
        event: { type: ['object', 'null'], properties: { id: STRING, position: POSITION } },
      }),
    }),
    problems: ['invalid_query', 'invalid_body'],
  })
}
