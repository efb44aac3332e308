import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as t from 'io-ts'
import { writeDurably } from './durable-files.ts'
import { BackupRefused } from './failure.ts'

/** What a backup holds, written last: a directory without it is a backup that was never finished. */
export const MANIFEST = 'manifest.json'
const MANIFEST_VERSION = 1

/** A path inside a directory: no way out of it, whatever the manifest says. */
const insidePath = new t.Type<string>(
  'insidePath',
  t.string.is,
  (input, context) =>
    typeof input === 'string' &&
    /^[\w.-]+(?:\/[\w.-]+)*$/.test(input) &&
    !input.split('/').some((part) => part === '.' || part === '..')
      ? t.success(input)
      : t.failure(input, context),
  t.identity,
)

const count = t.refinement(t.number, (value) => Number.isSafeInteger(value) && value >= 0)
const sha256 = t.refinement(t.string, (value) => /^[0-9a-f]{64}$/.test(value))
const instant = t.refinement(t.string, (value) => !Number.isNaN(Date.parse(value)))

const storedFile = t.intersection([
  t.type({
    /** Where it belongs in a data directory. */
    path: insidePath,
    /** Where it lies in the backup. */
    stored: insidePath,
    sizeBytes: count,
    sha256,
  }),
  // Of a log segment: the positions it holds.
  t.partial({ first: count, last: count }),
])
export type StoredFile = t.TypeOf<typeof storedFile>

/** Where a log stood. `mark` tells the event there from another log's; null on an empty log. */
const head = t.type({ position: count, received: count, mark: t.union([t.string, t.null]) })
export type BackupHead = t.TypeOf<typeof head>

const common = {
  version: count,
  /** The release that wrote it. */
  release: t.string,
  workspace: t.string,
  /** Names the log: both parts of a backup must state the same one. null: it was empty. */
  logId: t.union([t.string, t.null]),
  /** UTC, ISO 8601. */
  takenAt: instant,
  files: t.array(storedFile),
}

const logManifest = t.type({
  ...common,
  backup: t.literal('headwater-log'),
  dataFormat: count,
  logFormat: count,
  /** The last event in it. */
  head,
})
export type LogManifest = t.TypeOf<typeof logManifest>

const keyManifest = t.type({
  ...common,
  backup: t.literal('headwater-keys'),
  keyFormat: count,
  /** It holds every key that events up to here need: the log stood there before the keys were copied. */
  covers: head,
  expiresAt: instant,
  /** Names the master key that opens it; says nothing about the key. */
  masterKeyId: t.string,
})
export type KeyManifest = t.TypeOf<typeof keyManifest>

export type Manifest = LogManifest | KeyManifest

/** `digest`, of everything before it, shows damage of the manifest itself. */
export function writeManifest(directory: string, manifest: Manifest): void {
  const digest = digestText(manifest)
  writeDurably(join(directory, MANIFEST), `${JSON.stringify({ ...manifest, digest }, null, 1)}\n`)
}

function digestText(manifest: object): string {
  return createHash('sha256').update(JSON.stringify(manifest)).digest('hex')
}

export function manifestVersion(): number {
  return MANIFEST_VERSION
}

/** undefined where no backup was ever finished. Throws `BackupRefused` where one is damaged or of a newer release. */
export function findManifest(directory: string): Manifest | undefined {
  const path = join(directory, MANIFEST)
  if (!existsSync(path)) return undefined
  const stated = parsed(path)
  if (stated === undefined) throw damaged(path, 'it is no manifest')
  const { digest, ...manifest } = stated
  if (typeof stated['version'] === 'number' && stated['version'] > MANIFEST_VERSION) {
    throw new BackupRefused(
      `${path} has version ${stated['version']}, this release reads ${MANIFEST_VERSION}: use the release that wrote it, or a newer one`,
    )
  }
  if (digest !== digestText(manifest)) throw damaged(path, 'its digest is wrong')
  if (logManifest.is(manifest) || keyManifest.is(manifest)) return manifest
  throw damaged(path, 'it lacks what a manifest says')
}

function parsed(path: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return t.UnknownRecord.is(value) && !Array.isArray(value) ? value : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function damaged(path: string, why: string): BackupRefused {
  return new BackupRefused(`${path} is damaged (${why}): this backup can't be trusted; use another one`)
}

/** Throws `BackupRefused` where there is no finished backup of the log. */
export function readLogManifest(directory: string): LogManifest {
  const manifest = required(directory)
  if (manifest.backup === 'headwater-log') return manifest
  throw new BackupRefused(`${directory} is a backup of the key store, not of the log`)
}

/**
 * A backup of the key store: the directory itself, or the newest finished one in it. Throws `BackupRefused` where there
 * is none, or the newest is damaged.
 */
export function readKeyManifest(directory: string): KeyBackup {
  if (!existsSync(join(directory, MANIFEST))) {
    const newest = keyBackups(directory).findLast(({ found }) => found !== undefined)
    if (newest?.found instanceof BackupRefused) throw newest.found
    if (newest?.found !== undefined) return { directory: newest.directory, manifest: newest.found }
  }
  const manifest = required(directory)
  if (manifest.backup === 'headwater-keys') return { directory, manifest }
  throw new BackupRefused(`${directory} is a backup of the log, not of the key store`)
}

export interface KeyBackup {
  readonly directory: string
  readonly manifest: KeyManifest
}

interface FoundKeyBackup {
  readonly directory: string
  /** undefined: it was never finished. */
  readonly found: KeyManifest | BackupRefused | undefined
}

/** The backups of the key store in a directory, oldest first. */
export function keyBackups(directory: string): readonly FoundKeyBackup[] {
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).filter((name) => KEY_BACKUP_NAME.test(name))
  return names
    .sort()
    .map((name) => ({ directory: join(directory, name), found: keysIn(join(directory, name)) }))
}

function keysIn(directory: string): KeyManifest | BackupRefused | undefined {
  try {
    const manifest = findManifest(directory)
    if (manifest?.backup === 'headwater-log') return new BackupRefused(`${directory} is a backup of the log`)
    return manifest
  } catch (error) {
    if (error instanceof BackupRefused) return error
    throw error
  }
}

const KEY_BACKUP_NAME = /^keys-\d{8}T\d{9}Z$/

export function keyBackupName(takenMs: number): string {
  return `keys-${compactInstant(takenMs)}`
}

/** `20261122T045914123Z`: sorts by time. */
export function compactInstant(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:.]/g, '')
}

function required(directory: string): Manifest {
  const manifest = findManifest(directory)
  if (manifest !== undefined) return manifest
  const partial = existsSync(directory) && readdirSync(directory).length > 0
  throw new BackupRefused(
    partial
      ? `${directory} holds no finished backup (it has no ${MANIFEST}): use another one`
      : `${directory} is no backup: it is ${existsSync(directory) ? 'empty' : 'not there'}`,
  )
}
