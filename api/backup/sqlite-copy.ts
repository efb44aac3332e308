import { chmodSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { syncDirectory } from '../../engine/privacy/master-key.ts'
import { openForReading } from '../../engine/privacy/sqlite-file.ts'
import { syncFile, UNFINISHED } from './durable-files.ts'

/** More than any database has: the copy is made in one step, from one snapshot, and needn't begin again. */
const ALL_PAGES = 2 ** 31 - 1

/** A copy of a database as it is at this moment, whoever is writing to it, as one durable file without a log beside it. */
export async function copyDatabase(from: string, to: string): Promise<void> {
  const unfinished = to + UNFINISHED
  rmSync(unfinished, { force: true })
  const source = openForReading(from)
  try {
    await backup(source, unfinished, { rate: ALL_PAGES })
  } finally {
    source.close()
  }
  oneFile(unfinished)
  chmodSync(unfinished, 0o600)
  syncFile(unfinished)
  renameSync(unfinished, to)
  syncDirectory(dirname(to))
}

/** A copy says that it has a write-ahead log, as its source does; whoever opened it would make one beside it. */
function oneFile(path: string): void {
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA journal_mode = DELETE')
  } finally {
    database.close()
  }
}
