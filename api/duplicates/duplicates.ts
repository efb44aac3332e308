import assert from 'node:assert/strict'
import type { Clock } from '../../engine/clock.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import type { LogReader } from '../../engine/log/log.ts'
import type { ErasingReads } from '../erasing-reads.ts'
import { failureText } from '../failure-place.ts'
import type { FindLimits, FindProgress, Found } from './find.ts'
import type { Finder, FindFailure, Search } from './finder.ts'
import { type Decided, readVerdicts } from './verdicts.ts'

/** Probable duplicates: when they are looked for, and what was found last. Nothing of it outlives the process. */

/** `link`: the surest of them are linked without asking. */
export type DuplicatesMode = 'suggest' | 'link'

/** What the last search found, less what was forgotten since. */
export interface Results extends Found {
  /** Changes whenever places in `candidates` do. */
  readonly number: number
  /** When it was done (ms), and how long it took. */
  readonly doneMs: number
  readonly tookMs: number
  /** How many were linked without asking. */
  readonly linked: number
}

export interface DuplicatesStatus {
  readonly mode: DuplicatesMode
  /** 0: only on request. */
  readonly everyHours: number
  readonly limits: FindLimits
  /** `waiting`: it was asked for and begins when an erasure is through. */
  readonly state: 'idle' | 'running' | 'waiting'
  readonly startedMs: number | undefined
  readonly progress: FindProgress | undefined
  /** Why the last search ended without results. */
  readonly failure: FindFailure | undefined
  /** Since the start of the engine. */
  readonly runs: number
  readonly linked: number
}

export interface Duplicates {
  status(): DuplicatesStatus
  /** Begins to look, unless that is under way; false: it is, or waits. */
  run(): boolean
  /** Resolves when nothing is under way or waits. */
  settled(): Promise<void>
  /** undefined: nothing was looked for yet. */
  results(): Results | undefined
  /** What stewards have decided so far. */
  decided(): Promise<Decided>
}

interface DuplicatesOptions {
  readonly mode: DuplicatesMode
  readonly everyHours: number
  readonly log: Pick<LogReader, 'head' | 'read'>
  readonly finder: Finder
  readonly clock: Clock
  /** Links the surest of what was found; how many. Called in the mode `link` alone. */
  readonly link: (found: Found) => Promise<number>
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void
}

const HOUR_MS = 3_600_000

export class DuplicatesJob implements Duplicates {
  readonly #options: DuplicatesOptions
  readonly #verdicts: () => Promise<Decided>
  #timer: NodeJS.Timeout | undefined
  #results: Results | undefined
  #search: Search | undefined
  #running: Promise<void> | undefined
  #startedMs: number | undefined
  #progress: FindProgress | undefined
  #failure: FindFailure | undefined
  /** An erasure has destroyed keys, and what the read models hold of them isn't gone yet. */
  #isHeld = false
  #isWanted = false
  #isClosed = false
  #number = 0
  #runs = 0
  #linked = 0
  #idle = Promise.withResolvers<void>()

  constructor(options: DuplicatesOptions) {
    this.#options = options
    this.#verdicts = readVerdicts(options.log)
    this.#idle.resolve()
    // The first one not at once: a start has enough to do.
    this.#schedule(Math.min(options.everyHours * HOUR_MS, HOUR_MS))
  }

