import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../clock.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { Registry } from '../events/registry.ts'
import type { AppendEvent, Appended, Log, LogFailure } from '../log/log.ts'
import type { KeyStore } from '../privacy/privacy.ts'
import { forbidden, notTaken, recordedOf, repeated, repeatsItself } from './atomic.ts'
import type { ClockGuard } from './clock-guard.ts'
import type { Accepted, Decided, Refused } from './decider.ts'
import { Decider, liftsSuppression, refuse } from './decider.ts'
import { findDuplicate } from './duplicates.ts'
import {
  type AcceptedEntry,
  Entry,
  isAccepted,
  isBatch,
  isRefused,
  isSuppressed,
  type RefusedEntry,
  type Submission,
  turn,
} from './entry.ts'
import { LostSources } from './lost-sources.ts'
import {
  CLOCK_JUMPED,
  done,
  failed,
  idOf,
  NO_QUARANTINE,
  quarantineItem,
  refusalOf,
  reusedId,
  SOURCE_LOST,
} from './outcome.ts'
import type { Quarantine } from './quarantine.ts'
import type { AtomicIntake, Incoming, Intake, IntakeContext, IntakeResult, Refusal } from './result.ts'
import { sameJson } from './same-content.ts'
import { UnderWay } from './under-way.ts'

