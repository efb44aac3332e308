import type { IntakeResult } from '../../engine/intake/result.ts'
import type { Progress } from '../../engine/projector/projector.ts'
import { type Acknowledged, checkLog, nameOf } from './check-log.ts'
import { checkStore, type Truth } from './check-reads.ts'
import { Disk } from './disk.ts'
import { DurableLog } from './durable.ts'
import type { Sent } from './events.ts'
import { Forgetting } from './forgetting.ts'
import { type Life, type Seams, startLife } from './life.ts'
import { Looks } from './looks.ts'
import { Network } from './network.ts'
import { Dead, Process } from './process.ts'
import { Random, seedOf } from './random.ts'
import { RELEASES } from './releases.ts'
import type { Script, Step } from './script.ts'
import { Tail } from './tail.ts'
import { Timeline } from './timeline.ts'
import { Trace } from './trace.ts'
import { must, Violation } from './violation.ts'

/** How a run went. */
export interface Outcome {
  /** undefined: everything held. */
  readonly violation: string | undefined
  /** Of the script, begun last. */
  readonly step: number | undefined
  readonly trace: Trace
  /** Of the log, at the end. */
  readonly events: number
  /** What happened, and how often. */
  readonly seen: ReadonlyMap<string, number>
}

/** Tasks of one run: several times what any takes. */
const MOST_TASKS = 4_000
/** Turns without a task while something is still awaited. */
const MOST_IDLE = 500
const OPERATOR_MS = 700

export async function simulate(script: Script, seams: Seams = {}): Promise<Outcome> {
  const world = new World(script, seams)
  return world.run()
}

class World {
  readonly #script: Script
  readonly #seams: Seams
  readonly #timeline: Timeline
  readonly #disk: Disk
  readonly #durable: DurableLog
  readonly #forgetting: Forgetting
  readonly #trace = new Trace()
  readonly #network: Network
  readonly #tail: Tail
  readonly #looks: Looks
  readonly #sent: Sent[] = []
  readonly #acknowledged: Acknowledged[] = []
  readonly #seen = new Map<string, number>()
  /** Readers who wait for the next event that is acknowledged. */
  readonly #afterNext: ((position: number) => void)[] = []
  #left: number
  #step: number | undefined
  #violation: Violation | undefined
  #process: Process
  #life: Life | undefined
  /** Of the next process. */
  #doom: { readonly calls: number; readonly after: boolean } | undefined
  #lives = 0
  #release = 0
  /** It starts or stops, or is down. */
  #isChanging = false
  #fullUntilMs = 0
  #pressureUntilMs = 0
  /** Of the read models, as they were told of. */
  #committed = 0

