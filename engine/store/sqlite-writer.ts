import assert from 'node:assert/strict'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import {
  advanced,
  type Build,
  checkCommit,
  furthestOf,
  headOf,
  NEW_STORE,
  newBuild,
  served,
  statusOf,
} from './build.ts'
import { checkedText, compareText } from './cells.ts'
import { CacheBudget } from './packed-cache.ts'
import type { StoreSnapshot } from './snapshot.ts'
import { cachedStatements, SqliteBuild } from './sqlite-build.ts'
import type { Checkpoints } from './sqlite-checkpoints.ts'
import { isDamaged, StoreUnusable } from './sqlite-failure.ts'
import { loadStore } from './sqlite-load.ts'
import { buildDdl, dropBuildDdl, dropViewDdl, openSchema, purgeDdl, viewDdl } from './sqlite-schema.ts'
import { openSqliteSnapshot } from './sqlite-snapshot.ts'
import { WalWatch } from './sqlite-wal.ts'
import type { BuildStatus, Checkpoint, Commit, StoreWriter, TableSpec } from './store.ts'

/** Others only ever hold the file's write lock while they recover a WAL. */
const BUSY_TIMEOUT_MS = 5_000

/** States and rows kept in memory, of all builds together. */
const CACHE_BYTES = 128 * 1024 * 1024

/** Readers' snapshots are short; folding shouldn't wait for one that isn't. */
const PURGE_TIMEOUT_MS = 200

/**
 * Opens the read models in a file, creating it if it is absent. Throws `StoreUnusable` if it is damaged or an older
 * program wrote it, and `StoreVersionError` if a newer one did. Nobody else may write it at the same time. With
 * `checkpoints`, which are the caller's to close, commits leave to them what they would do in between.
 */
export function openSqliteWriter(path: string, checkpoints?: Checkpoints): StoreWriter {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    return sqliteWriterOf(db, checkpoints)
  } catch (error) {
    db.close()
    throw isDamaged(error) && !(error instanceof StoreUnusable) ? new StoreUnusable('damaged', error) : error
  }
}

/** The same of a connection, which the writer closes. */
export function sqliteWriterOf(db: DatabaseSync, checkpoints?: Checkpoints): StoreWriter {
  openSchema(db)
  return new SqliteWriter(db, checkpoints && new WalWatch(db, checkpoints))
}

class SqliteWriter implements StoreWriter {
  readonly #db: DatabaseSync
  /** undefined: SQLite itself looks after the WAL, as a part of commits. */
  readonly #wal: WalWatch | undefined
  readonly #statement: (sql: string) => StatementSync
  #builds: Map<string, Build>
  readonly #tables = new Map<string, SqliteBuild>()
  readonly #budget = new CacheBudget(CACHE_BYTES)
  /** The furthest that anything was committed. */
  #furthest: Checkpoint
  /** Reads between commits share one transaction: one of their own each would lock and unlock the file every time. */
  #reading = false
  /** A commit is under way, or another transaction that writes. */
  #writing = false

