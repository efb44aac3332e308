import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Identity, IdentityId } from '../../engine/events/identity.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { type Head, LogDamaged, type LogReader } from '../../engine/log/log.ts'
import { KeyStoreError, type KeyStoreFailure } from '../../engine/privacy/failure.ts'
import { type KeyReader, openOpener } from '../../engine/privacy/opener.ts'
import { SealBroken } from '../../engine/privacy/privacy.ts'
import { erasedInLog } from '../backup/erasures.ts'
import { forgottenUntil } from '../backup/forgotten.ts'
import { GROUP_TYPES } from '../erasure/touched.ts'
import { counted, type Finding, fail, ok, warn } from './finding.ts'

/** Opens the key store as a reader does, and tries its keys on the log's oldest and newest events. */
export async function checkKeys(
  directory: string,
  masterKey: Uint8Array | undefined,
  head: Head,
): Promise<readonly Finding[]> {
  const place = join(directory, 'keys')
  if (head.position === 0 && !existsSync(place))
    return [ok('key store', 'none yet: the first start makes it')]
  let keys: KeyReader
  try {
    keys = openOpener(place, { masterKey })
  } catch (error) {
    if (error instanceof KeyStoreError) return [refusedKeys(error.failure)]
    throw error
  }
  try {
    const opened = ok('key store', 'opens, and the master key fits')
    return head.position === 0 ? [opened] : [opened, await compare(directory, keys)]
  } finally {
    keys.close()
  }
}

export function refusedKeys(failure: KeyStoreFailure): Finding {
  const RESTORE = 'restore the key store from its backup, with every erasure since'
  switch (failure._tag) {
    case 'WrongMasterKey':
      return fail(
        'key store',
        'the master key is not the one it was written under',
        'set HEADWATER_MASTER_KEY to that of its time, or restore keys/master.key',
      )
    case 'MasterKeyMissing':
      return fail(
        'key store',
        `the master key ${failure.path} is missing`,
        'restore it from its backup, or set HEADWATER_MASTER_KEY: no other key opens anything',
      )
    case 'MasterKeyMalformed':
      return fail(
        'key store',
        `the master key is malformed: ${failure.why}`,
        'restore keys/master.key, or correct HEADWATER_MASTER_KEY',
      )
    case 'KeyStoreMissing':
      return fail('key store', `${failure.path} is missing, and the log has events`, RESTORE)
    case 'FormatNewer':
      return fail(
        'key store',
        `its format ${failure.found} is newer than ${failure.known}`,
        'use the release that wrote it, or a newer one',
      )
    case 'Damaged':
      return fail('key store', `it is damaged: ${failure.cause}`, RESTORE)
    case 'DiskFull':
    case 'Stopped':
    case 'NotPurged':
    case 'Closed':
      return fail(
        'key store',
        `it can't be read (${failure._tag})`,
        'check the disk and what the kernel logged of it',
      )
  }
}

const SAMPLE_EVENTS = 200

interface Sample {
  readonly parts: number
  /** Under keys that the store doesn't know, though no erasure explains it. */
  readonly unknown: number
  /** Of these, those of people whom it knows. */
  readonly lost: number
}

async function compare(directory: string, keys: KeyReader): Promise<Finding> {
  let log: LogReader | undefined
  try {
    log = openEmbeddedReader(join(directory, 'log'))
    const from = forgottenUntil(directory) + 1
    const erased = await erasedInLog(log)
    const newest = await sample(log.readBackwards({ limit: SAMPLE_EVENTS }), { keys, from, erased })
    const oldest = await sample(log.read({ from, limit: SAMPLE_EVENTS }), { keys, from, erased })
    return judge(newest, oldest)
  } catch (error) {
    if (error instanceof SealBroken) {
      return fail(
        'keys and log',
        'a sealed part of an event does not open under its own key',
        'key store and log are of different installations, or one was changed: restore both',
      )
    }
    if (error instanceof LogDamaged)
      return warn('keys and log', 'not compared: the log is damaged', 'see log')
    throw error
  } finally {
    await log?.close()
  }
}

async function sample(
  batches: ReturnType<LogReader['read']>,
  {
    keys,
    from,
    erased,
  }: { readonly keys: KeyReader; readonly from: number; readonly erased: ReadonlySet<IdentityId> },
): Promise<Sample> {
  let parts = 0
  let unknown = 0
  let lost = 0
  for await (const batch of batches)
    for (const { position, sealed, source, id, type, identities } of batch)
      for (const part of position < from ? [] : sealed) {
        parts += 1
        if (keys.open(part, { source, id, type }) !== undefined) continue
        const mayBeOthers = GROUP_TYPES.has(type)
        if (identities.some((each) => erased.has(each.id)) || (mayBeOthers && erased.size > 0)) continue
        unknown += 1
        if (!mayBeOthers && areKnown(identities, keys)) lost += 1
      }
  return { parts, unknown, lost }
}

/** Known, all of them, so that the keys of what is about them should be too. */
function areKnown(identities: readonly Identity[], keys: KeyReader): boolean {
  return identities.length > 0 && identities.every(({ id }) => keys.holdings([id]).mappings > 0)
}

/** Erased people's keys are unknown by right, so one alone says nothing. */
function judge(newest: Sample, oldest: Sample): Finding {
  const parts = newest.parts + oldest.parts
  const unknown = newest.unknown + oldest.unknown
  if (parts === 0) return ok('keys and log', 'nothing sealed among the oldest and newest events')
  if (newest.lost + oldest.lost > 0) {
    const message = `the keys of ${counted(newest.lost + oldest.lost, 'sealed part')} among the oldest and newest events are gone, though their owners are known and were not erased`
    return fail('keys and log', message, 'headwater verify tells all of them; restore the key store')
  }
  const message = `of ${counted(parts, 'sealed part')} among the oldest and newest events, ${parts - unknown} open or are of erased people`
  if (unknown === parts) {
    return fail('keys and log', message, "the key store is not this log's: restore the one that is")
  }
  if (newest.parts > 0 && newest.unknown === newest.parts) {
    return fail(
      'keys and log',
      `${message}; none of the newest do`,
      'the key store is older than the log: restore a newer one',
    )
  }
  if (unknown * 2 > parts) {
    return warn(
      'keys and log',
      message,
      'right if that many people were erased; else the key store is an older one',
    )
  }
  return ok('keys and log', message)
}
