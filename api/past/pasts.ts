import assert from 'node:assert/strict'
import type { Clock } from '../../engine/clock.ts'
import type { Head, Log } from '../../engine/log/log.ts'
import {
  holdsAll,
  isDone,
  isOf,
  PAST_LIMITS,
  type Past,
  type PastLimits,
  settledWithin,
  sizeOf,
  statusOf,
} from './kept.ts'
import type {
  BuildOutcome,
  Built,
  PastAsk,
  PastBuilder,
  PastOutcome,
  PastStatus,
  Pasts,
  PastTables,
} from './past.ts'

interface PastsOptions {
  readonly log: Pick<Log, 'head' | 'read'>
  readonly builder: PastBuilder
  readonly clock: Clock
  readonly limits?: Partial<PastLimits> | undefined
}

export function createPasts(options: PastsOptions): Pasts {
  return new PastCache(options)
}

class PastCache implements Pasts {
  readonly #options: PastsOptions
  readonly #limits: PastLimits
  /** The newest last. */
  #pasts: Past[] = []
  readonly #sweeping: NodeJS.Timeout
  /** Removals under way. */
  readonly #removals = new Set<Promise<void>>()
  #isClosed = false

  constructor(options: PastsOptions) {
    this.#options = options
    this.#limits = { ...PAST_LIMITS, ...options.limits }
    this.#sweeping = setInterval(() => this.#sweep(), Math.max(1_000, this.#limits.unusedMs / 10))
    this.#sweeping.unref()
  }

  async use<T>(ask: PastAsk, work: (tables: PastTables) => Promise<T>): Promise<PastOutcome<T>> {
    const past = (await this.#found(ask)) ?? this.#queue(ask)
    if (past === undefined) return { _tag: 'Busy', limit: this.#limits.queued }
    if (past.phase._tag === 'Queued' || past.phase._tag === 'Building') await settledWithin(past, ask.waitMs)
    const { phase } = past
    switch (phase._tag) {
      case 'Queued':
      case 'Building': {
        const state = phase._tag === 'Queued' ? 'queued' : 'building'
        const { position, startedMs, moment } = past
        return { _tag: 'Building', state, position, of: moment.position, startedMs }
      }
      case 'Failed':
        return { _tag: 'Failed', failure: phase.failure }
      case 'Ready':
        return this.#answer(past, phase.built, work)
    }
  }

  async #answer<T>(
    past: Past,
    built: Built,
    work: (tables: PastTables) => Promise<T>,
  ): Promise<PastOutcome<T>> {
    past.users += 1
    past.usedMs = this.#now()
    clearTimeout(past.closing)
    past.reader ??= built.open()
    const { reader } = past
    try {
      return { _tag: 'Answered', value: await work({ reader, at: past.checked, moment: past.moment }) }
    } finally {
      past.users -= 1
      past.usedMs = this.#now()
      if (past.users === 0) this.#released(past)
    }
  }

  #released(past: Past): void {
    clearTimeout(past.closing)
    if (past.isDropped) {
      this.#remove(past)
      return
    }
    past.closing = setTimeout(() => this.#track(closeReader(past)), this.#limits.idleMs)
    past.closing.unref()
  }

  /** One that is built or being built, and recent enough. */
  async #found(ask: PastAsk): Promise<Past | undefined> {
    for (const past of this.#pasts.toReversed()) {
      if (!isOf(past.moment, ask.moment) || !holdsAll(past, ask.projections)) continue
      if (await this.#holds(past, ask.after ?? 0)) return past.isDropped ? undefined : past
    }
    return undefined
  }

  async #holds(past: Past, after: number): Promise<boolean> {
    const { moment, phase } = past
    if (phase._tag === 'Failed') return this.#now() - phase.doneMs < this.#limits.failedMs
    if (moment.by === 'received') return true
    if (phase._tag !== 'Ready') return after <= moment.position
    const head = this.#options.log.head()
    if (!(await this.#hasLateNews(past, moment.time, head))) {
      if (past.checked.position < head.position) past.checked = head
      return true
    }
    return this.#now() - phase.doneMs < this.#limits.outdatedMs && after <= past.checked.position
  }

  /** Whether anything that had happened by then came in since the build was last looked at. */
  async #hasLateNews({ checked }: Past, time: number, head: Head): Promise<boolean> {
    if (head.position <= checked.position) return false
    for await (const batch of this.#options.log.read({ from: checked.position + 1 })) {
      if (batch.some((event) => event.time <= time && event.position <= head.position)) return true
      if ((batch.at(-1)?.position ?? 0) >= head.position) break
    }
    return false
  }