export interface IntakeOptions {
  readonly log: Log
  readonly keyStore: KeyStore
  readonly quarantine: Quarantine
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
  readonly #underWay = new UnderWay()
  #pumping: Promise<void> | undefined
  #events = 0
  #bytes = 0
  #stopped = false
  #lastReceived: number
  #whenIdle: (() => void) | undefined
  /** Submissions are counted by the epoch that they came in; draining begins the other one. */
  #epoch: 0 | 1 = 0
  readonly #unsettled: [number, number] = [0, 0]
  #whenDrained: (() => void) | undefined

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#decider = new Decider(options)
    this.#lost = new LostSources(options.log)
    this.#lastReceived = options.log.head().received
  }

  get queue(): { readonly events: number; readonly bytes: number } {
    return { events: this.#events, bytes: this.#bytes }
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
        batch.map(() => this.#told({ status: 'refused', id: undefined, refusal }, startMs)),
      )
    }
    return this.#enter(
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
    if (refusal !== undefined) return this.#told({ status: 'refused', id: event.id, refusal }, startMs)
    const [result] = await this.#enter([this.#decider.decideOwn(event)], startMs)
    assert(result !== undefined, 'one event has one result')
    return result
  }

  drain(): Promise<void> {
    assert(this.#whenDrained === undefined, 'one call at a time')
    const former = this.#epoch
    this.#epoch = former === 0 ? 1 : 0
    assert(this.#unsettled[this.#epoch] === 0, 'the epoch before was drained')
    if (this.#unsettled[former] === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenDrained = resolve
    })
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

  #enter(decided: readonly Decided[], startMs: number, atomic = false): Promise<readonly IntakeResult[]> {
    const { promise, resolve } = Promise.withResolvers<readonly IntakeResult[]>()
    if (decided.length === 0) resolve([])
    else this.#unsettled[this.#epoch] += 1
    const epoch = this.#epoch
    const results: IntakeResult[] = Array(decided.length)
    const submission: Submission = { results, left: decided.length, atomic, epoch, startMs, resolve }
    const members: Entry[] = []
    for (let index = 0; index < decided.length; index++) {
      const one = decided[index]
      assert(one !== undefined)
      this.#events += 1
      this.#bytes += one.sizeBytes
      const entry = new Entry(one, submission, index)
      if (atomic) members.push(entry)
      else this.#queue(entry)
    }
    const [lead] = members
    if (lead !== undefined) {
      lead.members = members
      this.#queue(lead)
    }
    return promise
  }

  #queue(entry: Entry): void {
    entry.waits = false
    this.#queued.push(entry)
    this.#pumping ??= this.#pump()
  }

  #told(result: IntakeResult, startMs: number, nowMs = this.#options.clock.monotonicMs()): IntakeResult {
    this.#options.onResult(result, nowMs - startMs)
    return result
  }

  #settle(entry: Entry, result: IntakeResult, nowMs?: number): void {
    if (entry.told) return
    entry.told = true
    this.#events -= 1
    this.#bytes -= entry.sizeBytes
    this.#underWay.release(entry)
    if (entry.followers !== undefined) for (const follower of entry.followers) this.#queue(follower)
    const { submission } = entry
    submission.results[entry.index] = this.#told(result, submission.startMs, nowMs)
    submission.left -= 1
    if (submission.left === 0) this.#settled(submission)
    if (this.#events === 0) this.#whenIdle?.()
  }

  #settled({ epoch, results, resolve }: Submission): void {
    resolve(results)
    this.#unsettled[epoch] -= 1
    if (epoch === this.#epoch || this.#unsettled[epoch] > 0) return
    this.#whenDrained?.()
    this.#whenDrained = undefined
  }

  async #pump(): Promise<void> {
    // Lets everything that arrived together be one group.
    await Promise.resolve()
    while (this.#queued.length > 0) {
      const group = this.#queued.splice(0, this.#groupSize())
      try {
        await this.#pass(group)
      } catch (error) {
        // Settling twice does nothing, so those that were decided before keep their answer.
        for (const entry of group) this.#settle(entry, failed(entry.decided, error))
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

  async #pass(group: readonly Entry[]): Promise<void> {
    const [first] = group
    if (first !== undefined && isBatch(first)) return this.#passAlone(first, first.members)
    const fresh: AcceptedEntry[] = []
    const refused: RefusedEntry[] = []
    for (let index = 0; index < group.length; index++) {
      const entry = group[index]
      assert(entry !== undefined)
      // A group that failed as a whole has settled those too that waited in it.
      if (entry.told) continue
      if (isSuppressed(entry)) turn(entry, this.#decide(entry.decided.incoming, entry.decided.source))
      const claimed = isAccepted(entry) && this.#claim(entry)
      if (!claimed && entry.members !== undefined) {
        // What came before it is appended first.
        if (fresh.length + refused.length > 0) {
          this.#queued.unshift(...group.slice(index))
          break
        }
        await this.#passAlone(entry, entry.members)
        continue
      }
      if (isAccepted(entry) && !claimed) {
        await this.#repeat(entry)
        if (entry.told || entry.waits) continue
      }
      if (isRefused(entry)) refused.push(entry)
      else if (isAccepted(entry)) fresh.push(entry)
    }
    if (refused.length > 0) fresh.push(...(await this.#quarantine(refused)))
    const sealed = this.#seal(fresh)
    if (sealed.length === 0) return
    await this.#options.keyStore.flush()
    this.#append(sealed)
  }

  async #passAlone(lead: Entry, members: readonly Entry[]): Promise<void> {
    try {
      await this.#passWhole(lead, members)
    } catch (error) {
      for (const entry of members) this.#settle(entry, failed(entry.decided, error))
    }
  }

  /** An atomic batch on its way. Whatever keeps one of them out keeps out all. */
  async #passWhole(lead: Entry, members: readonly Entry[]): Promise<void> {
    for (const entry of members)
      if (isSuppressed(entry)) turn(entry, this.#decide(entry.decided.incoming, entry.decided.source))
    const accepted = members.filter(isAccepted)
    if (accepted.length < members.length) return this.#refuseAll(members, notTaken(members))
    const twin = accepted
      .map(({ decided: { envelope } }) => this.#underWay.find(envelope.source, envelope.id))
      .find((found) => found !== undefined)
    if (twin !== undefined) {
      lead.waits = true
      twin.followers ??= []
      twin.followers.push(lead)
      return
    }
    const { log, keyStore } = this.#options
    const known = await recordedOf(accepted, log)
    if (!known.every((recorded) => recorded === undefined) || repeatsItself(accepted)) {
      const same = (entry: AcceptedEntry, recorded: RecordedEvent): boolean =>
        this.#sameContent(entry.decided, recorded)
      const results = repeated(accepted, known, log, same)
      for (const [index, entry] of accepted.entries()) {
        const result = results[index]
        assert(result !== undefined, 'each has its answer')
        this.#settle(entry, result)
      }
      return
    }
    for (const entry of accepted) this.#underWay.hold(entry)
    const sealed = this.#sealWhole(accepted)
    if (sealed === undefined) return
    await keyStore.flush()
    if (this.#shut(accepted)) return
    const waiting = sealed.map(({ entry, event }): WaitingEntry => ({ entry, stream: event.stream }))
    this.#await(log.append(sealed, { atomic: true }), waiting)
  }

  #sealWhole(entries: readonly AcceptedEntry[]): readonly SealedEntry[] | undefined {
    const received = Math.max(this.#lastReceived, this.#options.clock.nowMs())
    if (this.#shut(entries)) return undefined
    this.#lastReceived = received
    for (const { decided } of entries) {
      const { type, source } = decided.envelope
      const lost = type !== 'source.registered' && this.#lost.has(source)
      const suppressed = this.#decider.suppressedSince(decided)
      if (!lost && suppressed === undefined) continue
      this.#refuseAll(entries, suppressed === undefined ? SOURCE_LOST : forbidden(suppressed.message))
      return undefined
    }
    return entries.map((entry) => ({
      entry,
      event: this.#decider.seal(entry.decided, received),
      expected: entry.decided.envelope.expected,
    }))
  }

  #refuseAll(entries: readonly Entry[], refusal: Refusal): void {
    for (const entry of entries) this.#settle(entry, { status: 'refused', id: idOf(entry.decided), refusal })
  }

  /** Makes it the one of its key that is under way; false where the log, or another under way, may hold that key. */
  #claim(entry: AcceptedEntry): boolean {
    const { id, source } = entry.decided.envelope
    if (this.#underWay.find(source, id) !== undefined) return false
    if (this.#mayBeRecorded(source, id)) return false
    this.#underWay.hold(entry)
    return true
  }

  /** Also where that can't be told: `#repeat` asks again, for this event alone. */
  #mayBeRecorded(source: string, id: string): boolean {
    try {
      return this.#options.log.idCandidates(source, id).length > 0
    } catch {
      return true
    }
  }

  /**
   * What becomes of an event that `#claim` didn't let pass: it waits for its twin under way, is settled as a
   * duplicate, or is refused as another event of the same id; where only the hash was the same it goes on. A log
   * that can't be read there costs that event alone its answer. What tells of a refused event is named after the
   * refusal: of an erased person nothing else is kept, so its size may be another than the first time.
   */
  async #repeat(entry: AcceptedEntry): Promise<void> {
    const { source, id } = entry.decided.envelope
    const twin = this.#underWay.find(source, id)
    if (twin !== undefined) {
      entry.waits = true
      twin.followers ??= []
      twin.followers.push(entry)
      return
    }
    try {
      const { log } = this.#options
      const candidates = log.idCandidates(source, id)
      const recorded = await findDuplicate(candidates, { source, id }, (position) => log.at(position))
      if (recorded === undefined) this.#underWay.hold(entry)
      else if (entry.decided.quarantined !== undefined || this.#sameContent(entry.decided, recorded))
        this.#settle(entry, done('duplicate', entry.decided, recorded, recorded.stream))
      else turn(entry, reusedId(entry.decided))
    } catch (error) {
      this.#settle(entry, failed(entry.decided, error))
    }
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
    const received = this.#options.clock.nowMs()
    if (this.#shut(entries)) return []
    const kept = await this.#options.quarantine.put(
      entries.map(({ decided }) => quarantineItem(decided, received)),
    )
    const fresh: AcceptedEntry[] = []
    for (const [index, entry] of entries.entries()) {
      const { decided } = entry
      const outcome = kept[index]
      const unkept: IntakeResult = { status: 'refused', id: decided.id, refusal: NO_QUARANTINE }
      if (outcome === undefined || E.isLeft(outcome)) {
        this.#settle(entry, unkept)
        continue
      }
      this.#underWay.release(entry)
      turn(entry, this.#decider.decideQuarantined(decided, outcome.right))
      if (!isAccepted(entry)) continue
      if (!this.#claim(entry)) await this.#repeat(entry)
      if (entry.told || entry.waits) continue
      if (isAccepted(entry)) fresh.push(entry)
      // Its id is a hash of what it says, so another of the same id can't be; whoever waits is told all the same.
      else this.#settle(entry, unkept)
    }
    return fresh
  }

  /** Refuses them all where nothing may be taken any more; to be asked after the clock was read. */
  #shut(entries: readonly Entry[]): boolean {
    const refusal = this.#refusal(0)
    if (refusal === undefined) return false
    for (const entry of entries) {
      this.#settle(entry, { status: 'refused', id: idOf(entry.decided), refusal })
    }
    return true
  }

  /** As the log keeps them, received now. */
  #seal(entries: readonly AcceptedEntry[]): readonly SealedEntry[] {
    const received = Math.max(this.#lastReceived, this.#options.clock.nowMs())
    // A clock that jumped while they waited must not become what later events can't lie before.
    if (this.#shut(entries)) return []
    this.#lastReceived = received
    const sealed: SealedEntry[] = []
    for (const entry of entries) {
      try {
        const { type, source } = entry.decided.envelope
        if (type !== 'source.registered' && this.#lost.has(source)) {
          this.#settle(entry, { status: 'refused', id: idOf(entry.decided), refusal: SOURCE_LOST })
          continue
        }
        // An erasure may have come in between; sealing would make the person known again.
        const suppressed = this.#decider.suppressedSince(entry.decided)
        if (suppressed === undefined) {
          const event = this.#decider.seal(entry.decided, received)
          sealed.push({ entry, event, expected: entry.decided.envelope.expected })
        } else this.#again(entry, suppressed)
      } catch (error) {
        this.#settle(entry, failed(entry.decided, error))
      }
    }
    return sealed
  }

  /** Sends it round again as what it has turned out to be. */
  #again(entry: Entry, decided: Refused): void {
    this.#underWay.release(entry)
    turn(entry, decided)
    this.#queue(entry)
  }

  /** Assigns places at once; whoever waits is told when the commit is durable. */
  #append(sealed: readonly SealedEntry[]): void {
    if (this.#refusal(0) !== undefined && this.#shut(sealed.map(({ entry }) => entry))) return
    const waiting = sealed.map(({ entry, event }): WaitingEntry => ({ entry, stream: event.stream }))
    this.#await(this.#options.log.append(sealed), waiting)
  }

  /** Doesn't hold on to the sealed events: the log has their bytes, and many wait for the disk at a time. */
  #await(appended: ReturnType<Log['append']>, waiting: readonly WaitingEntry[]): void {
    appended.then(
      (outcomes) => {
        const nowMs = this.#options.clock.monotonicMs()
        for (let index = 0; index < waiting.length; index++) {
          const one = waiting[index]
          const outcome = outcomes[index]
          if (one !== undefined && outcome !== undefined) this.#appended(one, outcome, nowMs)
        }
      },
      (error: unknown) => {
        // A defect. What it left of the batch in the log nobody knows; a restart looks.
        this.#stopped = true
        for (const { entry } of waiting) this.#settle(entry, failed(entry.decided, error))
      },
    )
  }

  #appended({ entry, stream }: WaitingEntry, outcome: E.Either<LogFailure, Appended>, nowMs: number): void {
    const { decided } = entry
    const { envelope } = decided
    if (E.isRight(outcome)) {
      this.learn(envelope.type, envelope.data)
      this.#settle(entry, done('appended', decided, outcome.right, stream), nowMs)
    } else if (outcome.left._tag === 'EventTooLarge' && entry.submission.atomic) {
      const message = `an event or the batch is larger than ${outcome.left.limitBytes} bytes in the log`
      this.#settle(entry, { status: 'refused', id: idOf(decided), refusal: forbidden(message) })
    } else if (outcome.left._tag === 'EventTooLarge') {
      const message = `the event is larger than ${outcome.left.limitBytes} bytes in the log`
      this.#again(entry, refuse(decided.incoming, envelope.source, 'too_large', message, decided.sizeBytes))
    } else {
      this.#settle(entry, { status: 'refused', id: idOf(decided), refusal: refusalOf(outcome.left) })
    }
  }
}

/** One that the log has, durable or not. */
interface WaitingEntry {
  readonly entry: AcceptedEntry
  readonly stream: string
}

interface SealedEntry extends AppendEvent {
  readonly entry: AcceptedEntry
}
