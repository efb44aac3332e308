import { strict as assert } from 'node:assert'
import type { StatementSync } from 'node:sqlite'
import { DatabaseSync } from 'node:sqlite'
import { KeyStoreError } from './failure.ts'

/** Result codes of SQLite that mean something to us (https://sqlite.org/rescode.html). */
const SQLITE_READONLY = 8
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

/** A column holds what nobody ever writes there: bits of the file were flipped. */
class MalformedColumn extends Error {
  constructor(what: string) {
    super(`a row is malformed: ${what}`)
    this.name = 'MalformedColumn'
  }
}

export function malformed(what: string): never {
  throw new MalformedColumn(what)
}

export function isDamage(error: unknown): boolean {
  if (error instanceof MalformedColumn) return true
  const code = resultCode(error)
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB
}

/** A reader met a journal that only a writer may roll back. */
export function needsRollback(error: unknown): boolean {
  return resultCode(error) === SQLITE_READONLY
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

/** Keys are random: what is inserted touches pages all over. Those that come again are neither read nor spilled. */
const WRITER_CACHE_KIB = 32 * 1024
/** A page that changed often since the last checkpoint is copied only once: 32 MiB of write-ahead log. */
const CHECKPOINT_PAGES = 8_192

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
      PRAGMA cell_size_check = ON;
      PRAGMA cache_size = -${WRITER_CACHE_KIB}; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
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
  return column instanceof Uint8Array ? column : malformed('no blob where one belongs')
}

export function asText(column: unknown): string {
  return typeof column === 'string' ? column : malformed('no text where one belongs')
}

export function asInteger(column: unknown): number {
  return Number.isSafeInteger(column) ? Number(column) : malformed('no integer where one belongs')
}

export function hexBlob(id: string): Buffer {
  return Buffer.from(id, 'hex')
}

export function blobHex(blob: Uint8Array): string {
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength).toString('hex')
}
