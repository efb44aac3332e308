import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { Build } from './build.ts'
import { CURSOR_KEY_BYTES } from './cursor.ts'
import { StoreUnusable } from './sqlite-failure.ts'
import type { ColumnType } from './table.ts'

/**
 * What a read-model file looks like. Everything here is `STRICT`, and integers are declared: node:sqlite binds numbers
 * as doubles, which a declared INTEGER turns back without loss.
 */

/** In `user_version`. Files of a smaller one are rebuilt from the log, so nothing is ever migrated. */
export const SCHEMA_VERSION = 4

/** In `application_id`: `Hdwt`. */
const APPLICATION_ID = 0x48647774

export class StoreVersionError extends Error {
  readonly found: number
  constructor(found: number) {
    super(`the store has schema version ${found}, this program knows ${SCHEMA_VERSION}: use a newer program`)
    this.name = 'StoreVersionError'
    this.found = found
  }
}

/**
 * - `meta`: one row. `position`, `received` and `mark` are what all serving builds have reached; `generation` rises
 *   whenever another build serves, from a number that no file before it has had; `cursor_key` seals cursors.
 * - `builds`: `shape` is the JSON of the table's description, so that queries know what a build looks like whatever
 *   the code has come to since.
 * - `member`: identities that stand alone need no row.
 */
const STORE_DDL = `
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL, received INTEGER NOT NULL,
  mark TEXT NOT NULL, generation INTEGER NOT NULL, cursor_key BLOB NOT NULL
) STRICT;
CREATE TABLE builds (
  build TEXT PRIMARY KEY, projection TEXT NOT NULL, version INTEGER NOT NULL, configuration TEXT NOT NULL,
  serving INTEGER NOT NULL, position INTEGER NOT NULL, received INTEGER NOT NULL,
  mark TEXT NOT NULL, shape TEXT NOT NULL
) STRICT;
CREATE TABLE member (identity TEXT PRIMARY KEY, profile TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX member_profile ON member (profile);
CREATE TABLE evidence (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, bytes BLOB NOT NULL, refused INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_refused ON evidence (number) WHERE refused = 1;
CREATE TABLE evidence_identity (
  identity TEXT NOT NULL, evidence INTEGER NOT NULL, PRIMARY KEY (identity, evidence)
) STRICT, WITHOUT ROWID;
CREATE TABLE poison (
  build TEXT NOT NULL, position INTEGER NOT NULL, type TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (build, position)
) STRICT, WITHOUT ROWID;
`

/**
 * A commit is durable against the process's end at once and against the machine's after the next checkpoint of the
 * WAL (`synchronous = NORMAL`): the log is the truth, state and checkpoint are of one transaction, so what a power cut
 * takes back is folded again. The WAL grows to 160 MB and by one commit more (see `WalWatch` where others copy it): hot pages then reach the file
 * once for many commits. It keeps up to 256 MB: to cut it off and let it grow again costs as much as to write it. What tables forget is
 * overwritten, for erasure.
 */
