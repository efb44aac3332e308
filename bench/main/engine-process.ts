import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The product as a user starts it, with its own nats-server, in processes of their own. */
export interface EngineProcess {
  readonly pid: number
  readonly natsPid: number
  readonly natsUrl: string
  readonly httpPort: number
  readonly readToken: string
  readonly writeKey: string
  /** Rejects never: whatever doesn't stop by itself is killed. */
  stop(): Promise<void>
}

/** Nothing can be measured without an engine. */
export class EngineDidNotStart extends Error {
  constructor(printed: string) {
    super(`the engine did not start as the bench needs it; it printed:\n${printed.trim().slice(-4_000)}`)
    this.name = 'EngineDidNotStart'
  }
}

const LAUNCHER = join(import.meta.dirname, '..', '..', 'api', 'headwater.mjs')
const READ_TOKEN = 'bench-read-token-0123456789'
const WRITE_KEY = 'bench-write-key-0123456789'
const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 3_000

/** On `directory/data`; what it prints is kept in `directory/engine.log`. */
export async function startEngineProcess(directory: string): Promise<EngineProcess> {
  const data = join(directory, 'data')
  const printed = join(directory, 'engine.log')
  const output = openSync(printed, 'a')
  // A file, not a pipe: reading what the engine logs would cost the cores that are measured.
  const child = spawn(process.execPath, [LAUNCHER, 'start'], {
    env: engineEnvironment(data, { HEADWATER_WRITE_KEY: WRITE_KEY, HEADWATER_READ_TOKEN: READ_TOKEN }),
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  try {
    const banner = await bannerOf(child, printed)
    const natsPid = natsPidOf(data)
    if (banner.natsUrl === undefined || natsPid === undefined) throw new EngineDidNotStart(banner.text)
    const { httpPort, natsUrl } = banner
    const stop = () => stopEngine(child, data)
    return {
      pid: child.pid ?? 0,
      natsPid,
      natsUrl,
      httpPort,
      readToken: READ_TOKEN,
      writeKey: WRITE_KEY,
      stop,
    }
  } catch (error) {
    await stopEngine(child, data)
    throw error
  }
}

/** Every setting but these at its default, whatever the caller's environment says; only ports are free ones. */
export function engineEnvironment(data: string, own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PATH, LOG_LEVEL } = process.env
  return {
    PATH,
    LOG_LEVEL,
    HEADWATER_DATA: data,
    HEADWATER_PORT: '0',
    HEADWATER_NATS_PORT: '0',
    // As under `npm start`: the engine then stops when its parent is gone, should the bench be killed.
    npm_lifecycle_event: 'start',
    ...own,
  }
}

interface Banner {
  readonly text: string
  readonly httpPort: number
  readonly natsUrl: string | undefined
}

async function bannerOf(child: ChildProcess, printed: string): Promise<Banner> {
  let exited = false
  child.once('exit', () => {
    exited = true
  })
  child.once('error', () => {
    exited = true
  })
  for (let waited = 0; waited < READY_WITHIN_MS && !exited; waited += 25) {
    const text = readFileSync(printed, 'utf8')
    const port = /^ {2}http +http:\/\/127\.0\.0\.1:(\d+)/m.exec(text)?.[1]
    if (port !== undefined && text.includes('Ctrl-C')) {
      return { text, httpPort: Number(port), natsUrl: /^ {2}nats +(nats:\S+)/m.exec(text)?.[1] }
    }
    await sleep(25)
  }
  throw new EngineDidNotStart(readFileSync(printed, 'utf8'))
}

function natsPidOf(data: string): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(join(data, 'nats', 'server.json'), 'utf8')) as { pid?: unknown }
    return typeof pid === 'number' ? pid : undefined
  } catch {
    return undefined
  }
}

/** Its data is thrown away, so it needn't finish what it does; but asked nicely first, it takes its nats-server along. */
async function stopEngine(child: ChildProcess, data: string): Promise<void> {
  // A clean stop removes the note.
  const natsPid = natsPidOf(data)
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    if ((await Promise.race([ended, sleep(STOP_WITHIN_MS, undefined, { ref: false })])) === undefined) {
      child.kill('SIGKILL')
      await ended
    }
  }
  if (natsPid === undefined) return
  for (let waited = 0; waited < STOP_WITHIN_MS && isNatsOf(natsPid, data); waited += 25) {
    if (waited === 0) end(natsPid)
    await sleep(25)
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM')
  } catch {
    // It went by itself in between.
  }
}

/** A killed engine leaves its nats-server behind; it is known by the configuration on its command line. */
function isNatsOf(pid: number, data: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      .split('\0')
      .includes(join(data, 'nats', 'nats.conf'))
  } catch {
    return false
  }
}
