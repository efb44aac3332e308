import * as t from 'io-ts'
import type { Filter, FilterOperator } from '../../engine/store/store.ts'
import type { CellValue, Column, ColumnType } from '../../engine/store/table.ts'
import type { ProblemDetail } from '../problem.ts'
import { invalidQuery } from '../problem.ts'
import { CELL_CODECS } from './cells.ts'
import type { Pairs } from './query.ts'
import { decodeParameter, flag, separated, unknownParameter } from './query.ts'

/** Filters and sort orders of a query string, by a table's columns: `stage=won`, `amount[gte]=10.5`, `sort=-amount`. */

const ORDERED: readonly FilterOperator[] = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'null']
const UNORDERED: readonly FilterOperator[] = ['eq', 'ne', 'in', 'null']

/** What a column may be asked. */
export const OPERATORS: Readonly<Record<ColumnType, readonly FilterOperator[]>> = {
  text: ORDERED,
  integer: ORDERED,
  real: ORDERED,
  instant: ORDERED,
  day: ORDERED,
  money: ORDERED,
  boolean: ['eq', 'ne', 'null'],
  identity: UNORDERED,
  json: ['null'],
}

const FILTER_NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?:\[([a-z]+)\])?$/
/** SQLite takes more, but nobody means more. */
const MAX_IN = 500

type Columns = Readonly<Record<string, Column>>

/** A problem that lists every parameter that is no filter of these columns. `known` are the route's other parameters. */
export function parseFilters(pairs: Pairs, columns: Columns, known: readonly string[]): readonly Filter[] {
  const filters: Filter[] = []
  const errors: ProblemDetail[] = []
  const seen = new Set<string>()
  for (const [name, value] of pairs) {
    const found = parseFilter(name, value, columns, known)
    if ('message' in found) errors.push(found)
    else if (seen.has(name)) errors.push({ parameter: name, message: 'stands there twice' })
    else filters.push(found)
    seen.add(name)
  }
  if (errors.length > 0) throw invalidQuery(errors)
  return filters
}

function parseFilter(
  name: string,
  value: string,
  columns: Columns,
  known: readonly string[],
): Filter | ProblemDetail {
  const [, columnName = '', bracket = 'eq'] = FILTER_NAME.exec(name) ?? []
  const column = Object.hasOwn(columns, columnName) ? columns[columnName] : undefined
  if (column === undefined) return unknownParameter(name, [...known, ...Object.keys(columns)])
  const operators = OPERATORS[column.type]
  const operator = operators.find((candidate) => candidate === bracket)
  if (operator === undefined) return { parameter: name, message: `asks for none of ${operators.join(', ')}` }
  const parsed = parseOperand(name, value, column.type, operator)
  return 'message' in parsed ? parsed : { column: columnName, operator, value: parsed.value }
}

type Operand = { readonly value: CellValue } | ProblemDetail

function parseOperand(name: string, text: string, type: ColumnType, operator: FilterOperator): Operand {
  if (operator === 'null') return decoded(flag, name, text)
  const codec = type === 'json' ? t.never : CELL_CODECS[type]
  if (operator !== 'in') return decoded(codec, name, text)
  const values: CellValue[] = []
  for (const part of separated(text)) {
    const operand = decoded(codec, name, part)
    if ('message' in operand) return operand
    values.push(operand.value)
  }
  if (values.length > MAX_IN) return { parameter: name, message: `names more than ${MAX_IN} values` }
  return { value: values }
}

function decoded(codec: t.Decoder<unknown, string | number | boolean>, name: string, text: string): Operand {
  const result = decodeParameter(codec, name, text)
  return result._tag === 'Right' ? { value: result.right } : result.left
}

/** `-amount,name`: descending by amount, then ascending by name. */
export function parseSort(
  text: string,
  columns: Columns,
): readonly { readonly column: string; readonly descending: boolean }[] {
  const errors: ProblemDetail[] = []
  const sort = text.split(',').map((part) => {
    const descending = part.startsWith('-')
    const column = descending ? part.slice(1) : part
    if (!sortable(columns).includes(column)) {
      errors.push({ parameter: 'sort', message: `takes columns among ${sortable(columns).join(', ')}` })
    }
    return { column, descending }
  })
  if (new Set(sort.map(({ column }) => column)).size < sort.length) {
    errors.push({ parameter: 'sort', message: 'names a column twice' })
  }
  if (errors.length > 0) throw invalidQuery(errors.slice(0, 1))
  return sort
}

export function sortable(columns: Columns): readonly string[] {
  return Object.keys(columns).filter((name) => columns[name]?.type !== 'json')
}
