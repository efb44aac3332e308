import type { FastifySchema } from 'fastify'
import type { AnyProjection } from '../engine/projector/projection.ts'
import { ID, operation } from './openapi.ts'
import {
  AFTER,
  answerSchema,
  array,
  BOOLEAN,
  INSTANT,
  INTEGER,
  object,
  POSITION,
  problemResponses,
  STRING,
} from './schemas.ts'

/** What the documentation says of the routes that explain who is who. */

export function identitySchema(): FastifySchema {
  const identity = object({ id: STRING, namespace: STRING, value: STRING }, ['id'])
  const event = object({ id: STRING, source: STRING, type: STRING, time: INSTANT, position: POSITION })
  const rule = { type: 'string', enum: ['stated', 'steward'], description: 'stated: one event names both.' }
  const link = {
    a: STRING,
    b: STRING,
    rule,
    stated: { ...INTEGER, description: 'How many events state this link.' },
    event: { ...event, description: 'The one that the link was followed by.' },
  }
  const pair = { ...array(STRING), minItems: 2, maxItems: 2 }
  const bridge = object({
    identity: STRING,
    sides: array(array(STRING)),
    cuts: {
      type: ['array', 'null'],
      items: pair,
      description:
        'Pairs of which each needs an identity.cut to take the sides apart; null: no few cuts do it.',
    },
  })
  const data = object({
    id: STRING,
    rules: object({ version: STRING, limits: { type: 'object' }, maxIdentities: INTEGER }),
    complete: { ...BOOLEAN, description: 'false: some identity has more events than one answer reads.' },
    identities: { ...array(identity), description: 'Without a value: erased.' },
    links: { ...array(object(link)), description: 'What holds the profile together, in the order followed.' },
    cuts: { ...array(object({ a: STRING, b: STRING, event })), description: 'Cuts in force.' },
    bridges: {
      ...array(bridge),
      description: 'Phones, browsers and devices that alone hold several people together.',
    },
    refused: {
      ...array(object({ ...link, other: identity, reason: STRING, detail: STRING }, ['a', 'b', 'other'])),
      description: "Links that weren't followed, and what stands in their way now.",
    },
    refusedCount: INTEGER,
  })
  return operation({
    tag: 'Profiles',
    summary: 'Which identities make up a profile, and which events say so',
    access: 'read',
    params: ID,
    query: object({ after: AFTER }, []),
    answer: answerSchema({ data }),
    problems: ['invalid_query', 'not_found', 'history_too_large', 'position_not_reached'],
  })
}

const INSTANT_OR_POSITION = { type: ['string', 'integer'] }
const MOMENT = {
  ...object({ by: STRING, until: INSTANT_OR_POSITION }),
  description: 'The moment, where asOf was asked for.',
}

const AS_OF = {
  ...STRING,
  description:
    'Answers as it was then, folded from the log with the identities and configuration of that moment: a position, an ' +
    'RFC 3339 instant, or a day (its first instant in UTC).',
}
const BY = {
  type: 'string',
  enum: ['received', 'occurred'],
  default: 'received',
  description:
    'With an instant. received: what had reached the engine by then. occurred: what had happened by then, as far as ' +
    'is known today.',
}
const WAIT = {
  ...INTEGER,
  minimum: 0,
  maximum: 60_000,
  default: 300,
  description:
    'With asOf: how long to wait where the view has to be built, ms. Later it is a 202 that says how far it is. Single rows, ' +
    'timelines and identities come from the log at once, unless more than 20,000 events or 1,000 identities hang together.',
}

const BUILDING = {
  description: 'The view of that moment is being built: ask again.',
  headers: { 'retry-after': { ...INTEGER, description: 's' } },
  ...object({
    state: { type: 'string', enum: ['queued', 'building'] },
    position: { ...POSITION, description: 'How far it has come, roughly.' },
    of: { ...POSITION, description: 'Where it is done.' },
    startedAt: INSTANT,
    history: MOMENT,
  }),
}

interface PastKind {
  /** False: answered from the log's index at once. */
  readonly isBuilt?: boolean | undefined
  /** `by` names what is grouped by already. */
  readonly isOfFigures?: boolean | undefined
}

