import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'

/** A nats-server on loopback that Headwater started itself. */
export interface NatsServer {
  readonly url: string
  /** False where the configured port was taken and another was found. */
  readonly onConfiguredPort: boolean
  stop(): Promise<void>
}

interface NatsServerOptions {
  readonly directory: string
  readonly port: number
  readonly jetstream: boolean
  /** Largest message; the server closes the connection of a sender that exceeds it. */
  readonly maxPayloadBytes: number
  readonly path: string
  /** After SIGTERM, before SIGKILL. Default 5 s. */
  readonly stopWithinMs?: number | undefined
}

const READY_WITHIN_MS = 10_000
const STOP_WITHIN_MS = 5_000

/**
 * Starts `nats-server` as a child, or (on Linux) takes over the one that a killed engine left behind, so that senders
 * keep their connection. Left: one sentence that says why there is none.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<E.Either<string, NatsServer>> {
  const directory = join(options.directory, 'nats')
  const left = adoptable(directory)
  if (left !== undefined) {
    if (left.jetstream === options.jetstream)
      return E.right({ ...left, onConfiguredPort: true, stop: () => endAdopted(left.pid, directory) })
    await endAdopted(left.pid, directory)
  }
  const binary = findOnPath('nats-server', options.path)
  if (binary === undefined) {
    return E.left(
      'no nats-server on the PATH: install one (Debian: apt-get install nats-server; others: https://nats.io/download) or set NATS_URL',
    )
  }
  mkdirSync(directory, { recursive: true })
  const port = await freePort(options.port)
  const configuration = join(directory, 'nats.conf')
  writeFileSync(configuration, configurationOf(options, port, directory))
  // In a process group of its own: Ctrl-C is for the engine, which answers what is under way before NATS goes.
  const child = spawn(binary, ['-c', configuration], { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const failure = await readyOrFailed(child)
  if (failure !== undefined) return E.left(`nats-server did not start: ${failure}`)
  child.stderr?.resume()
  child.unref()
  const server: Running = {
    pid: child.pid ?? 0,
    url: `nats://127.0.0.1:${port}`,
    jetstream: options.jetstream,
  }
  try {
    writeFileSync(join(directory, 'server.json'), JSON.stringify(server))
  } catch (error) {
    // Without the note nobody could take it over or end it later.
    await endChild(child, options.stopWithinMs ?? STOP_WITHIN_MS)
    return E.left(
      `nats-server was stopped again: ${error instanceof Error ? error.message : 'it could not be noted'}`,
    )
  }
  return E.right({
    url: server.url,
    onConfiguredPort: options.port === 0 || port === options.port,
    stop: async () => {
      await endChild(child, options.stopWithinMs ?? STOP_WITHIN_MS)
      forget(directory)
    },
  })
}

function configurationOf(options: NatsServerOptions, port: number, directory: string): string {
  const jetstream = options.jetstream
    ? `jetstream { store_dir: ${JSON.stringify(join(directory, 'jetstream'))} }\n`
    : ''
  return `host: 127.0.0.1\nport: ${port}\nmax_payload: ${options.maxPayloadBytes}\n${jetstream}`
}

/** What `server.json` keeps of a started server, for the engine that comes after a kill. */
const running = t.type({ pid: t.number, url: t.string, jetstream: t.boolean })
type Running = t.TypeOf<typeof running>

/**
 * A server of this directory that still runs: its process has our configuration on its command line. Only Linux tells
 * that (`/proc`); elsewhere a server that was left behind stays, and ours takes another port.
 */
function adoptable(directory: string): Running | undefined {
  try {
    const kept = running.decode(JSON.parse(readFileSync(join(directory, 'server.json'), 'utf8')))
    return E.isRight(kept) && isOurs(kept.right.pid, directory) ? kept.right : undefined
  } catch {
    return undefined
  }
}

function isOurs(pid: number, directory: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(join(directory, 'nats.conf'))
  } catch {
    return false
  }
}

/** Awaits its exit, so that the port and JetStream's files are free afterwards. */
async function endChild(child: ChildProcess, withinMs: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await exitOf(child, withinMs)
  }
}

function exitOf(child: ChildProcess, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer)
      child.removeListener('exit', settle)
      resolve()
    }
    const timer = setTimeout(settle, withinMs)
    child.once('exit', settle)
  })
}

async function endAdopted(pid: number, directory: string): Promise<void> {
  if (!isOurs(pid, directory)) return
  process.kill(pid, 'SIGTERM')
  for (let waited = 0; waited < STOP_WITHIN_MS && isOurs(pid, directory); waited += 50) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  forget(directory)
}

function forget(directory: string): void {
  rmSync(join(directory, 'server.json'), { force: true })
}

export function findOnPath(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((entry) => entry !== '')
    .map((entry) => join(entry, name))
    .find((candidate) => existsSync(candidate))
}

/** `wanted` if nobody listens there, else one that the kernel picks. */
async function freePort(wanted: number): Promise<number> {
  return (await listenable(wanted)) ?? (await listenable(0)) ?? wanted
}

function listenable(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(undefined))
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address()
      const found = typeof address === 'object' && address !== null ? address.port : undefined
      probe.close(() => resolve(found))
    })
  })
}

/** undefined once it accepts connections, else why it doesn't. */
function readyOrFailed(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    let output = ''
    const timer = setTimeout(() => {
      child.kill('SIGTERM')
      resolve(`not ready within ${READY_WITHIN_MS} ms`)
    }, READY_WITHIN_MS)
    const settle = (failure: string | undefined) => {
      clearTimeout(timer)
      child.stderr?.removeAllListeners('data')
      resolve(failure)
    }
    child.once('error', (error) => settle(error.message))
    child.once('exit', (code) => settle(`it exited with ${code}: ${output.trim().split('\n').at(-1) ?? ''}`))
    child.stderr?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes('Server is ready')) settle(undefined)
    })
  })
}
