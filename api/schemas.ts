import type { AnyProjection } from '../engine/projector/projection.ts'
import type { Column, ColumnType } from '../engine/store/table.ts'
import type { ProblemCode } from './problem.ts'
import { PROBLEM_CONTENT_TYPE, PROBLEMS } from './problem.ts'
import { OPERATORS, sortable } from './routes/filters.ts'
import { shownColumns } from './routes/rows.ts'

/** The pieces that the OpenAPI document is made of, as JSON Schema 2020-12. */

export type JsonSchema = Readonly<Record<string, unknown>>

export function object(
  properties: Readonly<Record<string, JsonSchema>>,
  required?: readonly string[],
): JsonSchema {
  return { type: 'object', properties, required: required ?? Object.keys(properties) }
}

export function array(items: JsonSchema): JsonSchema {
  return { type: 'array', items }
}

export const STRING: JsonSchema = { type: 'string' }
export const BOOLEAN: JsonSchema = { type: 'boolean' }
export const INTEGER: JsonSchema = { type: 'integer' }
export const POSITION: JsonSchema = { type: 'integer', minimum: 0, description: 'A place in the log.' }
export const INSTANT: JsonSchema = { type: 'string', format: 'date-time' }

const CELLS: Readonly<Record<ColumnType, JsonSchema>> = {
  text: { type: ['string', 'null'] },
  integer: { type: ['integer', 'null'] },
  real: { type: ['number', 'null'] },
  boolean: { type: ['boolean', 'null'] },
  instant: { type: ['string', 'null'], format: 'date-time' },
  day: { type: ['string', 'null'], format: 'date' },
  money: { type: ['string', 'null'], pattern: '^-?\\d+\\.\\d{2,4}$' },
  json: {},
  identity: { type: ['string', 'null'], description: "The profile's id." },
}

export function cellSchema(column: Column): JsonSchema {
  return { ...CELLS[column.type], description: column.about }
}

export function rowSchema(projection: AnyProjection): JsonSchema {
  const columns = Object.entries(projection.table.columns)
  const id = { type: 'string', description: 'What the row is about.' }
  const part = { type: 'string', description: 'Tells rows about one thing apart; absent where there is one.' }
  const cells = Object.fromEntries(columns.map(([name, column]) => [name, cellSchema(column)]))
  return object({ id, part, ...cells }, ['id', ...Object.keys(cells)])
}

/** Every answer says where it stands. */
export function answerSchema(
  properties: Readonly<Record<string, JsonSchema>>,
  required?: readonly string[],
): JsonSchema {
  const asOf = {
    type: ['string', 'null'],
    format: 'date-time',
    description: 'When the log stood at this position.',
  }
  return object({ position: POSITION, asOf, ...properties }, [
    'position',
    'asOf',
    ...(required ?? Object.keys(properties)),
  ])
}

export const AFTER: JsonSchema = {
  ...POSITION,
  description: "Waits until the views hold this position, bounded; 504 if they don't in time.",
}

const PAGING = {
  q: { ...STRING, description: "Words to find, inside of words too; case and accents don't matter." },
  cursor: { ...STRING, description: '`next` of the answer before; opaque.' },
  after: AFTER,
} as const

export function limitSchema(maximum: number, fallback: number): JsonSchema {
  return { type: 'integer', minimum: 1, maximum, default: fallback }
}

export function listQuerySchema(projection: AnyProjection, limit: JsonSchema): JsonSchema {
  const { search } = projection.table
  const columns = shownColumns(projection)
  const { q, cursor, after } = PAGING
  const sort = {
    ...STRING,
    description: `Columns separated by commas, a - before one for descending: ${sortable(columns).join(', ')}.`,
  }
  return {
    type: 'object',
    properties: {
      ...(search === undefined ? {} : { q }),
      sort,
      limit,
      cursor,
      after,
      ...filterProperties(columns),
    },
  }
}

export function filterProperties(
  columns: Readonly<Record<string, Column>>,
): Readonly<Record<string, JsonSchema>> {
  const all = Object.entries(columns).flatMap(([name, column]) =>
    OPERATORS[column.type].map((operator) => {
      const filter = operator === 'eq' ? name : `${name}[${operator}]`
      return [filter, { ...STRING, description: `${column.about} (${column.type}, ${operator})` }] as const
    }),
  )
  return Object.fromEntries(all)
}

export const RESULT: JsonSchema = {
  ...object({ status: { type: 'string', enum: ['appended', 'duplicate', 'quarantined', 'refused'] } }),
  description: "One event's fate; all but `refused` are acknowledged and durable.",
  properties: {
    status: { type: 'string', enum: ['appended', 'duplicate', 'quarantined', 'refused'] },
    id: STRING,
    position: POSITION,
    stream: STRING,
    revision: INTEGER,
    blocked: {
      ...array(STRING),
      description:
        'Namespaces of identities that were left out: their value stands for nobody, or for several.',
    },
    quarantineId: STRING,
    reason: STRING,
    message: STRING,
    refusal: object({ code: STRING, message: STRING }),
  },
}

export const PROBLEM: JsonSchema = {
  ...object(
    {
      type: { type: 'string', format: 'uri' },
      title: STRING,
      status: INTEGER,
      detail: STRING,
      errors: array(object({ parameter: STRING, path: STRING, message: STRING }, ['message'])),
    },
    ['type', 'title', 'status', 'detail', 'errors'],
  ),
  description: 'RFC 9457.',
}

const ANYWHERE: readonly ProblemCode[] = ['unauthorised', 'forbidden', 'misdirected', 'internal']

export function problemResponses(codes: readonly ProblemCode[]): Readonly<Record<string, JsonSchema>> {
  const byStatus = new Map<number, string[]>()
  for (const code of [...codes, ...ANYWHERE]) {
    const { status, title } = PROBLEMS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), title])
  }
  const content = { [PROBLEM_CONTENT_TYPE]: { schema: { $ref: 'Problem#' } } }
  return Object.fromEntries(
    [...byStatus].map(([status, titles]) => [status, { description: `${titles.join('; ')}.`, content }]),
  )
}
