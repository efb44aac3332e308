import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MissingPeer } from './peer.ts'

export interface PostgresServer {
  readonly url: string
  readonly version: string
  /** One line: what was set and what stayed as installed. */
  readonly settings: string
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

interface Account {
  readonly uid: number
  readonly gid: number
}

const DEBIAN_BINARIES = '/usr/lib/postgresql'
/** Unprivileged users that the server may run as where the bench itself is root, which it refuses. */
const USERS = ['postgres', 'nobody'] as const
const READY_WITHIN_MS = 20_000
const STOP_WITHIN_MS = 8_000

/** Durability as installed; memory and checkpoints so that the load isn't held up by what a larger machine wouldn't do. */
const SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_sync_method: 'fdatasync',
  shared_buffers: '512MB',
  wal_buffers: '16MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '30min',
}

/** A PostgreSQL of the bench's own: empty, on loopback, in a temporary directory. */
export async function startPostgres(): Promise<PostgresServer | MissingPeer> {
  const binaries = findBinaries()
  if (binaries === undefined) return missing('not installed (Debian: apt-get install postgresql-15)')
  const account = accountToRunAs()
  if (account === 'none') return missing('it refuses to run as root, and there is no unprivileged user')
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'headwater-postgres-')))
  if (account !== undefined) chownSync(directory, account.uid, account.gid)
  const as = { ...account, cwd: directory }
  const data = join(directory, 'data')
  const initdb = ['-D', data, '-U', 'bench', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  try {
    execFileSync(join(binaries, 'initdb'), initdb, { ...as, stdio: 'ignore' })
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    return missing(`initdb failed: ${error instanceof Error ? error.message : String(error)}`)
  }
  const port = await freePort()
  const place = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', directory]
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(join(binaries, 'postgres'), [...place, ...settings], { ...as, stdio: 'ignore' })
  const stop = async (): Promise<void> => {
    await end(child)
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  if (!(await ready(child, binaries, port))) {
    await stop()
    return missing('it did not start')
  }
  return {
    url: `postgres://bench@127.0.0.1:${port}/postgres`,
    version: versionOf(binaries),
    settings: Object.entries(SETTINGS)
      .map(([name, value]) => `${name}=${value}`)
      .join(', '),
    stop,
  }
}

function missing(why: string): MissingPeer {
  return { name: 'PostgreSQL', missing: why }
}

/** Debian's newest, or whatever is on the PATH. */
function findBinaries(): string | undefined {
  const debian = existsSync(DEBIAN_BINARIES)
    ? readdirSync(DEBIAN_BINARIES)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(DEBIAN_BINARIES, version, 'bin'))
    : []
  const path = (process.env['PATH'] ?? '').split(':')
  return [...debian, ...path].find(
    (place) => existsSync(join(place, 'initdb')) && existsSync(join(place, 'postgres')),
  )
}

/** undefined: as whoever runs the bench. */
function accountToRunAs(): Account | 'none' | undefined {
  if (process.getuid?.() !== 0) return undefined
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const user of USERS) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${user}:`))?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  return 'none'
}

function versionOf(binaries: string): string {
  return execFileSync(join(binaries, 'postgres'), ['--version'], { encoding: 'utf8' })
    .trim()
    .replace(/^.*PostgreSQL\) /, '')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

async function ready(child: ChildProcess, binaries: string, port: number): Promise<boolean> {
  for (let waited = 0; waited < READY_WITHIN_MS && child.exitCode === null; waited += 100) {
    try {
      execFileSync(join(binaries, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
      return true
    } catch {
      await sleep(100)
    }
  }
  return false
}

/** First "fast shutdown", then "immediate": its data is thrown away anyway. */
async function end(child: ChildProcess): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await Promise.race([exited, sleep(STOP_WITHIN_MS, undefined, { ref: false })])
  }
}
