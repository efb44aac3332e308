import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import { type Cell, compareText, decodeCell, decodeRow } from './cells.ts'
import { openCursor, sealCursor } from './cursor.ts'
import {
  checkLimit,
  MAX_LIMIT,
  planList,
  refuse,
  type SortKey,
  type VisibleTable,
  visibleTable,
} from './plan.ts'
import { type PlannedFigure, type PlannedGroup, planAggregate } from './plan-aggregate.ts'
import { PositionWaiters } from './position-waiters.ts'
import {
  type Catalogue,
  type Figure,
  type Fresh,
  type KeyedCells,
  type QueryEngine,
  STALE,
} from './query-engine.ts'
import {
  type AggregateQuery,
  type Answer,
  type BuildStatus,
  type ListQuery,
  type PoisonEvent,
  type ReadSpec,
  type RefusedEvidence,
  type StoredRow,
  type StoreFailure,
  StoreQueryError,
  type StoreReader,
} from './store.ts'
import type { CellValue, Row } from './table.ts'

const MAX_WAITERS = 1_000

/**
 * Another configuration switches the builds of the whole catalogue, one after the other: more switches than a few times
 * that many during one query are a fault.
 */
const MAX_REPLANS = 100

/** What another build may understand: it may have columns that this one lacks, or of other types. */
const DEPENDS_ON_BUILDS: ReadonlySet<StoreFailure['_tag']> = new Set([
  'NotServing',
  'UnknownColumn',
  'NotSearchable',
  'BadFilter',
  'BadQuery',
  'BadCursor',
] as const)

/** Checks and plans queries for an engine, and turns its cells into rows. */
export class PlanningReader implements StoreReader {
  readonly #engine: QueryEngine
  readonly #specs: ReadonlyMap<string, ReadSpec>
  readonly #waiters: PositionWaiters
  readonly #tables = new WeakMap<Catalogue, Map<string, VisibleTable>>()
  #catalogue: Promise<Catalogue> | undefined
  #closed = false

  constructor(
    engine: QueryEngine,
    specs: readonly ReadSpec[],
    onWait?: ((position: number) => void) | undefined,
  ) {
    this.#engine = engine
    this.#specs = new Map(specs.map((spec) => [spec.projection, spec]))
    this.#waiters = new PositionWaiters(() => engine.position(), MAX_WAITERS, onWait)
  }

