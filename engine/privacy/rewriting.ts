import { strict as assert } from 'node:assert'
import type { DatabaseSync } from 'node:sqlite'
import { randomId } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import * as sql from './sqlite-file.ts'

/** What rotating the master key and re-keying the mapping share: one transaction over a whole key store. */

/** Told of rows done, of how many. */
export type OnRows = (done: number, of: number) => void

/** Rows read at a time: what is changed is not read meanwhile. */
const ROWS_AT_ONCE = 4_096
/** Enough for the upper pages of any index; in KiB, as SQLite has it. */
const CACHE_KIB = 128 * 1024

/**
 * Runs `work` as one transaction that empties the write-ahead log afterwards, so that neither file holds what was
 * there before. A writer that has the store open is stopped by it. Throws `KeyStoreError`: `DiskFull`, `Damaged`,
 * `NotPurged`; with all but the last nothing has changed.
 */
export function rewriteStore(
  path: string,
  work: (database: DatabaseSync) => void,
  onCommitted: () => void,
): void {
  const database = sql.openForWriting(path)
  try {
    database.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
    transact(database, work)
    onCommitted()
    const busy = sql.columns(sql.arrays(database, 'PRAGMA wal_checkpoint(TRUNCATE)').get())?.[0]
    if (busy !== 0) throw new KeyStoreError({ _tag: 'NotPurged' })
  } finally {
    database.close()
  }
}

function transact(database: DatabaseSync, work: (database: DatabaseSync) => void): void {
  try {
    database.exec('BEGIN IMMEDIATE')
    database.prepare(`UPDATE meta SET value = ? WHERE name = 'writer'`).run(sql.hexBlob(randomId()))
    work(database)
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    if (sql.isDiskFull(error)) throw new KeyStoreError({ _tag: 'DiskFull' })
    if (sql.isDamage(error)) throw new KeyStoreError({ _tag: 'Damaged', cause: String(error) })
    throw error
  }
}

/**
 * All rows of a table, by a key that `visit` doesn't change; the first column is that key. Rows are read ahead of the
 * changes.
 */
export function visitRows(
  database: DatabaseSync,
  query: { readonly table: string; readonly key: string; readonly columns: string },
  visit: (row: readonly unknown[]) => void,
): void {
  const { table, key, columns } = query
  const page = sql.arrays(
    database,
    `SELECT ${key}, ${columns} FROM ${table} WHERE ${key} > ? ORDER BY ${key} LIMIT ${ROWS_AT_ONCE}`,
  )
  for (let after = new Uint8Array(0); ; ) {
    const rows = page.all(after).map((row) => sql.columns(row) ?? [])
    for (const row of rows) visit(row)
    if (rows.length < ROWS_AT_ONCE) return
    after = new Uint8Array(sql.asBlob(rows.at(-1)?.[0]))
  }
}

export function countRows(database: DatabaseSync, table: string): number {
  return sql.asInteger(sql.columns(sql.arrays(database, `SELECT count(*) FROM ${table}`).get())?.[0])
}

/** Counts, and tells now and then. */
export function tallying(of: number, onRows: OnRows): () => void {
  let done = 0
  return () => {
    done += 1
    assert(done <= of)
    if (done % ROWS_AT_ONCE === 0 || done === of) onRows(done, of)
  }
}
