import { sqliteCode } from './sqlite-failure.ts'

/** https://sqlite.org/rescode.html; the low byte of an extended code is its primary code. */
const SQLITE_FULL = 13
const SQLITE_IOERR_SHMSIZE = 4874

/** True of what a write throws while there is no room: it may work later. */
export function isDiskFull(error: unknown): boolean {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT'))
    return true
  const code = sqliteCode(error)
  // The WAL's index is a file too, whose growing has a code of its own.
  return code !== undefined && ((code & 0xff) === SQLITE_FULL || code === SQLITE_IOERR_SHMSIZE)
}
