import { join, resolve } from 'node:path'
import type { Clock } from '../../engine/clock.ts'
import { isLockedElsewhere } from '../../engine/log/embedded/lock.ts'
import { decodeMasterKey } from '../../engine/privacy/master-key.ts'
import type { Configuration } from '../configuration.ts'
import { failureText } from '../failure-place.ts'
import { EMBEDDED } from '../log-address.ts'
import { checkAudit } from './audit.ts'
import { checkCredentials, checkFormat, checkPermissions } from './directory.ts'
import { checkFileSystem, checkSpace, checkSync } from './disk.ts'
import { checkEnvironment, type Environment } from './environment.ts'
import { checkErasures } from './erasures.ts'
import { checkEventStore } from './event-store.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { checkKeys } from './keys.ts'
import { checkClock, checkLog } from './log.ts'
import type { Machine } from './machine.ts'
import { checkMemory, checkNode, checkOpenFiles, checkProcessor } from './machine-checks.ts'
import { checkNats, checkPort, ownServerUrl } from './network.ts'
import { checkQuarantine, checkReadModels } from './read-models.ts'
import { checkRunning } from './running.ts'

interface Patient {
  readonly env: Environment
  readonly machine: Machine
  readonly clock: Clock
}

/**
 * Checks a machine and the installation on it. Changes nothing but for a probe file that it removes again; a running
 * engine keeps its lock and its files to itself and is asked over HTTP. No finding names a customer or quotes a secret.
 */
export async function examine({ env, machine, clock }: Patient): Promise<readonly Finding[]> {
  const { findings, configuration } = checkEnvironment(env)
  const directory = resolve(configuration.dataDirectory)
  const check = attempts()
  await check('node', () => [checkNode(machine)])
  await check('processor', () => [checkProcessor(machine)])
  await check('memory', () => [checkMemory(machine)])
  await check('open files', () => [checkOpenFiles(machine)])
  check.add(findings)
  await check('file system', () => [checkFileSystem(machine, directory)])
  await check('disk space', () => checkSpace(machine, directory))
  await check('fsync', () => [checkSync(machine, directory, clock)])
  await check('data', () => [checkFormat(machine, directory)])
  await check('permissions', () => checkPermissions(machine, directory))
  await check('credentials', () => [checkCredentials(machine, directory, configuration)])
  let runs = false
  await check('engine', () => {
    runs = isLockedElsewhere(join(directory, 'log'))
    return runs ? checkRunning(urlOf(env, configuration)) : [ok('engine', 'none runs on this directory')]
  })
  // A running engine has said already where its log is.
  if (!runs || configuration.eventLog !== EMBEDDED)
    await check('eventstore', () => checkEventStore(directory, configuration.eventLog))
  if (!runs) await examineFiles(check, { directory, configuration, machine, clock })
  if (!runs) await check('port', async () => [await checkPort(configuration)])
  const natsUrl = configuration.natsUrl ?? (runs ? ownServerUrl(directory) : undefined)
  await check('nats', () => checkNats({ ...configuration, natsUrl }, env['PATH'] ?? ''))
  return check.findings
}

/** A check that throws is a finding of its own. */
function attempts() {
  const findings: Finding[] = []
  const check = async (
    name: string,
    work: () => readonly Finding[] | Promise<readonly Finding[]>,
  ): Promise<void> => {
    try {
      findings.push(...(await work()))
    } catch (error) {
      findings.push(fail(name, `the check failed: ${failureText(error)}`, 'see to what it says'))
    }
  }
  return Object.assign(check, { findings, add: (more: readonly Finding[]) => void findings.push(...more) })
}

/** What only whoever has the directory to himself can look into. */
async function examineFiles(
  check: ReturnType<typeof attempts>,
  {
    directory,
    configuration,
    machine,
    clock,
  }: {
    readonly directory: string
    readonly configuration: Configuration
    readonly machine: Machine
    readonly clock: Clock
  },
): Promise<void> {
  let head: ReturnType<typeof checkLog>['head']
  await check('log', () => {
    const log = checkLog(machine, directory, configuration.workspace)
    head = log.head
    return log.findings
  })
  const { masterKey } = configuration
  const known = head
  await check('key store', () =>
    checkKeys(
      directory,
      masterKey === undefined ? undefined : decodeMasterKey(masterKey),
      // A log that can't be read has events all the same.
      known ?? { position: 1, received: 0 },
    ),
  )
  await check('quarantine', () => [checkQuarantine(directory)])
  await check('erasures', () => [checkErasures(directory, clock)])
  if (known === undefined) {
    check.add([warn('read models', 'not compared: the log can’t be read', 'see log')])
    return
  }
  await check('clock', () => [checkClock(clock, known)])
  const keyHandedIn = configuration.auditKey !== undefined
  await check('audit', () => [checkAudit(machine, directory, known, { clock, keyHandedIn })])
  await check('read models', () => checkReadModels(directory, known))
}

/** Where the engine of this directory listens: as stated, or as it is configured to. */
function urlOf(env: Environment, { url, host, port }: Configuration): string {
  if ((env['HEADWATER_URL'] ?? '') !== '') return url.replace(/\/+$/, '')
  const name = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