  list(query: ListQuery): Promise<Answer<{ rows: readonly StoredRow[]; next: string | undefined }>> {
    return this.#fresh(async (catalogue) => {
      const table = this.#table(catalogue, query.projection)
      const { plan, fingerprint } = planList(table, query)
      const { cursorKey } = catalogue
      const after = openAfter(cursorKey, fingerprint, query.cursor, plan.order.length)
      // One more than asked for tells whether there is a next page.
      const answer = await this.#engine.list({ ...plan, after, limit: query.limit + 1 }, catalogue.generation)
      return mapped(of(table.build, answer), (found) => {
        const page = found.slice(0, query.limit)
        const last = found.length > query.limit ? page.at(-1) : undefined
        const next = last && sealCursor(cursorKey, fingerprint, sortCells(table, plan.order, last))
        return { rows: page.map((cells) => storedRow(table, cells)), next }
      })
    })
  }

  aggregate(query: AggregateQuery): Promise<Answer<readonly Row[]>> {
    return this.#fresh(async (catalogue) => {
      const plan = planAggregate(this.#table(catalogue, query.projection), query)
      const answer = await this.#engine.aggregate(plan, catalogue.generation)
      return mapped(answer, (rows) => rows.map((cells) => figureRow(plan.groups, plan.figures, cells)))
    })
  }

  get(
    projections: readonly string[],
    key: string,
  ): Promise<
    Answer<{
      profile: string
      members: readonly string[]
      rows: ReadonlyMap<string, readonly StoredRow[]>
    }>
  > {
    return this.#fresh(async (catalogue) => {
      checkKey(key)
      const tables = projections.map((projection) => this.#table(catalogue, projection))
      const [only, ...others] = tables
      const asked = await this.#engine.get({ tables, key }, catalogue.generation)
      const answer = only === undefined || others.length > 0 ? asked : of(only.build, asked)
      return mapped(answer, ({ profile, members, rows }) => {
        const entries = tables.map((table, i) => {
          const found = rows[i] ?? []
          return [table.projection, found.map((cells) => storedRow(table, cells))] as const
        })
        return { profile, members: membersOf(profile, members), rows: new Map(entries) }
      })
    })
  }

  states(
    projection: string,
    key: string,
  ): Promise<Answer<readonly { readonly key: string; readonly state: Uint8Array }[]>> {
    return this.#fresh(async (catalogue) => {
      checkKey(key)
      const { build, grain } = this.#table(catalogue, projection)
      const statesOf = this.#specs.get(projection)?.statesOf
      const made = catalogue.serving.find((each) => each.build === build)?.version
      if (statesOf !== undefined && statesOf !== made) return refuse({ _tag: 'NotServing', projection })
      const plan = { build, byProfile: grain === 'profile', key }
      return of(build, await this.#engine.states(plan, catalogue.generation))
    })
  }

  async members(
    identities: readonly string[],
  ): Promise<Answer<ReadonlyMap<string, { readonly profile: string; readonly members: readonly string[] }>>> {
    this.#checkOpen()
    if (identities.length > MAX_LIMIT) refuse({ _tag: 'BadQuery', why: `at most ${MAX_LIMIT} identities` })
    for (const identity of identities) checkKey(identity)
    const { value, ...at } = await this.#engine.members(identities)
    const resolved = identities.map((identity) => {
      const profile = value.profiles.get(identity) ?? identity
      return [identity, { profile, members: membersOf(profile, value.members.get(profile) ?? []) }] as const
    })
    return { ...at, value: new Map(resolved) }
  }

  async builds(): Promise<Answer<readonly BuildStatus[]>> {
    this.#checkOpen()
    return this.#engine.builds()
  }

  async poison(limit: number): Promise<Answer<readonly PoisonEvent[]>> {
    this.#checkOpen()
    checkLimit(limit)
    return this.#engine.poison(limit)
  }

  async review(after: number, limit: number): Promise<Answer<readonly RefusedEvidence[]>> {
    this.#checkOpen()
    checkLimit(limit)
    return this.#engine.review(after, limit)
  }

  waitFor(position: number, timeoutMs: number): Promise<boolean> {
    return this.#waiters.waitFor(position, timeoutMs)
  }

  notifyPosition(position: number): void {
    this.#waiters.notify(position)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#waiters.close(new StoreQueryError({ _tag: 'StoreClosed' }))
    await this.#engine.close()
  }

  /** Runs what was planned by a catalogue, and plans again if that had changed. */
  async #fresh<T>(run: (catalogue: Catalogue) => Promise<Fresh<T>>): Promise<Answer<T>> {
    for (let i = 0; i < MAX_REPLANS; i++) {
      this.#checkOpen()
      const current = this.#load()
      const catalogue = await current
      try {
        const answer = await run(catalogue)
        if (answer !== STALE) return answer
      } catch (error) {
        if (!(await this.#isOutdated(catalogue, error))) throw error
      }
      if (this.#catalogue === current) this.#catalogue = undefined
    }
    return refuse({ _tag: 'StoreUnavailable', why: 'its builds keep changing' })
  }

  #load(): Promise<Catalogue> {
    this.#catalogue ??= this.#engine.catalogue().catch((error) => {
      this.#catalogue = undefined
      throw error
    })
    return this.#catalogue
  }

  /** Whether something was refused for want of what the store may have by now. */
  async #isOutdated(catalogue: Catalogue, error: unknown): Promise<boolean> {
    if (!(error instanceof StoreQueryError)) return false
    if (!DEPENDS_ON_BUILDS.has(error.failure._tag)) return false
    return (await this.#engine.catalogue()).generation !== catalogue.generation
  }

  /** The same object while the catalogue is the same: what is compiled for a table is kept by it. */
  #table(catalogue: Catalogue, projection: string): VisibleTable {
    const tables = this.#tables.get(catalogue) ?? new Map<string, VisibleTable>()
    const known = tables.get(projection)
    if (known !== undefined) return known
    const spec = this.#specs.get(projection)
    if (spec === undefined) return refuse({ _tag: 'UnknownProjection', projection })
    const build = catalogue.serving.find((candidate) => candidate.projection === projection)
    if (build === undefined) return refuse({ _tag: 'NotServing', projection })
    const table = visibleTable(spec, build)
    this.#tables.set(catalogue, tables.set(projection, table))
    return table
  }

  #checkOpen(): void {
    if (this.#closed) refuse({ _tag: 'StoreClosed' })
  }
}

