import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
const LAUNCHER = join(ROOT, 'api', 'headwater.mjs')

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `npm run demo` without npm, with a temporary directory of its own. */
export class DemoProcess {
  readonly #env: NodeJS.ProcessEnv
  readonly #directory: string
  readonly #child: ChildProcess
  #output = ''

  constructor(directory: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#directory = directory
    this.#env = { PATH: process.env['PATH'], TMPDIR: directory, ...env }
    const demo = [join(ROOT, 'bench', 'demo.ts'), '--port', '0', '--nats-port', '0', ...args]
    this.#child = spawn(process.execPath, demo, {
      env: this.#env,
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString()
      })
  }

  get output(): string {
    return this.#output
  }

  /** The first match in what is printed from `from` on; rejects with the output if it doesn't come. */
  async printed(pattern: RegExp, from = 0, withinMs = 60_000): Promise<RegExpExecArray> {
    const deadline = performance.now() + withinMs
    while (performance.now() < deadline) {
      const found = pattern.exec(this.#output.slice(from))
      if (found !== null) return found
      if (this.#child.exitCode !== null) break
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    const found = pattern.exec(this.#output.slice(from))
    if (found !== null) return found
    throw new Error(`${pattern.source} was not printed:\n${this.#output}`)
  }

  /** Runs a printed line in a shell of its own, `npx headwater` being this checkout's. */
  run(line: string): Promise<Ran> {
    const exported = /^ +(export HEADWATER_.*)$/m.exec(this.#output)?.[1]
    const command = line.replace(/(?<=^|\| )npx headwater\b/, `"${process.execPath}" "${LAUNCHER}"`)
    const script = exported === undefined ? command : `${exported}; ${command}`
    return new Promise((resolve) => {
      const options = { env: this.#env, cwd: this.#directory }
      const child = execFile('sh', ['-c', script], options, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, stdout, stderr }),
      )
    })
  }

  /** Printed commands that begin with this. */
  commands(start: string): readonly string[] {
    return [...this.#output.matchAll(/^ {2}(\S.*)$/gm)]
      .map(([, line = '']) => line)
      .filter((line) => line.startsWith(start))
  }

  async end(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
    return this.#child.exitCode
  }

  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
    return this.#child.exitCode
  }

  /** Processes that the demo, its engine or its NATS server still are; without `/proc`, its engines alone. */
  leftovers(): readonly string[] {
    return process.platform === 'linux' ? this.#byEnvironment() : this.#printedEngines()
  }

  #byEnvironment(): readonly string[] {
    const mark = `TMPDIR=${this.#directory}`
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark)
        } catch {
          return false
        }
      })
  }

  #printedEngines(): readonly string[] {
    const pids = [...this.#output.matchAll(/(?:engine {2}process|kill -9) (\d+)/g)].map(([, pid = '']) => pid)
    return [...new Set(pids)].filter((pid) => {
      try {
        return process.kill(Number(pid), 0)
      } catch {
        return false
      }
    })
  }
}
