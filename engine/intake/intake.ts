import assert from 'node:assert/strict'
import type { Registry } from '../events/registry.ts'
import type { ClockGuard } from './clock-guard.ts'
import type { Decided } from './decider.ts'
import { Decider, liftsSuppression, refuse } from './decider.ts'
import { type Entry, isBatch, isSuppressed } from './entry.ts'
import { GroupPass, type PassOptions } from './group-pass.ts'
import { LostSources } from './lost-sources.ts'
import { CLOCK_JUMPED, failed } from './outcome.ts'
import type { AtomicIntake, Incoming, Intake, IntakeContext, IntakeResult, Refusal } from './result.ts'
import { Settlement } from './settlement.ts'
import { UnderWay } from './under-way.ts'

export interface IntakeOptions extends PassOptions {
  readonly registry: Registry
  readonly guard: ClockGuard
  readonly maxDepth: number
  readonly eventLimitBytes: number
  /** Events and bytes under way before senders are told to wait. */
  readonly queueEvents: number
  readonly queueBytes: number
  /** Told of every event's fate, once, and of the time since it was submitted. */
  readonly onResult: (result: IntakeResult, durationMs: number) => void
}

interface OwnEvent {
  readonly type: string
  readonly id: string
  readonly data: Readonly<Record<string, unknown>>
}

/** The intake, and what only the engine itself may do with it. */
export interface EngineIntake extends Intake {
  /** Appends one of the engine's own events (`clock.advanced`, `event.resubmitted`), which senders may not send. */
  record(event: OwnEvent): Promise<IntakeResult>
  /** Published source defaults that the log held at start. */
  learn(type: string, data: Readonly<Record<string, unknown>>): void
  /** The log held such at positions `from` to `until`, exclusive, that can't be read. */
  lose(from: number, until: number): void
  readonly queue: { readonly events: number; readonly bytes: number }
  /** Resolves when everything is settled that was submitted before; later events don't hold it up. One call at a time. */
  drain(): Promise<void>
  /** Resolves when everything under way is settled; nothing may be submitted afterwards. */
  close(): Promise<void>
}

/** Events of one pass through sealing, key flush and append: bounds how long the thread is busy with it. */
const MAX_GROUP_EVENTS = 1_000

/**
 * Decides each event when it is submitted and passes those under way on in groups: duplicates → sealing → keys durable
 * → append. Groups are appended in order of submission; while one waits for its keys, the next one gathers.
 */
export function createIntake(options: IntakeOptions): EngineIntake & AtomicIntake {
  return new GroupingIntake(options)
}

class GroupingIntake implements EngineIntake, AtomicIntake {
  readonly #options: IntakeOptions
  readonly #decider: Decider
  readonly #lost: LostSources
  readonly #queued: Entry[] = []
  readonly #settlement: Settlement
  readonly #groups: GroupPass
  #pumping: Promise<void> | undefined
  #stopped = false

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#decider = new Decider(options)
    this.#lost = new LostSources(options.log)
    const underWay = new UnderWay()
    const settlement = new Settlement(options, underWay, (entry) => this.#queue(entry))
    this.#settlement = settlement
    const desk = {
      settle: (entry: Entry, result: IntakeResult, nowMs?: number) => settlement.settle(entry, result, nowMs),
      queue: (entry: Entry) => this.#queue(entry),
      putBack: (entries: readonly Entry[]) => void this.#queued.unshift(...entries),
      judge: (incoming: Incoming, source: string) => this.#decide(incoming, source),
      refusal: () => this.#refusal(0),
      learn: (type: string, data: Readonly<Record<string, unknown>>) => this.learn(type, data),
      stop: () => {
        this.#stopped = true
      },
    }
    this.#groups = new GroupPass({ options, decider: this.#decider, lost: this.#lost, underWay, desk })
  }

  get queue(): { readonly events: number; readonly bytes: number } {
    const { events, bytes } = this.#settlement
    return { events, bytes }
  }

