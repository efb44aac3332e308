import type { FastifySchema } from 'fastify'
import type { AnyProjection } from '../engine/projector/projection.ts'
import type { ProblemCode } from './problem.ts'
import type { FigureView } from './routes/figures.ts'
import { figureType } from './routes/figures.ts'
import { shownColumns } from './routes/rows.ts'
import type { View } from './routes/views.ts'
import type { JsonSchema } from './schemas.ts'
import {
  AFTER,
  answerSchema,
  array,
  BOOLEAN,
  cellSchema,
  filterProperties,
  INSTANT,
  INTEGER,
  limitSchema,
  listQuerySchema,
  object,
  POSITION,
  problemResponses,
  rowSchema,
  STRING,
} from './schemas.ts'
import type { Access } from './security.ts'

/** What the documentation says of each route. */

interface Operation {
  readonly tag: string
  readonly summary: string
  readonly access: Access
  readonly query?: JsonSchema | undefined
  readonly params?: JsonSchema | undefined
  readonly body?: JsonSchema | undefined
  readonly answer: JsonSchema
  readonly problems: readonly ProblemCode[]
  readonly description?: string | undefined
}

const SECURITY = {
  open: [],
  read: [{ readToken: [] }],
  write: [{ writeKey: [] }, { writeKeyBasic: [] }],
  tracking: [{ writeKey: [] }, { writeKeyBasic: [] }],
  admin: [{ readToken: [], writeKeyBeside: [] }],
} as const

export function operation(stated: Operation): FastifySchema {
  const { tag, summary, description, access, query, params, body, answer, problems } = stated
  const headers = {
    'headwater-position': { ...POSITION, description: 'The position that the answer holds at.' },
  }
  return {
    tags: [tag],
    summary,
    security: SECURITY[access],
    ...(description === undefined ? {} : { description }),
    ...(query === undefined ? {} : { querystring: query }),
    ...(params === undefined ? {} : { params }),
    ...(body === undefined ? {} : { body }),
    response: { 200: { description: 'As asked.', headers, ...answer }, ...problemResponses(problems) },
  }
}

export interface Limits {
  readonly maximum: number
  readonly fallback: number
}

export const ID = object({
  id: { ...STRING, description: "A row's id, an identity's id, or namespace:value." },
})
export const CURSOR = { ...STRING, description: '`next` of the answer before; opaque.' }
export const NEXT = {
  type: ['string', 'null'],
  description: 'The cursor of the next page; null on the last.',
}

export function listSchema(view: View, projection: AnyProjection, limits: Limits): FastifySchema {
  return operation({
    tag: view.tag,
    summary: `The view ${projection.name}: filter, sort, search, page by page`,
    access: 'read',
    query: listQuerySchema(projection, limitSchema(limits.maximum, limits.fallback)),
    answer: answerSchema({ data: array(rowSchema(projection)), next: NEXT }),
    problems: ['invalid_query', 'projection_unavailable', 'position_not_reached'],
  })
}

export function itemSchema(view: View, projection: AnyProjection): FastifySchema {
  const write = object(
    {
      value: {},
      event: STRING,
      source: STRING,
      position: POSITION,
      time: INSTANT,
      sequence: INTEGER,
      basedOn: POSITION,
    },
    ['value', 'event', 'source', 'position', 'time'],
  )
  const priorities = {
    type: 'object',
    additionalProperties: { type: 'number' },
    description: "Registered priorities of these writes' sources, the lower the more trusted.",
  }
  const decided = {
    ...object({
      act: { type: 'string', enum: ['locked', 'resolved'] },
      by: STRING,
      reason: { type: ['string', 'null'] },
      until: { type: ['string', 'null'], format: 'date-time' },
    }),
    description:
      "The steward's decision that the value follows from; the rule then is `locked` or `resolved`.",
  }
  const field = object(
    { value: {}, rule: STRING, winners: array(write), overruled: array(write), priorities, decided },
    ['value', 'rule', 'winners', 'overruled'],
  )
  const explained = {
    type: 'object',
    description: 'Why each field says what it says.',
    additionalProperties: field,
  }
  return operation({
    tag: view.tag,
    summary: `One row of the view ${projection.name}`,
    access: 'read',
    params: ID,
    query: object(
      {
        explain: { ...BOOLEAN, description: 'Adds, for each field, who wrote it.' },
        after: AFTER,
        ...(view.history === undefined ? {} : PAST_QUERY),
      },
      [],
    ),
    answer: answerSchema(
      {
        data: rowSchema(projection),
        explain: explained,
        ...(view.history === undefined ? {} : PAST_ANSWER),
      },
      ['data'],
    ),
    problems: [
      'invalid_query',
      'not_found',
      'projection_unavailable',
      'position_not_reached',
      ...(view.history === undefined ? [] : (['history_too_large'] as const)),
    ],
  })
}

