import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../clock.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { AppendEvent, Appended, Log, LogFailure } from '../log/log.ts'
import type { KeyStore } from '../privacy/privacy.ts'
import { forbidden, notTaken, recordedOf, repeated, repeatsItself } from './atomic.ts'
import type { Accepted, Decided, Decider, Refused } from './decider.ts'
import { refuse } from './decider.ts'
import { findDuplicate } from './duplicates.ts'
import {
  type AcceptedEntry,
  type Entry,
  isAccepted,
  isBatch,
  isRefused,
  isSuppressed,
  type RefusedEntry,
  turn,
} from './entry.ts'
import type { LostSources } from './lost-sources.ts'
import {
  done,
  failed,
  idOf,
  NO_QUARANTINE,
  quarantineItem,
  REFUSED_BY_LOG,
  refusalOf,
  reusedId,
  SOURCE_LOST,
} from './outcome.ts'
import type { Quarantine } from './quarantine.ts'
import type { Incoming, IntakeResult, Refusal } from './result.ts'
import { sameJson } from './same-content.ts'
import type { UnderWay } from './under-way.ts'

export interface PassOptions {
  readonly log: Log
  readonly keyStore: KeyStore
  readonly quarantine: Quarantine
  readonly clock: Clock
  /** `data` as it was sent, and how many sealed parts don't open any more. */
  readonly reassemble: (event: RecordedEvent) => {
    readonly data: Readonly<Record<string, unknown>>
    readonly erased: number
  }
}

/** Where entries come from and go back to. */
interface Desk {
  /** Tells what became of it; once it is told, nothing changes that. */
  settle(entry: Entry, result: IntakeResult, nowMs?: number): void
  /** To the end of the queue. */
  queue(entry: Entry): void
  /** To the beginning of the queue, in this order. */
  putBack(entries: readonly Entry[]): void
  judge(incoming: Incoming, source: string): Decided
  /** Why nothing may be taken any more. */
  refusal(): Refusal | undefined
  /** Told of every event that became durable. */
  learn(type: string, data: Readonly<Record<string, unknown>>): void
  /** Nothing is taken from now on. */
  stop(): void
}

interface PassParts {
  readonly options: PassOptions
  readonly decider: Decider
  readonly lost: LostSources
  readonly underWay: UnderWay
  readonly desk: Desk
}

/** The way of a group of decided events: duplicates → sealing → keys durable → append. One group at a time. */
export class GroupPass {
  readonly #options: PassOptions
  readonly #decider: Decider
  readonly #lost: LostSources
  readonly #underWay: UnderWay
  readonly #desk: Desk
  #lastReceived: number

  constructor({ options, decider, lost, underWay, desk }: PassParts) {
    this.#options = options
    this.#decider = decider
    this.#lost = lost
    this.#underWay = underWay
    this.#desk = desk
    this.#lastReceived = options.log.head().received
  }

