import { join } from 'node:path'
import type { Files } from '../../engine/log/embedded/files.ts'
import { LogDamaged } from '../../engine/log/log.ts'
import { checkKeyStore, type KeyStoreCheck } from '../../engine/privacy/check-key-store.ts'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import { masterKeyFor } from '../../engine/privacy/master-key.ts'
import { openOpener } from '../../engine/privacy/opener.ts'
import { counted, type Finding, fail, ok, warn } from '../doctor/finding.ts'
import { refusedKeys } from '../doctor/keys.ts'
import type { OnProgress } from './check-files.ts'
import { erasedInLog } from './erasures.ts'
import { forgottenUntil } from './forgotten.ts'
import { openPrefix } from './log-prefix.ts'
import type { BackupHead } from './manifest.ts'
import { checkNeededKeys, type NeededKeys, type Places } from './needed-keys.ts'

const RESTORE = 'restore the key store from its backup, with every erasure since'

/** Opens everything in a key store. */
export function verifyKeyStore(
  directory: string,
  handedIn: Uint8Array | undefined,
  onProgress: OnProgress,
): readonly Finding[] {
  try {
    return judgeStore(checkKeyStore(directory, masterKeyFor(directory, handedIn), onProgress))
  } catch (error) {
    if (error instanceof KeyStoreError) return [refusedKeys(error.failure)]
    throw error
  }
}

function judgeStore(found: KeyStoreCheck): readonly Finding[] {
  const { identities, keys, marks, brokenIdentities, brokenKeys, ownerless } = found
  const findings: Finding[] = []
  if (brokenIdentities.length > 0) {
    const message = `${counted(brokenIdentities.length, 'identity row')} don't open, or aren't found by their value: ${named(brokenIdentities)}`
    findings.push(fail('key store', message, RESTORE))
  }
  if (brokenKeys.length > 0) {
    const message = `${counted(brokenKeys.length, 'data key')} don't open: ${named(brokenKeys)}`
    findings.push(fail('key store', message, RESTORE))
  }
  if (ownerless > 0) {
    const message = `${counted(ownerless, 'data key')} of people who aren't known any more`
    findings.push(
      warn('key store', message, 'an erasure was cut short: start the engine, which completes it'),
    )
  }
  const held = `${counted(identities, 'identity row')} and ${counted(keys, 'data key')} open, ${counted(marks, 'mark')} of erased people`
  return findings.some(({ status }) => status === 'fail') ? findings : [ok('key store', held), ...findings]
}

const MOST_SHOWN = 5

function named(ids: readonly string[]): string {
  const shown = ids.slice(0, MOST_SHOWN).join(', ')
  return ids.length > MOST_SHOWN ? `${shown} …` : shown
}

/** Opens every sealed part of a log up to `head`, which is known to be whole. */
export async function verifyKeysOfLog(
  files: Files,
  data: string,
  masterKey: Uint8Array | undefined,
  head: BackupHead,
  onProgress: OnProgress,
): Promise<readonly Finding[]> {
  const keys = openOpener(join(data, 'keys'), { masterKey })
  const log = openPrefix(files, join(data, 'log'), head)
  try {
    const erased = await erasedInLog(log)
    const needed = await checkNeededKeys(log, keys, erased, {
      until: head.position,
      forgottenUntil: forgottenUntil(data),
      onPosition: (position) => onProgress(position, head.position),
    })
    return judgeNeeded(needed)
  } catch (error) {
    if (error instanceof LogDamaged)
      return [warn('keys and log', 'not compared: the log is damaged', 'see log')]
    throw error
  } finally {
    keys.close()
    await log.close()
  }
}

function judgeNeeded({ parts, opened, erased, unexplained, lost, broken }: NeededKeys): readonly Finding[] {
  const findings: Finding[] = []
  if (broken.count > 0) {
    const message = `${counted(broken.count, 'sealed part')} of events ${between(broken)} were changed, or are of another installation`
    findings.push(fail('keys and log', message, 'restore log and keys from backups that belong together'))
  }
  if (lost.count > 0) {
    const message = `the keys of ${counted(lost.count, 'sealed part')} of events ${between(lost)} are gone, though nobody there was erased`
    findings.push(
      fail(
        'keys and log',
        message,
        'the key store is older than the log, or has lost rows: restore a newer one',
      ),
    )
  }
  if (unexplained.count > 0) {
    const message = `${counted(unexplained.count, 'sealed part')} of events ${between(unexplained)} belong to people who aren't known, and whom no erasure in the log names`
    const advice =
      'right if they were erased after the backup that this log was restored from; else the key store is older than the log'
    // With an older store most is readable; with none of the old one nothing is.
    findings.push((opened === 0 ? fail : warn)('keys and log', message, advice))
  }
  if (findings.some(({ status }) => status === 'fail')) return findings
  return [
    ok('keys and log', `of ${counted(parts, 'sealed part')} ${opened} open, ${erased} are of erased people`),
    ...findings,
  ]
}

function between({ first, last }: Places): string {
  return first === last ? `at position ${first}` : `between positions ${first} and ${last}`
}
