import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { examineServer, type ServerReport } from '../../engine/intake/nats/examine.ts'
import { errorCode } from '../../engine/log/embedded/files.ts'
import type { Configuration } from '../configuration.ts'
import { withoutCredentials } from '../failure-place.ts'
import { findOnPath } from '../nats-server.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** Whether the engine could listen there; asked only where none runs. */
export async function checkPort({ host, port }: Configuration): Promise<Finding> {
  if (port === 0) return ok('port', 'any free one')
  const code = await listenCode(host, port)
  switch (code) {
    case undefined:
      return ok('port', `${port} is free`)
    case 'EADDRINUSE':
      return fail('port', `${port} is in use by ${holderOf(port)}`, 'stop that one, or set HEADWATER_PORT')
    case 'EACCES':
      return fail('port', `${port} is not for this user`, 'set HEADWATER_PORT to one from 1024 on')
    default:
      return fail(
        'port',
        `listening on ${host} fails (${code})`,
        'set HEADWATER_HOST to an address of this machine',
      )
  }
}

/** undefined where it can be listened on. */
function listenCode(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', (error) => resolve(errorCode(error)))
    probe.listen(port, host, () => probe.close(() => resolve(undefined)))
  })
}

/** Number and name of the process that listens there, as far as Linux tells; never its arguments, which may be secret. */
function holderOf(port: number): string {
  const sockets = listeningSockets(port)
  for (const pid of namesIn('/proc').filter((name) => /^\d+$/.test(name))) {
    const links = namesIn(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
    if (links.some((link) => sockets.has(link))) return `process ${pid} (${nameOf(pid)})`
  }
  return 'another process'
}

/** `socket:[inode]` of those that listen on a port; /proc/net/tcp has it in hexadecimal, 0A meaning LISTEN. */
function listeningSockets(port: number): ReadonlySet<string> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => textOf(path).split('\n').slice(1))
  const columns = lines.map((line) => line.trim().split(/\s+/))
  const listening = columns.filter(([, local, , state]) => local?.endsWith(wanted) === true && state === '0A')
  return new Set(listening.map((entry) => `socket:[${entry[9]}]`))
}

function nameOf(pid: string): string {
  return textOf(`/proc/${pid}/comm`).trim() || 'unknown'
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

const ASK_WITHIN_MS = 3_000

/** The server that events come through: the one named, or the binary that a start would run. */
export async function checkNats(configuration: Configuration, path: string): Promise<readonly Finding[]> {
  const { natsUrl, workspace } = configuration
  if (natsUrl === undefined) return [await checkBinary(configuration, path)]
  const shown = withoutCredentials(natsUrl)
  try {
    return judgeServer(shown, configuration, await examineServer(natsUrl, workspace, ASK_WITHIN_MS))
  } catch (error) {
    const why = /^[A-Z_]+$/.test(errorCode(error)) ? errorCode(error) : 'no answer'
    return [
      warn(
        'nats',
        `${shown} can't be reached (${why})`,
        'check NATS_URL and that server; a running engine tries again every 2 s',
      ),
    ]
  }
}

/** An answer of the engine's own server, while it runs. */
function judgeServer(
  shown: string,
  { natsIntake, workspace }: Configuration,
  { version, jetstream, capturing }: ServerReport,
): readonly Finding[] {
  const found = ok('nats', `${shown}, nats-server ${version}, ${jetstream ? 'with' : 'without'} JetStream`)
  if (natsIntake === 'jetstream') {
    if (jetstream) return [found]
    return [
      fail(
        'nats',
        `${shown} has no JetStream, and NATS_INTAKE=jetstream needs it`,
        'enable JetStream there, or set NATS_INTAKE=direct',
      ),
    ]
  }
  if (capturing.length === 0) return [found]
  const message = `the stream ${capturing.join(', ')} captures events.${workspace}.>: senders would get its acknowledgement before an event is in the log`
  return [
    found,
    fail('nats', message, 'set NATS_INTAKE=jetstream to consume it, or take the subject out of the stream'),
  ]
}

const OLDEST_NATS = [2, 9] as const

async function checkBinary({ natsPort }: Configuration, path: string): Promise<Finding> {
  const binary = findOnPath('nats-server', path)
  if (binary === undefined) {
    return warn(
      'nats',
      'no nats-server on the PATH and no NATS_URL: NATS stays off',
      'install one (Debian: apt-get install nats-server), or set NATS_URL',
    )
  }
  const version = await versionOf(binary)
  if (version === undefined) return fail('nats', `${binary} doesn't run`, 'install it again, or set NATS_URL')
  const [major, minor] = [version[0] ?? 0, version[1] ?? 0]
  const shown = `${binary}, version ${version.join('.')}`
  if (major < OLDEST_NATS[0] || (major === OLDEST_NATS[0] && minor < OLDEST_NATS[1])) {
    return warn(
      'nats',
      `${shown}: older than ${OLDEST_NATS.join('.')}, the oldest that this was tried with`,
      'install a newer one',
    )
  }
  const taken = natsPort !== 0 && (await listenCode('127.0.0.1', natsPort)) === 'EADDRINUSE'
  if (!taken) return ok('nats', shown)
  return warn(
    'nats',
    `${shown}; port ${natsPort} is in use by ${holderOf(natsPort)}`,
    'a start takes another port, unless that server is its own: set HEADWATER_NATS_PORT or NATS_URL',
  )
}

async function versionOf(binary: string): Promise<readonly number[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(binary, ['--version'], { timeout: ASK_WITHIN_MS })
    const found = /v?(\d+)\.(\d+)\.(\d+)/.exec(stdout)
    return found === null ? undefined : found.slice(1).map(Number)
  } catch {
    return undefined
  }
}

/** The engine's own nats-server notes where it is. */
export function ownServerUrl(directory: string): string | undefined {
  const found = /"url":"(nats:\/\/127\.0\.0\.1:\d+)"/.exec(textOf(join(directory, 'nats', 'server.json')))
  return found?.[1]
}