  status(): DuplicatesStatus {
    const { mode, everyHours, finder } = this.#options
    const state = this.#running !== undefined ? 'running' : this.#isWanted ? 'waiting' : 'idle'
    return {
      ...{ mode, everyHours, limits: finder.limits, state },
      ...{ startedMs: this.#startedMs, progress: this.#progress, failure: this.#failure },
      ...{ runs: this.#runs, linked: this.#linked },
    }
  }

  results(): Results | undefined {
    return this.#results
  }

  decided(): Promise<Decided> {
    return this.#verdicts()
  }

  settled(): Promise<void> {
    return this.#idle.promise
  }

  run(): boolean {
    if (this.#isClosed || this.#running !== undefined || this.#isWanted) return false
    this.#idle = Promise.withResolvers()
    this.#isWanted = true
    this.#begin()
    return true
  }

  /**
   * What an erasure asks of read models, with what it asks of this: whoever is forgotten is in no candidate any more, what
   * is being looked through is dropped, and nothing is looked for until the read models are without them.
   */
  erasing(reads: ErasingReads): ErasingReads {
    return {
      forget: async (owners) => {
        await Promise.all([reads.forget(owners), this.#forget(new Set(owners))])
      },
      erase: async (positions) => {
        const erased = await reads.erase(positions)
        this.#isHeld = false
        this.#begin()
        return erased
      },
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#isWanted = false
    clearTimeout(this.#timer)
    await this.#search?.stop()
    await this.#running
    this.#results = undefined
    this.#idle.resolve()
  }

  #begin(): void {
    if (!this.#isWanted || this.#isHeld || this.#isClosed || this.#running !== undefined) return
    this.#isWanted = false
    this.#startedMs = this.#options.clock.nowMs()
    this.#failure = undefined
    this.#running = this.#carryOut()
      .catch((error: unknown) => {
        this.#failed({ _tag: 'Broken', message: failureText(error) })
      })
      .finally(() => {
        this.#running = undefined
        this.#search = undefined
        this.#startedMs = undefined
        this.#progress = undefined
        if (this.#isWanted) this.#begin()
        else this.#idle.resolve()
      })
  }

  async #carryOut(): Promise<void> {
    const { finder, clock, mode, link } = this.#options
    const beganMs = clock.monotonicMs()
    const decided = await this.#verdicts()
    if (this.#isHeld || this.#isClosed) {
      this.#isWanted = !this.#isClosed
      return
    }
    const search = finder.start({
      decided,
      onProgress: (progress) => {
        this.#progress = progress
      },
    })
    this.#search = search
    const outcome = await search.outcome
    this.#search = undefined
    if (outcome._tag === 'Failed') return this.#failed(outcome.failure)
    // It ended while an erasure began: what it found may name whom nobody shall know any more.
    if (this.#isHeld) return this.#failed({ _tag: 'Dropped' })
    const { found } = outcome
    const tookMs = clock.monotonicMs() - beganMs
    this.#runs += 1
    this.#number += 1
    const about = { number: this.#number, doneMs: clock.nowMs(), tookMs: Math.round(tookMs) }
    this.#results = { ...found, ...about, linked: 0 }
    if (mode !== 'link') return
    const linked = await link(found)
    this.#linked += linked
    if (this.#results.number === about.number) this.#results = { ...this.#results, linked }
    if (linked > 0) this.#options.onNotice('info', `duplicates: ${linked} pairs were linked`)
  }

  #failed(failure: FindFailure): void {
    // Looked for again once the erasure is through.
    if (failure._tag === 'Dropped' && this.#isHeld && !this.#isClosed) this.#isWanted = true
    else if (!this.#isClosed) {
      this.#failure = failure
      this.#options.onNotice('warn', `duplicates: ${explainFindFailure(failure)}`)
    }
  }

  async #forget(owners: ReadonlySet<IdentityId>): Promise<void> {
    this.#isHeld = true
    await this.#search?.stop()
    const results = this.#results
    if (results === undefined) return
    const isForgotten = (profile: IdentityId): boolean =>
      (results.members.get(profile) ?? [profile]).some((id) => owners.has(id))
    const candidates = results.candidates.filter(({ a, b }) => !isForgotten(a) && !isForgotten(b))
    if (candidates.length === results.candidates.length) return
    this.#number += 1
    const members = new Map([...results.members].filter(([profile]) => !isForgotten(profile)))
    this.#results = { ...results, number: this.#number, candidates, members }
  }

  #schedule(ms: number): void {
    if (ms === 0) return
    assert(ms < 2 ** 31, 'the longest that timers wait')
    this.#timer = setTimeout(() => {
      // What nobody has changed holds no new duplicates.
      if (this.#results?.position !== this.#options.log.head().position) this.run()
      this.#schedule(this.#options.everyHours * HOUR_MS)
    }, ms)
    this.#timer.unref()
  }
}

/** A whole sentence. */
export function explainFindFailure(failure: FindFailure): string {
  switch (failure._tag) {
    case 'Dropped':
      return 'The search was given up for an erasure or because the engine stops.'
    case 'TooLarge':
      return `The search took more than the ${failure.limitMb} MB of memory that it may.`
    case 'Broken':
      return `The search failed: ${failure.message}`
  }
}
