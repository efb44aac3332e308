import assert from 'node:assert/strict'
import type { DatabaseSync } from 'node:sqlite'
import type { Build } from './build.ts'
import { columnList } from './cells.ts'
import { StoreUnusable, sqliteCode } from './sqlite-failure.ts'
import { hasSearch, quoted, searchTable, stateTable } from './sqlite-schema.ts'
import type { Checkpoint } from './store.ts'
import type { TableShape } from './table.ts'

/** SQLite's code for a table or column that isn't there. */
const SQLITE_ERROR = 1

interface LoadedStore {
  readonly builds: Map<string, Build>
  /** The furthest that anything was committed. */
  readonly furthest: Checkpoint
}

/**
 * What a writer must know of a file, read with a look at every table: whether all their pages are sound would take
 * too long to find out. Throws `StoreUnusable` if something isn't there or isn't what a writer writes.
 */
export function loadStore(db: DatabaseSync): LoadedStore {
  try {
    const builds = loadBuilds(db)
    for (const build of builds.values()) touchTables(db, build)
    for (const table of ['member', 'evidence', 'evidence_identity', 'poison']) touch(db, table)
    return { builds, furthest: loadHead(db) }
  } catch (error) {
    const code = sqliteCode(error)
    throw code === undefined || code === SQLITE_ERROR ? new StoreUnusable('damaged', error) : error
  }
}

function loadBuilds(db: DatabaseSync): Map<string, Build> {
  const builds = new Map<string, Build>()
  for (const row of db.prepare('SELECT * FROM builds ORDER BY rowid').all()) {
    const shape: TableShape = JSON.parse(String(row.shape))
    builds.set(String(row.build), {
      projection: String(row.projection),
      build: String(row.build),
      version: Number(row.version),
      configuration: String(row.configuration),
      serving: row.serving === 1,
      ...checkpointOf(row),
      shape,
      columns: columnList(shape),
    })
  }
  return builds
}

function loadHead(db: DatabaseSync): Checkpoint {
  const meta = db.prepare('SELECT position, received, mark FROM meta').get()
  assert(meta !== undefined, 'meta has its row')
  const furthest = db
    .prepare('SELECT position, received, mark FROM builds WHERE position > ? ORDER BY position DESC LIMIT 1')
    .get(Number(meta.position))
  return checkpointOf(furthest ?? meta)
}

function checkpointOf({ position, received, mark }: Readonly<Record<string, unknown>>): Checkpoint {
  return { position: Number(position), received: Number(received), mark: String(mark) }
}

function touchTables(db: DatabaseSync, build: Build): void {
  touch(db, build.build)
  touch(db, stateTable(build.build))
  if (hasSearch(build)) touch(db, searchTable(build.build))
}

function touch(db: DatabaseSync, table: string): void {
  db.prepare(`SELECT 1 FROM ${quoted(table)} LIMIT 1`).get()
}
