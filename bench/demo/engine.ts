import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as t from 'io-ts'

const LAUNCHER = fileURLToPath(new URL('../../api/headwater.mjs', import.meta.url))
const UP_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 15_000

interface EngineOptions {
  /** The engine's own; kept from start to start. */
  readonly directory: string
  readonly port: number
  readonly natsPort: number
  /** A line that the engine wrote to its log. */
  readonly onLog: (line: string) => void
}

/** An engine that answers. */
export interface RunningEngine {
  readonly pid: number
  readonly url: string
  /** Where NATS is, or why there is none. */
  readonly nats: { readonly url: string } | { readonly off: string }
  readonly writeKey: string
  readonly readToken: string
  /** Resolves when the process is gone, with what ended it. */
  readonly ended: Promise<string>
  /** Asks it to end and awaits that; one that hangs is killed. */
  stop(): Promise<void>
  kill(): void
}

/** Starts `headwater start` as a process of its own. Rejects with what it printed if it doesn't come up. */
export async function startEngine(options: EngineOptions): Promise<RunningEngine> {
  const child = spawn(process.execPath, [LAUNCHER, 'start'], {
    env: environment(options),
    stdio: ['ignore', 'pipe', 'pipe'],
    // In a process group of its own: Ctrl-C is for us, who then stop it.
    detached: true,
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  const banner = await bannerOf(child, ended, options.onLog)
  const credentials = readCredentials(options.directory)
  return {
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${options.port}`,
    nats: natsIn(banner),
    ...credentials,
    ended,
    stop: () => stop(child, ended),
    kill: () => void child.kill('SIGKILL'),
  }
}

/** Nothing that the user set for an engine of theirs may reach this one, above all not their NATS servers. */
function environment({ directory, port, natsPort }: EngineOptions): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(HEADWATER_|NATS_)/.test(name))
  return {
    ...Object.fromEntries(kept),
    HEADWATER_DATA: directory,
    HEADWATER_PORT: String(port),
    HEADWATER_NATS_PORT: String(natsPort),
    LOG_LEVEL: 'warn',
    // As under `npm start`, it then ends by itself when its parent is gone: killing us leaves nothing behind.
    npm_lifecycle_event: 'start',
  }
}

async function bannerOf(
  child: ChildProcess,
  ended: Promise<string>,
  onLog: (line: string) => void,
): Promise<string> {
  let printed = ''
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000)
    for (const line of text.split('\n')) if (line !== '') onLog(line)
  })
  const up = new Promise<void>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-16_000)
      if (/Headwater is up\.[\s\S]*Ctrl-C/.test(printed)) resolve()
    })
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`not up within ${UP_WITHIN_MS / 1000} s`), UP_WITHIN_MS)
  })
  const failure = await Promise.race([up, ended, late])
  clearTimeout(timer)
  if (failure === undefined) return printed
  child.kill('SIGKILL')
  throw new Error(`the engine did not start (${failure}): ${(errors || printed).trim().slice(-1_000)}`)
}

function natsIn(banner: string): RunningEngine['nats'] {
  const stated = /^ +nats +(.*)$/m.exec(banner)?.[1] ?? 'off: not told'
  const url = /^nats:\/\/\S+/.exec(stated)?.[0]
  return url === undefined ? { off: stated.replace(/^off: /, '') } : { url }
}

const kept = t.type({ writeKey: t.string, readToken: t.string })

function readCredentials(directory: string): t.TypeOf<typeof kept> {
  const decoded = kept.decode(JSON.parse(readFileSync(join(directory, 'credentials.json'), 'utf8')))
  if (decoded._tag === 'Right') return decoded.right
  throw new Error('the engine left no credentials')
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
  await ended
  clearTimeout(timer)
}