const WRITER_PRAGMAS = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -98304;
PRAGMA wal_autocheckpoint = 40000;
PRAGMA journal_size_limit = 268435456;
`

export function openSchema(db: DatabaseSync): void {
  const version = checkVersion(db)
  db.exec(WRITER_PRAGMAS)
  if (version === SCHEMA_VERSION) return
  db.exec('BEGIN IMMEDIATE')
  db.exec(STORE_DDL)
  db.prepare("INSERT INTO meta VALUES (1, 0, 0, '', ?, ?)").run(
    randomInt(2 ** 47),
    randomBytes(CURSOR_KEY_BYTES),
  )
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
  db.exec('COMMIT')
}

/** 0 in an empty file. Throws `StoreVersionError`, `StoreUnusable`, or an error if the file is somebody else's. */
export function checkVersion(db: DatabaseSync): number {
  const version = pragma(db, 'user_version')
  const application = pragma(db, 'application_id')
  const isOurs = application === APPLICATION_ID && version > 0
  if (isOurs && version > SCHEMA_VERSION) throw new StoreVersionError(version)
  if (isOurs && version < SCHEMA_VERSION) throw new StoreUnusable('older')
  const isEmpty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
  if (!isOurs && !isEmpty) throw new Error('the file is a database of another program')
  return isOurs ? version : 0
}

function pragma(db: DatabaseSync, name: 'user_version' | 'application_id'): number {
  const value = db.prepare(`PRAGMA ${name}`).get()?.[name]
  assert(typeof value === 'number')
  return value
}

/** Callers pass names that `newBuild` has checked. */
export function quoted(name: string): string {
  assert(/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name), `bad identifier: ${name}`)
  return `"${name}"`
}

export function stateTable(build: string): string {
  return `${build}__state`
}

export function searchTable(build: string): string {
  return `${build}__search`
}

export function hasSearch(build: Pick<Build, 'shape'>): boolean {
  return (build.shape.search ?? []).length > 0
}

const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  text: 'TEXT',
  integer: 'INTEGER',
  real: 'REAL',
  boolean: 'INTEGER',
  instant: 'INTEGER',
  day: 'TEXT',
  money: 'INTEGER',
  json: 'TEXT',
  identity: 'TEXT',
}

/** A build's tables. `_row` is declared because the full-text index refers to it: implicit row ids may change. */
export function buildDdl(build: Build): string {
  const table = quoted(build.build)
  const state = quoted(stateTable(build.build))
  const columns = build.columns.map(([name, type]) => `, ${quoted(name)} ${SQL_TYPES[type]}`).join('')
  const search = hasSearch(build) ? ', _search TEXT' : ''
  const statements = [
    `CREATE TABLE ${table} (_row INTEGER PRIMARY KEY, "key" TEXT NOT NULL, part TEXT NOT NULL${columns}${search}, UNIQUE ("key", part)) STRICT`,
    `CREATE TABLE ${state} (_row INTEGER PRIMARY KEY, "key" TEXT NOT NULL UNIQUE, state BLOB NOT NULL, due INTEGER) STRICT`,
    `CREATE INDEX ${quoted(`${build.build}__due`)} ON ${state} (due, "key") WHERE due IS NOT NULL`,
    indexesDdl(build),
  ]
  return statements.join(';\n') + (hasSearch(build) ? searchDdl(build.build) : '')
}

/** The indexes that its table asks for, as far as they aren't there. */
export function indexesDdl(build: Build): string {
  return build.shape.indexes.map((names, i) => indexDdl(build, names, i)).join(';\n')
}

export function dropIndexesDdl({ build, shape }: Build): string {
  return shape.indexes.map((_, i) => `DROP INDEX IF EXISTS ${quoted(indexName(build, i))}`).join(';\n')
}

export function hasIndexes(db: DatabaseSync, { build, shape }: Build): boolean {
  const found = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?")
  return shape.indexes.every((_, i) => found.get(indexName(build, i)) !== undefined)
}

function indexName(build: string, number: number): string {
  return `${build}__index_${number}`
}

/**
 * Ending in the tie-breakers of every list, an index gives pages in order without sorting. Instants hardly ever tie, and
 * the newest of them change with every event: those indexes go without, at a third of the size.
 */
function indexDdl({ build, shape }: Build, names: readonly string[], number: number): string {
  const isInstant = shape.columns[names.at(-1) ?? '']?.type === 'instant'
  const columns = [...names, ...(isInstant ? [] : ['key', 'part'])].map(quoted).join(', ')
  return `CREATE INDEX IF NOT EXISTS ${quoted(indexName(build, number))} ON ${quoted(build)} (${columns})`
}

/**
 * Trigrams of folded text: people are found by what stands inside of a name or an address, in any script, and no
 * query can be FTS5 syntax. Folding is ours (`search-text.ts`), so that every store folds alike; hence
 * `case_sensitive`. The index keeps neither the text nor where in it a trigram stood: queries compare with `_search`.
 * That halves it. Nor does it count rows (`columnsize`), which only ranking needs.
 *
 * It isn't in FTS5's secure-delete mode: that made replacing a text among 40,000 cost 290 µs instead of 18, and
 * more with every row. Deleted entries stay in the file until segments are merged, which `purgeDdl` does at once.
 */
function searchDdl(build: string): string {
  const table = quoted(build)
  const search = quoted(searchTable(build))
  return `;
CREATE VIRTUAL TABLE ${search} USING fts5(_search, content=${table}, content_rowid='_row', tokenize='trigram case_sensitive 1', detail=none, columnsize=0)`
}

/** What people who open the file by hand look at; queries name the build. */
export function viewDdl(build: Build): string {
  const columns = ['key', 'part', ...build.columns.map(([name]) => name)].map(quoted).join(', ')
  return `CREATE VIEW ${quoted(build.projection)} AS SELECT ${columns} FROM ${quoted(build.build)}`
}

export function dropViewDdl(projection: string): string {
  return `DROP VIEW IF EXISTS ${quoted(projection)}`
}

export function dropBuildDdl(build: Build): string {
  const tables = [build.build, stateTable(build.build)].map((name) => `DROP TABLE ${quoted(name)}`)
  // First the index: afterwards its content is gone.
  if (hasSearch(build)) tables.unshift(`DROP TABLE ${quoted(searchTable(build.build))}`)
  return tables.join(';\n')
}

/** Merges what a build's full-text index keeps of deleted text away. About a second for a million people. */
export function purgeDdl(build: Build): string {
  if (!hasSearch(build)) return ''
  const search = quoted(searchTable(build.build))
  return `INSERT INTO ${search} (${search}) VALUES ('optimize')`
}
