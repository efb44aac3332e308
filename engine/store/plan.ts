import * as E from 'fp-ts/lib/Either.js'
import type { Build } from './build.ts'
import type { Cell, ColumnList } from './cells.ts'
import { coerce, coerceBoolean } from './coerce.ts'
import { fingerprint } from './cursor.ts'
import { MAX_SEARCH_LENGTH, MAX_SEARCH_WORDS, searchWords } from './search-text.ts'
import { type Filter, type ListQuery, type ReadSpec, type StoreFailure, StoreQueryError } from './store.ts'
import type { ColumnType, Grain } from './table.ts'

/** Queries checked against what they ask of: names are known, values typed. Stores run plans, never queries. */

export const MAX_LIMIT = 10_000
const MAX_FILTERS = 32
const MAX_SORT_COLUMNS = 8
const MAX_LIST_VALUES = 1_000

/** A build as queries see it. */
export interface VisibleTable {
  readonly projection: string
  readonly build: string
  readonly grain: Grain
  readonly columns: ColumnList
  /** `columns`, and `key` and `part`. */
  readonly types: ReadonlyMap<string, ColumnType>
  readonly searchable: boolean
}

export type Comparison = 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte'

export type Condition =
  | {
      readonly kind: 'compare'
      readonly column: string
      readonly operator: Comparison
      readonly value: string | number
    }
  | { readonly kind: 'in'; readonly column: string; readonly values: readonly (string | number)[] }
  | { readonly kind: 'null'; readonly column: string; readonly isNull: boolean }
  /** Is it one of those who share a profile with one of `ids`? Null isn't. */
  | {
      readonly kind: 'person'
      readonly column: string
      readonly ids: readonly string[]
      readonly negated: boolean
    }

export interface SortKey {
  readonly column: string
  readonly descending: boolean
  readonly nullable: boolean
}

export interface ListPlan {
  readonly table: VisibleTable
  readonly conditions: readonly Condition[]
  readonly words: readonly string[]
  /** Total: it ends with `key` and `part`. */
  readonly order: readonly SortKey[]
  /** Only rows after these values of `order`. */
  readonly after: readonly Cell[] | undefined
  readonly limit: number
}

/**
 * What the code knows and the serving build has alike; while a new version is built, that may be less than either. Of what
 * workspaces may add to, also what the code doesn't know.
 */
export function visibleTable(
  spec: ReadSpec,
  build: Pick<Build, 'build' | 'columns' | 'shape'>,
): VisibleTable {
  const { isExtensible = false } = spec
  const columns = build.columns.filter(([name, type]) =>
    Object.hasOwn(spec.table.columns, name) ? spec.table.columns[name]?.type === type : isExtensible,
  )
  const grain = build.shape.grain
  const types = new Map<string, ColumnType>(columns)
  types.set('key', grain === 'profile' ? 'identity' : 'text')
  types.set('part', 'text')
  const isMeant = isExtensible || (spec.table.search ?? []).length > 0
  const searchable = (build.shape.search ?? []).length > 0 && isMeant
  return { projection: spec.projection, build: build.build, grain, columns, types, searchable }
}

export function refuse(failure: StoreFailure): never {
  throw new StoreQueryError(failure)
}

export function typeOf(table: VisibleTable, column: string): ColumnType {
  const type = table.types.get(column)
  if (type === undefined) refuse({ _tag: 'UnknownColumn', column, known: [...table.types.keys()] })
  return type
}

export function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    refuse({ _tag: 'BadQuery', why: `a limit is an integer from 1 to ${MAX_LIMIT}` })
}

/** Without its place (`after`), and with the fingerprint that binds a cursor to it. */
export function planList(
  table: VisibleTable,
  query: ListQuery,
): { readonly plan: ListPlan; readonly fingerprint: Buffer } {
  checkLimit(query.limit)
  const conditions = planConditions(table, query.filters ?? [])
  const words = planSearch(table, query.search)
  const order = planOrder(table, query.sort ?? [])
  return {
    plan: { table, conditions, words, order, after: undefined, limit: query.limit },
    fingerprint: fingerprint([
      table.projection,
      conditions,
      words,
      order,
      order.map(({ column }) => typeOf(table, column)),
    ]),
  }
}

