import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import type { Audit } from '../../engine/audit/audit.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { isDiskFull } from '../../engine/privacy/sqlite-file.ts'
import { failureText } from '../failure-place.ts'
import { type Certificate, certificateCodec, certificateOf, proofsOf } from './certificate.ts'
import { ErasureHeldUp, ErasureUnfinished } from './held-up.ts'
import { type ErasureState, NO_PLAN, type Plan, type StoredErasure } from './operations-file.ts'
import { reapplyErasures } from './reapply.ts'
import { carryOut, componentSoFar, type ErasingParts, isNaming, LAGGING } from './steps.ts'
import { type Finding, verifyErasure } from './verify.ts'

/** An erasure as it is told. Instants are ms since 1970 UTC. */
export interface Erasure {
  readonly number: string
  readonly state: ErasureState
  /** That it was asked for by. */
  readonly identity: IdentityId
  readonly requested: number
  readonly due: number
  readonly finished: number | undefined
  readonly reason: string | undefined
  /** How many identities are erased, or were counted last. */
  readonly identities: number
  readonly certificate: Certificate | undefined
  /** Why the last try didn't get through. */
  readonly heldUp: string | undefined
}

export type ErasureRefusal =
  /** Nobody is known by this id. */
  | { readonly _tag: 'Unknown' }
  | { readonly _tag: 'NamesPerson' }
  | { readonly _tag: 'HeldUp'; readonly why: string }
  /** It has begun, or is done: nothing brings a destroyed key back. */
  | { readonly _tag: 'Begun' }

export interface ErasureRequest {
  readonly identity: IdentityId
  readonly waitMs: number
  /** Kept in the log for ever; it must name nobody. */
  readonly reason?: string | undefined
}

export interface Erasures {
  /**
   * Schedules the erasure of the person whom this identity belongs to, durably; read models that lag behind hold up carrying it
   * out, not this. Asked again it answers the one that is under way, or done; a shorter wait brings it forward.
   */
  request(request: ErasureRequest): Promise<E.Either<ErasureRefusal, Erasure>>
  /** Newest first. */
  list(): readonly Erasure[]
  get(number: string): Promise<Erasure | undefined>
  /** undefined: there is none of this number. */
  cancel(number: string): E.Either<ErasureRefusal, Erasure> | undefined
  verify(certificate: Certificate): Promise<readonly Finding[]>
  /** Scheduled, executing, and those of them that should be over. */
  counts(): {
    readonly scheduled: number
    readonly executing: number
    readonly overdue: number
    readonly done: number
  }
  /** Completes what a crash has cut off; to be called before anything is served. Throws where that can't be done. */
  resume(): Promise<void>
  close(): Promise<void>
}

interface ErasuresParts extends ErasingParts {
  readonly workspace: string
  readonly audit?: Audit | undefined
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** Something went wrong: when it is tried again. */
const AGAIN_MS = 60_000
/** What is due for longer is overdue. */
const OVERDUE_MS = 15 * 60_000
/** The longest that Node's timers can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** How long whoever asks waits for read models that lag behind, to be told of what is under way already. */
const ASKED_WITHIN_MS = 2_000
/** The log keeps a reason for ever, and who else the person is may stand in what isn't folded yet. */
const REASON_LATER = `${LAGGING}, so it can't be told whom the reason names: ask without one, or again later`
/** A tree head covers an event within a second or so. */
const PROOF_WITHIN_MS = 5_000
/** One that takes longer is cut off, and completed at the next start. */
const CLOSE_WITHIN_MS = 5_000

export function createErasures(parts: ErasuresParts): Erasures {
  return new ScheduledErasures(parts)
}

class ScheduledErasures implements Erasures {
  readonly #parts: ErasuresParts
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #heldUp: string | undefined
  #closed = false

  constructor(parts: ErasuresParts) {
    this.#parts = parts
  }

  async request(request: ErasureRequest): Promise<E.Either<ErasureRefusal, Erasure>> {
    try {
      return await this.#request(request)
    } catch (error) {
      if (!isDiskFull(error)) throw error
      return E.left({ _tag: 'HeldUp', why: 'the disk is full: ask again when there is room' })
    }
  }

