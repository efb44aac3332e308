import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import type { Intake } from '../../engine/intake/result.ts'
import { failureText } from '../failure-place.ts'
import type { Metrics } from '../metrics.ts'
import { folderMark, pullFolder } from './folder.ts'
import type { Pull, PullMark, PullRun } from './pull.ts'
import { type PullContext, RunTotals } from './run-import.ts'
import { pullUrl, urlMarkOf } from './url.ts'

/** How a pull is. Times are ms. */
export interface PullStatus {
  readonly name: string
  readonly kind: Pull['kind']
  readonly everyMs: number
  readonly running: boolean
  readonly lastRun: (PullRun & { readonly startedMs: number; readonly finishedMs: number }) | undefined
  readonly lastSuccessMs: number | undefined
  readonly nextRunMs: number | undefined
  /** Runs that failed since the last that didn't. */
  readonly failures: number
  readonly mark: PullMark
}

/** What a logger must take; pino's does. */
interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface PullsOptions {
  readonly pulls: readonly Pull[]
  readonly intake: Intake
  /** The log's last position. */
  readonly head: () => number
  /** Where marks are kept: a folder of the data directory. */
  readonly directory: string
  readonly clock: Clock
  /** From 0 to below 1, evenly. */
  readonly random: () => number
  readonly metrics: Metrics
  readonly logger: Logger
}

/** The pulls of one engine: each runs at once and then every so often, never twice at the same time. */
export interface Pulls {
  start(): void
  status(): Promise<readonly PullStatus[]>
  /** Ends what is under way where it is, and resolves when it has ended. */
  stop(): Promise<void>
}

export function createPulls(options: PullsOptions): Pulls {
  const { metrics } = options
  const count: PullCounters = {
    runs: metrics.counter('headwater_pull_runs_total', 'Runs of scheduled pulls, by what became of them.', [
      'pull',
      'outcome',
    ]),
    rows: metrics.counter('headwater_pull_rows_total', 'Rows that scheduled pulls read.', ['pull']),
    events: metrics.counter('headwater_pull_events_total', 'Events of scheduled pulls, by their fate.', [
      'pull',
      'status',
    ]),
  }
  const loops = options.pulls.map((pull) => new PullLoop(pull, options, count))
  metrics.gauge(
    'headwater_pulls_failing',
    'Scheduled pulls whose last run failed.',
    () => loops.filter(({ failures }) => failures > 0).length,
  )
  return {
    start: () => {
      for (const loop of loops) loop.start()
    },
    status: () => Promise.all(loops.map((loop) => loop.status())),
    stop: async () => {
      await Promise.all(loops.map((loop) => loop.stop()))
    },
  }
}

interface PullCounters {
  readonly runs: ReturnType<Metrics['counter']>
  readonly rows: ReturnType<Metrics['counter']>
  readonly events: ReturnType<Metrics['counter']>
}

const HOUR_MS = 3_600_000
const MAX_DOUBLINGS = 6

/**
 * How long to wait after so many failures in a row: doubling up to an hour (or the usual interval, if that is longer),
 * of which a random half is left out, so that systems that failed together aren't asked together.
 */
export function pauseMs(everyMs: number, failures: number, random: () => number): number {
  if (failures === 0) return everyMs
  const longest = Math.max(everyMs, HOUR_MS)
  const whole = Math.min(everyMs * 2 ** Math.min(failures, MAX_DOUBLINGS), longest)
  return Math.round(whole / 2 + (whole / 2) * random())
}

class PullLoop {
  failures = 0
  readonly #pull: Pull
  readonly #options: PullsOptions
  readonly #count: PullCounters
  readonly #context: PullContext
  readonly #stopping = new AbortController()
  #ended: Promise<void> = Promise.resolve()
  #running = false
  #lastRun: PullStatus['lastRun']
  #lastSuccessMs: number | undefined
  #nextRunMs: number | undefined

  constructor(pull: Pull, options: PullsOptions, count: PullCounters) {
    this.#pull = pull
    this.#options = options
    this.#count = count
    const file = (suffix: string) => join(options.directory, `${pull.name}${suffix}`)
    this.#context = {
      intake: options.intake,
      clock: options.clock,
      head: options.head,
      marksFile: file(`-${placeOf(pull)}.json`),
      progressFile: file('.progress'),
      downloadFile: file('.download'),
      signal: this.#stopping.signal,
    }
  }

  start(): void {
    this.#ended = this.#loop()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#ended
  }

  async status(): Promise<PullStatus> {
    const pull = this.#pull
    const context = this.#context
    return {
      name: pull.name,
      kind: pull.kind,
      everyMs: pull.everyMs,
      running: this.#running,
      lastRun: this.#lastRun,
      lastSuccessMs: this.#lastSuccessMs,
      nextRunMs: this.#nextRunMs,
      failures: this.failures,
      mark: pull.kind === 'folder' ? await folderMark(pull, context) : await urlMarkOf(pull, context),
    }
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopping
    const { clock, random } = this.#options
    while (!signal.aborted) {
      const run = await this.#run()
      if (signal.aborted) return
      const waitMs = Math.max(pauseMs(this.#pull.everyMs, this.failures, random), run.retryAfterMs ?? 0)
      this.#nextRunMs = clock.nowMs() + waitMs
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      this.#nextRunMs = undefined
    }
  }

  async #run(): Promise<PullRun> {
    const { clock } = this.#options
    const startedMs = clock.nowMs()
    this.#running = true
    const run = await this.#attempt()
    this.#running = false
    this.#lastRun = { ...run, startedMs, finishedMs: clock.nowMs() }
    if (run.outcome === 'failed') this.failures += 1
    else if (run.outcome !== 'interrupted') {
      this.failures = 0
      this.#lastSuccessMs = clock.nowMs()
    }
    this.#note(run)
    return run
  }

  async #attempt(): Promise<PullRun> {
    try {
      return await (this.#pull.kind === 'folder'
        ? pullFolder(this.#pull, this.#context)
        : pullUrl(this.#pull, this.#context))
    } catch (error) {
      // Marks that can't be written, or a defect: one pull must not end the others, nor the engine.
      return new RunTotals().end('failed', { error: failureText(error) })
    }
  }

  #note(run: PullRun): void {
    const { logger } = this.#options
    const pull = this.#pull.name
    this.#count.runs.inc({ pull, outcome: run.outcome })
    this.#count.rows.inc({ pull }, run.rows)
    for (const [status, events] of Object.entries(run.tally)) {
      if (events > 0) this.#count.events.inc({ pull, status }, events)
    }
    const { outcome, files, rows, refusedRows, tally, error } = run
    const fields = {
      pull,
      outcome,
      files,
      rows,
      refusedRows,
      ...tally,
      ...(error === undefined ? {} : { error }),
    }
    const bad = outcome === 'failed' || outcome === 'partial' || refusedRows > 0 || tally.quarantined > 0
    if (bad) logger.warn(fields, 'pull')
    else logger.info(fields, 'pull')
  }
}

/** Marks belong to a place: a pull that is pointed elsewhere begins anew. 48 bits as hexadecimal. */
function placeOf(pull: Pull): string {
  const place = pull.kind === 'folder' ? pull.folder : pull.url
  return createHash('sha256').update(`${pull.kind} ${place}`).digest('hex').slice(0, 12)
}