  learn(type: string, data: Readonly<Record<string, unknown>>): void {
    this.#decider.learn(type, data)
    if (type === 'source.registered' && typeof data['source'] === 'string')
      this.#lost.registered(data['source'])
  }

  lose(from: number, until: number): void {
    this.#lost.lose(from, until)
  }

  submit(batch: readonly Incoming[], context: IntakeContext): Promise<readonly IntakeResult[]> {
    return this.#submit(batch, context, false)
  }

  submitAtomic(batch: readonly Incoming[], context: IntakeContext): Promise<readonly IntakeResult[]> {
    return this.#submit(batch, context, true)
  }

  #submit(
    batch: readonly Incoming[],
    context: IntakeContext,
    atomic: boolean,
  ): Promise<readonly IntakeResult[]> {
    const startMs = this.#options.clock.monotonicMs()
    const refusal = this.#refusal(batch.length)
    if (refusal !== undefined) {
      return Promise.resolve(
        batch.map(() => this.#settlement.told({ status: 'refused', id: undefined, refusal }, startMs)),
      )
    }
    return this.#settlement.enter(
      batch.map((incoming) => this.#decide(incoming, context.defaultSource)),
      startMs,
      atomic,
    )
  }

  /** A defect of ours in reading one event must not cost its neighbours: it waits in quarantine for the next release. */
  #decide(incoming: Incoming, source: string): Decided {
    try {
      return this.#decider.decide(incoming, source)
    } catch (error) {
      const message = `the event could not be read: ${error instanceof Error ? error.name : 'unknown error'}`
      return refuse(incoming, source, 'invalid_envelope', message, 0)
    }
  }

  async record(event: OwnEvent): Promise<IntakeResult> {
    const startMs = this.#options.clock.monotonicMs()
    // Not for the queue's sake, but a clock that isn't trusted must not get into the log by this way either.
    const refusal = this.#refusal(0)
    if (refusal !== undefined)
      return this.#settlement.told({ status: 'refused', id: event.id, refusal }, startMs)
    const [result] = await this.#settlement.enter([this.#decider.decideOwn(event)], startMs)
    assert(result !== undefined, 'one event has one result')
    return result
  }

  drain(): Promise<void> {
    return this.#settlement.drain()
  }

  close(): Promise<void> {
    return this.#settlement.close()
  }

  #refusal(events: number): Refusal | undefined {
    if (this.#stopped) return { code: 'stopped', message: 'the intake failed; the engine must be restarted' }
    const { guard, queueEvents, queueBytes } = this.#options
    if (!guard.trusted()) return CLOCK_JUMPED
    // An empty queue takes any batch: one that is larger than the queue would otherwise never get in.
    const { events: underWay, bytes } = this.#settlement
    const full = underWay + events > queueEvents || bytes > queueBytes
    if (events > 0 && underWay > 0 && full) {
      return { code: 'overloaded', message: 'too many events are under way; send again later' }
    }
    return undefined
  }

  #queue(entry: Entry): void {
    entry.waits = false
    this.#queued.push(entry)
    this.#pumping ??= this.#pump()
  }

  async #pump(): Promise<void> {
    // Lets everything that arrived together be one group.
    await Promise.resolve()
    while (this.#queued.length > 0) {
      const group = this.#queued.splice(0, this.#groupSize())
      try {
        await this.#groups.pass(group)
      } catch (error) {
        // Settling twice does nothing, so those that were decided before keep their answer.
        for (const entry of group) this.#settlement.settle(entry, failed(entry.decided, error))
      }
    }
    this.#pumping = undefined
  }

  /** Of those that are queued. Who is suppressed waits until a consent before it is sealed, and is judged anew then. */
  #groupSize(): number {
    const most = Math.min(this.#queued.length, MAX_GROUP_EVENTS)
    let lifted = false
    for (let size = 0; size < most; size++) {
      const entry = this.#queued[size]
      assert(entry !== undefined)
      if (isBatch(entry)) return Math.max(size, 1)
      if (lifted && isSuppressed(entry)) return size
      lifted ||= liftsSuppression(entry.decided)
    }
    return most
  }
}
