import assert from 'node:assert/strict'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { IdentityId } from '../../events/identity.ts'
import type { Appended, Head } from '../log.ts'
import { bound, type Direction, marks, ordered } from './index-queries.ts'
import { Statements, States, StreamRows, type Value } from './index-rows.ts'
import { SCHEMA, TABLES, VERSION } from './index-schema.ts'

/** Where an event of ours lies: our position, its commit position in `$all`, its revision in our stream. */
export interface Row {
  readonly position: number
  readonly commit: number
  /** Its number among the events of `$all` that are followed: tells which ones lie near each other. */
  readonly arrival: number
  readonly revision: number
}

export interface Indexed {
  readonly position: number
  readonly commit: number
  readonly arrival: number
  readonly eventId: string
  readonly stream: string
  readonly type: string
  readonly received: number
  /** `keyOf` its id. */
  readonly key: number
  readonly identities: ReadonlySet<IdentityId>
}

/** How far `$all` has been read into the index. */
export interface Checkpoint {
  /** Position of the last event that needn't be read again; undefined: from the beginning. */
  readonly commit: number | undefined
  /** Our next position, and whose events count. */
  readonly next: number
  readonly writer: string | undefined
  /** Events that were followed up to `commit`. */
  readonly arrival: number
}

const COLUMNS = 'event.position, event.committed, event.arrival, event.revision'

/**
 * What EventStoreDB can't be asked: events by identity, by id and by our position. A SQLite file that follows `$all`; where it is
 * absent or of another log, it is made anew from the log. Losing its last writes loses nothing, so it doesn't wait for the disk.
 */
export class IndexFile {
  readonly #database: DatabaseSync
  readonly #statements: Statements
  readonly #states: States
  readonly #streams: StreamRows
  readonly #types = new Map<string, number>()
  /** There are hardly ever any; undefined: not looked for yet. */
  #hasStrays: boolean | undefined

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#statements = new Statements(this.#database)
    this.#states = new States(this.#statements)
    this.#streams = new StreamRows(this.#statements)
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
    if (this.#database.prepare('PRAGMA user_version').get()?.user_version !== VERSION) this.clear()
  }

  /** As if nothing had been read. */
  clear(): void {
    this.#statements.clear()
    this.#forget()
    this.transaction(() => {
      for (const table of TABLES) this.#database.exec(`DROP TABLE IF EXISTS ${table}`)
      this.#database.exec(SCHEMA)
    })
  }

  transaction(work: () => void): void {
    this.#database.exec('BEGIN')
    try {
      work()
      this.#states.flush()
      this.#streams.flush()
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#forget()
      this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #forget(): void {
    this.#states.forget()
    this.#streams.forget()
    this.#types.clear()
    this.#hasStrays = undefined
  }

  head(): Head {
    return {
      position: this.#numberState('head_position') ?? 0,
      received: this.#numberState('head_received') ?? 0,
    }
  }

  /** The newest event of ours, to compare with the log. */
  newest(): { readonly commit: number; readonly eventId: string } | undefined {
    const commit = this.#numberState('head_commit')
    const eventId = this.#state('head_event')
    return commit === undefined || typeof eventId !== 'string' ? undefined : { commit, eventId }
  }

  checkpoint(): Checkpoint {
    const writer = this.#state('writer')
    return {
      commit: this.#numberState('checkpoint'),
      next: this.#numberState('next') ?? 1,
      writer: typeof writer === 'string' ? writer : undefined,
      arrival: this.#numberState('arrival') ?? 0,
    }
  }

  /** Within a transaction. `commit`: undefined leaves it where it is. */
  moveCheckpoint({ commit, next, writer, arrival }: Checkpoint): void {
    if (commit !== undefined) {
      this.#setState('checkpoint', commit)
      this.#setState('arrival', arrival)
    }
    this.#setState('next', next)
    if (writer !== undefined) this.#setState('writer', writer)
  }

  /** Its place; within a transaction. */
  add(event: Indexed): Appended {
    const { position, commit } = event
    const stream = this.#streams.change(event.stream)
    assert.ok(position > stream.position, 'positions increase')
    stream.revision++
    stream.position = position
    this.#run(
      'INSERT INTO event (position, committed, arrival, revision, stream, type, key) VALUES (?, ?, ?, ?, ?, ?, ?)',
      [position, commit, event.arrival, stream.revision, stream.id, this.#typeId(event.type), event.key],
    )
    for (const id of event.identities)
      this.#run('INSERT INTO identity (id, position) VALUES (?, ?)', [Buffer.from(id, 'hex'), position])
    this.#setState('head_position', position)
    this.#setState('head_received', event.received)
    this.#setState('head_commit', commit)
    this.#setState('head_event', event.eventId)
    return { position, revision: stream.revision }
  }

  /** Their last revision of a stream, whoever wrote it; within a transaction. */
  sawRevision(name: string, theirs: number): void {
    const stream = this.#streams.change(name)
    stream.theirs = Math.max(stream.theirs, theirs)
  }

  streamHead(stream: string): Appended | undefined {
    const row = this.#streams.find(stream)
    return row === undefined || row.revision < 0
      ? undefined
      : { position: row.position, revision: row.revision }
  }

  /** An event of ours that never counts has this id: another one can't be told from it by some servers. */
  addStray(eventId: string): void {
    this.#hasStrays = true
    this.#run('INSERT INTO stray (id) VALUES (?) ON CONFLICT DO NOTHING', [eventId])
  }

  isStray(eventId: string): boolean {
    this.#hasStrays ??= this.#prepared('SELECT 1 FROM stray LIMIT 1').get() !== undefined
    return this.#hasStrays && this.#prepared('SELECT 1 FROM stray WHERE id = ?').get(eventId) !== undefined
  }

  /** Of the first writer that named one. */
  workspace(): string | undefined {
    const workspace = this.#state('workspace')
    return typeof workspace === 'string' ? workspace : undefined
  }

  noteWorkspace(workspace: string): void {
    if (this.workspace() === undefined) this.#setState('workspace', workspace)
  }

  /** `name`: theirs. */
  setForgetful(name: string, isForgetful: boolean): void {
    const sql = isForgetful
      ? 'INSERT INTO forgetful (name) VALUES (?) ON CONFLICT DO NOTHING'
      : 'DELETE FROM forgetful WHERE name = ?'
    this.#run(sql, [name])
  }

  forgetful(): readonly string[] {
    return this.#prepared('SELECT name FROM forgetful ORDER BY name')
      .all()
      .map(({ name }) => String(name))
  }

  /** Their last revision, -1: no such stream. */
  theirRevision(stream: string): number {
    return this.#streams.find(stream)?.theirs ?? -1
  }

  at(position: number): Row | undefined {
    return this.#rows(`SELECT ${COLUMNS} FROM event WHERE position = ?`, [position])[0]
  }

  /** Those of the keys that events have. */
  keysAmong(keys: readonly number[]): ReadonlySet<number> {
    const sql = 'SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM event WHERE key = value)'
    const found = this.#prepared(sql).all(JSON.stringify(keys))
    return new Set(found.map(({ value }) => Number(value)))
  }

  byKey(key: number): readonly number[] {
    return this.#rows(`SELECT ${COLUMNS} FROM event WHERE key = ? ORDER BY position`, [key]).map(
      ({ position }) => position,
    )
  }

