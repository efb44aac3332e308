import { rmSync } from 'node:fs'

/** What can be wrong with a read-model file, told from the errors of node:sqlite. */

/** https://sqlite.org/rescode.html; the low byte of an extended code is its primary code. */
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/**
 * The file can't be read models of this program: it is no database, or is corrupt (`damaged`), or has the schema of
 * an `older` program. The log holds all that it held: `removeSqliteStore` makes room for a new one.
 */
export class StoreUnusable extends Error {
  readonly reason: 'damaged' | 'older'
  constructor(reason: StoreUnusable['reason'], cause?: unknown) {
    super(`the read models can't be used (${reason}) and have to be rebuilt`, { cause })
    this.name = 'StoreUnusable'
    this.reason = reason
  }
}

/**
 * Deletes the file with all that SQLite keeps beside it. Its writer must be closed, and `Checkpoints` of
 * it: they would take the new file's WAL for the old one's. Readers notice by themselves.
 */
export function removeSqliteStore(path: string): void {
  // The database first: SQLite discards a journal or WAL whose database is gone, but never notices a WAL that is.
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(path + suffix, { force: true })
}

/** True of what any call on a store throws when the file turns out to be corrupt, as the cheap check at opening may miss. */
export function isDamaged(error: unknown): boolean {
  if (error instanceof StoreUnusable) return error.reason === 'damaged'
  const code = sqliteCode(error)
  return code !== undefined && [SQLITE_CORRUPT, SQLITE_NOTADB].includes(code & 0xff)
}

/** The extended result code; undefined: not an error of SQLite. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_SQLITE_ERROR') return undefined
  return 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined
}
