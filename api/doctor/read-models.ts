import { strict as assert } from 'node:assert'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import type { Head, LogReader } from '../../engine/log/log.ts'
import { markOf } from '../../engine/projector/mark.ts'
import { isDamaged, StoreUnusable } from '../../engine/store/sqlite-failure.ts'
import { checkVersion, StoreVersionError } from '../../engine/store/sqlite-schema.ts'
import { counted, type Finding, fail, ok, warn } from './finding.ts'

const AGAIN = 'nothing is lost: the next start folds them again from the log'

/** Whether the read models follow from the log, and what they set aside. */
export async function checkReadModels(directory: string, head: Head): Promise<readonly Finding[]> {
  const path = join(directory, 'read-models.sqlite')
  if (!existsSync(path)) {
    const none = ok(
      'read models',
      head.position === 0 ? 'none yet' : 'none: the next start folds them from the log',
    )
    return [none]
  }
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { readOnly: true })
    if (checkVersion(database) === 0) return [ok('read models', 'none yet')]
    return [await compare(directory, database, head), ...setAside(database)]
  } catch (error) {
    const unusable = unusableFinding(error)
    if (unusable === undefined) throw error
    return [unusable]
  } finally {
    database?.close()
  }
}

function unusableFinding(error: unknown): Finding | undefined {
  if (error instanceof StoreVersionError) {
    return fail(
      'read models',
      `they have schema version ${error.found}, which is newer`,
      'use the release that wrote them, or remove read-models.sqlite to have them folded again',
    )
  }
  if (error instanceof StoreUnusable || isDamaged(error)) {
    const reason = error instanceof StoreUnusable ? error.reason : 'damaged'
    return warn('read models', `they are ${reason}`, AGAIN)
  }
  return undefined
}

async function compare(directory: string, database: DatabaseSync, head: Head): Promise<Finding> {
  const { position, mark } = database.prepare('SELECT position, mark FROM meta').get() ?? {}
  assert(typeof position === 'number' && typeof mark === 'string')
  if (position > head.position) {
    const message = `they hold up to position ${position}, but the log ends at ${head.position}`
    return fail(
      'read models',
      message,
      'the log has lost its end (an older backup?): restore a newer one before you start',
    )
  }
  if (position === 0) return ok('read models', `nothing folded yet of ${head.position}`)
  const log = openEmbeddedReader(join(directory, 'log'))
  try {
    if (await standsAt(log, position, mark))
      return ok('read models', `up to position ${position} of ${head.position}`)
    const message = `the event at their position ${position} is another one in the log`
    return fail(
      'read models',
      message,
      `they were folded from another log: is this the right one? If so, ${AGAIN}`,
    )
  } finally {
    await log.close()
  }
}

async function standsAt(log: LogReader, position: number, mark: string): Promise<boolean> {
  const recorded = await log.at(position)
  return recorded !== undefined && markOf(recorded) === mark
}

function setAside(database: DatabaseSync): readonly Finding[] {
  const count = countOf(database, 'SELECT count(*) AS count FROM poison')
  return count === 0 ? [] : [poisonFinding(count)]
}

export function poisonFinding(count: number): Finding {
  return warn(
    'set aside',
    `${counted(count, 'event')} could not be folded by a read model`,
    'GET /v1/projections lists them with the reasons; report them',
  )
}

/** Bodies that wait in quarantine. */
export function checkQuarantine(directory: string): Finding {
  const path = join(directory, 'quarantine', 'quarantine.sqlite')
  if (!existsSync(path)) return quarantineFinding(0)
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return quarantineFinding(
      countOf(database, 'SELECT count(*) AS count FROM body WHERE resubmitted IS NULL'),
    )
  } catch (error) {
    if (!isDamaged(error)) throw error
    return fail(
      'quarantine',
      'quarantine.sqlite is damaged',
      'restore it from a backup, or remove it: its bodies are then lost',
    )
  } finally {
    database.close()
  }
}

export function quarantineFinding(open: number): Finding {
  if (open === 0) return ok('quarantine', 'empty')
  const message = `${counted(open, 'event')} wait${open === 1 ? 's' : ''} in quarantine`
  return warn(
    'quarantine',
    message,
    'GET /v1/quarantine lists them; correct and resubmit them within 30 days',
  )
}

function countOf(database: DatabaseSync, sql: string): number {
  const count = database.prepare(sql).get()?.['count']
  assert(typeof count === 'number')
  return count
}