  /** The next events in a direction, `from` inclusive, of some types only. */
  range(
    direction: Direction,
    from: number,
    limit: number,
    types: ReadonlySet<string> | undefined,
  ): readonly Row[] {
    const ofTypes =
      types === undefined ? '' : `AND type IN (SELECT id FROM type WHERE name IN (${marks(types)}))`
    return this.#rows(
      `SELECT ${COLUMNS} FROM event WHERE position ${bound(direction)} ? ${ofTypes} ${ordered(direction)} LIMIT ?`,
      [from, ...(types ?? []), limit],
    )
  }

  ofStream(stream: string, direction: Direction, from: number, limit: number): readonly Row[] {
    return this.#rows(
      `SELECT ${COLUMNS} FROM event WHERE stream = (SELECT id FROM stream WHERE name = ?)
       AND position ${bound(direction)} ? ${ordered(direction)} LIMIT ?`,
      [stream, from, limit],
    )
  }

  ofIdentity(id: IdentityId, direction: Direction, from: number, limit: number): readonly Row[] {
    return this.#rows(
      `SELECT ${COLUMNS} FROM identity JOIN event USING (position) WHERE identity.id = ?
       AND position ${bound(direction)} ? ${ordered(direction)} LIMIT ?`,
      [Buffer.from(id, 'hex'), from, limit],
    )
  }

  close(): void {
    this.#database.close()
  }

  #typeId(name: string): number {
    const known = this.#types.get(name)
    if (known !== undefined) return known
    this.#run('INSERT INTO type (name) VALUES (?) ON CONFLICT DO NOTHING', [name])
    const id = Number(this.#prepared('SELECT id FROM type WHERE name = ?').get(name)?.id)
    this.#types.set(name, id)
    return id
  }

  #rows(sql: string, values: readonly Value[]): readonly Row[] {
    return this.#prepared(sql)
      .all(...values)
      .map((row) => ({
        position: Number(row.position),
        commit: Number(row.committed),
        arrival: Number(row.arrival),
        revision: Number(row.revision),
      }))
  }

  #state(key: string): unknown {
    return this.#states.get(key)
  }

  #numberState(key: string): number | undefined {
    const value = this.#state(key)
    return typeof value === 'number' ? value : undefined
  }

  #setState(key: string, value: number | string): void {
    this.#states.set(key, value)
  }

  #run(sql: string, values: readonly Value[]): void {
    this.#statements.run(sql, values)
  }

  #prepared(sql: string): StatementSync {
    return this.#statements.prepared(sql)
  }
}
