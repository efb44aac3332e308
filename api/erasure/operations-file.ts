import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import * as t from 'io-ts'
import * as sql from '../../engine/privacy/sqlite-file.ts'

/**
 * `ops.sqlite`: what an operator asked for and nothing else tells of, so that it can't be rebuilt; a backup holds it. Here:
 * the erasures. They hold ids of identities, never values. Version in `user_version`.
 */

export const OPERATIONS_FILE = 'ops.sqlite'
const VERSION = 1

const SCHEMA = `
CREATE TABLE erasure(
  number TEXT PRIMARY KEY,
  identity TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('scheduled', 'executing', 'done', 'cancelled')),
  requested INTEGER NOT NULL,
  due INTEGER NOT NULL,
  finished INTEGER,
  reason TEXT,
  plan TEXT NOT NULL,
  certificate TEXT
) STRICT;
CREATE INDEX erasure_state ON erasure(state, due);
`

/** Came later, and is made where it is missing: the release before doesn't look at it. */
const FORGETTING = 'CREATE TABLE IF NOT EXISTS forgetting(identity TEXT PRIMARY KEY) STRICT'

const identity = t.type({ id: t.string, namespace: t.string })

/** One round of an erasure: usually the only one. */
const round = t.type({
  /** The whole component, as it was when the round began. */
  identities: t.array(identity),
  /** What the key store had of them then. */
  mappings: t.number,
  keyIds: t.array(t.string),
  /** Of its `person.erased`; null: not appended yet. */
  position: t.union([t.number, t.null]),
})

const plan = t.intersection([
  t.type({
    rounds: t.array(round),
    /** Bodies deleted from quarantine. */
    bodies: t.number,
  }),
  /** Ids of the component as it was when the erasure was asked for. */
  t.partial({ asked: t.array(t.string) }),
])

export type Round = t.TypeOf<typeof round>
export type Plan = t.TypeOf<typeof plan>

export const NO_PLAN: Plan = { rounds: [], bodies: 0 }

export type ErasureState = 'scheduled' | 'executing' | 'done' | 'cancelled'

/** Instants are ms since 1970 UTC. */
export interface StoredErasure {
  readonly number: string
  /** The identity that it was asked for by. */
  readonly identity: string
  readonly state: ErasureState
  readonly requested: number
  readonly due: number
  readonly finished: number | undefined
  readonly reason: string | undefined
  readonly plan: Plan
  /** JSON. */
  readonly certificate: string | undefined
}

/** Why the file can't be used; a whole sentence. */
export class OperationsUnreadable extends Error {
  constructor(path: string, why: string) {
    super(`${path} ${why}`)
    this.name = 'OperationsUnreadable'
  }
}

/** Every call is durable when it returns; they are rare, so nobody minds that they wait for the disk. */
export interface ErasureRecords {
  get(number: string): StoredErasure | undefined
  /** Newest first. */
  list(): readonly StoredErasure[]
  /** Those that are neither done nor cancelled, earliest due first. */
  open(): readonly StoredErasure[]
  /** How many are carried out. */
  done(): number
  put(erasure: StoredErasure): void
  /** Ids that a key store from a backup knew again, as long as read models may still hold something of them. */
  forgetting(): readonly string[]
  putForgetting(ids: readonly string[]): void
  close(): void
}

/** Throws `OperationsUnreadable`. */
export function openErasureRecords(directory: string): ErasureRecords {
  const path = join(directory, OPERATIONS_FILE)
  try {
    const database = prepared(path)
    try {
      return new SqliteRecords(database)
    } catch (error) {
      database.close()
      throw error
    }
  } catch (error) {
    if (!sql.isDamage(error)) throw error
    throw new OperationsUnreadable(path, 'is damaged: restore it from a backup')
  }
}

/** Of a directory that no engine runs on, changing nothing: when those that aren't over are due (ms). */
export function readOpenErasures(
  directory: string,
): readonly { readonly state: ErasureState; readonly due: number }[] {
  const path = join(directory, OPERATIONS_FILE)
  if (!existsSync(path)) return []
  const database = sql.openForReading(path)
  try {
    const query = "SELECT state, due FROM erasure WHERE state IN ('scheduled', 'executing') ORDER BY due"
    return sql
      .arrays(database, query)
      .all()
      .map((found) => {
        const row = sql.columns(found) ?? []
        return { state: stateOf(sql.asText(row[0])), due: sql.asInteger(row[1]) }
      })
  } finally {
    database.close()
  }
}

