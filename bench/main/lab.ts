import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import type { Run, RunReport } from '../load/protocol.ts'
import { type CpuReading, type CpuUse, cpuBetween, readCpu } from './cpu.ts'
import { type EngineProcess, startEngineProcess } from './engine-process.ts'
import { type GeneratorProcess, type Notice, startGeneratorProcess } from './generator-process.ts'
import { BATCHES_IN_FLIGHT, durationMs, type Plan } from './plan.ts'

/** What a lab goes by, of a plan that has more to it. */
export type LabPlan = Pick<
  Plan,
  'deadlineMs' | 'tapeEvents' | 'people' | 'primingEvents' | 'primeWithinMs' | 'catchUpMs' | 'graceMs'
>

/** Everything that runs during a bench: one temporary directory, the load generator, one engine at a time. */
export class Lab<P extends LabPlan = Plan> {
  readonly plan: P
  readonly directory: string
  readonly clock: Clock
  /** Identities that the tape's beginning makes known. */
  people: readonly string[] = []
  /** CPU of every measured span, in order. */
  readonly cpu: CpuUse[] = []
  /** Progress for whoever waits. */
  readonly say: (line: string) => void
  readonly #startMs: number
  readonly #tape: string
  readonly #generator: GeneratorProcess
  #engine: EngineProcess | undefined
  #engines = 0
  #tapeLeft = 0
  #closed = false

