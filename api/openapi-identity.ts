import type { FastifySchema } from 'fastify'
import { ID, operation } from './openapi.ts'
import {
  AFTER,
  answerSchema,
  array,
  BOOLEAN,
  INSTANT,
  INTEGER,
  type JsonSchema,
  limitSchema,
  object,
  POSITION,
  RESULT,
  STRING,
} from './schemas.ts'

/** What the documentation says of the routes by which stewards decide who is who. */

const SHOWN_IDENTITY = {
  ...object({ id: STRING, namespace: STRING, value: STRING }, ['id']),
  description: 'Without a value: erased.',
}
const RULES = object({ version: STRING })
const PAIR = { ...array(SHOWN_IDENTITY), minItems: 2, maxItems: 2 }

export function reviewSchema({ maximum, fallback }: { maximum: number; fallback: number }): FastifySchema {
  const profile = object({ id: STRING, size: INTEGER, identities: array(SHOWN_IDENTITY) })
  const event = object({ id: STRING, source: STRING, type: STRING, time: INSTANT, position: POSITION }, [
    'id',
    'time',
    'position',
  ])
  const refusal = object({
    a: STRING,
    b: STRING,
    rule: { type: 'string', enum: ['stated', 'steward'] },
    identities: PAIR,
    reason: { type: 'string', enum: ['limit', 'size', 'cut'], description: 'What stands in the way now.' },
    detail: STRING,
    event,
    profiles: { ...array(profile), minItems: 2, maxItems: 2 },
  })
  return operation({
    tag: 'Identity',
    summary: 'Links that were refused and wait for a steward, oldest first',
    description:
      'An event named both, but a limit, the size of a profile or a cut forbids that they are one. A steward answers by ' +
      'POST /v1/identity/decisions: `link` goes before what is stated, `keep_apart` and `cut` end the question.',
    access: 'read',
    query: object({ limit: limitSchema(maximum, fallback), cursor: INTEGER, after: AFTER }, []),
    answer: answerSchema({ data: array(refusal), next: { type: ['integer', 'null'] }, rules: RULES }),
    problems: ['invalid_query', 'position_not_reached'],
  })
}

const STEWARD = {
  steward: { ...STRING, description: 'Who decides; default `steward`.' },
  reason: { ...STRING, description: 'Kept in the log in clear: it must name nobody.' },
}
const DECISION_QUERY = object(
  { dryRun: { ...BOOLEAN, description: 'true: nothing is appended.' }, after: AFTER },
  [],
)

function decisionAnswer() {
  const profile = object({
    id: STRING,
    identities: array(SHOWN_IDENTITY),
    events: { ...INTEGER, description: 'How many events its timeline has.' },
    views: { type: 'object', description: 'View → its rows of this profile, for every view of profiles.' },
  })
  const refused = object({ pair: array(STRING), reason: STRING, detail: STRING })
  return answerSchema({
    data: object({
      decision: STRING,
      dryRun: BOOLEAN,
      rules: RULES,
      pairs: array(PAIR),
      before: { ...array(profile), description: 'The profiles that it is about, as they are.' },
      after: { ...array(profile), description: 'As they would be, or are once the position is reached.' },
      refused: { ...array(refused), description: 'Links that would not be followed, and why.' },
      results: {
        type: ['array', 'null'],
        items: RESULT,
        description: "The events' fates; null in a dry run.",
      },
    }),
  })
}

export function decisionsSchema(): FastifySchema {
  const decision = { type: 'string', enum: ['link', 'cut', 'lift', 'keep_apart'] }
  return operation({
    tag: 'Identity',
    summary: 'Link two identities, cut them from each other, lift a cut, or keep two apart that look alike',
    access: 'admin',
    query: DECISION_QUERY,
    body: object({ decision, identities: { ...array(STRING), minItems: 2, maxItems: 2 }, ...STEWARD }, [
      'decision',
      'identities',
    ]),
    answer: decisionAnswer(),
    problems: DECISION_PROBLEMS,
  })
}

const DECISION_PROBLEMS = [
  'invalid_query',
  'invalid_body',
  'not_found',
  'cannot_unmerge',
  'nothing_to_decide',
  'history_too_large',
  'overloaded',
  'read_only',
  'stopped',
  'position_not_reached',
] as const

export function unmergeSchema(): FastifySchema {
  return operation({
    tag: 'Identity',
    summary: 'Take a profile apart: by cuts, each an event',
    description:
      'With `from`, the two identities are cut from each other. Without, people whom a phone, browser or device alone holds ' +
      'together are. A dry run says what would become of fields, revenue and timelines.',
    access: 'admin',
    params: ID,
    query: DECISION_QUERY,
    body: object({ from: STRING, ...STEWARD }, []),
    answer: decisionAnswer(),
    problems: DECISION_PROBLEMS,
  })
}

/** What a profile's single row says beside its columns of who works where. */
export const EMPLOYMENT: Readonly<Record<string, JsonSchema>> = {
  employer: {
    ...object(
      {
        id: {
          type: ['string', 'null'],
          description: "The company's profile; null: no company of this domain is known.",
        },
        name: { type: ['string', 'null'] },
        domain: { ...STRING, description: "Of the mail address, by the identity rules' companyByDomain." },
        because: {
          ...object(
            {
              rule: STRING,
              version: { ...STRING, description: 'Of the identity rules.' },
              event: STRING,
              source: STRING,
              position: POSITION,
              time: INSTANT,
            },
            ['rule', 'version'],
          ),
          description:
            "With explain: the write that gave the address; without it while that isn't committed.",
        },
      },
      ['id', 'name', 'domain'],
    ),
    type: ['object', 'null'],
    description: 'Of a person: the company of the mail address. null: the address is of none.',
  },
  people: {
    ...object({
      count: INTEGER,
      list: { ...STRING, description: 'Path of the list of them.' },
    }),
    type: ['object', 'null'],
    description:
      'Of a company, as it is now: whoever has a mail address of its domain. null: it has no such domain.',
  },
}

/** What a single row says of itself beside its columns; none of it is required. */
export function withDetail(
  schema: FastifySchema,
  detail: Readonly<Record<string, JsonSchema>>,
): FastifySchema {
  const response = recordOf(schema.response)
  const answer = recordOf(response['200'])
  const properties = recordOf(answer['properties'])
  const data = recordOf(properties['data'])
  const row = { ...data, properties: { ...recordOf(data['properties']), ...detail } }
  return {
    ...schema,
    response: { ...response, 200: { ...answer, properties: { ...properties, data: row } } },
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
