import type { FastifySchema } from 'fastify'
import { operation } from './openapi.ts'
import {
  answerSchema,
  array,
  BOOLEAN,
  INSTANT,
  INTEGER,
  type JsonSchema,
  object,
  POSITION,
  STRING,
} from './schemas.ts'

/** What the documentation says of builds of read models, and of the schemas of events. */

const tag = 'Versions'
const NULLABLE = { type: ['string', 'null'] }

const BECAUSE = {
  ...array(
    object({ field: STRING, rule: STRING, event: STRING, source: STRING, position: POSITION, time: INSTANT }),
  ),
  description: 'The writes that won the value.',
}

const FIELD = object({ column: STRING, from: {}, to: {}, because: object({ from: BECAUSE, to: BECAUSE }) }, [
  'column',
  'from',
  'to',
])

const DIFF = {
  ...object({
    projection: STRING,
    from: { ...STRING, description: 'The build that serves.' },
    to: { ...STRING, description: 'The one that it is compared with.' },
    rows: object({ from: INTEGER, to: INTEGER }),
    added: INTEGER,
    removed: INTEGER,
    changed: INTEGER,
    columns: {
      type: 'object',
      additionalProperties: INTEGER,
      description: 'Column → in how many of the changed rows it differs.',
    },
    newColumns: array(STRING),
    goneColumns: array(STRING),
    sample: {
      ...array(
        object({
          change: { type: 'string', enum: ['added', 'removed', 'changed'] },
          id: STRING,
          part: STRING,
          fields: array(FIELD),
        }),
      ),
      description: 'The first rows of each kind, by id.',
    },
  }),
}

const REBUILT = object({
  projection: STRING,
  from: STRING,
  to: STRING,
  rows: INTEGER,
  before: { ...STRING, description: 'Digest of what served.' },
  after: { ...STRING, description: 'Digest of what serves now, at the same position.' },
  equal: BOOLEAN,
  position: POSITION,
})

const RESULT: JsonSchema = {
  description: 'What came of it; null until it is done.',
  anyOf: [
    { type: 'null' },
    object({ kind: { const: 'rebuilt' }, builds: array(REBUILT) }),
    object({ kind: { const: 'differences' }, position: POSITION, diffs: array(DIFF) }),
    object({ kind: { const: 'digest' }, position: POSITION, build: STRING, rows: INTEGER, digest: STRING }),
  ],
}

const JOB = object({
  id: STRING,
  what: STRING,
  state: { type: 'string', enum: ['waiting', 'running', 'done', 'failed'] },
  asked: INSTANT,
  ended: { type: ['string', 'null'], format: 'date-time' },
  progress: {
    anyOf: [object({ step: STRING, done: INTEGER, of: INTEGER }), { type: 'null' }],
    description: 'Positions of the log, or builds that are compared.',
  },
  failure: NULLABLE,
  result: RESULT,
})

const NAME = object({ name: { ...STRING, description: 'The name of a projection.' } })
const ID = object({ id: { ...STRING, description: 'The id of a job.' } })
const WAIT = {
  ...INTEGER,
  minimum: 0,
  maximum: 60_000,
  default: 300,
  description: 'How long to wait for the end, ms. Later it is a 202 with the job, which `location` names.',
}
const SAMPLE = { ...INTEGER, minimum: 0, maximum: 1_000, default: 10, description: 'Rows of each kind.' }

function job(summary: string, stated: Partial<Parameters<typeof operation>[0]>): FastifySchema {
  const schema = operation({
    ...{ tag, summary, access: 'read', answer: answerSchema({ data: JOB }) },
    problems: ['invalid_query', 'overloaded', 'projection_unavailable'],
    ...stated,
  })
  const begun = { description: 'It is under way.', ...answerSchema({ data: JOB }) }
  const answers = schema.response as Readonly<Record<string, unknown>>
  return { ...schema, response: { ...answers, 202: begun } }
}

