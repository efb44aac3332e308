import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../clock.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { Registry } from '../events/registry.ts'
import type { Appended, Log, LogFailure } from '../log/log.ts'
import type { KeyStore } from '../privacy/privacy.ts'
import type { ClockGuard } from './clock-guard.ts'
import type { Accepted, Decided, Refused } from './decider.ts'
import { Decider, refuse } from './decider.ts'
import type { Duplicates } from './duplicates.ts'
import { findDuplicate } from './duplicates.ts'
import {
  CLOCK_JUMPED,
  done,
  failed,
  happened,
  NO_QUARANTINE,
  quarantineItem,
  refusalOf,
  reusedId,
} from './outcome.ts'
import type { Quarantine } from './quarantine.ts'
import type { Incoming, Intake, IntakeContext, IntakeResult, Refusal } from './result.ts'
import { sameJson } from './same-content.ts'

export interface IntakeOptions {
  readonly log: Log
  readonly keyStore: KeyStore
  readonly quarantine: Quarantine
  readonly duplicates: Duplicates
  readonly registry: Registry
  readonly clock: Clock
  readonly guard: ClockGuard
  readonly maxDepth: number
  readonly eventLimitBytes: number
  /** Events and bytes under way before senders are told to wait. */
  readonly queueEvents: number
  readonly queueBytes: number
  /** `data` as it was sent, and how many sealed parts don't open any more. */
  readonly reassemble: (event: RecordedEvent) => {
    readonly data: Readonly<Record<string, unknown>>
    readonly erased: number
  }
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
  readonly queue: { readonly events: number; readonly bytes: number }
  /** Resolves when everything under way is settled; nothing may be submitted afterwards. */
  close(): Promise<void>
}

/** Events of one pass through sealing, key flush and append: bounds how long the thread is busy with it. */
const MAX_GROUP_EVENTS = 1_000

/** Who waits for one event's fate; whatever becomes of the event on its way, it is told once. */
class Waiting {
  readonly #resolve: (result: IntakeResult) => void
  #listeners: (() => void)[] | undefined = []

  constructor(resolve: (result: IntakeResult) => void) {
    this.#resolve = resolve
  }

  settle(result: IntakeResult): void {
    const listeners = this.#listeners
    if (listeners === undefined) return
    this.#listeners = undefined
    this.#resolve(result)
    for (const listener of listeners) listener()
  }

  whenSettled(listener: () => void): void {
    if (this.#listeners === undefined) listener()
    else this.#listeners.push(listener)
  }
}

/** One event on its way. */
interface Entry {
  readonly decided: Decided
  readonly waiting: Waiting
}

interface AcceptedEntry extends Entry {
  readonly decided: Accepted
}

interface RefusedEntry extends Entry {
  readonly decided: Refused
}

/**
 * Decides each event when it is submitted and passes those under way on in groups: duplicates → sealing → keys durable
 * → append. Groups are appended in order of submission; while one waits for its keys, the next one gathers.
 */
export function createIntake(options: IntakeOptions): EngineIntake {
  return new GroupingIntake(options)
}

class GroupingIntake implements EngineIntake {
  readonly #options: IntakeOptions
  readonly #decider: Decider
  readonly #queued: Entry[] = []
  /** Keys under way → settled: a repetition waits for it and is then an ordinary duplicate. */
  readonly #underWay = new Map<string, Promise<unknown>>()
  #pumping: Promise<void> | undefined
  #events = 0
  #bytes = 0
  #stopped = false
  #lastReceived: number
  #whenIdle: (() => void) | undefined

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#decider = new Decider(options)
    this.#lastReceived = options.log.head().received
  }

