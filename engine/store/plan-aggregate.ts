import { type Condition, checkLimit, planConditions, refuse, typeOf, type VisibleTable } from './plan.ts'
import type { AggregateQuery } from './store.ts'
import type { ColumnType } from './table.ts'

const NAME_PATTERN = /^[a-z][a-z0-9_]{0,62}$/i
const MAX_GROUPS = 8
const MAX_FIGURES = 32

/** How much of a day (`YYYY-MM-DD`) a month and a year are. */
export const DAY_PREFIX_LENGTH = { month: 7, year: 4 } as const

export interface PlannedGroup {
  /** In the answer. */
  readonly name: string
  readonly column: string
  readonly type: ColumnType
  readonly of: 'month' | 'year' | undefined
}

export type PlannedFigure =
  | { readonly name: string; readonly of: 'count'; readonly column: string | undefined }
  | {
      readonly name: string
      readonly of: 'sum' | 'count_distinct' | 'min' | 'max'
      readonly column: string
      readonly type: ColumnType
    }

export interface AggregatePlan {
  readonly table: VisibleTable
  readonly conditions: readonly Condition[]
  readonly groups: readonly PlannedGroup[]
  readonly figures: readonly PlannedFigure[]
  readonly limit: number
}

export function planAggregate(table: VisibleTable, query: AggregateQuery): AggregatePlan {
  checkLimit(query.limit)
  if (query.by.length > MAX_GROUPS) bad(`at most ${MAX_GROUPS} groups`)
  if (query.figures.length > MAX_FIGURES) bad(`at most ${MAX_FIGURES} figures`)
  const groups = query.by.map((by) => planGroup(table, by))
  const figures = query.figures.map((figure) => planFigure(table, figure))
  const names = [...groups, ...figures].map(({ name }) => name)
  if (names.length === 0) bad('neither groups nor figures')
  for (const name of names) if (!NAME_PATTERN.test(name)) bad('a figure is named by letters, digits and _')
  if (new Set(names).size !== names.length) bad('two groups or figures have the same name')
  return {
    table,
    conditions: planConditions(table, query.filters ?? []),
    groups,
    figures,
    limit: query.limit,
  }
}

function planGroup(table: VisibleTable, by: AggregateQuery['by'][number]): PlannedGroup {
  const { column, of } = by
  const type = typeOf(table, column)
  if (type === 'json') bad(`${column} can't be grouped by`)
  if (of === undefined) return { name: column, column, type, of }
  if (!Object.hasOwn(DAY_PREFIX_LENGTH, of)) bad('a day has a month and a year')
  if (type !== 'day') bad(`${column} isn't a day`)
  return { name: `${column}_${of}`, column, type, of }
}

function planFigure(table: VisibleTable, figure: AggregateQuery['figures'][number]): PlannedFigure {
  const { name, of, column } = figure
  if (of === 'count') {
    if (column !== undefined) typeOf(table, column)
    return { name, of, column }
  }
  if (column === undefined) return bad(`${name} needs a column`)
  const type = typeOf(table, column)
  switch (of) {
    case 'sum':
      if (type !== 'integer' && type !== 'money' && type !== 'real') bad(`${column} can't be summed`)
      return { name, of, column, type }
    case 'min':
    case 'max':
      if (type === 'json' || type === 'boolean' || type === 'identity') bad(`${column} has no order`)
      return { name, of, column, type }
    case 'count_distinct':
      if (type === 'json') bad(`${column} can't be compared`)
      return { name, of, column, type }
    default:
      return bad(`unknown figure ${String(of satisfies never)}`)
  }
}

function bad(why: string): never {
  return refuse({ _tag: 'BadQuery', why })
}
