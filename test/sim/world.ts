import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import type { Progress } from '../../engine/projector/projector.ts'
import { BlockDisk } from './block-disk.ts'
import { nameOf } from './check-log.ts'
import { Checks } from './checks.ts'
import { Disk } from './disk.ts'
import { DurableLog } from './durable.ts'
import { EmbeddedDisk } from './embedded-disk.ts'
import type { Sent } from './events.ts'
import { Forgetting } from './forgetting.ts'
import { type Life, opened, type Seams, startLife } from './life.ts'
import type { LogDisk } from './log-disk.ts'
import { Looks } from './looks.ts'
import { Network } from './network.ts'
import { Orders } from './orders.ts'
import { Dead, type Doom, Process } from './process.ts'
import { Random, seedOf } from './random.ts'
import { RELEASES } from './releases.ts'
import type { Script, Step } from './script.ts'
import { untilSettled } from './settling.ts'
import { Story } from './story.ts'
import { Tail } from './tail.ts'
import { Timeline } from './timeline.ts'
import type { Trace } from './trace.ts'
import { must, Violation } from './violation.ts'
import { Weather } from './weather.ts'

/** How a run went. */
export interface Outcome {
  /** undefined: everything held. */
  readonly violation: string | undefined
  /** Of the script, begun last. */
  readonly step: number | undefined
  readonly trace: Trace
  /** Of the log, at the end; 0 where something didn't hold. */
  readonly events: number
  /** What happened, and how often. */
  readonly seen: ReadonlyMap<string, number>
}

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
  readonly #story = new Story()
  readonly #weather: Weather
  readonly #network: Network
  readonly #tail: Tail
  readonly #looks: Looks
  readonly #orders: Orders
  readonly #checks: Checks
  #left: number
  #step: number | undefined
  #violation: Violation | undefined
  #process: Process
  #life: Life | undefined
  /** Of the next process. */
  #doom: Doom | undefined
  #lives = 0
  #release = 0
  #mustRestart = false
  /** It starts or stops, or is down. */
  #isChanging = false

  constructor(script: Script, seams: Seams) {
    this.#script = script
    this.#seams = seams
    this.#left = script.steps.length
    this.#timeline = new Timeline(script.seed)
    this.#weather = new Weather(this.#timeline)
    this.#disk = new Disk(script.seed, logDisk(script, seams))
    this.#durable = new DurableLog(this.#disk)
    this.#forgetting = new Forgetting(this.#disk, this.#timeline, (identity) =>
      this.#story.note('erasure', identity),
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
    const held = { disk: this.#disk, forgetting: this.#forgetting }
    this.#orders = new Orders({ ...held, note: this.#story.note })
    this.#checks = new Checks({
      ...held,
      ...{ durable: this.#durable, tail: this.#tail, orders: this.#orders, mode: script.builds },
    })
  }

  async run(): Promise<Outcome> {
    for (const step of this.#script.steps)
      this.#timeline.after(step.atMs, () => this.#guarded(() => this.#take(step)))
    this.#start(0)
    this.#operate()
    let events = 0
    try {
      await untilSettled(this.#timeline, () => this.#unsettled())
      await this.#checks.check('at the end')
      await this.#checkPast()
      events = (await this.#durable.events()).length
    } catch (error) {
      this.#failed(error)
    }
    this.#process.end()
    return {
      violation: this.#violation?.message,
      step: this.#step,
      trace: this.#story.trace,
      events,
      seen: this.#story.seen,
    }
  }

  async #checkPast(): Promise<void> {
    const life = this.#life
    if (life === undefined) return
    const opener = this.#disk.keys.opener()
    const open = (event: RecordedEvent) => opened(event, opener)
    const rest = { log: life.log, release: RELEASES[this.#release] ?? [], open }
    const compared = await this.#checks.checkPast({
      ...{ ...rest, timeline: this.#timeline, random: new Random(seedOf(this.#script.seed, 6)) },
      asked: this.#seams.moment ?? ((moment) => moment),
    })
    await this.#seams.ended?.({ ...rest, store: this.#disk.store.writer })
    this.#story.note(compared)
  }

  /** Throws the violation where there is one. */
  #unsettled(): readonly string[] {
    if (this.#violation !== undefined) throw this.#violation
    const head = this.#life?.log.head().position
    const awaited: (readonly [string, boolean])[] = [
      ['steps of the script', this.#left > 0],
      ['the engine', this.#isChanging || this.#life === undefined],
      ['senders', !this.#network.isSettled],
      ['an erasure', this.#forgetting.isUnderWay],
      ['readers', this.#looks.waiting > 0],
      ['orders', this.#orders.waiting > 0],
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

  #take(step: Step): void {
    this.#left -= 1
    this.#step = step.number
    this.#story.note(`step ${step.kind}`, step.number)
    switch (step.kind) {
      case 'send':
        this.#checks.sent(step.events)
        this.#network.send(step.events, step.number)
        break
      case 'crash':
        this.#crash(step.downMs)
        break
      case 'die':
        if (this.#process.alive) this.#process.doom(step)
        else this.#doom = step
        break
      case 'upgrade':
        this.#guarded(() => this.#upgrade(step))
        break
      case 'jump':
        this.#timeline.jump(step.ms)
        break
      case 'full':
        this.#weather.fill(step.forMs)
        break
      case 'pressure':
        this.#weather.press(step.forMs)
        break
      case 'erase':
        this.#erase(step)
        break
      case 'strike':
        this.#disk.log.strike(step.operations, step.fault)
        break
      case 'order':
        this.#order(step)
        break
      case 'look':
        this.#look(step.number % 2 === 0)
        break
    }
  }

  /** An operator confirms the clock where it isn't trusted, and restarts what says that it must be. */
  #operate(): void {
    if (this.#mustRestart) this.#crash(OPERATOR_MS)
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
      (what) => this.#story.note(what),
    )
    this.#process = process
    this.#lives += 1
    if (this.#doom !== undefined) process.doom(this.#doom)
    this.#doom = undefined
    const life = await startLife({
      ...{ disk: this.#disk, process, timeline: this.#timeline, seams: this.#seams },
      random: new Random(seedOf(this.#script.seed, 100 + this.#lives)),
      release: RELEASES[this.#release] ?? [],
      builds: this.#script.builds,
      weather: this.#weather,
      onCommit: (progress) => this.#guarded(() => this.#committedTo(progress)),
      onBuild: (build, state) => this.#guarded(() => this.#built(build, state)),
      onFailure: (error) => this.#failed(error),
      // It tells whoever asks for its health, not only senders.
      onStopped: () => {
        this.#mustRestart ||= process.alive
      },
    })
    if (!process.alive) return
    this.#life = life
    this.#tail.follow(life.log, process)
    this.#story.note('start', life.log.head().position)
    await this.#forgetting.resume(life, process, () => {
      this.#isChanging = false
    })
  }

  #committedTo({ position }: Progress): void {
    this.#checks.committed(position)
    this.#story.note('commit', position)
  }

  #built(build: string, state: string): void {
    must(state !== 'foreign', () => 'the read models are said to be of another log')
    this.#story.note(`build ${state}`, build)
  }

  /** What was durable stays. */
  #crash(downMs: number): void {
    if (!this.#process.alive) return
    this.#process.end()
    this.#mustRestart = false
    this.#isChanging = true
    this.#story.note('kill')
    if (this.#forgetting.isUnderWay) this.#story.note('killed: an erasure was under way')
    if (this.#disk.store.writer.builds().some(({ serving }) => !serving))
      this.#story.note('killed: a build was half made')
    this.#seams.crashed?.(this.#disk)
    this.#looks.forget()
    this.#orders.forget()
    this.#guarded(async () => {
      await this.#checks.check('after a crash')
      this.#start(downMs)
    })
  }

  async #upgrade({ release, orderly, calls, downMs }: Extract<Step, { kind: 'upgrade' }>): Promise<void> {
    if (calls !== undefined) this.#doom = { calls, after: false, of: 'any' }
    this.#release = release
    const process = this.#process
    // Where it can't be stopped in good order now it is killed.
    if (!orderly || this.#isChanging || this.#forgetting.isUnderWay || this.#life === undefined)
      return this.#crash(downMs)
    this.#isChanging = true
    await process.awaited(this.#life.stop())
    process.end(true)
    this.#looks.forget()
    this.#orders.forget()
    await this.#checks.check('after a stop')
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
      this.#story.note(`refused ${result.refusal.code}`, name)
      return
    }
    const why = result.status === 'quarantined' ? ` ${result.reason}` : ''
    this.#story.note(`${result.status}${why}`, `${name} ${result.position}`)
    this.#checks.acknowledged(sent, result)
    this.#looks.acknowledged(result.position)
  }

  #erase(step: Extract<Step, { kind: 'erase' }>): void {
    const life = this.#life
    if (life === undefined || this.#isChanging) return
    this.#guarded(() => this.#forgetting.ask(life, this.#process, step))
  }

  #order({ order, projection }: Extract<Step, { kind: 'order' }>): void {
    const life = this.#life
    if (life === undefined || this.#isChanging) return
    const release = RELEASES[this.#release] ?? []
    const { name } = release[projection % release.length] ?? {}
    if (name !== undefined) this.#orders.give(life, order, name)
  }

  /** `next`: right after the next event is acknowledged; nothing is looked at if none is. */
  #look(next: boolean): void {
    const life = this.#life
    if (life === undefined || this.#isChanging) return
    const process = this.#process
    const after = next ? this.#looks.next() : Promise.resolve(this.#checks.lastPosition)
    const erasures = this.#forgetting.begun
    this.#guarded(async () => {
      const answer = await process.awaited(
        this.#looks.look({
          ...{ life, after, release: RELEASES[this.#release] ?? [], mode: this.#script.builds },
          readings: () => this.#durable.readings(),
          isSwitching: () => this.#isSwitching(),
        }),
      )
      if (answer === undefined || this.#forgetting.isUnderWay || erasures !== this.#forgetting.begun) return
      this.#story.note('look', answer.position)
      answer.check()
    })
  }
}

/** How long it is down after it has died in a store call, ms. */
const DEATH_MS = 100

function logDisk({ log }: Script, seams: Seams): LogDisk {
  return log === 'blocks' ? new BlockDisk() : new EmbeddedDisk(log, seams.files)
}
