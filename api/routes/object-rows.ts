import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { Filter, ListQuery, StoredRow } from '../../engine/store/store.ts'
import type { Column, Row } from '../../engine/store/table.ts'
import type { ApiDeps } from '../deps.ts'
import { resolveFilters } from './rows.ts'

/**
 * Records of one defined object, as readers see them. All objects share the view `custom_record`, whose columns of defined fields
 * have the object's name before theirs; here it is left out, and a row's id is the record's.
 */

export const CUSTOM_RECORDS = 'custom_record'

/** The view's own columns that say which record it is. */
const IDENTIFYING: ReadonlySet<string> = new Set(['object', 'record_id'])

export interface ObjectView {
  readonly object: string
  /** The view with the object's columns alone, by the names that readers know. */
  readonly shown: AnyProjection
  /** Column as readers know it → as the store has it. */
  readonly stored: ReadonlyMap<string, string>
}

export function objectView(projection: AnyProjection, object: string): ObjectView {
  const columns: Record<string, Column> = {}
  const stored = new Map([['id', 'record_id']])
  const prefix = `${object}__`
  for (const [name, column] of Object.entries(projection.table.columns)) {
    const shown = IDENTIFYING.has(name) ? undefined : shownName(name, prefix)
    if (shown === undefined || stored.has(shown)) continue
    columns[shown] = column
    stored.set(shown, name)
  }
  return { object, shown: { ...projection, table: { ...projection.table, columns } }, stored }
}

/** A column of the view as readers of the object's records know it; undefined: they don't. */
export function shownColumn(object: string, column: string): string | undefined {
  return IDENTIFYING.has(column) ? undefined : shownName(column, `${object}__`)
}

/** undefined: it is another object's. A field's name begins with a letter, an object's may end in _. */
function shownName(column: string, prefix: string): string | undefined {
  if (!column.includes('__')) return column
  const rest = column.startsWith(prefix) ? column.slice(prefix.length) : ''
  return /^[a-z]/.test(rest) ? rest : undefined
}

/** The query as the store understands it. */
export function storedQuery(deps: ApiDeps, view: ObjectView, query: ListQuery): ListQuery {
  const { object, shown } = view
  const named = resolveFilters(deps, shown, query.filters ?? [])
  const filters: readonly Filter[] = [
    { column: 'object', operator: 'eq', value: object },
    ...named.map((filter) => ({ ...filter, column: storedName(view, filter.column) })),
  ]
  const sort = query.sort?.map(({ column, descending }) => ({ column: storedName(view, column), descending }))
  return { ...query, filters, sort }
}

function storedName({ stored }: ObjectView, column: string): string {
  return stored.get(column === 'key' ? 'id' : column) ?? column
}

/** The row as `showRows` takes it. */
export function objectRow({ object, stored }: ObjectView, { key, part, row }: StoredRow): StoredRow {
  const shown: Record<string, Row[string]> = {}
  for (const [name, column] of stored) {
    const value = row[column]
    if (value !== undefined) shown[name] = value
  }
  return { key: recordIdOf(object, key), part, row: shown }
}

export function keyOf(object: string, id: string): string {
  return `${object}:${id}`
}

export function recordIdOf(object: string, key: string): string {
  return key.slice(object.length + 1)
}

/** An explanation's fields by the names that readers know. */
export function objectFields<T>(
  view: ObjectView,
  fields: Readonly<Record<string, T>>,
): Readonly<Record<string, T>> {
  const shown = [...view.stored].flatMap(([name, column]) => {
    const found = Object.hasOwn(fields, column) ? fields[column] : undefined
    return found === undefined || name === 'id' ? [] : [[name, found] as const]
  })
  return Object.fromEntries(shown)
}
