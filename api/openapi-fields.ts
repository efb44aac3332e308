import type { FastifySchema } from 'fastify'
import type { AnyProjection } from '../engine/projector/projection.ts'
import { DEFINABLE_VIEWS, FIELD_TYPES } from '../projections/definitions.ts'
import { CURSOR, type Limits, NEXT, operation } from './openapi.ts'
import { changesSchema } from './openapi-history.ts'
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
  STRING,
} from './schemas.ts'

/** What the documentation says of fields and objects that departments define. */

const tag = 'Defined by departments'

const DRY_RUN = {
  dryRun: { ...BOOLEAN, description: 'true: only tells what would happen; nothing is appended.' },
}
const BY = { by: { ...STRING, description: 'Who decides, by a name of your own staff.' } }
const TEXTS = { type: ['array', 'null'], items: STRING }
const TYPE = { type: 'string', enum: FIELD_TYPES }
const OBJECT_NAME = {
  ...STRING,
  description: `A view (${DEFINABLE_VIEWS.join(', ')}), or a defined object.`,
}

const DEFINED = {
  ...object({
    event: STRING,
    source: STRING,
    position: POSITION,
    time: INSTANT,
    by: { type: ['string', 'null'] },
  }),
  description: 'The event that says so.',
}

const OF_FIELD = {
  field: { ...STRING, description: "The property's name in events, and the column's." },
  type: TYPE,
  rule: { ...STRING, description: 'How it picks its value where several sources write it.' },
  description: STRING,
  department: { type: ['string', 'null'] },
  sources: { ...TEXTS, description: 'Of a rule that goes by sources: most trusted first.' },
  values: { type: ['array', 'null'], description: 'Of a rule that goes by values: most restrictive first.' },
  options: { ...TEXTS, description: 'Texts that it may hold; another is not taken over.' },
  field_id: STRING,
  served: { ...BOOLEAN, description: 'False while the build that has it is being made, or waits.' },
  defined: DEFINED,
}
const FIELD_REQUIRED = ['field', 'type', 'rule', 'description', 'department', 'served', 'defined']

const PROBLEM = object({ path: STRING, message: STRING })
const AFFECTED = object({
  view: STRING,
  rows: { ...INTEGER, description: 'That the view has now.' },
  columns: object({ added: array(STRING), removed: array(STRING) }),
})

const IGNORED = {
  ...array(
    object({ object: STRING, field: { type: ['string', 'null'] }, message: STRING, defined: DEFINED }),
  ),
  description:
    "What events define that has no effect, and why: only this route's own requests are checked beforehand.",
}

function published(more: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const data = {
    dryRun: BOOLEAN,
    problems: { ...array(PROBLEM), description: 'Of a dry run: everything that speaks against it.' },
    views: { ...array(AFFECTED), description: 'Views that are folded anew while the old build serves.' },
    event: {
      type: ['object', 'null'],
      properties: { id: STRING, type: STRING, position: POSITION },
      description: 'null: nothing was appended.',
    },
    ...more,
  }
  return answerSchema({ data: object(data) })
}

export function fieldsSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'Fields that departments have defined, and the events that say so',
    access: 'read',
    query: object({ object: OBJECT_NAME, after: AFTER }, []),
    answer: answerSchema({
      data: array(object({ object: OBJECT_NAME, ...OF_FIELD }, ['object', ...FIELD_REQUIRED])),
      ignored: IGNORED,
    }),
    problems: ['invalid_query', 'position_not_reached'],
  })
}

const STATED_FIELD = {
  field: { ...STRING, pattern: '^[a-z][a-z0-9_]{0,62}$', description: OF_FIELD.field.description },
  type: TYPE,
  rule: { ...STRING, default: 'latest', description: OF_FIELD.rule.description },
  sources: array(STRING),
  values: { type: 'array' },
  options: { ...array(STRING), description: OF_FIELD.options.description },
  name: STRING,
  description: STRING,
  department: STRING,
}
const REPLACE = { ...BOOLEAN, description: 'What is in use may become narrower.' }

export function defineFieldSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'Defines a field, or changes its definition',
    description:
      'Appends field.defined. The view is folded anew beside the one that serves, from all events so far, and then has the ' +
      'column in filters, sort, explanations, decisions and this document. It needs both credentials.',
    access: 'admin',
    query: object(DRY_RUN, []),
    body: object(
      {
        field_id: {
          ...STRING,
          description: 'Default: of the field as it is defined, else <object>.<field>.',
        },
        object: OBJECT_NAME,
        ...STATED_FIELD,
        ...BY,
        replace: REPLACE,
      },
      ['object', 'field', 'type'],
    ),
    answer: published({ field_id: STRING }),
    problems: ['invalid_query', 'invalid_body'],
  })
}