function planSearch(table: VisibleTable, search: string | undefined): readonly string[] {
  if (search === undefined) return []
  if (!table.searchable) refuse({ _tag: 'NotSearchable', projection: table.projection })
  if (search.length > MAX_SEARCH_LENGTH)
    refuse({ _tag: 'BadQuery', why: `a search holds at most ${MAX_SEARCH_LENGTH} characters` })
  if (!search.isWellFormed()) refuse({ _tag: 'BadQuery', why: 'the search holds a lone surrogate' })
  const words = searchWords(search)
  if (words.length > MAX_SEARCH_WORDS)
    refuse({ _tag: 'BadQuery', why: `a search holds at most ${MAX_SEARCH_WORDS} words` })
  return words
}

function planOrder(table: VisibleTable, sort: NonNullable<ListQuery['sort']>): readonly SortKey[] {
  if (sort.length > MAX_SORT_COLUMNS)
    refuse({ _tag: 'BadQuery', why: `at most ${MAX_SORT_COLUMNS} sort columns` })
  const order: SortKey[] = []
  for (const { column, descending } of sort) {
    if (typeOf(table, column) === 'json') refuse({ _tag: 'BadQuery', why: `${column} can't be sorted by` })
    if (order.some((known) => known.column === column))
      refuse({ _tag: 'BadQuery', why: `${column} is sorted by twice` })
    order.push({ column, descending, nullable: column !== 'key' && column !== 'part' })
  }
  const descending = order.at(-1)?.descending ?? false
  for (const column of ['key', 'part'])
    if (!order.some((known) => known.column === column)) order.push({ column, descending, nullable: false })
  return order
}

export function planConditions(table: VisibleTable, filters: readonly Filter[]): readonly Condition[] {
  if (filters.length > MAX_FILTERS) refuse({ _tag: 'BadQuery', why: `at most ${MAX_FILTERS} filters` })
  return filters.map((filter) => planCondition(typeOf(table, filter.column), filter))
}

function planCondition(type: ColumnType, filter: Filter): Condition {
  const { column, operator } = filter
  switch (operator) {
    case 'null': {
      const isNull = coerceBoolean(filter.value)
      return isNull === undefined
        ? badFilter(column, 'expected true or false')
        : { kind: 'null', column, isNull }
    }
    case 'in':
      return type === 'identity'
        ? { kind: 'person', column, ids: listValues(type, filter).map(String), negated: false }
        : { kind: 'in', column, values: listValues(type, filter) }
    case 'eq':
    case 'ne':
      if (type === 'identity') {
        const ids = [String(value(type, column, filter.value))]
        return { kind: 'person', column, ids, negated: operator === 'ne' }
      }
      return { kind: 'compare', column, operator, value: value(type, column, filter.value) }
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      if (type === 'identity' || type === 'boolean') badFilter(column, `${type} columns have no order`)
      return { kind: 'compare', column, operator, value: value(type, column, filter.value) }
    default:
      return badFilter(column, `unknown operator ${String(operator satisfies never)}`)
  }
}

function listValues(type: ColumnType, filter: Filter): readonly (string | number)[] {
  const values = filter.value
  if (!Array.isArray(values)) return badFilter(filter.column, 'expected a list')
  if (values.length > MAX_LIST_VALUES)
    badFilter(filter.column, `a list holds at most ${MAX_LIST_VALUES} values`)
  return values.map((element) => value(type, filter.column, element))
}

function value(type: ColumnType, column: string, given: unknown): string | number {
  if (given === null) badFilter(column, 'null is asked for with the operator null')
  const coerced = coerce(type, given)
  return E.isLeft(coerced) ? badFilter(column, coerced.left) : coerced.right
}

function badFilter(column: string, why: string): never {
  return refuse({ _tag: 'BadFilter', column, why })
}
