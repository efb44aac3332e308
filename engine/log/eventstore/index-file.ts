import assert from 'node:assert/strict'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { IdentityId } from '../../events/identity.ts'
import type { Appended, Head, StreamReadOptions } from '../log.ts'
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

interface StreamRow {
  readonly id: number
  readonly revision: number
  readonly position: number
  readonly theirs: number
}

const COLUMNS = 'event.position, event.committed, event.arrival, event.revision'

/**
 * What EventStoreDB can't be asked: events by identity, by id and by our position. A SQLite file that follows `$all`; where it is
 * absent or of another log, it is made anew from the log. Losing its last writes loses nothing, so it doesn't wait for the disk.
 */
export class IndexFile {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #types = new Map<string, number>()

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
    if (this.#database.prepare('PRAGMA user_version').get()?.user_version !== VERSION) this.clear()
  }

  /** As if nothing had been read. */
  clear(): void {
    this.#statements.clear()
    this.#types.clear()
    this.transaction(() => {
      for (const table of TABLES) this.#database.exec(`DROP TABLE IF EXISTS ${table}`)
      this.#database.exec(SCHEMA)
    })
  }

  transaction(work: () => void): void {
    this.#database.exec('BEGIN')
    try {
      work()
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
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

  /** `commit`: undefined leaves it where it is. */
  moveCheckpoint({ commit, next, writer, arrival }: Checkpoint): void {
    if (commit !== undefined) {
      this.#setState('checkpoint', commit)
      this.#setState('arrival', arrival)
    }
    this.#setState('next', next)
    if (writer !== undefined) this.#setState('writer', writer)
  }

  add(event: Indexed): void {
    const stream = this.#streamRow(event.stream)
    const revision = (stream?.revision ?? -1) + 1
    const { position, commit } = event
    assert.ok(position > (stream?.position ?? 0), 'positions increase')
    this.#run(
      `INSERT INTO stream (name, revision, position, theirs) VALUES (?1, ?2, ?3, -1)
       ON CONFLICT (name) DO UPDATE SET revision = ?2, position = ?3`,
      [event.stream, revision, position],
    )
    this.#run(
      `INSERT INTO event (position, committed, arrival, revision, stream, type, key)
       VALUES (?, ?, ?, ?, (SELECT id FROM stream WHERE name = ?), ?, ?)`,
      [position, commit, event.arrival, revision, event.stream, this.#typeId(event.type), event.key],
    )
    for (const id of event.identities)
      this.#run('INSERT INTO identity (id, position) VALUES (?, ?)', [Buffer.from(id, 'hex'), position])
    this.#setState('head_position', position)
    this.#setState('head_received', event.received)
    this.#setState('head_commit', commit)
    this.#setState('head_event', event.eventId)
  }

  /** Their last revision of a stream, whoever wrote it. */
  sawRevision(stream: string, theirs: number): void {
    this.#run(
      `INSERT INTO stream (name, revision, position, theirs) VALUES (?1, -1, 0, ?2)
       ON CONFLICT (name) DO UPDATE SET theirs = max(theirs, ?2)`,
      [stream, theirs],
    )
  }

  streamHead(stream: string): Appended | undefined {
    const row = this.#streamRow(stream)
    return row === undefined || row.revision < 0
      ? undefined
      : { position: row.position, revision: row.revision }
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
    return this.#streamRow(stream)?.theirs ?? -1
  }

  at(position: number): Row | undefined {
    return this.#rows(`SELECT ${COLUMNS} FROM event WHERE position = ?`, [position])[0]
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

  #streamRow(name: string): StreamRow | undefined {
    const row = this.#prepared('SELECT id, revision, position, theirs FROM stream WHERE name = ?').get(name)
    if (row === undefined) return undefined
    return {
      id: Number(row.id),
      revision: Number(row.revision),
      position: Number(row.position),
      theirs: Number(row.theirs),
    }
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
    return this.#prepared('SELECT value FROM state WHERE key = ?').get(key)?.value
  }

  #numberState(key: string): number | undefined {
    const value = this.#state(key)
    return typeof value === 'number' ? value : undefined
  }

  #setState(key: string, value: number | string): void {
    this.#run('INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)', [key, value])
  }

  #run(sql: string, values: readonly Value[]): void {
    this.#prepared(sql).run(...values)
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const made = this.#database.prepare(sql)
    this.#statements.set(sql, made)
    return made
  }
}

type Value = number | string | Uint8Array
type Direction = NonNullable<StreamReadOptions['direction']>

function bound(direction: Direction): string {
  return direction === 'forwards' ? '>=' : '<='
}

function ordered(direction: Direction): string {
  return `ORDER BY event.position ${direction === 'forwards' ? 'ASC' : 'DESC'}`
}

function marks(values: ReadonlySet<string>): string {
  return [...values].map(() => '?').join(', ')
}
