import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as t from 'io-ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import type { LogReader } from '../../engine/log/log.ts'
import { BackupRefused } from './failure.ts'
import { cutLog, segmentFirsts } from './log-cut.ts'
import { openPrefix } from './log-prefix.ts'
import { MANIFEST, readLogManifest } from './manifest.ts'
import { storedLog } from './stored-log.ts'

const ERASED: ReadonlySet<string> = new Set(['person.erased'])

/** What `person.erased` events of a log name: the identity ids of people who were erased. */
export async function erasedInLog(log: Pick<LogReader, 'read'>): Promise<ReadonlySet<IdentityId>> {
  const erased = new Set<IdentityId>()
  for await (const batch of log.read({ types: ERASED }))
    for (const { data } of batch) for (const id of stringsIn(data['erased'])) erased.add(id)
  return erased
}

function stringsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

async function erasedInDirectory(files: Files, directory: string): Promise<ReadonlySet<IdentityId>> {
  const log = openPrefix(files, directory, cutLog(files, directory).head)
  try {
    return await erasedInLog(log)
  } finally {
    await log.close()
  }
}

const certificate = t.type({ identities: t.array(t.union([t.string, t.type({ id: t.string })])) })

/**
 * Identity ids named by what `--erasures` points to: a certificate (JSON), the directory of a log, a data directory, or
 * a backup of the log. Throws `BackupRefused`.
 */
export async function erasedIn(files: Files, path: string): Promise<ReadonlySet<IdentityId>> {
  if (!existsSync(path)) throw new BackupRefused(`${path} isn't there`)
  if (!statSync(path).isDirectory()) return erasedByCertificate(path)
  if (existsSync(join(path, MANIFEST)))
    return erasedInDirectory(storedLog(files, path, readLogManifest(path).files), path)
  for (const directory of [path, join(path, 'log')]) {
    if (segmentFirsts(files, directory).length > 0) return erasedInDirectory(files, directory)
  }
  throw new BackupRefused(`${path} is neither a log, nor a data directory, nor a certificate of an erasure`)
}

function erasedByCertificate(path: string): ReadonlySet<IdentityId> {
  const decoded = certificate.decode(readJson(path))
  if (decoded._tag === 'Left') throw new BackupRefused(`${path} is no certificate of an erasure`)
  const ids = decoded.right.identities.map((each) => (typeof each === 'string' ? each : each.id))
  if (ids.every((id) => /^[0-9a-f]{32}$/.test(id))) return new Set(ids)
  throw new BackupRefused(`${path} names something that is no identity id`)
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw new BackupRefused(`${path} is no JSON`)
    throw error
  }
}
