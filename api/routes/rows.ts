import { strict as assert } from 'node:assert'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { Answer, Filter, ListQuery, StoredRow, StoreReader } from '../../engine/store/store.ts'
import { StoreQueryError } from '../../engine/store/store.ts'
import type { Column } from '../../engine/store/table.ts'
import type { ApiDeps } from '../deps.ts'
import { problemOfStore } from '../problem.ts'
import type { ProfileOf } from './cells.ts'
import { identitiesIn, presentRow } from './cells.ts'
import { findIdentity, findStated, resolveIdentity } from './identities.ts'
import { shownBy } from './served.ts'

/** Rows of read models, asked for and shown. */

export type ShownRow = Readonly<Record<string, unknown>>

/** What every row has besides its columns. */
const RESERVED = ['id', 'part']

/** The columns as readers name them: a row's key is its `id`, a profile's any of its identities. */
export function shownColumns({ table }: AnyProjection): Readonly<Record<string, Column>> {
  const type = table.grain === 'profile' ? 'identity' : 'text'
  return { id: { type, about: 'What the row is about.' }, ...table.columns }
}

/** As the store names it. */
function storedName(column: string): string {
  return column === 'id' ? 'key' : column
}

/** Start-up check: what we add to rows and queries must not hide a column. */
export function assertNoReserved(projection: AnyProjection, parameters: readonly string[]): void {
  for (const name of [...RESERVED, ...parameters]) {
    assert.ok(!Object.hasOwn(projection.table.columns, name), `${projection.name} has a column ${name}`)
  }
}

/** Runs a query; what the store refuses becomes a problem. */
export async function ask<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (error) {
    if (error instanceof StoreQueryError) throw problemOfStore(error.failure)
    throw error
  }
}

/** Filters on people may say `email:someone@example.com`; a person that nobody knows matches nothing. */
export function resolveFilters(
  deps: ApiDeps,
  projection: AnyProjection,
  filters: readonly Filter[],
): readonly Filter[] {
  const resolve = (value: unknown) =>
    typeof value === 'string' && value.includes(':') ? (findStated(deps, value) ?? NOBODY) : value
  const columns = shownColumns(projection)
  return filters.map((stated) => {
    const filter = { ...stated, column: storedName(stated.column) }
    const type = columns[stated.column]?.type
    if (type !== 'identity' || filter.operator === 'null') return filter
    const { value } = filter
    if (typeof value === 'string') return { ...filter, value: findStatedOr(value, resolve) }
    return Array.isArray(value) ? { ...filter, value: value.map(resolve) } : filter
  })
}

const NOBODY = 'nobody'

function findStatedOr(value: string, resolve: (value: unknown) => unknown): string {
  const found = resolve(value)
  return typeof found === 'string' ? found : NOBODY
}

/** Who belongs together, as rows that mention people need to know. */
export interface People {
  readonly store: Pick<StoreReader, 'members'>
}

async function profilesOf(
  deps: People,
  projection: AnyProjection,
  rows: readonly StoredRow[],
): Promise<ProfileOf> {
  const ids = identitiesIn(
    projection.table.columns,
    rows.map(({ row }) => row),
  )
  if (ids.length === 0) return (id) => id
  const members = await ask(() => deps.store.members(ids))
  return (id) => members.value.get(id)?.profile ?? id
}

export async function showRows(
  deps: People,
  projection: AnyProjection,
  rows: readonly StoredRow[],
): Promise<readonly ShownRow[]> {
  const profileOf = await profilesOf(deps, projection, rows)
  return rows.map((row) => presentRow(projection.table.columns, row, profileOf))
}

interface Page {
  readonly rows: readonly ShownRow[]
  readonly next: string | undefined
}

export async function listRows(
  deps: ApiDeps,
  projection: AnyProjection,
  query: ListQuery,
): Promise<Answer<Page>> {
  const filters = resolveFilters(deps, projection, query.filters ?? [])
  const sort = query.sort?.map(({ column, descending }) => ({ column: storedName(column), descending }))
  const answer = await ask(() => deps.store.list({ ...query, filters, sort }))
  // Another build may have come to serve since the query was read.
  const shown = await shownBy(deps, projection.name, answer.build)
  const rows = await showRows(deps, shown, answer.value.rows)
  return { ...answer, value: { rows, next: answer.value.next } }
}

/** What a view says of its keys. */
export interface Keyed {
  /** Namespace of the identity that a row's key is, so that the sender's own id finds it too. */
  readonly namespace?: string | undefined
}

/** The keys that an id may mean: a key, an identity id, `namespace:value`, or the sender's own id. */
export function candidateKeys(
  deps: ApiDeps,
  { namespace }: Keyed,
  { table }: AnyProjection,
  id: string,
): readonly string[] {
  const keys =
    table.grain === 'profile'
      ? [resolveIdentity(deps, id)]
      : [id, findStated(deps, id), namespace === undefined ? undefined : findIdentity(deps, namespace, id)]
  return keys.filter((key) => key !== undefined)
}