  constructor(plan: P, clock: Clock, say: (line: string) => void) {
    this.plan = plan
    this.clock = clock
    this.say = say
    this.#startMs = clock.monotonicMs()
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), 'headwater-bench-')))
    this.#tape = join(this.directory, 'tape')
    this.#generator = startGeneratorProcess()
  }

  get engine(): EngineProcess {
    if (this.#engine === undefined) throw new Error('no engine runs')
    return this.#engine
  }

  get aborted(): boolean {
    return this.#closed
  }

  leftMs(): number {
    return this.plan.deadlineMs - (this.clock.monotonicMs() - this.#startMs)
  }

  /** Encodes all events that will be sent, before anything is measured. */
  async record(): Promise<void> {
    const { tapeEvents: events, people, primingEvents } = this.plan
    const order = {
      kind: 'record',
      path: this.#tape,
      events,
      seed: 1,
      people,
      knownAfterEvents: primingEvents,
    } as const
    const reply = await this.#generator.obey(order, RECORD_WITHIN_MS)
    if (reply.kind !== 'recorded') throw new Error('the generator did not record')
    this.people = reply.people
    this.say(
      `${events} events encoded beforehand in ${(reply.ms / 1000).toFixed(1)} s, ${(reply.bytes / events).toFixed(0)} B of JSON each`,
    )
  }

  /**
   * An engine that can take so many events of the tape, and whose read models hold all that it has: the one that runs, or
   * where too little of the tape is left, or none runs, a new one on an empty directory. `priming` as in the plan, unless
   * stated.
   */
  async prepare(events: number, options: PrepareOptions = {}): Promise<void> {
    const { priming = this.plan.primingEvents } = options
    const needed = Math.min(events, this.plan.tapeEvents - priming)
    if (this.#engine === undefined || this.#tapeLeft < needed) {
      await this.#startEngine()
      if (priming > 0) await this.run(undefined, primingRun(priming, this.plan.primeWithinMs))
    }
    if (!(await this.heldUpTo(await this.head(), this.plan.catchUpMs)))
      this.say('  the read models are still behind at the beginning')
  }

  async #startEngine(): Promise<void> {
    await this.#stopEngine()
    if (this.#closed) throw new Error('the bench is ending')
    this.#engines += 1
    mkdirSync(this.#engineDirectory())
    const engine = await startEngineProcess(this.#engineDirectory())
    this.#engine = engine
    if (this.#closed) throw new Error('the bench is ending')
    const { natsUrl, httpPort, readToken } = engine
    const order = { kind: 'connect', tape: this.#tape, natsUrl, httpPort, readToken } as const
    await this.#generator.obey(order, CONNECT_WITHIN_MS)
    this.#tapeLeft = this.plan.tapeEvents
  }

  /** Runs one load and notes where the CPU went in its windows; without a name it only prepares, and isn't noted. */
  async run(
    measurement: string | undefined,
    stated: LabRun,
    onNotice?: (notice: Notice) => void,
  ): Promise<RunReport> {
    const run = { graceMs: this.plan.graceMs, ...stated }
    const pids = { engine: this.engine.pid, nats: this.engine.natsPid, generator: this.#generator.pid }
    let before: CpuReading | undefined
    let after: CpuReading | undefined
    const reply = await this.#generator.obey(
      { kind: 'run', run },
      durationMs(run) + RUN_GRACE_MS,
      (notice) => {
        if (notice.kind === 'measuring') before = readCpu(pids, this.clock.monotonicMs())
        if (notice.kind === 'measured') after = readCpu(pids, this.clock.monotonicMs())
        onNotice?.(notice)
      },
    )
    if (reply.kind !== 'report') throw new Error('the generator did not report')
    const { report } = reply
    if (measurement !== undefined && before !== undefined && after !== undefined) {
      const use = cpuBetween(measurement, before, after)
      if (use !== undefined) this.cpu.push(use)
    }
    this.#tapeLeft -= report.acknowledged + report.refused
    this.#warn(measurement ?? 'filling', report)
    return report
  }

  /** What would make a figure worth less than it looks. */
  #warn(measurement: string, report: RunReport): void {
    const { refused, quarantined, generatorBusy } = report
    if (refused > 0) this.say(`  ${measurement}: ${refused} events were refused`)
    if (quarantined > 0) this.say(`  ${measurement}: ${quarantined} events went to quarantine`)
    if (generatorBusy > 0.9)
      this.say(`  ${measurement}: the generator was busy ${Math.round(generatorBusy * 100)} % of the time`)
  }

  /** The log's last position. */
  async head(): Promise<number> {
    return (await this.#readiness()).head
  }

  /** Waits until the read models hold the log up to a position; false if they don't in time. */
  async heldUpTo(position: number, withinMs: number): Promise<boolean> {
    const untilMs = this.clock.monotonicMs() + withinMs
    for (;;) {
      const { projected } = await this.#readiness()
      if (projected >= position) return true
      if (this.clock.monotonicMs() >= untilMs) return false
      await sleep(50)
    }
  }

  async #readiness(): Promise<{ readonly head: number; readonly projected: number }> {
    const answer = await fetch(`http://127.0.0.1:${this.engine.httpPort}/readyz`)
    return (await answer.json()) as { readonly head: number; readonly projected: number }
  }

  async #stopEngine(): Promise<void> {
    const engine = this.#engine
    this.#engine = undefined
    if (engine === undefined) return
    await this.#generator.obey({ kind: 'disconnect' }, CONNECT_WITHIN_MS).catch(() => undefined)
    await engine.stop()
    rmSync(this.#engineDirectory(), { recursive: true, force: true })
  }

  #engineDirectory(): string {
    return join(this.directory, `engine-${this.#engines}`)
  }

  /** Whatever is under way fails soon, and nothing new begins. */
  async abort(): Promise<void> {
    this.#closed = true
    await this.#generator.stop()
  }

  /** Ends every process and removes every file. Called when nothing is under way any more. */
  async close(): Promise<void> {
    await this.abort()
    await this.#stopEngine()
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** The grace is the plan's unless stated. */
export type LabRun = Omit<Run, 'graceMs'> & Partial<Pick<Run, 'graceMs'>>

export interface PrepareOptions {
  readonly priming?: number | undefined
}

function primingRun(maxEvents: number, withinMs: number): LabRun {
  return {
    warmUpMs: 0,
    windowMs: withinMs,
    windows: 1,
    maxEvents,
    events: { mode: 'closed', perMessage: 'batch', inFlight: BATCHES_IN_FLIGHT },
  }
}

const RECORD_WITHIN_MS = 120_000
const CONNECT_WITHIN_MS = 30_000
/** Beyond a run's own time: what was under way, and opening connections. */
const RUN_GRACE_MS = 25_000