export function rebuildSchema(): FastifySchema {
  const projections = { ...array(STRING), description: 'Default: all.' }
  return job('Folds read models from the beginning beside those that serve, and switches', {
    access: 'admin',
    query: object({ wait: WAIT }, []),
    body: object({ projections }, []),
    problems: ['invalid_query', 'invalid_body', 'overloaded'],
  })
}

export function diffSchema(): FastifySchema {
  return job("What would change if the build that waits, or today's code and configuration, served", {
    params: NAME,
    query: object({ wait: WAIT, sample: SAMPLE }, []),
    problems: ['invalid_query', 'not_found', 'overloaded'],
  })
}

export function digestSchema(): FastifySchema {
  return job('The digest of the rows that a read model serves', {
    params: NAME,
    query: object({ wait: WAIT }, []),
    problems: ['invalid_query', 'not_found', 'overloaded'],
  })
}

export function trySchema(): FastifySchema {
  return job('What would change if these rules were published now; nothing is appended', {
    query: object({ wait: WAIT, sample: SAMPLE }, []),
    body: object(
      {
        kind: { type: 'string', enum: ['survivorship', 'identity', 'qualification', 'priorities'] },
        rules: {},
        type: { ...STRING, description: 'With data, in place of kind and rules: a type that configures.' },
        data: { type: 'object' },
      },
      [],
    ),
    problems: ['invalid_query', 'invalid_body', 'overloaded'],
  })
}

export function jobSchema(): FastifySchema {
  return job('How a job is getting on', {
    params: ID,
    query: object({ wait: WAIT }, []),
    problems: ['invalid_query', 'not_found'],
  })
}

export function jobsSchema(): FastifySchema {
  return operation({
    ...{ tag, summary: 'Jobs about builds since the start, newest first', access: 'read' },
    answer: answerSchema({ data: array(JOB) }),
    problems: ['invalid_query'],
  })
}

export function switchSchema(summary: string): FastifySchema {
  return operation({
    ...{ tag, summary, access: 'admin', params: NAME, body: object({ by: STRING }, []) },
    answer: answerSchema({
      data: object({ projection: STRING, from: STRING, to: STRING, rows: INTEGER, digest: STRING }),
    }),
    problems: ['invalid_query', 'invalid_body', 'not_found', 'nothing_to_switch', 'projection_unavailable'],
  })
}

const EVENT_TYPE = object(
  {
    type: STRING,
    schema: { ...INTEGER, description: 'Newest version of `data`.' },
    versions: { ...array(INTEGER), description: 'Versions that are taken, lifted to the newest.' },
    category: STRING,
    retention: STRING,
    record: { ...NULLABLE, description: 'Property that names the record.' },
    identities: array(object({ namespace: STRING, path: STRING })),
    personal: {
      ...array(STRING),
      description: 'Paths that are sealed; others that the schema lacks are too.',
    },
    normalised: { type: 'object', additionalProperties: STRING },
  },
  ['type', 'schema', 'versions', 'category', 'retention', 'identities', 'personal', 'normalised'],
)

export function schemasSchema(): FastifySchema {
  return operation({
    ...{ tag: 'Schemas', summary: 'Every type of event, and the versions of its data', access: 'read' },
    answer: object({ data: array(EVENT_TYPE) }),
    problems: ['invalid_query'],
  })
}

export function typeSchema(withVersion: boolean): FastifySchema {
  const type = { type: { ...STRING, description: 'A type of event.' } }
  const version = { version: { ...STRING, description: 'A version of its data, from 1.' } }
  const summary = withVersion
    ? "One version of a type's data"
    : 'A type of event, with the JSON Schema of its data'
  return operation({
    ...{
      tag: 'Schemas',
      summary,
      access: 'read',
      params: object(withVersion ? { ...type, ...version } : type),
    },
    answer: object({ data: { type: 'object', description: 'As in the list, with `json_schema`.' } }),
    problems: ['invalid_query', 'not_found'],
  })
}
