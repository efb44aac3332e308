import type { DatabaseSync, StatementSync } from 'node:sqlite'
import * as sql from '../privacy/sqlite-file.ts'
import type { QuarantineReason } from './result.ts'

/** The file `quarantine.sqlite`: what is in the clear in it, and how it is read. Version in `user_version`. */

const QUARANTINE_VERSION = 1

const SCHEMA = `
CREATE TABLE body(
  id BLOB PRIMARY KEY CHECK(length(id) = 16),
  hash BLOB NOT NULL CHECK(length(hash) = 32),
  day TEXT NOT NULL,
  received INTEGER NOT NULL,
  reason TEXT NOT NULL,
  source TEXT NOT NULL,
  size INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  resubmitted INTEGER,
  key_id BLOB NOT NULL CHECK(length(key_id) = 16),
  details BLOB NOT NULL,
  body BLOB
) STRICT;
CREATE INDEX body_received ON body(received, id);
CREATE INDEX body_reason ON body(reason, received, id);
CREATE INDEX body_day ON body(day);
`

export const STATEMENTS = [
  `INSERT INTO body(id, hash, day, received, reason, source, size, stored, key_id, details, body)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO NOTHING`,
  'UPDATE body SET resubmitted = ? WHERE id = ?',
  'DELETE FROM body WHERE day = ?',
  'DELETE FROM body WHERE id = ?',
] as const

export const INSERT = 0
export const MARK = 1
export const DELETE_DAY = 2
export const DELETE_ONE = 3

/** Why `quarantine.sqlite` can't be used. */
export class QuarantineUnreadable extends Error {
  readonly why: 'newer' | 'damaged'
  constructor(why: 'newer' | 'damaged', detail: string) {
    super(`quarantine.sqlite is ${why}: ${detail}`)
    this.name = 'QuarantineUnreadable'
    this.why = why
  }
}

/** Damage becomes a `QuarantineUnreadable`. */
function reporting<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (sql.isDamage(error)) throw new QuarantineUnreadable('damaged', String(error))
    throw error
  }
}

/** Makes the file if it is missing. */
export function prepare(path: string): void {
  reporting(() => {
    const database = sql.openForWriting(path)
    try {
      const version = sql.asInteger(sql.columns(sql.arrays(database, 'PRAGMA user_version').get())?.[0])
      if (version > QUARANTINE_VERSION) throw new QuarantineUnreadable('newer', `version ${version}`)
      if (version === 0) {
        database.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${QUARANTINE_VERSION}; COMMIT`)
      }
    } finally {
      database.close()
    }
  })
}

/** A body as stored; `details` and `body` are sealed under the day's key. */
export interface StoredBody {
  readonly id: string
  readonly hash: string
  readonly day: string
  readonly received: number
  readonly reason: QuarantineReason
  readonly source: string
  readonly sizeBytes: number
  readonly resubmitted: number | undefined
  readonly keyId: string
  readonly details: Uint8Array
}

/** Newest first; `before` is exclusive. */
export interface BodyQuery {
  readonly reason?: QuarantineReason | undefined
  readonly before?: { readonly received: number; readonly id: string } | undefined
  readonly limit: number
}

const COLUMNS = 'id, hash, day, received, reason, source, size, resubmitted, key_id, details'

export class QuarantineTables {
  readonly #database: DatabaseSync
  readonly #get: StatementSync
  readonly #body: StatementSync
  readonly #list: StatementSync
  readonly #listReason: StatementSync
  readonly #days: StatementSync
  readonly #used: StatementSync

  constructor(path: string) {
    const database = sql.openForReading(path)
    const page = `(received, id) < (?, ?) ORDER BY received DESC, id DESC LIMIT ?`
    this.#database = database
    this.#get = sql.arrays(database, `SELECT ${COLUMNS} FROM body WHERE id = ?`)
    this.#body = sql.arrays(database, 'SELECT body FROM body WHERE id = ?')
    this.#list = sql.arrays(database, `SELECT ${COLUMNS} FROM body WHERE ${page}`)
    this.#listReason = sql.arrays(database, `SELECT ${COLUMNS} FROM body WHERE reason = ? AND ${page}`)
    this.#days = sql.arrays(database, 'SELECT DISTINCT day FROM body WHERE day < ? ORDER BY day')
    this.#used = sql.arrays(database, 'SELECT coalesce(sum(stored), 0) FROM body')
  }

  get(id: string): StoredBody | undefined {
    return reporting(() => storedBody(this.#get.get(sql.hexBlob(id))))
  }

  /** Sealed; undefined where only its hash was kept. */
  body(id: string): Uint8Array | undefined {
    const row = reporting(() => sql.columns(this.#body.get(sql.hexBlob(id))))
    return row === undefined || row[0] === null ? undefined : sql.asBlob(row[0])
  }

  list({ reason, before, limit }: BodyQuery): readonly StoredBody[] {
    const page = [before?.received ?? Number.MAX_SAFE_INTEGER, sql.hexBlob(before?.id ?? ''), limit]
    return reporting(() => {
      const rows = reason === undefined ? this.#list.all(...page) : this.#listReason.all(reason, ...page)
      return rows.flatMap((row) => storedBody(row) ?? [])
    })
  }

  daysBefore(day: string): readonly string[] {
    return reporting(() => this.#days.all(day).map((row) => sql.asText(sql.columns(row)?.[0])))
  }

  usedBytes(): number {
    return reporting(() => sql.asInteger(sql.columns(this.#used.get())?.[0]))
  }

  close(): void {
    this.#database.close()
  }
}

function storedBody(found: unknown): StoredBody | undefined {
  const row = sql.columns(found)
  if (row === undefined) return undefined
  return {
    id: sql.blobHex(sql.asBlob(row[0])),
    hash: sql.blobHex(sql.asBlob(row[1])),
    day: sql.asText(row[2]),
    received: sql.asInteger(row[3]),
    reason: asReason(sql.asText(row[4])),
    source: sql.asText(row[5]),
    sizeBytes: sql.asInteger(row[6]),
    resubmitted: row[7] === null ? undefined : sql.asInteger(row[7]),
    keyId: sql.blobHex(sql.asBlob(row[8])),
    details: sql.asBlob(row[9]),
  }
}

const REASONS: Readonly<Record<QuarantineReason, true>> = {
  not_json: true,
  invalid_utf8: true,
  invalid_envelope: true,
  invalid_data: true,
  missing_id: true,
  schema_newer: true,
  schema_unknown: true,
  too_large: true,
  too_deep: true,
  forbidden_key: true,
  invalid_time: true,
  id_reused: true,
  suppressed: true,
  personal_in_clear: true,
  reserved_type: true,
  reserved_source: true,
  reserved_stream: true,
  refused_by_log: true,
  wrong_expected: true,
}

function isReason(text: string): text is QuarantineReason {
  return Object.hasOwn(REASONS, text)
}

function asReason(text: string): QuarantineReason {
  if (isReason(text)) return text
  throw new QuarantineUnreadable('damaged', `there is no reason ${text}`)
}