const PAST_QUERY = {
  asOf: {
    ...STRING,
    description:
      'Answers as it was then, folded from the log with the identities and configuration of that moment: a position, an ' +
      'RFC 3339 instant, or a day (its first instant in UTC).',
  },
  by: {
    type: 'string',
    enum: ['received', 'occurred'],
    default: 'received',
    description:
      'With an instant. received: what had reached the engine by then. occurred: what had happened by then, as far as ' +
      'is known today.',
  },
  events: { ...INTEGER, minimum: 0, maximum: 100, default: 5, description: 'With asOf: how many events.' },
}

const PAST_ANSWER = {
  history: {
    ...object({ by: STRING, until: { type: ['string', 'integer'] } }),
    description: 'The moment, where asOf was asked for.',
  },
  orders: { ...array({ type: 'object' }), description: 'With asOf: rows of the view customer_orders then.' },
  timeline: { ...array({ type: 'object' }), description: 'With asOf: the latest events then, newest first.' },
}

export function figuresSchema(view: FigureView, projection: AnyProjection, maximum: number): FastifySchema {
  const figures = view.figures.map((figure) => {
    const type = figureType(projection, figure)
    return [figure.name, cellSchema({ type, about: `${figure.of} of ${figure.column ?? 'rows'}` })] as const
  })
  const day = { type: 'string', format: 'date' }
  const range = { from: { ...day, description: 'First day.' }, to: { ...day, description: 'Last day.' } }
  const query = {
    by: {
      ...STRING,
      description: `Of ${view.dimensions.join(', ')}, separated by commas.`,
      default: view.by.join(','),
    },
    ...(projection.table.columns.day === undefined ? {} : range),
    limit: limitSchema(maximum, maximum),
    after: AFTER,
    ...filterProperties(shownColumns(projection)),
  }
  const groups = { type: 'object', additionalProperties: {}, properties: Object.fromEntries(figures) }
  return operation({
    tag: view.tag,
    summary: view.about,
    access: 'read',
    query: object(query, []),
    answer: answerSchema({ by: array(STRING), data: array(groups), truncated: BOOLEAN }),
    problems: ['invalid_query', 'overflow', 'projection_unavailable', 'position_not_reached'],
  })
}

export function lookupSchema(projection: AnyProjection, maximum: number): FastifySchema {
  const identities = { ...array({ ...STRING, description: 'namespace:value, or an id' }), maxItems: maximum }
  return operation({
    tag: 'Profiles',
    summary: 'Profiles by identities, in the order asked; null where nobody is known',
    access: 'read',
    query: object({ after: AFTER }, []),
    body: object({ identities }),
    answer: answerSchema({
      data: array({ anyOf: [rowSchema(projection), { type: 'null' }] }),
      ids: {
        ...array({ type: ['string', 'null'] }),
        description: 'The identities asked for by their ids; null where nobody is known.',
      },
    }),
    problems: ['invalid_body', 'too_large', 'position_not_reached'],
  })
}

const EVENT_OUT: JsonSchema = {
  type: 'object',
  description: "An event as recorded, its personal parts back in place as far as they weren't erased.",
  properties: {
    specversion: { type: 'string', enum: ['1.0'] },
    position: POSITION,
    revision: INTEGER,
    id: STRING,
    source: STRING,
    type: STRING,
    schema: INTEGER,
    subject: STRING,
    time: INSTANT,
    received: INSTANT,
    identities: array(object({ id: STRING, namespace: STRING })),
    data: { type: 'object' },
    normalised: { type: 'object' },
    erased: { ...INTEGER, description: 'Personal parts that were erased.' },
  },
}

export function timelineSchema(limits: Limits): FastifySchema {
  return operation({
    tag: 'Profiles',
    summary: "A profile's events, newest first",
    access: 'read',
    params: ID,
    query: object({ limit: limitSchema(limits.maximum, limits.fallback), cursor: CURSOR, after: AFTER }, []),
    answer: answerSchema({ data: array(EVENT_OUT), next: NEXT }),
    problems: ['invalid_query', 'not_found', 'position_not_reached'],
  })
}

export function logSchema(limits: Limits, maxWaitMs: number): FastifySchema {
  const query = {
    after: { ...POSITION, description: 'Events behind this position; default 0.' },
    limit: limitSchema(limits.maximum, limits.fallback),
    types: { ...STRING, description: 'Only these types, separated by commas.' },
    wait: {
      ...INTEGER,
      minimum: 0,
      maximum: maxWaitMs,
      description: 'Waits so many ms for an event, if there is none.',
    },
  }
  return operation({
    tag: 'Log',
    summary: 'The log itself, in order',
    access: 'read',
    query: object(query, []),
    answer: answerSchema({ data: array(EVENT_OUT), next: { ...POSITION, description: 'The next `after`.' } }),
    problems: ['invalid_query', 'log_damaged'],
  })
}