  constructor(db: DatabaseSync, wal: WalWatch | undefined) {
    this.#db = db
    this.#wal = wal
    this.#statement = cachedStatements(db)
    const { builds, furthest } = loadStore(db)
    this.#builds = builds
    this.#furthest = furthest
    for (const build of this.#builds.values())
      this.#tables.set(build.build, new SqliteBuild(db, build, this.#budget))
  }

  checkpoint(): Checkpoint {
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
      this.#statement('INSERT INTO builds VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)').run(
        name,
        projection,
        version,
        checkedText('configuration', configuration),
        build.position,
        build.received,
        build.mark,
        JSON.stringify(shape),
      )
    })
    this.#builds.set(name, build)
    this.#tables.set(name, new SqliteBuild(this.#db, build, this.#budget))
  }

  serve(build: string, kept: readonly string[] = []): void {
    const next = served(this.#builds, build, kept)
    const chosen = next.get(build)
    assert(chosen !== undefined)
    this.#transaction(() => {
      this.#table(build).makeIndexes()
      this.#db.exec(dropViewDdl(chosen.projection))
      this.#db.exec(viewDdl(chosen))
      const serving = this.#statement('UPDATE builds SET serving = (build = ?) WHERE projection = ?')
      serving.run(build, chosen.projection)
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
    this.#read()
    return this.#table(build).state(key)
  }

  due(build: string, at: number): readonly { readonly key: string; readonly due: number }[] {
    return this.#table(build).due(at)
  }

  keys(build: string, after: string | undefined, limit: number): readonly string[] {
    return this.#table(build).keys(after, limit)
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
    this.#read()
    const found = this.#statement('SELECT profile FROM member WHERE identity = ?').get(identity)
    return found === undefined ? undefined : String(found.profile)
  }

  membersOf(profile: string): readonly string[] {
    this.#read()
    const found = this.#statement('SELECT identity FROM member WHERE profile = ?').all(profile)
    return [...new Set([profile, ...found.map(({ identity }) => String(identity))])].sort(compareText)
  }

  evidenceOf(identity: string): readonly { readonly id: string; readonly bytes: Uint8Array }[] {
    this.#read()
    const sql =
      'SELECT id, bytes FROM evidence_identity JOIN evidence ON number = evidence WHERE identity = ?'
    return this.#statement(sql)
      .all(identity)
      .map(({ id, bytes }) => {
        assert(bytes instanceof Uint8Array)
        return { id: String(id), bytes }
      })
  }

  named(after: string, limit: number): readonly string[] {
    this.#read()
    const sql = 'SELECT DISTINCT identity FROM evidence_identity WHERE identity > ? ORDER BY identity LIMIT ?'
    return this.#statement(sql)
      .all(after, limit)
      .map(({ identity }) => String(identity))
  }

  commit(commit: Commit): void {
    const steps = this.commitInSteps(commit)
    while (steps.next().done !== true);
  }

  *commitInSteps(commit: Commit): Generator<void, void> {
    checkCommit(commit, this.#builds)
    const next = advanced(this.#builds, commit)
    const furthest = furthestOf(this.#furthest, commit)
    this.#begin()
    let isCommitted = false
    try {
      this.#writePeople(commit)
      yield
      for (const write of commit.writes) yield* this.#table(write.build).write(write)
      for (const { build } of commit.writes) {
        this.#table(build).indexSearch()
        yield
      }
      this.#writePoison(commit)
      for (const build of commit.builds) {
        this.#table(build).makeIndexes()
        yield
      }
      const { position, received, mark } = commit
      const sql = 'UPDATE builds SET position = ?, received = ?, mark = ? WHERE build = ?'
      for (const build of commit.builds) this.#statement(sql).run(position, received, mark, build)
      this.#writeHead(headOf(next.values(), furthest))
      this.#db.exec('COMMIT')
      isCommitted = true
    } finally {
      this.#writing = false
      if (!isCommitted) this.#rollback()
    }
    this.#builds = next
    this.#furthest = furthest
    this.#wal?.committed()
  }

  reset(): void {
    const next = new Map<string, Build>()
    this.#transaction(() => {
      for (const build of this.#builds.values())
        if (build.serving) this.#db.exec(dropViewDdl(build.projection))
      this.#dropAllBut(next)
      this.#db.exec(
        'DELETE FROM member; DELETE FROM evidence; DELETE FROM evidence_identity; DELETE FROM poison',
      )
      this.#newGeneration(next, NEW_STORE)
    })
    this.#setBuilds(next)
    this.#furthest = NEW_STORE
  }

  purge(): boolean {
    this.#transaction(() => {
      for (const build of this.#builds.values()) this.#db.exec(purgeDdl(build))
    })
    for (const table of this.#tables.values()) table.forget()
    this.#db.exec(`PRAGMA busy_timeout = ${PURGE_TIMEOUT_MS}`)
    const result = this.#db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
    this.#db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    return result?.busy === 0
  }

  snapshot(): StoreSnapshot {
    const path = this.#db.location()
    assert(path !== null, 'a store in a file')
    return openSqliteSnapshot(path)
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
      'INSERT INTO evidence (id, bytes, refused) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes, refused = excluded.refused',
    )
    const names = this.#statement(
      'INSERT INTO evidence_identity SELECT ?, number FROM evidence WHERE id = ? ON CONFLICT DO NOTHING',
    )
    for (const { id, identities, bytes, refused } of commit.evidence) {
      evidence.run(checkedText('evidence', id), bytes, refused === true ? 1 : 0)
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

  #newGeneration(next: ReadonlyMap<string, Build>, furthest = this.#furthest): void {
    this.#statement('UPDATE meta SET generation = generation + 1').run()
    this.#writeHead(headOf(next.values(), furthest))
  }

  #writeHead({ position, received, mark }: Checkpoint): void {
    this.#statement('UPDATE meta SET position = ?, received = ?, mark = ?').run(position, received, mark)
  }

  #setBuilds(next: Map<string, Build>): void {
    this.#builds = next
    for (const [name, table] of this.#tables) {
      if (next.has(name)) continue
      table.close()
      this.#tables.delete(name)
    }
  }

  #read(): void {
    if (this.#reading || this.#writing) return
    this.#db.exec('BEGIN')
    this.#reading = true
  }

  #transaction(work: () => void): void {
    this.#begin()
    try {
      work()
      this.#db.exec('COMMIT')
    } catch (error) {
      this.#rollback()
      throw error
    } finally {
      this.#writing = false
    }
  }

  #begin(): void {
    assert(!this.#writing, 'one commit at a time')
    if (this.#reading) this.#db.exec('COMMIT')
    this.#reading = false
    this.#db.exec('BEGIN IMMEDIATE')
    this.#writing = true
  }

  #rollback(): void {
    for (const table of this.#tables.values()) table.discard()
    // A full disk may have rolled it back already.
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
  }
}
