import { fork } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as t from 'io-ts'
import type { Clock } from '../engine/clock.ts'
import { writeDurably } from './backup/durable-files.ts'

/** How far the demo company has come: `absent` until somebody asks for it; `failed`: it stopped midway. Counts are of events. */
export interface DemoStatus {
  readonly state: 'absent' | 'loading' | 'loaded' | 'failed'
  readonly sent: number
  readonly total: number
}

/** Sends a made-up company's year to this engine, from a process of its own. */
export interface DemoLoader {
  status(): DemoStatus
  /** Begins, or goes on where it stopped midway, this process or one before; does nothing while it is under way or done. */
  start(): void
  /** Ends it where it is. */
  stop(): Promise<void>
}

interface DemoLoaderOptions {
  /** Where this engine listens; asked for once it does. */
  readonly url: () => string
  readonly writeKey: string
  readonly readToken: string
  /** The engine's data directory: there stands that it isn't loaded whole yet. */
  readonly directory: string
  readonly clock: Clock
  readonly onNotice: (level: 'info' | 'warn', message: string) => void
}

/** Kept while the demo company isn't loaded whole: only what is made for the same end of the year is known again. */
const FILE_NAME = 'demo.json'
const unfinished = t.type({ end: t.number })

/** What the simulator tells on the way. */
const told = t.type({ sent: t.number, total: t.number })

/** undefined where the simulator isn't shipped. */
export function createDemoLoader(options: DemoLoaderOptions): DemoLoader | undefined {
  // By path: it is a program beside us, which nothing here imports.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const program = fileURLToPath(new URL(`../bench/simulator/send.${extension}`, import.meta.url))
  return existsSync(program) ? new ProcessLoader(program, options) : undefined
}

class ProcessLoader implements DemoLoader {
  readonly #program: string
  readonly #options: DemoLoaderOptions
  readonly #file: string
  #status: DemoStatus
  /** End of the year: the same at a second try, so that what came in at the first is recognised. */
  #end: number | undefined
  #ended: Promise<void> = Promise.resolve()
  #kill: (() => void) | undefined

  constructor(program: string, options: DemoLoaderOptions) {
    this.#program = program
    this.#options = options
    this.#file = join(options.directory, FILE_NAME)
    this.#end = endIn(this.#file)
    this.#status = { state: this.#end === undefined ? 'absent' : 'failed', sent: 0, total: 0 }
  }

  status(): DemoStatus {
    return this.#status
  }

  start(): void {
    if (this.#status.state === 'loading' || this.#status.state === 'loaded') return
    const { url, writeKey, readToken, clock, onNotice } = this.#options
    if (this.#end === undefined) {
      const end = clock.nowMs()
      writeDurably(this.#file, JSON.stringify({ end }))
      this.#end = end
    }
    this.#status = { state: 'loading', sent: 0, total: 0 }
    const child = fork(this.#program, ['--end', String(this.#end)], {
      // The keys go where other users of the machine can't see them.
      env: {
        PATH: process.env['PATH'],
        HEADWATER_URL: url(),
        HEADWATER_WRITE_KEY: writeKey,
        HEADWATER_READ_TOKEN: readToken,
      },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    child.on('message', (message) => {
      const decoded = told.decode(message)
      if (decoded._tag === 'Right') this.#status = { ...this.#status, ...decoded.right }
    })
    this.#kill = () => void child.kill('SIGTERM')
    this.#ended = new Promise((resolve) => {
      const settle = (code: number | null): void => {
        this.#kill = undefined
        this.#status = { ...this.#status, state: code === 0 ? 'loaded' : 'failed' }
        if (code === 0) {
          rmSync(this.#file, { force: true })
          onNotice('info', `the demo company is loaded: ${this.#status.total} events`)
        } else
          onNotice('warn', `the demo company was not loaded whole: ${this.#status.sent} events were sent`)
        resolve()
      }
      child.once('error', () => settle(null))
      child.once('exit', settle)
    })
  }

  async stop(): Promise<void> {
    this.#kill?.()
    await this.#ended
  }
}

/** undefined: no loading was begun, or it is over, or nobody can tell. */
function endIn(path: string): number | undefined {
  try {
    const decoded = unfinished.decode(JSON.parse(readFileSync(path, 'utf8')))
    return decoded._tag === 'Right' ? decoded.right.end : undefined
  } catch {
    return undefined
  }
}