/** What a route says of itself that can be asked for the past. */
export function withPast(
  schema: FastifySchema,
  { isBuilt = true, isOfFigures }: PastKind = {},
): FastifySchema {
  const stated = propertiesOf(schema.querystring)
  const by = isOfFigures
    ? { by: { ...STRING, description: `${describedBy(stated['by'])} ${FIGURES_BY}` } }
    : { by: BY }
  const properties = { ...stated, asOf: AS_OF, ...by, ...(isBuilt ? { wait: WAIT } : {}) }
  const response: Readonly<Record<string | number, unknown>> = {
    ...problemResponses([
      'history_too_large',
      ...(isBuilt ? (['overloaded', 'store_unavailable'] as const) : []),
    ]),
    ...recordOf(schema.response),
    ...(isBuilt ? { 202: BUILDING } : {}),
  }
  const answer = recordOf(response[200])
  const shown = { ...answer, properties: { ...propertiesOf(answer), history: MOMENT } }
  return {
    ...schema,
    querystring: { ...recordOf(schema.querystring), properties },
    response: { ...response, 200: shown },
  }
}

const FIGURES_BY = 'With asOf, received (the default) or occurred may stand among them.'

/** What a list says of itself whose rows can explain themselves. */
export function withExplanations(schema: FastifySchema, maximum: number): FastifySchema {
  const description = `Adds, for each row, who wrote its fields; for ${maximum} rows a page at most.`
  const properties = { ...propertiesOf(schema.querystring), explain: { ...BOOLEAN, description } }
  const response = recordOf(schema.response)
  const answer = recordOf(response[200])
  const explain = {
    ...array({ type: ['object', 'null'] }),
    description: 'With explain: one for each row, in their order.',
  }
  const shown = { ...answer, properties: { ...propertiesOf(answer), explain } }
  return {
    ...schema,
    querystring: { ...recordOf(schema.querystring), properties },
    response: { ...response, 200: shown },
  }
}

function recordOf(schema: unknown): Readonly<Record<string | number, unknown>> {
  return typeof schema === 'object' && schema !== null ? { ...schema } : {}
}

function propertiesOf(schema: unknown): Readonly<Record<string, unknown>> {
  return recordOf(recordOf(schema)['properties'])
}

function describedBy(schema: unknown): string {
  return String(recordOf(schema)['description'] ?? '')
}

export function pastSchema(): FastifySchema {
  const past = object(
    {
      history: MOMENT,
      projections: array(STRING),
      state: { type: 'string', enum: ['queued', 'building', 'ready', 'failed'] },
      position: POSITION,
      of: POSITION,
      startedAt: INSTANT,
      usedAt: INSTANT,
      sizeBytes: INTEGER,
      failure: STRING,
    },
    ['history', 'projections', 'state', 'position', 'of', 'startedAt'],
  )
  return operation({
    tag: 'Operation',
    summary: 'Past moments whose read models are kept or being built',
    access: 'read',
    query: object({}, []),
    answer: answerSchema({ data: array(past) }),
    problems: [],
  })
}

interface ChangingView {
  readonly tag: string
}

export function changesSchema({ tag }: ChangingView, projection: AnyProjection): FastifySchema {
  const event = object({ id: STRING, source: STRING, type: STRING, time: INSTANT, position: POSITION })
  const because = {
    ...array({ anyOf: [object({ event }), object({ deadline: INSTANT })] }),
    description:
      'The newest 20 events (or deadlines that passed) that made it another value, in their order.',
  }
  const change = object(
    {
      field: { ...STRING, description: 'A column, or column.member.' },
      part: STRING,
      from: { description: 'null: there was none.' },
      to: {},
      times: { ...INTEGER, description: 'How often it changed in between.' },
      because,
    },
    ['field', 'from', 'to', 'times', 'because'],
  )
  const identity = object({ id: STRING, namespace: STRING, value: STRING }, ['id'])
  const identities = object({ joined: array(identity), left: array(identity), because })
  const history = object({
    by: STRING,
    from: { type: ['string', 'integer', 'null'] },
    to: INSTANT_OR_POSITION,
  })
  const moment = 'A position, an RFC 3339 instant, or a day (its first instant in UTC).'
  const isOfPeople = projection.table.grain === 'profile'
  return operation({
    tag,
    summary: `What changed in a row of the view ${projection.name} between two moments, and because of which events`,
    access: 'read',
    params: ID,
    query: object(
      {
        from: { ...STRING, description: `${moment} Default: before everything.` },
        to: { ...STRING, description: `${moment} Default: now.` },
        by: BY,
        after: AFTER,
      },
      [],
    ),
    answer: answerSchema({ history, data: array(change), ...(isOfPeople ? { identities } : {}) }),
    problems: ['invalid_query', 'not_found', 'history_too_large', 'position_not_reached'],
  })
}
