import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'

const LAUNCHER = join(import.meta.dirname, '..', '..', 'api', 'headwater.mjs')
const COMPILED = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'compiled')
const READY_WITHIN_MS = 60_000

export const WRITE_KEY = 'test-write-key-0123456789'
export const READ_TOKEN = 'test-read-token-0123456789'

/** An engine in a process of its own, which a test may kill and start again on the same directory and port. */
export class EngineProcess {
  readonly url: string
  readonly #env: NodeJS.ProcessEnv
  #child: ChildProcess | undefined
  #output = ''
  /** A command that the next start runs it under, such as a tracer; it must take the process's place as our child. */
  under: readonly string[] = []

  constructor(port: number, directory: string, env: Readonly<Record<string, string>>) {
    this.url = `http://127.0.0.1:${port}`
    this.#env = {
      PATH: process.env['PATH'],
      HEADWATER_DATA: directory,
      HEADWATER_PORT: String(port),
      HEADWATER_WRITE_KEY: WRITE_KEY,
      HEADWATER_READ_TOKEN: READ_TOKEN,
      LOG_LEVEL: 'warn',
      // Compiling its modules is half of a start; the first one that ends by itself keeps them.
      NODE_COMPILE_CACHE: COMPILED,
      ...env,
    }
  }

  /** Everything that it printed, all starts together. */
  get output(): string {
    return this.#output
  }

  /** Resolves when everything is up; rejects with its output when it ends before. */
  async start(): Promise<void> {
    const [program = process.execPath, ...args] = [...this.under, process.execPath, LAUNCHER, 'start']
    const child = spawn(program, args, {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    const from = this.#output.length
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString()
      })
    }
    const deadline = performance.now() + READY_WITHIN_MS
    while (performance.now() < deadline) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the engine ended with ${child.exitCode ?? child.signalCode}:\n${this.#output}`)
      if (this.#output.indexOf('Headwater is up.', from) >= 0) return
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error(`the engine is not up within ${READY_WITHIN_MS} ms:\n${this.#output}`)
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<number | null> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
    return child.exitCode
  }

  async get<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.url}${path}`, { headers: { authorization: `Bearer ${READ_TOKEN}` } })
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }

  async post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${WRITE_KEY}`, 'content-type': 'application/json', ...headers },
      body,
    })
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })
}