  /** All that is queued for the keys and the log at once. Rejects where a defect shows; whom it left unsettled is the caller's. */
  async pass(group: readonly Entry[]): Promise<void> {
    const [first] = group
    if (first !== undefined && isBatch(first)) return this.#passAlone(first, first.members)
    const fresh: AcceptedEntry[] = []
    const refused: RefusedEntry[] = []
    for (let index = 0; index < group.length; index++) {
      const entry = group[index]
      assert(entry !== undefined)
      // A group that failed as a whole has settled those too that waited in it.
      if (entry.told) continue
      if (isSuppressed(entry)) turn(entry, this.#desk.judge(entry.decided.incoming, entry.decided.source))
      const claimed = isAccepted(entry) && this.#claim(entry)
      if (!claimed && entry.members !== undefined) {
        // What came before it is appended first.
        if (fresh.length + refused.length > 0) {
          this.#desk.putBack(group.slice(index))
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
      for (const entry of members) this.#desk.settle(entry, failed(entry.decided, error))
    }
  }

  /** An atomic batch on its way. Whatever keeps one of them out keeps out all. */
  async #passWhole(lead: Entry, members: readonly Entry[]): Promise<void> {
    for (const entry of members)
      if (isSuppressed(entry)) turn(entry, this.#desk.judge(entry.decided.incoming, entry.decided.source))
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
        this.#desk.settle(entry, result)
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
    for (const entry of entries)
      this.#desk.settle(entry, { status: 'refused', id: idOf(entry.decided), refusal })
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
        this.#desk.settle(entry, done('duplicate', entry.decided, recorded, recorded.stream))
      else turn(entry, reusedId(entry.decided))
    } catch (error) {
      this.#desk.settle(entry, failed(entry.decided, error))
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
        this.#desk.settle(entry, unkept)
        continue
      }
      this.#underWay.release(entry)
      turn(entry, this.#decider.decideQuarantined(decided, outcome.right))
      if (!isAccepted(entry)) continue
      if (!this.#claim(entry)) await this.#repeat(entry)
      if (entry.told || entry.waits) continue
      if (isAccepted(entry)) fresh.push(entry)
      // Its id is a hash of what it says, so another of the same id can't be; whoever waits is told all the same.
      else this.#desk.settle(entry, unkept)
    }
    return fresh
  }

  /** Refuses them all where nothing may be taken any more; to be asked after the clock was read. */
  #shut(entries: readonly Entry[]): boolean {
    const refusal = this.#desk.refusal()
    if (refusal === undefined) return false
    for (const entry of entries) {
      this.#desk.settle(entry, { status: 'refused', id: idOf(entry.decided), refusal })
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
          this.#desk.settle(entry, { status: 'refused', id: idOf(entry.decided), refusal: SOURCE_LOST })
          continue
        }
        // An erasure may have come in between; sealing would make the person known again.
        const suppressed = this.#decider.suppressedSince(entry.decided)
        if (suppressed === undefined) {
          const event = this.#decider.seal(entry.decided, received)
          sealed.push({ entry, event, expected: entry.decided.envelope.expected })
        } else this.#again(entry, suppressed)
      } catch (error) {
        this.#desk.settle(entry, failed(entry.decided, error))
      }
    }
    return sealed
  }

  /** Sends it round again as what it has turned out to be. */
  #again(entry: Entry, decided: Refused): void {
    this.#underWay.release(entry)
    turn(entry, decided)
    this.#desk.queue(entry)
  }

  /** Assigns places at once; whoever waits is told when the commit is durable. */
  #append(sealed: readonly SealedEntry[]): void {
    if (this.#desk.refusal() !== undefined && this.#shut(sealed.map(({ entry }) => entry))) return
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
        this.#desk.stop()
        for (const { entry } of waiting) this.#desk.settle(entry, failed(entry.decided, error))
      },
    )
  }

  #appended({ entry, stream }: WaitingEntry, outcome: E.Either<LogFailure, Appended>, nowMs: number): void {
    const { decided } = entry
    const { envelope } = decided
    if (E.isRight(outcome)) {
      this.#desk.learn(envelope.type, envelope.data)
      this.#desk.settle(entry, done('appended', decided, outcome.right, stream), nowMs)
    } else if (outcome.left._tag === 'EventTooLarge' && entry.submission.atomic) {
      const message = `an event or the batch is larger than ${outcome.left.limitBytes} bytes in the log`
      this.#desk.settle(entry, { status: 'refused', id: idOf(decided), refusal: forbidden(message) })
    } else if (outcome.left._tag === 'EventTooLarge') {
      const message = `the event is larger than ${outcome.left.limitBytes} bytes in the log`
      this.#again(entry, refuse(decided.incoming, envelope.source, 'too_large', message, decided.sizeBytes))
    } else if (outcome.left._tag === 'Refused') {
      this.#refusedByLog(entry)
    } else {
      this.#desk.settle(entry, { status: 'refused', id: idOf(decided), refusal: refusalOf(outcome.left) })
    }
  }

  /** What tells of a refused event may be refused itself, and isn't kept once more. */
  #refusedByLog(entry: AcceptedEntry): void {
    const { decided, submission } = entry
    const { incoming, envelope, sizeBytes } = decided
    if (submission.atomic || decided.quarantined !== undefined)
      this.#desk.settle(entry, { status: 'refused', id: idOf(decided), refusal: forbidden(REFUSED_BY_LOG) })
    else this.#again(entry, refuse(incoming, envelope.source, 'refused_by_log', REFUSED_BY_LOG, sizeBytes))
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
