import { strict as assert } from 'node:assert'
import type { StatementSync } from 'node:sqlite'
import { DatabaseSync } from 'node:sqlite'
import { KeyStoreError } from './failure.ts'

/** Result codes of SQLite that mean something to us (https://sqlite.org/rescode.html). */
const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_NOTADB = 26

/** Lowest byte of an extended result code, or undefined where the error isn't SQLite's. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

export function isDiskFull(error: unknown): boolean {
  return resultCode(error) === SQLITE_FULL
}

export function isDamage(error: unknown): boolean {
  const code = resultCode(error)
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB
}

/** Runs a piece of work on a database; damage becomes a `KeyStoreError`. */
export function reporting<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (isDamage(error)) throw new KeyStoreError({ _tag: 'Damaged', cause: String(error) })
    throw error
  }
}

const BUSY_TIMEOUT_MS = 5_000

/**
 * A connection that writes durably and leaves no traces: WAL, fsync at every commit (on macOS to the medium), and
 * freed pages overwritten.
 */
export function openForWriting(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    database.exec(`
      PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
      PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA trusted_schema = OFF;
    `)
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

export function openForReading(path: string): DatabaseSync {
  return new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
}

/** A prepared statement whose rows are arrays: half the cost of objects. */
export function arrays(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  return statement
}

/** The columns of a row from a statement of `arrays`. The types of node:sqlite don't know of that mode. */
export function columns(row: unknown): readonly unknown[] | undefined {
  if (row === undefined) return undefined
  assert(Array.isArray(row))
  return row
}

export function asBlob(column: unknown): Uint8Array {
  assert(column instanceof Uint8Array)
  return column
}

export function asText(column: unknown): string {
  assert(typeof column === 'string')
  return column
}

export function asInteger(column: unknown): number {
  assert(Number.isSafeInteger(column))
  return Number(column)
}

export function hexBlob(id: string): Buffer {
  return Buffer.from(id, 'hex')
}

export function blobHex(blob: Uint8Array): string {
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength).toString('hex')
}