function of<A>(build: string, answer: Fresh<A>): Fresh<A> {
  return answer === STALE ? STALE : { ...answer, build }
}

function mapped<A, B>(answer: Fresh<A>, f: (value: A) => B): Fresh<B> {
  return answer === STALE ? STALE : { ...answer, value: f(answer.value) }
}

/** Sorted; its own id is always among them. */
function membersOf(profile: string, known: readonly string[]): readonly string[] {
  const all = known.includes(profile) ? [...known] : [...known, profile]
  return all.sort(compareText)
}

/** What no store could have taken as a key must not be bent into one that it has. */
function checkKey(key: string): void {
  if (!key.isWellFormed()) refuse({ _tag: 'BadQuery', why: 'a key holds a lone surrogate' })
}

function openAfter(key: Uint8Array, query: Buffer, cursor: string | undefined, count: number) {
  if (cursor === undefined) return undefined
  const opened = openCursor(key, query, cursor, count)
  return E.isLeft(opened) ? refuse({ _tag: 'BadCursor', why: opened.left }) : opened.right
}

function sortCells(table: VisibleTable, order: readonly SortKey[], cells: KeyedCells): readonly Cell[] {
  const names = ['key', 'part', ...table.columns.map(([name]) => name)]
  return order.map(({ column }) => cells[names.indexOf(column)] ?? null)
}

function storedRow(table: VisibleTable, cells: KeyedCells): StoredRow {
  const [key, part] = cells
  assert(typeof key === 'string' && typeof part === 'string', 'a row has a key and a part')
  return { key, part, row: decodeRow(table.columns, cells, 2) }
}

function figureRow(
  groups: readonly PlannedGroup[],
  figures: readonly PlannedFigure[],
  cells: readonly Figure[],
): Row {
  const row: Record<string, CellValue> = {}
  const sums = figures.filter(({ of }) => of === 'sum').map(({ name }) => name)
  for (const [i, { name, type, of }] of groups.entries())
    row[name] = decodeCell(of === undefined ? type : 'text', safe(cells[i] ?? null, sums))
  for (const [i, figure] of figures.entries()) {
    const cell = safe(cells[groups.length + i] ?? null, sums)
    const extreme = figure.of === 'min' || figure.of === 'max'
    row[figure.name] = extreme ? decodeCell(figure.type, cell) : cell
  }
  return row
}

/** Only sums leave the safe integers, or the finite numbers: everything else was checked when it was written. */
function safe(cell: Figure, sums: readonly string[]): Cell {
  if (cell === null || typeof cell === 'string') return cell
  const number = Number(cell)
  const exact = typeof cell === 'bigint' ? Number.isSafeInteger(number) : Number.isFinite(number)
  return exact ? number : refuse({ _tag: 'Overflow', figures: sums })
}
