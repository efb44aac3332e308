import type { IntakeResult } from '../../engine/intake/result.ts'
import type { BuildsMode } from '../../engine/projector/builds.ts'
import { Held } from './check-held.ts'
import { type Acknowledged, checkLog } from './check-log.ts'
import { checkOccurred, checkVerified, type PastParts, Pasts } from './check-past.ts'
import { checkStore, type Truth } from './check-reads.ts'
import type { Disk } from './disk.ts'
import type { DurableLog } from './durable.ts'
import type { Sent } from './events.ts'
import type { Forgetting } from './forgetting.ts'
import type { Orders } from './orders.ts'
import type { Tail } from './tail.ts'
import { must, Violation } from './violation.ts'

interface ChecksParts {
  readonly mode: BuildsMode
  readonly orders: Orders
  readonly disk: Disk
  readonly durable: DurableLog
  readonly forgetting: Forgetting
  readonly tail: Tail
}

/** What the world was told, and whether what the disk holds agrees. */
export class Checks {
  readonly #parts: ChecksParts
  readonly #sent: Sent[] = []
  readonly #acknowledged: Acknowledged[] = []
  readonly #pasts = new Pasts()
  readonly #held: Held
  /** Of the read models, as they were told of. */
  #committed = 0

  constructor(parts: ChecksParts) {
    this.#parts = parts
    this.#held = new Held(parts.mode)
  }

  sent(events: readonly Sent[]): void {
    this.#sent.push(...events)
  }

  acknowledged(sent: Sent, result: Exclude<IntakeResult, { status: 'refused' }>): void {
    this.#acknowledged.push({ sent, result })
  }

  /** Of what was acknowledged last; 0: nothing was. */
  get lastPosition(): number {
    return this.#acknowledged.at(-1)?.result.position ?? 0
  }

  committed(position: number): void {
    must(position >= this.#committed, () => `the checkpoint went back from ${this.#committed} to ${position}`)
    this.#committed = position
  }

  /** Throws `Violation`. */
  async check(when: string): Promise<void> {
    try {
      await this.#check()
    } catch (error) {
      if (error instanceof Violation) throw new Violation(`${when}: ${error.message}`)
      throw error
    }
  }

  /** Compares with what is folded once more, all of it or a moment of the past. Answers what was compared. */
  async checkPast(parts: Omit<PastParts, 'readings' | 'erasures'>): Promise<string> {
    const { disk, durable, forgetting } = this.#parts
    const all = { ...parts, readings: await durable.readings(), erasures: forgetting.begun }
    const chance = parts.random.below(10)
    if (chance < 1) return 'no past to compare'
    if (chance < 3) {
      await checkVerified(all, disk.store.writer)
      return 'verified'
    }
    if (chance < 5) {
      await checkOccurred(all)
      return 'the past as it had happened'
    }
    const compared = await this.#pasts.check(all)
    return compared > 0 ? 'the past as it was seen' : 'no past to compare'
  }

  async #check(): Promise<void> {
    const { disk, durable, forgetting, tail, mode, orders } = this.#parts
    const opener = disk.keys.opener()
    const readings = await durable.readings()
    const events = readings.map(({ recorded }) => recorded)
    checkLog(events, this.#sent, this.#acknowledged, opener)
    tail.check(events)
    const { position } = disk.store.writer.checkpoint()
    must(
      position >= this.#committed,
      () => `the store stands at ${position}, and at ${this.#committed} it was said to`,
    )
    this.#held.check(disk.store.writer.builds(), orders.takeSwitched())
    // Between destroyed keys and what was folded under them, rows may show more than can be folded now.
    if (forgetting.isUnderWay) return
    const truth: Truth = { readings, hasErased: forgetting.begun > 0, mode }
    await checkStore(disk.store, truth)
    this.#pasts.record(disk.store.writer, forgetting.begun)
  }
}
