import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { EventType } from '../events/catalogue.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { IdentityRules } from '../identity/identity.ts'
import type { Head, LogReader } from '../log/log.ts'
import type { BuildName, BuildWrite, PoisonEvent, StoreWriter } from '../store/store.ts'
import { BuildFold, walked } from './build-fold.ts'
import { Committer } from './committer.ts'
import { ConfigurationState } from './configuration.ts'
import { IdentityFold } from './identity-fold.ts'
import { type LiveRead, LiveReads } from './live-reads.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'
import { Routes } from './routes.ts'

interface ProjectorOptions {
  readonly log: LogReader
  readonly store: StoreWriter
  readonly projections: readonly AnyProjection[]
  readonly rules: IdentityRules
  readonly clock: Clock
  /** True while other work should go first (see `PATIENCE_MS`). */
  readonly isUnderPressure?: (() => boolean) | undefined
  /** Unseals as far as keys exist and upcasts. */
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly onCommit: (progress: Progress) => void
  /** `foreign`: the read models don't follow from this log and are folded anew. */
  readonly onBuild: (build: BuildName, state: 'building' | 'serving' | 'foreign') => void
}

export interface Progress {
  /** Everything up to here is in the store. */
  readonly position: number
  readonly received: number
  /** When time alone will change a row (ms), on an idle log too. */
  readonly nextDue: number | undefined
  /** Events folded since the last report; 0 only where a projector reports as it starts. */
  readonly events: number
  /** How long the commit took. */
  readonly commitMs: number
  /** `received` of the earliest event folded since the last report. */
  readonly firstReceived?: number | undefined
  /** States and keys' rows written since the last report, rebuilding included. */
  readonly writes?: number | undefined
}

/** A reader waits this long for what arrives, while there is little of it. */
const LEAST_COMMIT_MS = 5
/** Events gather for this many times as long as the last commit took to write, so that commits take a quarter of the time. */
const GATHER_PER_COMMIT = 3
/** Under load larger commits cost less per event. While somebody waits for one, no longer than this. */
const AWAITED_COMMIT_MS = 200
/** … and no longer than this otherwise. */
const MOST_COMMIT_MS = 2_000
/** Whoever is this many events behind gathers for the longest time: nobody sees those events soon anyway. */
const BEHIND_EVENTS = 10_000
/** A commit never holds more events than this, so that memory stays bounded. */
const MAX_COMMIT_EVENTS = 50_000
/** While something waits to be committed, somebody may come to wait for it: looked at this often. */
const LOOK_MS = 20
/**
 * A burst is taken at full speed: while whoever takes events in is saturated, folding pauses, because on few cores each
 * event folded is one acknowledged later. It doesn't fall further behind than this for their sake, ms.
 */
const PATIENCE_MS = 30_000
/** How long a pause is, ms. */
const PAUSE_MS = 20
/** Folding and writing a commit take turns of this length; between turns readers are answered. */
const SLICE_MS = 2

export interface Projector {
  /**
   * Folds one workspace's log into its read models until `signal` aborts. State, rows, membership and checkpoint of a
   * batch are one transaction of the store, so a crash leaves the batch before it. All serving builds share one checkpoint.
   * A build that is missing, or whose version or configuration isn't the wanted one, is folded beside the serving one
   * and then takes its place. Throws `LogDamaged` and what the store throws; both end it.
   */
  run(signal: AbortSignal): Promise<void>
  /** Answers as soon as its position is folded, from memory: commits may be far apart under load. */
  read(read: LiveRead): void
  /** Somebody waits for this position to be committed. */
  hurry(position: number): void
}

export function createProjector(options: ProjectorOptions): Projector {
  const folding = new Folding(options)
  return {
    async run(signal) {
      await folding.start(signal)
      await folding.follow(signal)
    },
    read: (read) => folding.read(read),
    hurry: (position) => folding.hurry(position),
  }
}

/** What is folded and not yet in a commit. */
interface Batch {
  events: number
  /** Monotonic instant of its first event. */
  sinceMs: number
  firstReceived: number | undefined
}