  get queue(): { readonly events: number; readonly bytes: number } {
    return { events: this.#events, bytes: this.#bytes }
  }

  learn(type: string, data: Readonly<Record<string, unknown>>): void {
    this.#decider.learn(type, data)
  }

  submit(batch: readonly Incoming[], context: IntakeContext): Promise<readonly IntakeResult[]> {
    const startMs = this.#options.clock.monotonicMs()
    const refusal = this.#refusal(batch.length)
    if (refusal !== undefined) {
      return Promise.resolve(
        batch.map(() => this.#tell({ status: 'refused', id: undefined, refusal }, startMs)),
      )
    }
    return Promise.all(
      batch.map((incoming) => this.#enter(this.#decide(incoming, context.defaultSource), startMs)),
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

  record(event: OwnEvent): Promise<IntakeResult> {
    const startMs = this.#options.clock.monotonicMs()
    // Not for the queue's sake, but a clock that isn't trusted must not get into the log by this way either.
    const refusal = this.#refusal(0)
    if (refusal !== undefined)
      return Promise.resolve(this.#tell({ status: 'refused', id: event.id, refusal }, startMs))
    return this.#enter(this.#decider.decideOwn(event), startMs)
  }

  close(): Promise<void> {
    if (this.#events === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle = resolve
    })
  }

  #refusal(events: number): Refusal | undefined {
    if (this.#stopped) return { code: 'stopped', message: 'the intake failed; the engine must be restarted' }
    const { guard, queueEvents, queueBytes } = this.#options
    if (!guard.trusted()) return CLOCK_JUMPED
    // An empty queue takes any batch: one that is larger than the queue would otherwise never get in.
    const full = this.#events + events > queueEvents || this.#bytes > queueBytes
    if (events > 0 && this.#events > 0 && full) {
      return { code: 'overloaded', message: 'too many events are under way; send again later' }
    }
    return undefined
  }

  #enter(decided: Decided, startMs: number): Promise<IntakeResult> {
    this.#events += 1
    this.#bytes += decided.sizeBytes
    const settled = new Promise<IntakeResult>((resolve) => {
      this.#queued.push({ decided, waiting: new Waiting(resolve) })
    })
    this.#pumping ??= this.#pump()
    return settled.then((result) => {
      this.#events -= 1
      this.#bytes -= decided.sizeBytes
      if (this.#events === 0) this.#whenIdle?.()
      return this.#tell(result, startMs)
    })
  }

  #tell(result: IntakeResult, startMs: number): IntakeResult {
    const { clock, onResult } = this.#options
    onResult(result, clock.monotonicMs() - startMs)
    return result
  }

  async #pump(): Promise<void> {
    // Lets everything that arrived together be one group.
    await Promise.resolve()
    while (this.#queued.length > 0) {
      const group = this.#queued.splice(0, MAX_GROUP_EVENTS)
      try {
        await this.#pass(group)
      } catch (error) {
        // Settling twice does nothing, so those that were decided before keep their answer.
        for (const { decided, waiting } of group) waiting.settle(failed(decided, error))
      }
    }
    this.#pumping = undefined
  }

  async #pass(group: readonly Entry[]): Promise<void> {
    const fresh: AcceptedEntry[] = []
    const refused: RefusedEntry[] = []
    for (const entry of group) {
      const judged = isAccepted(entry) ? await this.#judgeAlone(entry) : entry
      if (judged === undefined) continue
      if (isRefused(judged)) refused.push(judged)
      if (isAccepted(judged)) fresh.push(judged)
    }
    fresh.push(...(await this.#quarantine(refused)))
    const sealed = fresh.flatMap((entry) => this.#seal(entry))
    if (sealed.length === 0) return
    await this.#options.keyStore.flush()
    this.#append(sealed)
  }

  /** As `#judge`; a log that can't be read where a repetition may stand costs that event alone its answer. */
  async #judgeAlone(entry: AcceptedEntry): Promise<AcceptedEntry | RefusedEntry | undefined> {
    try {
      return await this.#judge(entry)
    } catch (error) {
      entry.waiting.settle(failed(entry.decided, error))
      return undefined
    }
  }

  /** The entry if it is new, a refused one if it repeats an id with other content, undefined if it is settled or waits. */
  async #judge(entry: AcceptedEntry): Promise<AcceptedEntry | RefusedEntry | undefined> {
    const { id, source } = entry.decided.envelope
    const key = `${source}\u0000${id}`
    const twin = this.#underWay.get(key)
    if (twin !== undefined) {
      void twin.then(() => this.#again(entry))
      return undefined
    }
    const { duplicates, log } = this.#options
    const recorded = await findDuplicate(duplicates, { source, id }, (position) => log.at(position))
    if (recorded === undefined) return this.#hold(key, entry)
    if (!this.#sameContent(entry.decided, recorded))
      return { decided: reusedId(entry.decided), waiting: entry.waiting }
    entry.waiting.settle(done('duplicate', entry.decided, recorded))
    return undefined
  }

  #again(entry: Entry): void {
    this.#queued.push(entry)
    this.#pumping ??= this.#pump()
  }

  /** Keeps the entry's key until it is settled. */
  #hold(key: string, entry: AcceptedEntry): AcceptedEntry {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#underWay.set(key, promise)
    entry.waiting.whenSettled(() => {
      this.#underWay.delete(key)
      resolve()
    })
    return entry
  }

  #sameContent(accepted: Accepted, recorded: RecordedEvent): boolean {
    const { envelope } = accepted
    if (recorded.type !== envelope.type || recorded.schema !== envelope.schema) return false
    const statedTime = recorded.originalTime ?? recorded.time
    if (envelope.time !== undefined && envelope.time !== statedTime) return false
    const { data, erased } = this.#options.reassemble(recorded)
    // What a destroyed key held can't be compared; the event's id still says that it came before.
    return erased > 0 || (sameJson(data, envelope.data) && this.#decider.namesNobodyElse(accepted, recorded))
  }

  /** Keeps the bodies; what remains to be appended are `event.quarantined` events in their place. */
  async #quarantine(entries: readonly RefusedEntry[]): Promise<readonly AcceptedEntry[]> {
    if (entries.length === 0) return []
    const received = this.#options.clock.nowMs()
    const kept = await this.#options.quarantine.put(
      entries.map(({ decided }) => quarantineItem(decided, received)),
    )
    const fresh: AcceptedEntry[] = []
    for (const [index, { decided, waiting }] of entries.entries()) {
      const outcome = kept[index]
      if (outcome === undefined || E.isLeft(outcome)) {
        waiting.settle({ status: 'refused', id: decided.id, refusal: NO_QUARANTINE })
        continue
      }
      const told = this.#decider.decideQuarantined(decided, outcome.right)
      const judged = await this.#judgeAlone({ decided: told, waiting })
      if (judged === undefined) continue
      if (isAccepted(judged)) fresh.push(judged)
      // Its id is a hash of what it says, so another of the same id can't be; whoever waits is told all the same.
      else waiting.settle({ status: 'refused', id: decided.id, refusal: NO_QUARANTINE })
    }
    return fresh
  }

  #seal(entry: AcceptedEntry): readonly SealedEntry[] {
    const { decided, waiting } = entry
    try {
      // An erasure may have come in between; sealing would make the person known again.
      const suppressed = this.#decider.suppression(decided)
      if (suppressed === undefined) return [{ entry, event: this.#decider.seal(decided) }]
      this.#again({ decided: suppressed, waiting })
    } catch (error) {
      waiting.settle(failed(decided, error))
    }
    return []
  }

  /** Assigns places at once; whoever waits is told when the commit is durable. */
  #append(sealed: readonly SealedEntry[]): void {
    const { clock, guard, log } = this.#options
    const now = clock.nowMs()
    if (!guard.trusted()) {
      for (const { entry, event } of sealed) {
        entry.waiting.settle({ status: 'refused', id: event.id, refusal: CLOCK_JUMPED })
      }
      return
    }
    const received = Math.max(this.#lastReceived, now)
    this.#lastReceived = received
    const batch = sealed.map(({ entry, event }) => ({
      event: { ...event, received, ...happened(entry.decided.envelope, received) },
      expected: entry.decided.envelope.expected,
    }))
    log.append(batch).then(
      (outcomes) => {
        for (const [index, { entry, event }] of sealed.entries()) {
          const outcome = outcomes[index]
          if (outcome !== undefined) this.#settle(entry, event, outcome)
        }
      },
      (error: unknown) => {
        // A defect. What it left behind the duplicate check doesn't know; a restart reads the log anew.
        this.#stopped = true
        for (const { entry } of sealed) entry.waiting.settle(failed(entry.decided, error))
      },
    )
  }

  #settle(entry: AcceptedEntry, event: Sealed, outcome: E.Either<LogFailure, Appended>): void {
    if (E.isLeft(outcome)) {
      if (outcome.left._tag !== 'EventTooLarge') {
        entry.waiting.settle({ status: 'refused', id: event.id, refusal: refusalOf(outcome.left) })
        return
      }
      const { limitBytes } = outcome.left
      const { incoming, sizeBytes } = entry.decided
      const message = `the event is larger than ${limitBytes} bytes in the log`
      this.#again({
        decided: refuse(incoming, event.source, 'too_large', message, sizeBytes),
        waiting: entry.waiting,
      })
      return
    }
    this.#options.duplicates.add(event.source, event.id, outcome.right.position)
    this.#decider.learn(event.type, entry.decided.envelope.data)
    entry.waiting.settle(done('appended', entry.decided, { ...outcome.right, stream: event.stream }))
  }
}

type Sealed = ReturnType<Decider['seal']>

interface SealedEntry {
  readonly entry: AcceptedEntry
  readonly event: Sealed
}

function isRefused(entry: Entry): entry is RefusedEntry {
  return entry.decided.kind === 'refused'
}

function isAccepted(entry: Entry): entry is AcceptedEntry {
  return entry.decided.kind === 'accepted'
}
