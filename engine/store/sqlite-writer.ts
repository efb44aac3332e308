import assert from 'node:assert/strict'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import {
  advanced,
  type Build,
  checkCommit,
  headOf,
  newBuild,
  type StoreHead,
  served,
  statusOf,
} from './build.ts'
import { checkedText, columnList, compareText } from './cells.ts'
import { cachedStatements, SqliteBuild } from './sqlite-build.ts'
import { buildDdl, dropBuildDdl, dropViewDdl, openSchema, purgeDdl, viewDdl } from './sqlite-schema.ts'
import type { BuildStatus, Commit, StoreWriter, TableSpec } from './store.ts'
import type { TableShape } from './table.ts'

/** Others only ever hold the file's write lock while they recover a WAL. */
const BUSY_TIMEOUT_MS = 5_000

/** Readers' snapshots are short; folding shouldn't wait for one that isn't. */
const PURGE_TIMEOUT_MS = 200

/**
 * Opens the read models in a file, creating it if it is absent. Throws `StoreVersionError` if a newer program wrote
 * it. Nobody else may write it at the same time.
 */
export function openSqliteWriter(path: string): StoreWriter {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    openSchema(db)
    return new SqliteWriter(db)
  } catch (error) {
    db.close()
    throw error
  }
}

class SqliteWriter implements StoreWriter {
  readonly #db: DatabaseSync
  readonly #statement: (sql: string) => StatementSync
  #builds: Map<string, Build>
  readonly #tables = new Map<string, SqliteBuild>()
  /** The furthest that anything was committed. */
  #furthest: StoreHead

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#statement = cachedStatements(db)
    this.#builds = loadBuilds(db)
    this.#furthest = loadHead(db)
    for (const build of this.#builds.values()) this.#tables.set(build.build, new SqliteBuild(db, build))
  }

  checkpoint(): StoreHead {
    return headOf(this.#builds.values(), this.#furthest)
  }

  builds(): readonly BuildStatus[] {
    return [...this.#builds.values()].map(statusOf)
  }

  createBuild(spec: TableSpec): void {
    const build = newBuild(spec)
    const { projection, build: name, version, configuration, shape } = build
    assert(!this.#builds.has(name), `build exists: ${name}`)
    this.#transaction(() => {
      this.#db.exec(buildDdl(build))
      this.#statement('INSERT INTO builds VALUES (?, ?, ?, ?, 0, 0, 0, ?)').run(
        name,
        projection,
        version,
        checkedText('configuration', configuration),
        JSON.stringify(shape),
      )
    })
    this.#builds.set(name, build)
    this.#tables.set(name, new SqliteBuild(this.#db, build))
  }

