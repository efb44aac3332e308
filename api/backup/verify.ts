import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Files } from '../../engine/log/embedded/files.ts'
import { DATABASE_FILE } from '../../engine/privacy/format.ts'
import { checkFormat } from '../doctor/directory.ts'
import { type Finding, fail, ok, warn } from '../doctor/finding.ts'
import { systemMachine } from '../doctor/machine.ts'
import { checkQuarantine, checkReadModels } from '../doctor/read-models.ts'
import { failureText } from '../failure-place.ts'
import type { CompareProgress } from '../versions/compare.ts'
import { verifyServed } from '../versions/verify-served.ts'
import { cutLog } from './log-cut.ts'
import { verifyTreeHeads } from './verify-audit.ts'
import { verifyKeyStore, verifyKeysOfLog } from './verify-keys.ts'
import { verifyBlocks } from './verify-log.ts'

export interface VerifyOptions {
  readonly data: string
  readonly workspace: string
  readonly masterKey: Uint8Array | undefined
  readonly files: Files
  /** An engine has the directory open: its read models move while we look. */
  readonly isRunning: boolean
  readonly onProgress: (step: string, done: number, of: number) => void
  /** Leaves out folding the read models once more, which takes as long as the log is. */
  readonly skipReadModels?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads and checks everything in a data directory, and changes nothing. A running engine may go on: what it appends
 * meanwhile isn't looked at.
 */
export async function verifyData(options: VerifyOptions): Promise<readonly Finding[]> {
  const { data, files, workspace, masterKey, isRunning, onProgress } = options
  if (!existsSync(data))
    return [fail('data', `${data} isn't there`, 'set HEADWATER_DATA, or name it by --data')]
  const findings: Finding[] = [checkFormat(systemMachine, data)]
  const check = async (name: string, work: () => readonly Finding[] | Promise<readonly Finding[]>) => {
    try {
      findings.push(...(await work()))
    } catch (error) {
      findings.push(fail(name, `it can't be checked: ${failureText(error)}`, 'see to what it says'))
    }
  }
  const log = verifyBlocks(files, data, {
    ...{ workspace, isRunning },
    onProgress: (done, of) => onProgress('log', done, of),
  })
  findings.push(...log.findings)
  const keys = join(data, 'keys')
  if (log.head.position === 0 && !existsSync(join(keys, DATABASE_FILE))) {
    findings.push(ok('key store', 'none yet: the first start makes it'))
  } else {
    await check('key store', () =>
      verifyKeyStore(keys, masterKey, (done, of) => onProgress('key store', done, of)),
    )
  }
  const opens = !findings.some(({ check: name, status }) => name === 'key store' && status === 'fail')
  if (opens && log.whole && log.head.position > 0) {
    await check('keys and log', () =>
      verifyKeysOfLog(files, data, masterKey, log.head, (done, of) => onProgress('keys and log', done, of)),
    )
  } else if (log.head.position !== 0) {
    findings.push(warn('keys and log', 'not compared', 'see log and key store'))
  }
  await check('tree heads', () => {
    const progress = (done: number, of: number) => onProgress('tree', done, of)
    return verifyTreeHeads(files, data, { isRunning, onProgress: progress })
  })
  await check('quarantine', () => verifyDatabase('quarantine', join(data, 'quarantine', 'quarantine.sqlite')))
  await check('quarantine', () => [checkQuarantine(data)])
  await check('ops', () => verifyDatabase('ops', join(data, 'ops.sqlite')))
  await check('read models', () => verifyReadModels(options, log.whole, opens))
  return findings
}

/** SQLite's own check of every page. */
function verifyDatabase(name: string, path: string): readonly Finding[] {
  if (!existsSync(path)) return []
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const said = database
      .prepare('PRAGMA integrity_check(3)')
      .all()
      .map((row) => String(row['integrity_check']))
    if (said.length === 1 && said[0] === 'ok') return [ok(name, `every page of ${path} is sound`)]
    return [fail(name, `${path} is damaged: ${said.join('; ')}`, 'restore it from a backup')]
  } finally {
    database.close()
  }
}

async function verifyReadModels(
  options: VerifyOptions,
  isWhole: boolean,
  opens: boolean,
): Promise<readonly Finding[]> {
  const { data, files, isRunning, onProgress } = options
  if (!isWhole) return [warn('read models', 'not compared: the log is damaged', 'see log')]
  const found = isRunning ? [] : await checkReadModels(data, cutLog(files, join(data, 'log')).head)
  const isSound = found.every(({ check, status }) => check !== 'read models' || status === 'ok')
  if (!isSound || !existsSync(join(data, 'read-models.sqlite'))) return found
  if (options.skipReadModels === true) return [...found, ok('read models', 'not folded once more, as asked')]
  if (!opens) return [...found, warn('read models', 'not compared: the keys do not open', 'see key store')]
  const { masterKey, signal = new AbortController().signal } = options
  const progress = ({ step, done, of }: CompareProgress) => onProgress(`read models, ${step}`, done, of)
  return [...found, ...(await verifyServed({ data, masterKey, signal, onProgress: progress }))]
}
