import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Files } from '../../engine/log/embedded/files.ts'
import { KEY_FILE } from '../../engine/privacy/format.ts'
import { masterKeyId } from '../../engine/privacy/master-key.ts'
import { counted, type Finding, fail, ok, warn } from '../doctor/finding.ts'
import { sentenceOf } from './backup.ts'
import { checkStored, checkStoredLog } from './check-files.ts'
import { BackupRefused } from './failure.ts'
import { findManifest, type KeyManifest, keyBackups, type LogManifest, MANIFEST } from './manifest.ts'
import { orderObjections } from './restore-plan.ts'
import { verifyKeyStore } from './verify-keys.ts'

export interface VerifyBackupOptions {
  /** A backup of the log or the keys, a directory of key backups, or one that holds `log` and `keys`. */
  readonly directory: string
  readonly masterKey: Uint8Array | undefined
  readonly nowMs: number
  readonly files: Files
  readonly onProgress: (step: string, done: number, of: number) => void
}

/** Reads every byte of a backup and compares it with the manifest; changes nothing. */
export function verifyBackup(options: VerifyBackupOptions): readonly Finding[] {
  const places = placesIn(options.directory)
  if (places.length === 0) {
    const message = `${options.directory} holds no finished backup (no ${MANIFEST})`
    return [fail('backup', message, 'use another one; an unfinished one is never restored')]
  }
  const findings = places.flatMap((directory) => verifyPlace(directory, options))
  return [...findings, ...verifyOrder(places)]
}

function placesIn(directory: string): readonly string[] {
  if (existsSync(join(directory, MANIFEST))) return [directory]
  const inside = [join(directory, 'log'), join(directory, 'keys')].filter((each) => existsSync(each))
  const keys = keyBackups(directory).flatMap((each) => (each.found === undefined ? [] : [each.directory]))
  return [...keys, ...inside.flatMap(placesIn)]
}

function verifyPlace(directory: string, options: VerifyBackupOptions): readonly Finding[] {
  const { files, onProgress } = options
  try {
    const manifest = findManifest(directory)
    if (manifest === undefined) return []
    checkStored(directory, manifest, (done, of) => onProgress(directory, done, of))
    switch (manifest.backup) {
      case 'headwater-log':
        checkStoredLog(files, directory, manifest)
        return [ok('backup of the log', describe(directory, manifest))]
      case 'headwater-keys':
        return verifyKeys(directory, manifest, options)
    }
  } catch (error) {
    return [fail('backup', sentenceOf(error), 'make a new one, and keep no damaged one for the day of need')]
  }
}

function describe(directory: string, { head, takenAt, files, release }: LogManifest): string {
  return `${directory}: up to position ${head.position}, taken ${takenAt} by release ${release}; ${counted(files.length, 'file')} as they were written`
}

function verifyKeys(
  directory: string,
  manifest: KeyManifest,
  { masterKey, nowMs, onProgress }: VerifyBackupOptions,
): readonly Finding[] {
  const { covers, takenAt, expiresAt } = manifest
  const message = `${directory}: for the log up to position ${covers.position}, taken ${takenAt}, until ${expiresAt}`
  const finding =
    Date.parse(expiresAt) > nowMs
      ? ok('backup of the keys', message)
      : warn('backup of the keys', `${message}: expired`, 'headwater backup prune deletes it')
  const fits = masterKey !== undefined && masterKeyId(masterKey).toString('hex') === manifest.masterKeyId
  const keys = join(directory, 'keys')
  if (!fits && !existsSync(join(keys, KEY_FILE))) {
    const closed = `${directory}: not opened, as its master key isn't at hand`
    return [
      finding,
      warn('backup of the keys', closed, 'hand it in by HEADWATER_MASTER_KEY or --master-key-file'),
    ]
  }
  const opened = verifyKeyStore(keys, fits ? masterKey : undefined, (done, of) =>
    onProgress(directory, done, of),
  )
  return [finding, ...opened]
}

/** Whether the newest keys open the log beside them. */
function verifyOrder(places: readonly string[]): readonly Finding[] {
  const manifests = places.flatMap((directory) => {
    try {
      const manifest = findManifest(directory)
      return manifest === undefined ? [] : [manifest]
    } catch (error) {
      if (error instanceof BackupRefused) return []
      throw error
    }
  })
  const log = manifests.findLast((manifest) => manifest.backup === 'headwater-log')
  const keys = manifests
    .filter((manifest) => manifest.backup === 'headwater-keys')
    .sort((a, b) => Date.parse(a.takenAt) - Date.parse(b.takenAt))
    .at(-1)
  if (log?.backup !== 'headwater-log' || keys?.backup !== 'headwater-keys') return []
  return orderObjections(log, keys).map((why) => fail('backup', why, 'headwater backup --keys makes one now'))
}