export function archiveFieldSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'Takes a defined field back',
    description: 'Appends field.defined with archived. Events keep the values. It needs both credentials.',
    access: 'admin',
    params: object({ object: OBJECT_NAME, field: STRING }),
    query: object({ ...DRY_RUN, ...BY }, []),
    answer: published({ field_id: STRING }),
    problems: ['invalid_query', 'invalid_body', 'not_found'],
  })
}

export function objectsSchema(): FastifySchema {
  const defined = object({
    object: STRING,
    label: STRING,
    description: STRING,
    department: { type: ['string', 'null'] },
    fields: array(object(OF_FIELD, FIELD_REQUIRED)),
    records: INTEGER,
    served: BOOLEAN,
    defined: DEFINED,
  })
  return operation({
    tag,
    summary: 'Objects that departments have defined',
    access: 'read',
    query: object({ after: AFTER }, []),
    answer: answerSchema({ data: array(defined), ignored: IGNORED }),
    problems: ['invalid_query', 'projection_unavailable', 'position_not_reached'],
  })
}

export function defineObjectSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'Defines an object, or changes its definition',
    description:
      'Appends object.defined. Events <object>.created, .updated and .archived then write its records; they name the record by ' +
      '<object>_id, or id, in their data. It needs both credentials.',
    access: 'admin',
    query: object(DRY_RUN, []),
    body: object(
      {
        object: { ...STRING, pattern: '^[a-z][a-z0-9_]{0,62}$' },
        label: STRING,
        description: STRING,
        department: STRING,
        fields: array(object(STATED_FIELD, ['field', 'type'])),
        ...BY,
        replace: REPLACE,
      },
      ['object'],
    ),
    answer: published({}),
    problems: ['invalid_query', 'invalid_body'],
  })
}

const OBJECT = { object: { ...STRING, description: 'A defined object.' } }

export function archiveObjectSchema(): FastifySchema {
  return operation({
    tag,
    summary: 'Takes a defined object back',
    description: 'Appends object.defined with archived. Its events stay. It needs both credentials.',
    access: 'admin',
    params: object(OBJECT),
    query: object({ ...DRY_RUN, ...BY }, []),
    answer: published({}),
    problems: ['invalid_query', 'invalid_body', 'not_found'],
  })
}

const RECORD = {
  type: 'object',
  description: 'A record, in the columns of its object.',
  properties: { id: STRING },
  additionalProperties: {},
}

export function objectListSchema(limits: Limits): FastifySchema {
  const query = {
    q: { ...STRING, description: 'Words to find in the record’s id.' },
    sort: { ...STRING, description: 'Columns separated by commas, a - before one for descending.' },
    limit: limitSchema(limits.maximum, limits.fallback),
    cursor: CURSOR,
    after: AFTER,
  }
  return operation({
    tag,
    summary: 'Records of a defined object: filter, sort, page by page',
    description: 'Filters are named like the columns, as in every list.',
    access: 'read',
    params: object(OBJECT),
    query: object(query, []),
    answer: answerSchema({ data: array(RECORD), next: NEXT }),
    problems: ['invalid_query', 'not_found', 'projection_unavailable', 'position_not_reached'],
  })
}

export function objectChangesSchema(projection: AnyProjection): FastifySchema {
  return {
    ...changesSchema({ tag }, projection),
    summary: 'What changed in a record of a defined object between two moments, and because of which events',
    params: object({ ...OBJECT, id: { ...STRING, description: 'The record’s id.' } }),
  }
}

export function objectItemSchema(): FastifySchema {
  const explain = { ...BOOLEAN, description: 'Adds, for each field, who wrote it.' }
  return operation({
    tag,
    summary: 'One record of a defined object',
    access: 'read',
    params: object({ ...OBJECT, id: { ...STRING, description: 'The record’s id.' } }),
    query: object({ explain, after: AFTER }, []),
    answer: answerSchema({ data: RECORD, explain: { type: 'object' } }, ['data']),
    problems: ['invalid_query', 'not_found', 'projection_unavailable', 'position_not_reached'],
  })
}