function prepared(path: string): DatabaseSync {
  const database = sql.openForWriting(path)
  try {
    const version = sql.asInteger(sql.columns(sql.arrays(database, 'PRAGMA user_version').get())?.[0])
    if (version > VERSION)
      throw new OperationsUnreadable(
        path,
        `has version ${version}, which is newer: use the release that wrote it`,
      )
    if (version === 0) database.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${VERSION}; COMMIT`)
    database.exec(FORGETTING)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const COLUMNS = 'number, identity, state, requested, due, finished, reason, plan, certificate'

class SqliteRecords implements ErasureRecords {
  readonly #database: DatabaseSync
  readonly #get: StatementSync
  readonly #list: StatementSync
  readonly #done: StatementSync
  readonly #put: StatementSync
  /** As `open` answers them: nobody else writes, and each request of many looks through all. */
  readonly #open: StoredErasure[]

  constructor(database: DatabaseSync) {
    const select = `SELECT ${COLUMNS} FROM erasure`
    this.#database = database
    this.#get = sql.arrays(database, `${select} WHERE number = ?`)
    this.#list = sql.arrays(database, `${select} ORDER BY requested DESC, number`)
    this.#done = sql.arrays(database, "SELECT count(*) FROM erasure WHERE state = 'done'")
    this.#put = sql.arrays(database, `REPLACE INTO erasure(${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    const open = sql.arrays(database, `${select} WHERE state IN ('scheduled', 'executing')`)
    this.#open = open.all().map(erasureOf).sort(byDue)
  }

  get(number: string): StoredErasure | undefined {
    const found: unknown = this.#get.get(number)
    return found === undefined ? undefined : erasureOf(found)
  }

  list(): readonly StoredErasure[] {
    return this.#list.all().map(erasureOf)
  }

  open(): readonly StoredErasure[] {
    return [...this.#open]
  }

  done(): number {
    return sql.asInteger(sql.columns(this.#done.get())?.[0])
  }

  put(erasure: StoredErasure): void {
    const { number, identity: id, state, requested, due, finished, reason, certificate } = erasure
    const late = [finished ?? null, reason ?? null, JSON.stringify(erasure.plan), certificate ?? null]
    this.#put.run(number, id, state, requested, due, ...late)
    const before = this.#open.findIndex((each) => each.number === number)
    if (before >= 0) this.#open.splice(before, 1)
    if (state !== 'scheduled' && state !== 'executing') return
    const later = this.#open.findIndex((each) => byDue(each, erasure) > 0)
    this.#open.splice(later < 0 ? this.#open.length : later, 0, erasure)
  }

  forgetting(): readonly string[] {
    const rows = sql.arrays(this.#database, 'SELECT identity FROM forgetting').all()
    return rows.map((row) => sql.asText(sql.columns(row)?.[0]))
  }

  putForgetting(ids: readonly string[]): void {
    this.#database.exec('BEGIN IMMEDIATE; DELETE FROM forgetting')
    try {
      const insert = this.#database.prepare('INSERT INTO forgetting(identity) VALUES (?)')
      for (const id of ids) insert.run(id)
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  close(): void {
    this.#database.close()
  }
}

function byDue(a: StoredErasure, b: StoredErasure): number {
  return a.due - b.due || a.requested - b.requested || (a.number < b.number ? -1 : 1)
}

function erasureOf(found: unknown): StoredErasure {
  const row = sql.columns(found) ?? []
  const decoded = plan.decode(jsonIn(sql.asText(row[7])))
  if (decoded._tag === 'Left')
    throw new OperationsUnreadable(OPERATIONS_FILE, 'holds a plan that is not whole')
  return {
    number: sql.asText(row[0]),
    identity: sql.asText(row[1]),
    state: stateOf(sql.asText(row[2])),
    requested: sql.asInteger(row[3]),
    due: sql.asInteger(row[4]),
    finished: row[5] === null ? undefined : sql.asInteger(row[5]),
    reason: row[6] === null ? undefined : sql.asText(row[6]),
    plan: decoded.right,
    certificate: row[8] === null ? undefined : sql.asText(row[8]),
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function stateOf(text: string): ErasureState {
  switch (text) {
    case 'scheduled':
    case 'executing':
    case 'done':
    case 'cancelled':
      return text
    default:
      throw new OperationsUnreadable(OPERATIONS_FILE, `holds an erasure in the state ${text}`)
  }
}
