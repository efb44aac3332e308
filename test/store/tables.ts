import type {
  BuildWrite,
  Commit,
  ListQuery,
  StoredRow,
  StoreReader,
  StoreWriter,
  TableSpec,
} from '../../engine/store/store.ts'
import { StoreQueryError } from '../../engine/store/store.ts'
import type { ColumnType, Row } from '../../engine/store/table.ts'

/** Made-up read models: one of each grain, with a column of every type. */

const about = 'made up'

function columns(types: Readonly<Record<string, ColumnType>>) {
  return Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type, about }]))
}

function spec(projection: string, table: TableSpec['table'], version = 1): TableSpec {
  const build = `${projection}__v${version}_c0ffee`
  return { projection, build, version, configuration: 'c0ffee', table }
}

export const THING = spec('thing', {
  grain: 'record',
  columns: columns({
    label: 'text',
    size: 'integer',
    weight: 'real',
    done: 'boolean',
    at: 'instant',
    on_day: 'day',
    amount: 'money',
    extra: 'json',
    owner: 'identity',
  }),
  indexes: [['label'], ['size', 'label'], ['owner']],
  search: ['label'],
})

export const PERSON = spec('person', {
  grain: 'profile',
  columns: columns({ name: 'text', email: 'text', orders: 'integer' }),
  indexes: [['name']],
  search: ['name', 'email'],
})

export const DAILY = spec('daily', {
  grain: 'bucket',
  columns: columns({ day: 'day', source: 'text', events: 'integer', owner: 'identity' }),
  indexes: [],
})

export const SPECS = [THING, PERSON, DAILY] as const

/** A later version of `spec`: `extra` beside its columns. */
export function nextVersion(of: TableSpec, extra: Readonly<Record<string, ColumnType>>): TableSpec {
  return spec(
    of.projection,
    { ...of.table, columns: { ...of.table.columns, ...columns(extra) } },
    of.version + 1,
  )
}

export function serveAll(writer: StoreWriter): void {
  for (const made of SPECS) {
    writer.createBuild(made)
    writer.serve(made.build)
  }
}

/** Of the event that the made-up log has there. */
export function markOf(position: number): string {
  return `event ${position}`
}

export function commitOf(changes: Partial<Commit>): Commit {
  return {
    builds: SPECS.map(({ build }) => build),
    position: 1,
    received: 1_000,
    mark: markOf(changes.position ?? 1),
    writes: [],
    poison: [],
    members: new Map(),
    evidence: [],
    ...changes,
  }
}

/** Rows by key with part ''. */
export function rowsOf(of: TableSpec, rows: Readonly<Record<string, Row>>): BuildWrite {
  const writes = Object.entries(rows).map(([key, row]) => ({ key, rows: new Map([['', row]]) }))
  return { build: of.build, states: [], rows: writes }
}

export function stateOf(of: TableSpec, key: string, bytes: readonly number[], due?: number): BuildWrite {
  return { build: of.build, states: [{ key, state: Uint8Array.from(bytes), due }], rows: [] }
}

/** All pages of a list, one after the other. */
export async function walk(reader: StoreReader, query: ListQuery): Promise<readonly StoredRow[]> {
  const rows: StoredRow[] = []
  let cursor: string | undefined
  do {
    const { value } = await reader.list({ ...query, cursor })
    rows.push(...value.rows)
    cursor = value.next
    if (rows.length > 10_000) throw new Error('the walk has no end')
  } while (cursor !== undefined)
  return rows
}

/** The tag of the failure that a query is refused with; `answered` if it wasn't. */
export async function failureOf(query: Promise<unknown>): Promise<string> {
  try {
    await query
    return 'answered'
  } catch (error) {
    if (error instanceof StoreQueryError) return error.failure._tag
    throw error
  }
}
