import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DATABASE_FILE, FORMAT_VERSION, KEY_FILE } from '../../engine/privacy/format.ts'
import { storedMasterKeyId } from '../../engine/privacy/master-key.ts'
import { copyDurably, digestOf, makeDurably } from './durable-files.ts'
import { BackupRefused } from './failure.ts'
import type { LogCut } from './log-cut.ts'
import {
  findManifest,
  type KeyManifest,
  keyBackupName,
  keyBackups,
  manifestVersion,
  writeManifest,
} from './manifest.ts'
import { copyDatabase } from './sqlite-copy.ts'

export interface KeyBackupOptions {
  readonly data: string
  /** Each backup is a directory of its own in it. */
  readonly to: string
  readonly workspace: string
  readonly release: string
  readonly nowMs: number
  readonly expiresDays: number
  readonly withMasterKey: boolean
  readonly withCredentials: boolean
}

export interface KeyBackupReport {
  readonly directory: string
  readonly manifest: KeyManifest
  /** Backups in the same place whose time is over. */
  readonly expired: number
}

const DAY_MS = 86_400_000

/**
 * Copies the key store. `cut` must have been taken before: an event is written only after its keys are durable, so
 * whatever the cut holds, this copy opens.
 */
export async function backupKeys(options: KeyBackupOptions, cut: LogCut): Promise<KeyBackupReport> {
  const { data, to, nowMs } = options
  if (findManifest(to)?.backup === 'headwater-log')
    throw new BackupRefused(`${to} holds a backup of the log: keep the two in separate places`)
  const source = join(data, 'keys', DATABASE_FILE)
  if (!existsSync(source)) throw new BackupRefused(`${source} is missing: there is no key store to back up`)
  const directory = join(to, keyBackupName(nowMs))
  if (existsSync(directory)) throw new BackupRefused(`${directory} is there already: try again`)
  makeDurably(join(directory, 'keys'))
  await copyDatabase(source, join(directory, 'keys', DATABASE_FILE))
  const paths = [`keys/${DATABASE_FILE}`]
  for (const path of secretsOf(options)) {
    copyDurably(join(data, path), join(directory, path), () => {})
    paths.push(path)
  }
  const manifest: KeyManifest = {
    backup: 'headwater-keys',
    version: manifestVersion(),
    release: options.release,
    workspace: cut.workspace ?? options.workspace,
    logId: cut.logId ?? null,
    takenAt: new Date(nowMs).toISOString(),
    keyFormat: FORMAT_VERSION,
    covers: cut.head,
    expiresAt: new Date(nowMs + options.expiresDays * DAY_MS).toISOString(),
    masterKeyId: storedMasterKeyId(join(directory, 'keys')),
    files: paths.map((path) => ({ path, stored: path, ...digestOf(join(directory, path), () => {}) })),
  }
  writeManifest(directory, manifest)
  return { directory, manifest, expired: expiredBackups(to, nowMs).length }
}

function secretsOf({ data, withMasterKey, withCredentials }: KeyBackupOptions): readonly string[] {
  const wanted = [
    ...(withMasterKey ? [`keys/${KEY_FILE}`] : []),
    ...(withCredentials ? ['credentials.json'] : []),
  ]
  for (const path of wanted) {
    if (existsSync(join(data, path))) continue
    throw new BackupRefused(`${join(data, path)} isn't there: what the environment hands in is yours to keep`)
  }
  return wanted
}

/**
 * Those whose time is over, and those that were never finished but the newest, which may be under way. A damaged one
 * doesn't say when it expires, and is left to people.
 */
export function expiredBackups(directory: string, nowMs: number): readonly string[] {
  const all = keyBackups(directory)
  return all
    .filter(({ found }, at) => {
      if (found instanceof BackupRefused) return false
      return found === undefined ? at < all.length - 1 : Date.parse(found.expiresAt) <= nowMs
    })
    .map((backup) => backup.directory)
}

/** Deletes expired backups of the key store; answers which. */
export function pruneKeys(directory: string, nowMs: number): readonly string[] {
  const expired = expiredBackups(directory, nowMs)
  for (const each of expired) {
    // The manifest first: what a crash leaves is an unfinished backup, which nobody restores.
    rmSync(join(each, 'manifest.json'), { force: true })
    rmSync(each, { recursive: true })
  }
  return expired
}
