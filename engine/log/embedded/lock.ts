import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const LOCK_NAME = 'lock.sqlite'
/** SQLITE_BUSY, and its extended codes in the higher bits. */
const BUSY = 5

export interface DirectoryLock {
  release(): void
}

/**
 * Locks a directory for one writer, in this process or any other; undefined if somebody holds it. The lock is
 * SQLite's own on an empty database: the kernel drops it when the process dies, however it dies, and no process id
 * is ever compared. It holds on local file systems. Nothing else may open the file: closing any handle on it
 * within the process would drop the lock.
 */
export function lockDirectory(directory: string): DirectoryLock | undefined {
  const database = new DatabaseSync(join(directory, LOCK_NAME))
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    throw error
  }
  return { release: () => database.close() }
}

/**
 * Whether some other process holds the directory's lock. Takes none that would keep one from starting, but for the
 * moment of a read. Never call it in a process that holds the lock itself.
 */
export function isLockedElsewhere(directory: string): boolean {
  const path = join(directory, LOCK_NAME)
  if (!existsSync(path)) return false
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    database.prepare('SELECT count(*) FROM sqlite_schema').get()
    return false
  } catch (error) {
    if (isBusy(error)) return true
    throw error
  } finally {
    database.close()
  }
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false
  return typeof error.errcode === 'number' && (error.errcode & 0xff) === BUSY
}
