import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import type { Files } from '../../engine/log/embedded/files.ts'
import { lockDirectory } from '../../engine/log/embedded/lock.ts'
import { LogDamaged } from '../../engine/log/log.ts'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import { DATA_FORMAT, RESTORING } from '../engine.ts'
import { backupKeys, type KeyBackupReport } from './backup-keys.ts'
import { backupLog, type LogBackupReport } from './backup-log.ts'
import { BackupRefused } from './failure.ts'
import { cutLog } from './log-cut.ts'

export interface BackupOptions {
  /** The engine's data directory. */
  readonly data: string
  /** Where the log's part goes; undefined: it isn't backed up. */
  readonly log: string | undefined
  /** Where the key store's part goes, as a directory of its own. */
  readonly keys: string | undefined
  readonly workspace: string
  readonly release: string
  readonly now: () => number
  readonly expiresDays: number
  readonly withMasterKey: boolean
  readonly withCredentials: boolean
  readonly files: Files
  readonly onProgress: (doneBytes: number, ofBytes: number) => void
}

export interface BackupReport {
  readonly log: LogBackupReport | undefined
  readonly keys: KeyBackupReport | undefined
}

/**
 * Backs up log and key store of a data directory, in two places, beside a running engine or without one. The log
 * first: what it holds, the keys copied after it open (DRILL.md says why that order is the safe one). The left side is
 * a whole sentence.
 */
export async function backup(options: BackupOptions): Promise<E.Either<string, BackupReport>> {
  try {
    checkPlaces(options)
    const log = await locked(options.log, async (to) => backupLog({ ...options, to, nowMs: options.now() }))
    const keys = await locked(options.keys, async (to) => {
      const cut = log?.cut ?? cutLog(options.files, join(options.data, 'log'))
      return backupKeys({ ...options, to, nowMs: options.now() }, cut)
    })
    return E.right({ log, keys })
  } catch (error) {
    return E.left(sentenceOf(error))
  }
}

/** One backup at a time writes to a place. */
async function locked<T>(to: string | undefined, work: (to: string) => Promise<T>): Promise<T | undefined> {
  if (to === undefined) return undefined
  mkdirSync(to, { recursive: true, mode: 0o700 })
  const lock = lockDirectory(to)
  if (lock === undefined) throw new BackupRefused(`another backup to ${to} is under way: wait for it`)
  try {
    return await work(to)
  } finally {
    lock.release()
  }
}

function checkPlaces({ data, log, keys }: BackupOptions): void {
  if (!existsSync(join(data, 'log')) && !existsSync(join(data, 'keys')))
    throw new BackupRefused(`${data} is no data directory: it has neither log nor keys; set HEADWATER_DATA`)
  checkFormat(data)
  const places = [log, keys].filter((place) => place !== undefined).map(realPath)
  for (const place of places) {
    if (isWithin(place, realPath(data)) || isWithin(realPath(data), place))
      throw new BackupRefused(`${place} and the data directory lie in each other: a backup belongs elsewhere`)
  }
  const [first, second] = places
  if (first !== undefined && second !== undefined && (isWithin(first, second) || isWithin(second, first)))
    throw new BackupRefused(
      'the places of log and keys lie in each other: whoever has both can read everything',
    )
}

/** What hasn't been restored to its end knows people who were erased; of a newer format nobody here knows what it holds. */
function checkFormat(data: string): void {
  const path = join(data, 'FORMAT')
  const stated = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
  if (stated === RESTORING)
    throw new BackupRefused(`${data} holds a restore that was never finished: there is nothing to back up`)
  if (stated !== '' && stated !== String(DATA_FORMAT))
    throw new BackupRefused(
      `${data} has another data format than ${DATA_FORMAT}, which this release backs up: use the release that wrote it`,
    )
}

/** Where a path leads, links followed as far as it exists. */
export function realPath(path: string): string {
  const whole = resolve(path)
  if (existsSync(whole)) return realpathSync(whole)
  const above = dirname(whole)
  return above === whole ? whole : join(realPath(above), basename(whole))
}

export function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep)
}

/** Errors whose messages are ours, or the system's about a file; anything else is a bug and thrown on. */
export function sentenceOf(error: unknown): string {
  if (error instanceof BackupRefused || error instanceof LogDamaged || error instanceof KeyStoreError)
    return error.message
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (error instanceof Error && /^E(?!RR_)[A-Z0-9]+$/.test(code)) return error.message
  if (error instanceof Error && code === 'ERR_SQLITE_ERROR') return `SQLite: ${error.message}`
  throw error
}
