import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import { type CheckedLog, openCheckedLog } from './checked-log.ts'
import { BATCH_EVENTS, createEventMaker, type EventMaker } from './events.ts'
import type { LogPlan } from './plan.ts'
import { rateOf } from './rounds.ts'

/** One temporary directory, and what is open in it. */
export class LogLab {
  readonly plan: LogPlan
  readonly clock: Clock
  readonly directory: string
  /** Progress for whoever waits. */
  readonly say: (line: string) => void
  /** Of the large log: events 0 to `plan.growth.events`, then whatever later parts append. */
  readonly maker: EventMaker
  readonly #closers: (() => Promise<void>)[] = []
  #large: Promise<CheckedLog> | undefined
  #aborted = false

  constructor(plan: LogPlan, clock: Clock, say: (line: string) => void) {
    this.plan = plan
    this.clock = clock
    this.say = say
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), 'headwater-bench-log-')))
    this.maker = createEventMaker(plan.growth.events)
  }

  get aborted(): boolean {
    return this.#aborted
  }

  /** Tells when a part has had its share of the time, so that those behind it get theirs on a slow machine too. */
  share(): () => boolean {
    const untilMs = this.clock.monotonicMs() + this.plan.shareMs
    return () => this.#aborted || this.clock.monotonicMs() > untilMs
  }

  /** An empty directory. */
  place(name: string): string {
    const path = join(this.directory, name)
    mkdirSync(path)
    return path
  }

  /** Closed at the end of the bench, the last one first. */
  onClose(close: () => Promise<void>): void {
    this.#closers.push(close)
  }

  /** A log with the plan's many events, built when it is first asked for. */
  large(): Promise<CheckedLog> {
    this.#large ??= this.#buildLarge()
    return this.#large
  }

  async #buildLarge(): Promise<CheckedLog> {
    const { events } = this.plan.growth
    this.say(`  a log of ${events.toLocaleString('en-US')} events is built …`)
    const log = await openCheckedLog(this.place('large'))
    this.onClose(() => log.close())
    await this.fill(log, this.maker, 0, events)
    await this.settled(log)
    return log
  }

  /** Waits until the background work on sealed segments (indexes, compression) is done. */
  async settled({ log }: CheckedLog): Promise<void> {
    const startMs = this.clock.monotonicMs()
    while (log.upkeepWaiting() > 0 && !this.#aborted) await sleep(SETTLE_POLL_MS)
    const ms = this.clock.monotonicMs() - startMs
    if (ms > SETTLE_POLL_MS) this.say(`  upkeep of sealed segments took ${(ms / 1_000).toFixed(1)} s more`)
  }

  /** Appends events `from` to `until` of a maker, a multiple of a batch. */
  async fill(log: CheckedLog, maker: EventMaker, from: number, until: number): Promise<void> {
    for (let k = from; k < until && !this.#aborted; k += FILL_BATCHES * BATCH_EVENTS) {
      const batches = Math.min(FILL_BATCHES, Math.ceil((until - k) / BATCH_EVENTS))
      await rateOf(log, batchesOf(maker, k, batches), this.clock)
    }
    if (this.#aborted) throw new Error('the bench is ending')
  }

  /** What is under way ends soon, and nothing new begins. */
  abort(): void {
    this.#aborted = true
  }

  async close(): Promise<void> {
    this.abort()
    for (const close of this.#closers.splice(0).reverse()) await close().catch(() => undefined)
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

const FILL_BATCHES = 20
const SETTLE_POLL_MS = 50

/** So many batches of a maker's events, from event `from` on. */
export function batchesOf(maker: EventMaker, from: number, batches: number) {
  return Array.from({ length: batches }, (_, i) => maker.batch(from + i * BATCH_EVENTS))
}
