import assert from 'node:assert/strict'
import { statusOf } from './build.ts'
import { type Cell, compareCells, compareText } from './cells.ts'
import { aggregateRows } from './memory-aggregate.ts'
import type { MemoryData, MemoryRow } from './memory-data.ts'
import type { Comparison, Condition, ListPlan, SortKey, VisibleTable } from './plan.ts'
import type { AggregatePlan } from './plan-aggregate.ts'
import {
  type Catalogue,
  type Figure,
  type Fresh,
  type GetPlan,
  type Got,
  type KeyedCells,
  type QueryEngine,
  STALE,
  type StatesPlan,
} from './query-engine.ts'
import type { Answer, BuildStatus, PoisonEvent, RefusedEvidence } from './store.ts'

/** Each query runs in one turn of the event loop, and so over one snapshot. */
export class MemoryEngine implements QueryEngine {
  readonly #data: MemoryData
  constructor(data: MemoryData) {
    this.#data = data
  }

  async catalogue(): Promise<Catalogue> {
    const { generation, cursorKey, builds } = this.#data
    return { generation, cursorKey, serving: [...builds.values()].filter(({ serving }) => serving) }
  }

  async list(plan: ListPlan, generation: number): Promise<Fresh<readonly KeyedCells[]>> {
    return this.#answer([plan.table.build], generation, () => {
      const cell = cellReader(this.#data, plan.table.build)
      const found = this.#select(plan.table, plan.conditions, plan.words)
      const sorted = found.sort((a, b) => compareRows(plan.order, (row, column) => cell(row, column), a, b))
      const { after } = plan
      const rest =
        after === undefined ? sorted : sorted.filter((row) => isAfter(plan.order, cell, row, after))
      const names = ['key', 'part', ...plan.table.columns.map(([name]) => name)]
      return rest.slice(0, plan.limit).map((row) => names.map((name) => cell(row, name)))
    })
  }

  async aggregate(plan: AggregatePlan, generation: number): Promise<Fresh<readonly (readonly Figure[])[]>> {
    return this.#answer([plan.table.build], generation, () => {
      const cell = cellReader(this.#data, plan.table.build)
      const rows = this.#select(plan.table, plan.conditions, [])
      return aggregateRows(plan, rows, cell, (identity) => this.#data.profileOf(identity))
    })
  }

  async get(plan: GetPlan, generation: number): Promise<Fresh<Got>> {
    const builds = plan.tables.map(({ build }) => build)
    return this.#answer(builds, generation, () => {
      const profile = this.#data.profileOf(plan.key)
      const rows = plan.tables.map(({ build, columns, grain }) => {
        const cell = cellReader(this.#data, build)
        const key = grain === 'profile' ? profile : plan.key
        const parts = this.#data.tables.get(build)?.rows.get(key) ?? new Map()
        const sorted = [...parts.values()].sort((a, b) => compareCells(cell(a, 'part'), cell(b, 'part')))
        const names = ['key', 'part', ...columns.map(([name]) => name)]
        return sorted.map((row) => names.map((name) => cell(row, name)))
      })
      return { profile, members: this.#data.membersOf(profile), rows }
    })
  }

  async states(
    plan: StatesPlan,
    generation: number,
  ): Promise<Fresh<readonly { readonly key: string; readonly state: Uint8Array }[]>> {
    return this.#answer([plan.build], generation, () => {
      const data = this.#data
      const keys = plan.byProfile ? sameProfile(data, [plan.key]) : new Set([plan.key])
      return [...keys].sort(compareText).flatMap((key) => {
        const state = data.tables.get(plan.build)?.states.get(key)?.state
        return state === undefined ? [] : [{ key, state: state.slice() }]
      })
    })
  }

  async members(identities: readonly string[]) {
    const data = this.#data
    const profiles = new Map(identities.map((identity) => [identity, data.profileOf(identity)]))
    const members = new Map([...profiles.values()].map((profile) => [profile, data.membersOf(profile)]))
    return { ...this.#head(), value: { profiles, members } }
  }

  async builds(): Promise<Answer<readonly BuildStatus[]>> {
    const builds = [...this.#data.builds.values()].map(statusOf)
    return { ...this.#head(), value: builds.sort((a, b) => compareText(a.build, b.build)) }
  }

  async poison(limit: number): Promise<Answer<readonly PoisonEvent[]>> {
    const events = [...this.#data.poison.values()]
    events.sort((a, b) => b.position - a.position || compareText(a.build, b.build))
    return { ...this.#head(), value: events.slice(0, limit) }
  }

  async review(after: number, limit: number): Promise<Answer<readonly RefusedEvidence[]>> {
    return { ...this.#head(), value: this.#data.review(after, limit) }
  }

  async position(): Promise<number> {
    return this.#data.head().position
  }

  async close(): Promise<void> {}

  #head(): { readonly position: number; readonly received: number } {
    const { position, received } = this.#data.head()
    return { position, received }
  }

  #answer<T>(builds: readonly string[], generation: number, run: () => T): Fresh<T> {
    if (generation !== this.#data.generation) return STALE
    let reached = this.#head()
    for (const [i, name] of builds.entries()) {
      const build = this.#data.builds.get(name)
      assert(build !== undefined, `no such build: ${name}`)
      if (i === 0 || build.position < reached.position)
        reached = { position: build.position, received: build.received }
    }
    return { ...reached, value: run() }
  }

  #select(table: VisibleTable, conditions: readonly Condition[], words: readonly string[]): MemoryRow[] {
    const cell = cellReader(this.#data, table.build)
    const tests = conditions.map((condition) => conditionTest(this.#data, condition))
    const found: MemoryRow[] = []
    for (const parts of this.#data.tables.get(table.build)?.rows.values() ?? [])
      for (const row of parts.values()) {
        const matches = tests.every((test, i) => test(cell(row, conditions[i]?.column ?? '')))
        if (matches && words.every((word) => row.searchText?.includes(word) === true)) found.push(row)
      }
    return found
  }
}

export type CellReader = (row: MemoryRow, column: string) => Cell

function cellReader(data: MemoryData, build: string): CellReader {
  const names = ['key', 'part', ...(data.builds.get(build)?.columns ?? []).map(([name]) => name)]
  const places = new Map(names.map((name, i) => [name, i]))
  return (row, column) => {
    const cell = row.cells[places.get(column) ?? -1]
    assert(cell !== undefined, `no such column: ${column}`)
    return cell
  }
}

function compareRows(order: readonly SortKey[], cell: CellReader, a: MemoryRow, b: MemoryRow): number {
  for (const { column, descending } of order) {
    const compared = compareCells(cell(a, column), cell(b, column))
    if (compared !== 0) return descending ? -compared : compared
  }
  return 0
}

function isAfter(
  order: readonly SortKey[],
  cell: CellReader,
  row: MemoryRow,
  after: readonly Cell[],
): boolean {
  for (const [i, { column, descending }] of order.entries()) {
    const compared = compareCells(cell(row, column), after[i] ?? null)
    if (compared !== 0) return descending ? compared < 0 : compared > 0
  }
  return false
}

function conditionTest(data: MemoryData, condition: Condition): (cell: Cell) => boolean {
  switch (condition.kind) {
    case 'compare':
      return (cell) => compares(condition.operator, cell, condition.value)
    case 'in': {
      const values = new Set<Cell>(condition.values)
      return (cell) => values.has(cell)
    }
    case 'null':
      return (cell) => (cell === null) === condition.isNull
    case 'person': {
      const ids = sameProfile(data, condition.ids)
      return (cell) => (typeof cell === 'string' && ids.has(cell)) !== condition.negated
    }
  }
}

function compares(operator: Comparison, cell: Cell, value: string | number): boolean {
  if (operator === 'ne') return cell !== value
  if (cell === null) return false
  const compared = compareCells(cell, value)
  switch (operator) {
    case 'eq':
      return compared === 0
    case 'lt':
      return compared < 0
    case 'lte':
      return compared <= 0
    case 'gt':
      return compared > 0
    case 'gte':
      return compared >= 0
  }
}

function sameProfile(data: MemoryData, ids: readonly string[]): ReadonlySet<string> {
  return new Set(ids.flatMap((id) => data.membersOf(data.profileOf(id))))
}
