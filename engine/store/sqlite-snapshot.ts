import assert from 'node:assert/strict'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type Build, headOf, statusOf } from './build.ts'
import { type Cell, compareText } from './cells.ts'
import type { SnapshotRow, StoreSnapshot } from './snapshot.ts'
import { loadStore } from './sqlite-load.ts'
import { checkVersion, quoted, SCHEMA_VERSION, stateTable } from './sqlite-schema.ts'

/** For whoever holds a lock that keeps readers out, which is rare. */
const BUSY_TIMEOUT_MS = 5_000

/**
 * A snapshot of a file that a writer on any thread or process keeps. Throws what SQLite throws, and `StoreUnusable` where
 * something isn't there.
 */
export function openSqliteSnapshot(path: string): StoreSnapshot {
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
  try {
    if (checkVersion(db) !== SCHEMA_VERSION) throw new Error('the store was not created yet')
    db.exec('BEGIN')
    return new SqliteSnapshot(db)
  } catch (error) {
    db.close()
    throw error
  }
}

class SqliteSnapshot implements StoreSnapshot {
  readonly checkpoint: StoreSnapshot['checkpoint']
  readonly builds: StoreSnapshot['builds']
  readonly #db: DatabaseSync
  readonly #builds: ReadonlyMap<string, Build>
  readonly #states = new Map<string, StatementSync>()
  readonly #members: StatementSync

  /** Its first read fixes the transaction's snapshot. */
  constructor(db: DatabaseSync) {
    this.#db = db
    const { builds, furthest } = loadStore(db)
    this.#builds = builds
    this.checkpoint = headOf(builds.values(), furthest)
    this.builds = [...builds.values()].map(statusOf)
    this.#members = db.prepare('SELECT identity FROM member WHERE profile = ?')
  }

  columns(build: string): Build['columns'] {
    return this.#build(build).columns
  }

  rows(build: string): Iterable<SnapshotRow> {
    return this.#walk(build, '')
  }

  sortedRows(build: string): Iterable<SnapshotRow> {
    return this.#walk(build, ' ORDER BY "key", part')
  }

  state(build: string, key: string): Uint8Array | undefined {
    const found = this.#stateOf(build).get(key)?.state
    assert(found === undefined || found instanceof Uint8Array)
    return found
  }

  membersOf(profile: string): readonly string[] {
    const found = this.#members.all(profile).map(({ identity }) => String(identity))
    return [...new Set([profile, ...found])].sort(compareText)
  }

  close(): void {
    this.#db.close()
  }

  *#walk(build: string, order: string): Generator<SnapshotRow> {
    const names = this.#build(build).columns.map(([name]) => `, ${quoted(name)}`)
    const statement = this.#db.prepare(`SELECT "key", part${names.join('')} FROM ${quoted(build)}${order}`)
    statement.setReturnArrays(true)
    for (const found of statement.iterate()) yield rowOf(found)
  }

  #stateOf(build: string): StatementSync {
    const known = this.#states.get(build)
    if (known !== undefined) return known
    const table = quoted(stateTable(this.#build(build).build))
    const made = this.#db.prepare(`SELECT state FROM ${table} WHERE "key" = ?`)
    this.#states.set(build, made)
    return made
  }

  #build(name: string): Build {
    const build = this.#builds.get(name)
    assert(build !== undefined, `no such build: ${name}`)
    return build
  }
}

/** With `setReturnArrays` a row is an array, which the types of node:sqlite don't say. */
function rowOf(found: unknown): SnapshotRow {
  assert(Array.isArray(found))
  const [key, part, ...cells]: Cell[] = found
  return { key: String(key), part: String(part), cells }
}