class Folding {
  readonly #options: ProjectorOptions
  readonly #configuration = new ConfigurationState()
  readonly #configures: ReadonlySet<string>
  readonly #identity: IdentityFold
  #folds: BuildFold[] = []
  #routes = new Routes([])
  #position: number
  #received: number
  /** The event at `#position`; undefined as long as that is the checkpoint that this began at. */
  #last: RecordedEvent | undefined
  #batch: Batch = { events: 0, sinceMs: 0, firstReceived: undefined }
  #writes = 0
  #lastCommitMs = 0
  /** The furthest position that was folded into a commit, and that somebody waits for. */
  #committed = 0
  #awaited = 0
  readonly #committer: Committer
  readonly #reads: LiveReads

  constructor(options: ProjectorOptions) {
    this.#options = options
    this.#configures = new Set<EventType>(
      options.projections.flatMap((projection) => projection.configuredBy),
    )
    this.#identity = new IdentityFold(options.store, options.rules)
    this.#committer = new Committer(options.store, options.clock, this.#projectionOf)
    this.#reads = new LiveReads(options.projections, this.#identity)
    const checkpoint = options.store.checkpoint()
    this.#position = checkpoint.position
    this.#committed = checkpoint.position
    this.#received = checkpoint.received
  }

  async start(signal: AbortSignal): Promise<void> {
    if (!(await this.#followsFromLog())) {
      this.#options.onBuild('all', 'foreign')
      this.#options.store.reset()
      this.#position = 0
      this.#received = 0
    }
    await this.#readConfiguration()
    await this.#serveWanted(signal)
    this.#report({ position: this.#position, received: this.#received }, this.#batch)
  }

  async follow(signal: AbortSignal): Promise<void> {
    const events = this.#options.log.subscribe({ from: this.#position + 1, signal })[Symbol.asyncIterator]()
    for (;;) {
      const batch = await this.#commitUntil(events.next(), signal)
      if (batch.done === true) break
      await this.#foldBatch(batch.value, signal)
    }
    this.#commitAll()
    this.#reads.close()
  }

  read(read: LiveRead): void {
    this.#reads.add(read)
    this.#answerReads()
  }

  hurry(position: number): void {
    this.#awaited = Math.max(this.#awaited, position)
  }

  async #foldBatch(batch: readonly RecordedEvent[], signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let sliceMs = clock.monotonicMs()
    for (const recorded of batch) {
      this.#fold(recorded)
      // Awaited only where there is something to wait for: a promise for each event costs as much as folding it.
      if (this.#configures.has(recorded.type)) await this.#takeConfiguration(recorded, signal)
      else if (this.#batch.events >= MAX_COMMIT_EVENTS) this.#beginCommit()
      if (clock.monotonicMs() - sliceMs < SLICE_MS) continue
      this.#answerReads()
      this.#goOnCommitting()
      await this.#giveWay(signal)
      sliceMs = clock.monotonicMs()
    }
    this.#answerReads()
  }

  /** Waits for the next batch, but commits what is folded when its time has come. */
  async #commitUntil<T>(arriving: Promise<T>, signal: AbortSignal): Promise<T> {
    let hasArrived = false
    const arrived = (): void => {
      hasArrived = true
    }
    arriving.then(arrived, arrived)
    for (;;) {
      this.#goOnCommitting()
      if (this.#committer.isWriting) await this.#giveWay(signal)
      else if (this.#batch.events === 0) return arriving
      else {
        const waitMs = this.#untilCommitMs()
        await settledWithin(arriving, Math.max(0, Math.min(waitMs, LOOK_MS)))
        if (!hasArrived && waitMs <= LOOK_MS) this.#beginCommit()
      }
      if (hasArrived) return arriving
    }
  }

  /** Lets the event loop turn, and others go first. */
  async #giveWay(signal: AbortSignal): Promise<void> {
    const { clock, isUnderPressure } = this.#options
    await setImmediate()
    while (isUnderPressure?.() === true && clock.nowMs() - this.#received < PATIENCE_MS) {
      if (signal.aborted) return
      await setTimeout(PAUSE_MS)
    }
  }

  #goOnCommitting(): void {
    if (this.#committer.isWriting) this.#committer.advance(SLICE_MS)
    else if (this.#batch.events > 0 && this.#untilCommitMs() <= 0) this.#beginCommit()
  }

  #untilCommitMs(): number {
    const { events, sinceMs } = this.#batch
    const isBehind = this.#options.log.head().position > this.#position + BEHIND_EVENTS
    const mostMs = this.#awaited > this.#committed ? AWAITED_COMMIT_MS : MOST_COMMIT_MS
    const gatherMs = isBehind
      ? MOST_COMMIT_MS
      : Math.min(Math.max(GATHER_PER_COMMIT * this.#lastCommitMs, LEAST_COMMIT_MS), mostMs)
    // A few events after a large commit shouldn't wait as long as many would.
    return sinceMs + Math.min(gatherMs, Math.max(LEAST_COMMIT_MS, events)) - this.#options.clock.monotonicMs()
  }

  #answerReads(): void {
    this.#reads.answer({ position: this.#position, received: this.#received }, this.#folds)
  }

  async #takeConfiguration(recorded: RecordedEvent, signal: AbortSignal): Promise<void> {
    this.#commitAll()
    if (this.#configure(recorded)) await this.#serveWanted(signal)
  }

  /** True if it changed something; what can't be opened configures nothing, and is poison to whoever handles it. */
  #configure(recorded: RecordedEvent): boolean {
    try {
      const event = this.#options.open(recorded)
      // Events may be opened only when their data is asked for: here is where that may fail.
      assert(event.data !== undefined)
      return this.#configuration.apply(event)
    } catch {
      return false
    }
  }

  #fold(recorded: RecordedEvent): void {
    const batch = this.#batch
    if (batch.events === 0) {
      batch.sinceMs = this.#options.clock.monotonicMs()
      batch.firstReceived = recorded.received
    }
    batch.events += 1
    this.#routes.fold(recorded, this.#options.open)
    this.#identity.take(recorded)
    this.#position = recorded.position
    this.#received = Math.max(this.#received, recorded.received)
    this.#last = recorded
  }

  #commitAll(): void {
    if (this.#batch.events > 0) this.#beginCommit()
    this.#committer.finish()
  }

  #beginCommit(): void {
    this.#committer.finish()
    const batch = this.#batch
    const head = { position: this.#position, received: this.#received }
    this.#batch = { events: 0, sinceMs: 0, firstReceived: undefined }
    this.#identity.settle()
    const commit = {
      builds: this.#folds.map((fold) => fold.build),
      ...head,
      mark: this.#mark(),
      ...this.#freeze(this.#folds, this.#identity.regrouped),
      // Last: until then the grouping tells of changes that the store doesn't hold yet.
      ...this.#identity.takeChanges(),
    }
    this.#committer.begin(commit, (workMs) => {
      this.#lastCommitMs = workMs
      this.#committed = head.position
      this.#report(head, batch)
    })
  }

  #freeze(
    folds: readonly BuildFold[],
    regrouped: ReadonlySet<string>,
  ): { writes: BuildWrite[]; poison: Iterable<PoisonEvent> } {
    const frozen = folds.map((fold) => fold.freeze(this.#identity.grouping, regrouped))
    const poison = frozen.map((each) => each.poison)
    for (const each of frozen) this.#writes += each.size
    return { writes: frozen.map(({ write }) => write), poison: walked(() => flattened(poison)) }
  }

  readonly #projectionOf = (build: BuildName): AnyProjection | undefined =>
    this.#options.projections.find(({ name }) => build.startsWith(`${name}__v`))

  #report({ position, received }: Head, batch: Batch): void {
    const nextDue = this.#folds
      .map((fold) => fold.nextDue())
      .reduce(
        (least, due) => (due !== undefined && (least === undefined || due < least) ? due : least),
        undefined,
      )
    this.#options.onCommit({
      position,
      received,
      nextDue,
      events: batch.events,
      commitMs: this.#lastCommitMs,
      firstReceived: batch.firstReceived,
      writes: this.#writes,
    })
    this.#writes = 0
  }

  /** False if the read models were folded from another log, or from more of it than there is now (a restored backup). */
  async #followsFromLog(): Promise<boolean> {
    if (this.#position === 0) return true
    const recorded = await this.#options.log.at(this.#position)
    return recorded !== undefined && markOf(recorded) === this.#options.store.checkpoint().mark
  }

  async #readConfiguration(): Promise<void> {
    if (this.#position === 0) return
    for await (const batch of this.#options.log.read({ types: this.#configures })) {
      for (const recorded of batch) {
        if (recorded.position > this.#position) return
        this.#configure(recorded)
      }
    }
  }

  /** Makes every projection's wanted build the serving one; the others are dropped. */
  async #serveWanted(signal: AbortSignal): Promise<void> {
    const { store, projections } = this.#options
    const config = this.#configuration.snapshot()
    const existing = new Map(store.builds().map((build) => [build.build, build]))
    const folds: BuildFold[] = []
    for (const projection of projections) {
      const hash = config.hash(projection.configuredBy)
      const build = `${projection.name}__v${projection.version}_${hash}`
      const kept = this.#folds.find((fold) => fold.build === build)
      if (kept !== undefined) {
        folds.push(kept)
      } else if (existing.get(build)?.serving === true) {
        folds.push(new BuildFold(projection, build, config, store))
      } else {
        folds.push(await this.#build(projection, build, hash, config, signal))
      }
    }
    if (signal.aborted) return
    this.#folds = folds
    this.#routes = new Routes(folds)
    const wanted = new Set(folds.map((fold) => fold.build))
    for (const build of store.builds()) if (!wanted.has(build.build)) store.dropBuild(build.build)
  }

  async #build(
    projection: AnyProjection,
    build: BuildName,
    configuration: string,
    config: Configuration,
    signal: AbortSignal,
  ): Promise<BuildFold> {
    const { store, onBuild } = this.#options
    // One that a crash left half folded starts over: its config may have been another's.
    if (store.builds().some((other) => other.build === build)) store.dropBuild(build)
    const { name, version, table } = projection
    store.createBuild({ projection: name, build, version, configuration, table })
    const fold = new BuildFold(projection, build, config, store)
    if (this.#position > 0) {
      onBuild(build, 'building')
      await this.#foldHistory(fold, signal)
    }
    if (!signal.aborted) {
      store.serve(build)
      onBuild(build, 'serving')
    }
    return fold
  }

  async #foldHistory(fold: BuildFold, signal: AbortSignal): Promise<void> {
    let folded = 0
    const routes = new Routes([fold])
    const position = this.#position
    const types =
      fold.projection.handles === 'every' || fold.projection.due !== undefined
        ? undefined
        : new Set(fold.projection.handles)
    for await (const batch of this.#options.log.read({ types })) {
      for (const recorded of batch) {
        if (recorded.position > position || signal.aborted) break
        routes.fold(recorded, this.#options.open)
        folded += 1
        if (folded % MAX_COMMIT_EVENTS === 0) this.#commitHistory(fold, recorded, markOf(recorded))
      }
      if (signal.aborted || (batch.at(-1)?.position ?? 0) >= position) break
    }
    this.#commitHistory(fold, { position, received: this.#received }, this.#mark())
  }

  #commitHistory(fold: BuildFold, { position, received }: Head, mark: string): void {
    const nobody = { members: new Map(), evidence: [] }
    const changes = this.#freeze([fold], new Set())
    this.#committer.begin(
      { builds: [fold.build], position, received, mark, ...changes, ...nobody },
      () => undefined,
    )
    this.#committer.finish()
  }

  #mark(): string {
    return this.#last === undefined ? this.#options.store.checkpoint().mark : markOf(this.#last)
  }
}

/** Tells the event at a position from another log's. Hashed: an id may say more than it should, and the mark outlives it. */
export function markOf({ source, id }: RecordedEvent): string {
  return createHash('sha256').update(`${source.length} ${source} ${id}`).digest('base64url')
}

function* flattened<T>(lists: Iterable<Iterable<T>>): Generator<T> {
  for (const list of lists) yield* list
}

/** Waits until `promise` settles, but not for longer than `waitMs`. */
async function settledWithin(promise: Promise<unknown>, waitMs: number): Promise<void> {
  const waiting = new AbortController()
  const settled = promise.then(
    () => undefined,
    () => undefined,
  )
  const timeout = setTimeout(waitMs, undefined, { signal: waiting.signal }).catch(() => undefined)
  await Promise.race([settled, timeout])
  waiting.abort()
}