  /** Together with others of that moment, if they aren't begun yet. undefined: too many wait. */
  #queue({ moment, projections, after = 0 }: PastAsk): Past | undefined {
    const open = this.#pasts.filter((past) => !isDone(past))
    const waiting = open.filter(({ phase }) => phase._tag === 'Queued')
    const fits = (past: Past) => isOf(past.moment, moment) && after <= past.moment.position
    const joined = open.find((past) => fits(past) && holdsAll(past, projections)) ?? waiting.find(fits)
    if (joined !== undefined) {
      for (const projection of projections) joined.projections.add(projection)
      return joined
    }
    if (waiting.length >= this.#limits.queued || this.#isClosed) return undefined
    const { position, received } = moment
    const nowMs = this.#now()
    const past: Past = {
      ...{ moment, projections: new Set(projections), startedMs: nowMs, usedMs: nowMs },
      ...{
        phase: { _tag: 'Queued' },
        position: 0,
        users: 0,
        isDropped: false,
        reader: undefined,
        closing: undefined,
        checked: { position, received },
      },
      settled: Promise.withResolvers(),
    }
    this.#pasts.push(past)
    // Not at once: whoever asks for several read models in one go gets them from one build.
    setImmediate(() => this.#next())
    return past
  }

  #next(): void {
    if (this.#pasts.some(({ phase }) => phase._tag === 'Building')) return
    const past = this.#pasts.find(({ phase }) => phase._tag === 'Queued')
    if (past === undefined) return
    const building = this.#options.builder.build({
      moment: past.moment,
      projections: [...past.projections],
      limitBytes: this.#limits.sizeBytes,
      onProgress: (position) => {
        past.position = position
      },
    })
    past.phase = { _tag: 'Building', building }
    void building.outcome.then((outcome) => this.#finished(past, outcome))
  }

  #finished(past: Past, outcome: BuildOutcome): void {
    const doneMs = this.#now()
    past.phase =
      outcome._tag === 'Built'
        ? { _tag: 'Ready', built: outcome.built, doneMs }
        : { _tag: 'Failed', failure: outcome.failure, doneMs }
    past.position = past.moment.position
    past.usedMs = doneMs
    if (past.isDropped) this.#remove(past)
    past.settled.resolve()
    this.#makeRoom(past)
    this.#next()
  }

  /** What was used least recently goes, but nothing that is being used or was only just made. */
  #makeRoom(newest: Past): void {
    const { kept, sizeBytes } = this.#limits
    const idle = this.#pasts
      .filter((past) => past !== newest && past.users === 0 && isDone(past))
      .sort((a, b) => a.usedMs - b.usedMs)
    const isOver = () =>
      this.#pasts.filter(isDone).length > kept ||
      this.#pasts.reduce((sum, past) => sum + sizeOf(past), 0) > sizeBytes
    for (const past of idle) {
      if (!isOver()) return
      this.#drop(past)
    }
  }

  #sweep(): void {
    const before = this.#now() - this.#limits.unusedMs
    for (const past of [...this.#pasts])
      if (isDone(past) && past.users === 0 && past.usedMs < before) this.#drop(past)
  }

  #drop(past: Past): void {
    past.isDropped = true
    this.#pasts = this.#pasts.filter((other) => other !== past)
    if (past.users === 0) this.#remove(past)
  }

  #remove(past: Past): void {
    const { phase } = past
    if (phase._tag !== 'Ready') return
    past.phase = { _tag: 'Failed', failure: { _tag: 'Dropped' }, doneMs: this.#now() }
    this.#track(closeReader(past).then(() => phase.built.remove()))
  }

  #track(work: Promise<void>): void {
    const removal = work.finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }

  async forget(): Promise<void> {
    const dropped = this.#pasts
    this.#pasts = []
    for (const past of dropped) {
      past.isDropped = true
      const { phase } = past
      if (phase._tag === 'Building') await phase.building.stop()
      if (phase._tag === 'Queued') this.#finished(past, { _tag: 'Failed', failure: { _tag: 'Dropped' } })
      // Whoever reads it just now is told that the store is closed: nothing may outlive an erasure.
      this.#remove(past)
    }
    await Promise.all(this.#removals)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#sweeping)
    await this.forget()
    assert(this.#pasts.length === 0, 'nothing is built once it is closed')
  }

  status(): readonly PastStatus[] {
    return this.#pasts.map(statusOf)
  }

  #now(): number {
    return this.#options.clock.nowMs()
  }
}

async function closeReader(past: Past): Promise<void> {
  const { reader } = past
  clearTimeout(past.closing)
  past.reader = undefined
  await reader?.close()
}