  constructor(script: Script, seams: Seams) {
    this.#script = script
    this.#seams = seams
    this.#left = script.steps.length
    this.#timeline = new Timeline(script.seed)
    this.#disk = new Disk(script.seed)
    this.#durable = new DurableLog(this.#disk)
    this.#forgetting = new Forgetting(this.#disk, this.#timeline, (identity) =>
      this.#note('erasure', identity),
    )
    this.#process = new Process(
      () => undefined,
      () => undefined,
    )
    this.#process.end()
    const parts = { seed: script.seed, timeline: this.#timeline }
    this.#network = new Network({ ...parts, submit: (events) => this.#submit(events) })
    this.#tail = new Tail(this.#timeline, new Random(seedOf(script.seed, 4)))
    this.#looks = new Looks(new Random(seedOf(script.seed, 5)))
  }

  async run(): Promise<Outcome> {
    for (const step of this.#script.steps)
      this.#timeline.after(step.atMs, () => this.#guarded(() => this.#take(step)))
    this.#start(0)
    this.#operate()
    try {
      await this.#untilSettled()
      await this.#check('at the end', false)
    } catch (error) {
      this.#failed(error)
    }
    this.#process.end()
    return {
      violation: this.#violation?.message,
      step: this.#step,
      trace: this.#trace,
      events: this.#disk.blocks.flat().length,
      seen: this.#seen,
    }
  }

  async #untilSettled(): Promise<void> {
    let idle = 0
    for (let tasks = 0; !this.#isSettled(); tasks++) {
      const violation = this.#violation
      if (violation !== undefined) throw violation
      must(
        tasks < MOST_TASKS && idle < MOST_IDLE,
        () => `it never comes to rest: ${this.#unsettled().join(', ')}`,
      )
      idle = (await this.#timeline.step()) ? 0 : idle + 1
    }
  }

  #isSettled(): boolean {
    return this.#violation === undefined && this.#unsettled().length === 0
  }

  #unsettled(): readonly string[] {
    const head = this.#life?.log.head().position
    const awaited: (readonly [string, boolean])[] = [
      ['steps of the script', this.#left > 0],
      ['the engine', this.#isChanging || this.#life === undefined],
      ['senders', !this.#network.isSettled],
      ['an erasure', this.#forgetting.isUnderWay],
      ['readers', this.#looks.waiting > 0],
      ['the read models', this.#life?.progress()?.position !== head],
      ['a subscriber', this.#tail.position !== head],
    ]
    const unsettled = awaited.filter(([, isAwaited]) => isAwaited).map(([what]) => what)
    return unsettled.length === 0 && this.#isSwitching() ? ['builds'] : unsettled
  }

  /** While builds are switched single keys aren't answered from memory. */
  #isSwitching(): boolean {
    let isAnswered = false
    this.#life?.projector.read({
      ...{ projections: [RELEASES[this.#release]?.[0]?.name ?? ''], key: 'nobody', after: 0, withinMs: 0 },
      answer: (found) => {
        isAnswered = found !== undefined
      },
    })
    return !isAnswered
  }

  #guarded(act: () => void | Promise<void>): void {
    try {
      Promise.resolve(act()).catch((error: unknown) => this.#failed(error))
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (error instanceof Dead) return
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#violation ??= error instanceof Violation ? error : new Violation(`an error got out: ${stack}`)
  }

  #note(what: string, detail: string | number = ''): void {
    this.#trace.note(`${what} ${detail}`)
    this.#seen.set(what, (this.#seen.get(what) ?? 0) + 1)
  }

  #take(step: Step): void {
    this.#left -= 1
    this.#step = step.number
    this.#note(`step ${step.kind}`, step.number)
    switch (step.kind) {
      case 'send':
        this.#sent.push(...step.events)
        this.#network.send(step.events, step.number)
        break
      case 'crash':
        this.#crash(step.downMs)
        break
      case 'die':
        if (this.#process.alive) this.#process.doom(step.calls, step.after)
        else this.#doom = step
        break
      case 'upgrade':
        this.#guarded(() => this.#upgrade(step))
        break
      case 'jump':
        this.#timeline.jump(step.ms)
        break
      case 'full':
        this.#fullUntilMs = this.#timeline.monotonicMs() + step.forMs
        break
      case 'pressure':
        this.#pressureUntilMs = this.#timeline.monotonicMs() + step.forMs
        break
      case 'erase':
        this.#erase(step)
        break
      case 'look':
        this.#look(step.number % 2 === 0)
        break
    }
  }

  /** An operator confirms the clock where it isn't trusted. */
  #operate(): void {
    if (this.#life?.guard.trusted() === false) this.#life.guard.confirm()
    this.#timeline.after(OPERATOR_MS, () => this.#operate())
  }

  #start(afterMs: number): void {
    this.#isChanging = true
    this.#timeline.after(afterMs, () => this.#guarded(() => this.#begin()))
  }

  async #begin(): Promise<void> {
    const process = new Process(
      () => this.#crash(DEATH_MS),
      (what) => this.#note(what),
    )
    this.#process = process
    this.#lives += 1
    if (this.#doom !== undefined) process.doom(this.#doom.calls, this.#doom.after)
    this.#doom = undefined
    const life = await startLife({
      ...{ disk: this.#disk, process, timeline: this.#timeline, seams: this.#seams },
      random: new Random(seedOf(this.#script.seed, 100 + this.#lives)),
      release: RELEASES[this.#release] ?? [],
      weather: {
        isFull: () => this.#timeline.monotonicMs() < this.#fullUntilMs,
        isUnderPressure: () => this.#timeline.monotonicMs() < this.#pressureUntilMs,
      },
      onCommit: (progress) => this.#guarded(() => this.#committedTo(progress)),
      onBuild: (build, state) => this.#guarded(() => this.#built(build, state)),
      onFailure: (error) => this.#failed(error),
    })
    if (!process.alive) return
    this.#life = life
    this.#tail.follow(life.log, process)
    this.#note('start', life.log.head().position)
    await this.#forgetting.resume(life, process, () => {
      this.#isChanging = false
    })
  }

  #committedTo({ position }: Progress): void {
    must(position >= this.#committed, () => `the checkpoint went back from ${this.#committed} to ${position}`)
    this.#committed = position
    this.#note('commit', position)
  }

  #built(build: string, state: string): void {
    must(state !== 'foreign', () => 'the read models are said to be of another log')
    this.#note(`build ${state}`, build)
  }

  /** What was durable stays. */
  #crash(downMs: number): void {
    if (!this.#process.alive) return
    this.#process.end()
    this.#isChanging = true
    this.#note('kill', this.#disk.blocks.length)
    if (this.#forgetting.isUnderWay) this.#note('killed: an erasure was under way')
    if (this.#disk.store.writer.builds().some(({ serving }) => !serving))
      this.#note('killed: a build was half made')
    this.#seams.crashed?.(this.#disk)
    this.#looks.forget()
    this.#afterNext.length = 0
    this.#guarded(async () => {
      await this.#check('after a crash', true)
      this.#start(downMs)
    })
  }

  async #upgrade({ release, orderly, calls, downMs }: Extract<Step, { kind: 'upgrade' }>): Promise<void> {
    if (calls !== undefined) this.#doom = { calls, after: false }
    this.#release = release
    const process = this.#process
    // Where it can't be stopped in good order now it is killed.
    if (!orderly || this.#isChanging || this.#forgetting.isUnderWay || this.#life === undefined)
      return this.#crash(downMs)
    this.#isChanging = true
    await process.awaited(this.#life.stop())
    process.end()
    this.#looks.forget()
    this.#afterNext.length = 0
    await this.#check('after a stop', true)
    this.#start(downMs)
  }

  #submit(events: readonly Sent[]): Promise<readonly IntakeResult[]> | undefined {
    if (this.#isChanging || this.#life === undefined) return undefined
    const batch = events.map((value) => ({ value }))
    const answer = this.#process.awaited(this.#life.intake.submit(batch, { defaultSource: 'web' }))
    return answer.then((results) => {
      for (const [at, result] of results.entries()) this.#told(events[at], result)
      return results
    })
  }

  #told(sent: Sent | undefined, result: IntakeResult): void {
    if (sent === undefined) return
    const name = nameOf(sent)
    if (result.status === 'refused') {
      this.#note(`refused ${result.refusal.code}`, name)
      return
    }
    const why = result.status === 'quarantined' ? ` ${result.reason}` : ''
    this.#note(`${result.status}${why}`, `${name} ${result.position}`)
    this.#acknowledged.push({ sent, result })
    for (const look of this.#afterNext.splice(0)) look(result.position)
  }

  #erase(step: Extract<Step, { kind: 'erase' }>): void {
    const life = this.#life
    if (life === undefined || this.#isChanging) return
    this.#guarded(() => this.#forgetting.ask(life, this.#process, step))
  }

  /** `next`: right after the next event is acknowledged; nothing is looked at if none is. */
  #look(next: boolean): void {
    const life = this.#life
    if (life === undefined || this.#isChanging) return
    const process = this.#process
    const after = next
      ? new Promise<number>((resolve) => this.#afterNext.push(resolve))
      : Promise.resolve(this.#acknowledged.at(-1)?.result.position ?? 0)
    const erasures = this.#forgetting.begun
    this.#guarded(async () => {
      const answer = await process.awaited(
        this.#looks.look({
          ...{ life, after, release: RELEASES[this.#release] ?? [] },
          readings: () => this.#durable.readings(),
          isSwitching: () => this.#isSwitching(),
        }),
      )
      if (answer === undefined || this.#forgetting.isUnderWay || erasures !== this.#forgetting.begun) return
      this.#note('look', answer.position)
      answer.check()
    })
  }

  async #check(when: string, mayBeSwitching: boolean): Promise<void> {
    try {
      if (this.#life === undefined) return
      const opener = this.#disk.keys.opener()
      const readings = await this.#durable.readings()
      const events = readings.map(({ recorded }) => recorded)
      checkLog(events, this.#sent, this.#acknowledged, opener)
      this.#tail.check(events)
      const { position } = this.#disk.store.writer.checkpoint()
      must(
        position >= this.#committed,
        () => `the store stands at ${position}, and at ${this.#committed} it was said to`,
      )
      // Between destroyed keys and what was folded under them, rows may show more than can be folded now.
      if (this.#forgetting.isUnderWay) return
      const truth: Truth = { readings, hasErased: this.#forgetting.begun > 0, mayBeSwitching }
      await checkStore(this.#disk.store, truth)
    } catch (error) {
      if (error instanceof Violation) throw new Violation(`${when}: ${error.message}`)
      throw error
    }
  }
}

/** How long it is down after it has died in a store call, ms. */
const DEATH_MS = 100
