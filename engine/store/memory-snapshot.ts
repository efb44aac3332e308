import assert from 'node:assert/strict'
import type { Build } from './build.ts'
import { statusOf } from './build.ts'
import { compareText } from './cells.ts'
import type { MemoryData, MemoryTables } from './memory-data.ts'
import type { SnapshotRow, StoreSnapshot } from './snapshot.ts'

/** Copies what the writer will change; rows and states themselves never change. */
export function memorySnapshot(data: MemoryData): StoreSnapshot {
  const builds = new Map(data.builds)
  const tables = new Map<string, MemoryTables>()
  for (const [name, { states, rows }] of data.tables)
    tables.set(name, { states: new Map(states), rows: new Map(rows) })
  const members = new Map([...data.profiles.values()].map((profile) => [profile, data.membersOf(profile)]))
  const table = (name: string): MemoryTables => {
    const found = tables.get(name)
    assert(found !== undefined, `no such build: ${name}`)
    return found
  }
  return {
    checkpoint: data.head(),
    builds: [...builds.values()].map(statusOf),
    columns: (name) => buildOf(builds, name).columns,
    rows: (name) => rowsOf(table(name)),
    sortedRows: (name) => [...rowsOf(table(name))].sort(compareRows),
    state: (name, key) => table(name).states.get(key)?.state,
    membersOf: (profile) => members.get(profile) ?? [profile],
    close: () => undefined,
  }
}

function buildOf(builds: ReadonlyMap<string, Build>, name: string): Build {
  const build = builds.get(name)
  assert(build !== undefined, `no such build: ${name}`)
  return build
}

function* rowsOf({ rows }: MemoryTables): Generator<SnapshotRow> {
  for (const parts of rows.values())
    for (const { cells } of parts.values()) {
      const [key, part, ...others] = cells
      assert(typeof key === 'string' && typeof part === 'string')
      yield { key, part, cells: others }
    }
}

function compareRows(a: SnapshotRow, b: SnapshotRow): number {
  return compareText(a.key, b.key) || compareText(a.part, b.part)
}