  serve(build: string): void {
    const next = served(this.#builds, build)
    const chosen = next.get(build)
    assert(chosen !== undefined)
    this.#transaction(() => {
      this.#db.exec(dropViewDdl(chosen.projection))
      this.#db.exec(viewDdl(chosen))
      this.#statement('UPDATE builds SET serving = 1 WHERE build = ?').run(build)
      this.#dropAllBut(next)
      this.#newGeneration(next)
    })
    this.#setBuilds(next)
  }

  dropBuild(build: string): void {
    const dropped = this.#builds.get(build)
    assert(dropped !== undefined, `no such build: ${build}`)
    const next = new Map(this.#builds)
    next.delete(build)
    this.#transaction(() => {
      if (dropped.serving) this.#db.exec(dropViewDdl(dropped.projection))
      this.#dropAllBut(next)
      this.#newGeneration(next)
    })
    this.#setBuilds(next)
  }

  state(build: string, key: string): Uint8Array | undefined {
    return this.#table(build).state(key)
  }

  due(build: string, at: number): readonly { readonly key: string; readonly due: number }[] {
    return this.#table(build).due(at)
  }

  nextDue(): number | undefined {
    let next: number | undefined
    for (const table of this.#tables.values()) {
      const due = table.nextDue()
      if (due !== undefined && (next === undefined || due < next)) next = due
    }
    return next
  }

  profileOf(identity: string): string | undefined {
    const found = this.#statement('SELECT profile FROM member WHERE identity = ?').get(identity)
    return found === undefined ? undefined : String(found.profile)
  }

  membersOf(profile: string): readonly string[] {
    const found = this.#statement('SELECT identity FROM member WHERE profile = ?').all(profile)
    return [...new Set([profile, ...found.map(({ identity }) => String(identity))])].sort(compareText)
  }

  evidenceOf(identity: string): readonly { readonly id: string; readonly bytes: Uint8Array }[] {
    const sql =
      'SELECT id, bytes FROM evidence_identity JOIN evidence ON number = evidence WHERE identity = ?'
    return this.#statement(sql)
      .all(identity)
      .map(({ id, bytes }) => {
        assert(bytes instanceof Uint8Array)
        return { id: String(id), bytes }
      })
  }

  commit(commit: Commit): void {
    checkCommit(commit, this.#builds)
    const next = advanced(this.#builds, commit)
    const furthest = commit.position < this.#furthest.position ? this.#furthest : commit
    this.#transaction(() => {
      for (const { build, states, rows } of commit.writes) {
        const table = this.#table(build)
        for (const write of states) table.writeState(write)
        for (const write of rows) table.writeRows(write)
      }
      for (const { build } of commit.writes) this.#table(build).indexSearch()
      this.#writePeople(commit)
      this.#writePoison(commit)
      const checkpoint = this.#statement('UPDATE builds SET position = ?, received = ? WHERE build = ?')
      for (const build of commit.builds) checkpoint.run(commit.position, commit.received, build)
      const head = headOf(next.values(), furthest)
      this.#statement('UPDATE meta SET position = ?, received = ?').run(head.position, head.received)
    })
    this.#builds = next
    this.#furthest = { position: furthest.position, received: furthest.received }
  }

  purge(): boolean {
    this.#transaction(() => {
      for (const build of this.#builds.values()) this.#db.exec(purgeDdl(build))
    })
    this.#db.exec(`PRAGMA busy_timeout = ${PURGE_TIMEOUT_MS}`)
    const result = this.#db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
    this.#db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    return result?.busy === 0
  }

  close(): void {
    this.#db.close()
  }

  #table(build: string): SqliteBuild {
    const table = this.#tables.get(build)
    assert(table !== undefined, `no such build: ${build}`)
    return table
  }

  #writePeople(commit: Commit): void {
    const member = this.#statement(
      'INSERT INTO member VALUES (?, ?) ON CONFLICT (identity) DO UPDATE SET profile = excluded.profile',
    )
    for (const [identity, profile] of commit.members)
      member.run(checkedText('identity', identity), checkedText('profile', profile))
    const evidence = this.#statement(
      'INSERT INTO evidence (id, bytes) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes',
    )
    const names = this.#statement(
      'INSERT INTO evidence_identity SELECT ?, number FROM evidence WHERE id = ? ON CONFLICT DO NOTHING',
    )
    for (const { id, identities, bytes } of commit.evidence) {
      evidence.run(checkedText('evidence', id), bytes)
      for (const identity of identities) names.run(checkedText('identity', identity), id)
    }
  }

  /** Reasons may quote anything; losing one for a broken character would help nobody. */
  #writePoison(commit: Commit): void {
    const poison = this.#statement(
      'INSERT INTO poison VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET type = excluded.type, reason = excluded.reason',
    )
    for (const { build, position, type, reason } of commit.poison)
      poison.run(build, position, type.toWellFormed(), reason.toWellFormed())
  }

  #dropAllBut(kept: ReadonlyMap<string, Build>): void {
    for (const build of this.#builds.values())
      if (!kept.has(build.build)) {
        this.#db.exec(dropBuildDdl(build))
        this.#statement('DELETE FROM poison WHERE build = ?').run(build.build)
        this.#statement('DELETE FROM builds WHERE build = ?').run(build.build)
      }
  }

  #newGeneration(next: ReadonlyMap<string, Build>): void {
    const head = headOf(next.values(), this.#furthest)
    const sql = 'UPDATE meta SET generation = generation + 1, position = ?, received = ?'
    this.#statement(sql).run(head.position, head.received)
  }

  #setBuilds(next: Map<string, Build>): void {
    this.#builds = next
    for (const name of this.#tables.keys()) if (!next.has(name)) this.#tables.delete(name)
  }

  #transaction(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#db.exec('COMMIT')
    } catch (error) {
      // A full disk may have rolled it back already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      for (const table of this.#tables.values()) table.discardSearch()
      throw error
    }
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
      position: Number(row.position),
      received: Number(row.received),
      shape,
      columns: columnList(shape),
    })
  }
  return builds
}

function loadHead(db: DatabaseSync): StoreHead {
  const furthest = db
    .prepare(
      'SELECT position, received FROM meta UNION ALL SELECT position, received FROM builds ORDER BY 1 DESC LIMIT 1',
    )
    .get()
  assert(furthest !== undefined)
  return { position: Number(furthest.position), received: Number(furthest.received) }
}
