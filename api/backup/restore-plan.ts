import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KEY_FILE } from '../../engine/privacy/format.ts'
import { masterKeyId } from '../../engine/privacy/master-key.ts'
import { DATA_FORMAT, RESTORING } from '../engine.ts'
import { isWithin, realPath } from './backup.ts'
import { BackupRefused } from './failure.ts'
import {
  type KeyBackup,
  type KeyManifest,
  type LogManifest,
  readKeyManifest,
  readLogManifest,
} from './manifest.ts'

export interface LogBackup {
  readonly directory: string
  readonly manifest: LogManifest
}

export interface RestorePlan {
  readonly log: LogBackup
  /** undefined: a drill, or the key store is lost. */
  readonly keys: KeyBackup | undefined
  /** What speaks against it, each a sentence that names what is lost. Only force overrules them. */
  readonly objections: readonly string[]
}

/** Reads what is to be restored and whether the parts belong together. Throws `BackupRefused`. */
export function planRestore(options: {
  readonly log: string
  readonly keys: string | undefined
  readonly to: string
  readonly nowMs: number
}): RestorePlan {
  checkTarget(options.to, [options.log, ...(options.keys === undefined ? [] : [options.keys])])
  const manifest = readLogManifest(options.log)
  if (manifest.dataFormat !== DATA_FORMAT) {
    throw new BackupRefused(
      `${options.log} has data format ${manifest.dataFormat}, this release restores ${DATA_FORMAT}: use release ${manifest.release}`,
    )
  }
  const log = { directory: options.log, manifest }
  if (options.keys === undefined) return { log, keys: undefined, objections: [] }
  const keys = readKeyManifest(options.keys)
  checkSameLog(log, keys)
  return {
    log,
    keys,
    objections: [...orderObjections(manifest, keys.manifest), ...expiryObjections(keys, options.nowMs)],
  }
}

/** Names of what a file system puts into an empty directory by itself. */
export const OF_THE_SYSTEM: ReadonlySet<string> = new Set(['lost+found'])

function checkTarget(to: string, sources: readonly string[]): void {
  for (const source of sources) {
    if (isWithin(realPath(to), realPath(source)) || isWithin(realPath(source), realPath(to)))
      throw new BackupRefused(`${to} and ${source} lie in each other: restore elsewhere`)
  }
  if (!existsSync(to)) return
  const format = join(to, 'FORMAT')
  if (existsSync(format) && readFileSync(format, 'utf8').trim() === RESTORING)
    throw new BackupRefused(`${to} holds a restore that was never finished: remove it, then restore again`)
  if (readdirSync(to).some((name) => !OF_THE_SYSTEM.has(name)))
    throw new BackupRefused(`${to} isn't empty: a restore never writes over anything; name another directory`)
}

/** No force helps against these: together they are worth nothing. */
function checkSameLog(log: LogBackup, keys: KeyBackup): void {
  const [a, b] = [log.manifest, keys.manifest]
  if (a.workspace !== b.workspace)
    throw new BackupRefused(`the log is of the workspace ${a.workspace}, the keys are of ${b.workspace}`)
  const other = a.logId !== null && b.logId !== null && a.logId !== b.logId
  const forked = a.head.position === b.covers.position && a.head.mark !== b.covers.mark
  if (other || forked)
    throw new BackupRefused(
      `the keys in ${keys.directory} belong to another log than that in ${log.directory}`,
    )
}

export function orderObjections(log: LogManifest, keys: KeyManifest): readonly string[] {
  const { position } = log.head
  const covered = keys.covers.position
  if (covered >= position) return []
  return [
    `the keys are older than the log: they were copied when it stood at position ${covered}, it goes up to ${position}. ` +
      'What is personal in the events between, of people who were new then, would be lost for ever, and each of them ' +
      'would be somebody new from now on. Take a backup of the keys that was made after that of the log',
  ]
}

function expiryObjections({ directory, manifest }: KeyBackup, nowMs: number): readonly string[] {
  if (Date.parse(manifest.expiresAt) > nowMs) return []
  return [
    `the keys in ${directory} expired at ${manifest.expiresAt}: people who were erased since they were copied would be ` +
      'readable again, but for those whom the log or --erasures names',
  ]
}

/** The master key of a backup's time. Throws `BackupRefused` where it is another one, or none. */
export function masterKeyOf(
  { directory, manifest }: KeyBackup,
  handedIn: Uint8Array | undefined,
): Uint8Array {
  const path = join(directory, 'keys', KEY_FILE)
  const key = handedIn ?? (existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined)
  if (key === undefined) {
    throw new BackupRefused(
      `the master key isn't among the keys in ${directory}: hand it in by HEADWATER_MASTER_KEY or --master-key-file`,
    )
  }
  if (masterKeyId(key).toString('hex') === manifest.masterKeyId) return key
  throw new BackupRefused(
    `this isn't the master key that the keys in ${directory} are under: if it was changed since, hand in that of ${manifest.takenAt}`,
  )
}