  async #request({ identity, waitMs, reason }: ErasureRequest): Promise<E.Either<ErasureRefusal, Erasure>> {
    const { log, store, records, clock, keyStore } = this.#parts
    const isWhole = await store.waitFor(log.head().position, ASKED_WITHIN_MS)
    const component = await componentSoFar(this.#parts, identity)
    // Who belongs to the person is settled when it is carried out; here it only tells who was linked since.
    const asked = isWhole ? { asked: component.map(({ id }) => id) } : {}
    const ids = new Set([identity, ...component.map(({ id }) => id)])
    const requested = clock.nowMs()
    const due = requested + waitMs
    const open = records.open().find((each) => ids.has(each.identity) || isPlanned(each, ids))
    if (open !== undefined) return E.right(this.#shown(this.#askedAgain(open, due, asked)))
    if (component.length === 0) {
      const before = records.list().find((each) => each.state === 'done' && isPlanned(each, ids))
      if (before !== undefined) return E.right(this.#shown(before))
      // Nobody knows it; but whom it belongs to may be in what isn't folded yet.
      return E.left(isWhole ? { _tag: 'Unknown' } : { _tag: 'HeldUp', why: LAGGING })
    }
    if (reason !== undefined && !isWhole) return E.left({ _tag: 'HeldUp', why: REASON_LATER })
    if (reason !== undefined && isNaming(keyStore, reason, component)) return E.left({ _tag: 'NamesPerson' })
    const number = `${new Date(requested).toISOString().slice(0, 10)}-${randomBytes(6).toString('hex')}`
    const plan = { ...NO_PLAN, ...asked }
    const made = { number, identity, requested, due, reason, plan, state: 'scheduled' } as const
    records.put({ ...made, finished: undefined, certificate: undefined })
    this.#schedule()
    return E.right(this.#shown({ ...made, finished: undefined, certificate: undefined }))
  }

  #askedAgain(open: StoredErasure, due: number, asked: Pick<Plan, 'asked'>): StoredErasure {
    if (open.state !== 'scheduled') return open
    const again = { ...open, due: Math.min(due, open.due), plan: { ...open.plan, ...asked } }
    this.#parts.records.put(again)
    this.#schedule()
    return again
  }

  list(): readonly Erasure[] {
    return this.#parts.records.list().map((each) => this.#shown(each))
  }

  async get(number: string): Promise<Erasure | undefined> {
    const found = this.#parts.records.get(number)
    return found === undefined ? undefined : this.#shown(await this.#proven(found))
  }

  cancel(number: string): E.Either<ErasureRefusal, Erasure> | undefined {
    const found = this.#parts.records.get(number)
    if (found === undefined) return undefined
    if (found.state === 'cancelled') return E.right(this.#shown(found))
    if (found.state !== 'scheduled') return E.left({ _tag: 'Begun' })
    const cancelled: StoredErasure = { ...found, state: 'cancelled', finished: this.#parts.clock.nowMs() }
    this.#parts.records.put(cancelled)
    this.#schedule()
    return E.right(this.#shown(cancelled))
  }

  verify(certificate: Certificate): Promise<readonly Finding[]> {
    const { log, keyStore, audit, records } = this.#parts
    const record = records.get(certificate.number)
    const issued = record === undefined ? undefined : certificateIn(record)
    return verifyErasure(certificate, { log, keys: keyStore, audit, issued })
  }

  counts() {
    const { records, clock } = this.#parts
    const open = records.open()
    const executing = open.filter(({ state }) => state === 'executing').length
    const overdue = open.filter(({ due }) => due + OVERDUE_MS < clock.nowMs()).length
    return { scheduled: open.length - executing, executing, overdue, done: records.done() }
  }

  async resume(): Promise<void> {
    const cutOff = this.#parts.records.open().filter(({ state }) => state === 'executing')
    if (cutOff.length > 0) {
      this.#parts.onNotice('warn', 'an erasure was cut off: it is completed first')
      await this.#complete(cutOff)
    }
    await this.#reapply()
    this.#schedule(this.#heldUp === undefined ? 0 : AGAIN_MS)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const stopping = new AbortController()
    const patience = sleep(CLOSE_WITHIN_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    await Promise.race([this.#running, patience])
    stopping.abort()
    this.#parts.records.close()
  }

  /** One that hasn't got into the log yet has destroyed nothing: that may wait. */
  async #complete(cutOff: readonly StoredErasure[]): Promise<void> {
    try {
      await this.#carryOut(cutOff)
    } catch (error) {
      const why = error instanceof ErasureHeldUp ? error.message : failureText(error)
      const hasBegun = this.#parts.records
        .open()
        .some(({ plan }) => plan.rounds.some(({ position }) => position !== null))
      if (hasBegun) throw new ErasureUnfinished(why)
      this.#heldUp = why
      this.#parts.onNotice('error', `an erasure is held up: ${why}; it is tried again in a minute`)
    }
  }

  /** A key store from a backup may know again whom the log says to be erased. */
  async #reapply(): Promise<void> {
    try {
      await reapplyErasures(this.#parts, (count) => {
        const message = `the key store knew ${count} identities that are erased: they are forgotten again`
        this.#parts.onNotice('warn', message)
      })
    } catch (error) {
      throw new ErasureUnfinished(error instanceof ErasureHeldUp ? error.message : failureText(error))
    }
  }

  #schedule(afterMs = 0): void {
    clearTimeout(this.#timer)
    const [next] = this.#parts.records.open()
    if (next === undefined || this.#closed) return
    const ms = Math.max(next.due - this.#parts.clock.nowMs(), afterMs, 0)
    this.#timer = setTimeout(() => this.#runDue(), Math.min(ms, MAX_TIMER_MS))
    this.#timer.unref()
  }

  #runDue(): void {
    this.#running = this.#running.then(async () => {
      const now = this.#parts.clock.nowMs()
      const due = this.#parts.records.open().filter((each) => each.due <= now)
      if (this.#closed || due.length === 0) return this.#schedule()
      try {
        await this.#carryOut(due)
        this.#heldUp = undefined
        this.#schedule()
      } catch (error) {
        if (this.#closed) return
        this.#heldUp = error instanceof ErasureHeldUp ? error.message : failureText(error)
        this.#parts.onNotice('error', `an erasure is held up: ${this.#heldUp}; it is tried again in a minute`)
        this.#schedule(AGAIN_MS)
      }
    })
  }

  async #carryOut(begun: readonly StoredErasure[]): Promise<void> {
    const { records, clock, workspace, onNotice } = this.#parts
    const { erasures, keys } = await carryOut(this.#parts, begun)
    const finished = clock.nowMs()
    for (const erasure of erasures) {
      const certificate = JSON.stringify(certificateOf(erasure, { workspace, finished, keys }))
      records.put({ ...erasure, state: 'done', finished, certificate })
      const before = begun.find(({ number }) => number === erasure.number)
      if (erasure.reason !== before?.reason)
        onNotice('warn', `erasure ${erasure.number}: its reason may have named the person, and was left out`)
      onNotice('info', `erasure ${erasure.number} is done`)
    }
  }

  /** With its proofs, as soon as there are any. */
  async #proven(erasure: StoredErasure): Promise<StoredErasure> {
    const certificate = certificateIn(erasure)
    if (certificate === undefined || certificate.proofs !== undefined) return erasure
    const waited = sleep(PROOF_WITHIN_MS, undefined, { ref: false })
    const proofs = await Promise.race([proofsOf(this.#parts.audit, certificate.positions), waited])
    if (proofs === undefined) return erasure
    const proven = { ...erasure, certificate: JSON.stringify({ ...certificate, proofs }) }
    if (!this.#closed) this.#parts.records.put(proven)
    return proven
  }

  #shown(erasure: StoredErasure): Erasure {
    const { number, state, identity, requested, due, finished, reason, plan } = erasure
    const identities = plan.rounds.reduce((sum, round) => sum + round.identities.length, 0)
    const isHeldUp = state === 'executing' || (state === 'scheduled' && due <= this.#parts.clock.nowMs())
    const certificate = certificateIn(erasure)
    return {
      ...{ number, state, identity, requested, due, finished, reason, identities, certificate },
      heldUp: isHeldUp ? this.#heldUp : undefined,
    }
  }
}

function certificateIn({ certificate }: StoredErasure): Certificate | undefined {
  if (certificate === undefined) return undefined
  const decoded = certificateCodec.decode(JSON.parse(certificate))
  assert(decoded._tag === 'Right', 'a certificate is kept as it was made')
  return decoded.right
}

function isPlanned({ plan }: StoredErasure, ids: ReadonlySet<IdentityId>): boolean {
  return plan.rounds.some(({ identities }) => identities.some(({ id }) => ids.has(id)))
}
