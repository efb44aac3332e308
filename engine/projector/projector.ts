import assert from 'node:assert/strict'
import type { Clock } from '../clock.ts'
import type { EventType } from '../events/catalogue.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { IdentityRules } from '../identity/identity.ts'
import type { Head, LogReader } from '../log/log.ts'
import type { BuildName, StoreWriter } from '../store/store.ts'
import { type BuildFold, freezeAll } from './build-fold.ts'
import { type BuildState, Builds, type BuildsMode, type Place } from './builds.ts'
import { Committer } from './committer.ts'
import { ConfigurationState } from './configuration.ts'
import { anyOfTypes, type Erasing, Erasings, positionsOf, purge } from './erasing.ts'
import { IdentityFold } from './identity-fold.ts'
import { settleHistory } from './identity-history.ts'
import { identityRulesOf } from './identity-rules.ts'
import { type LiveRead, LiveReads } from './live-reads.ts'
import { markOf } from './mark.ts'
import { type Batch, Pace } from './pace.ts'
import type { AnyProjection, DecodedEvent } from './projection.ts'
import { Rebuilds } from './rebuild.ts'
import { hidingKeys, refold } from './refold.ts'
import { Routes } from './routes.ts'
import type { VersionOrder } from './versions.ts'

interface ProjectorOptions {
  readonly log: LogReader
  readonly store: StoreWriter
  readonly projections: readonly AnyProjection[]
  /** Where none are published. */
  readonly rules: IdentityRules
  readonly clock: Clock
  /** True while other work should go first (see `Pace`). */
  readonly isUnderPressure?: (() => boolean) | undefined
  /** Unseals as far as keys exist and upcasts. */
  readonly open: (event: RecordedEvent) => DecodedEvent
  /** A new store that is at least so many events behind is folded in bulk, serving nothing until it is done. */
  readonly bulkEvents?: number | undefined
  readonly onCommit: (progress: Progress) => void
  /**
   * There is much to fold from the beginning before all that is wanted serves: the store is there, and what it holds can be
   * read meanwhile. The next report of a commit tells of it done.
   */
  readonly onBuilding?: ((progress: Progress) => void) | undefined
  /** `foreign`: the read models don't follow from this log and are folded anew. */
  readonly onBuild: (build: BuildName, state: BuildState) => void
  /** Default `auto`. */
  readonly builds?: BuildsMode | undefined
  /** Events in one commit of a build that is folded from the beginning; default 50,000. */
  readonly commitEvents?: number | undefined
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

const BULK_EVENTS = 20_000

const NOBODY: ReadonlyMap<string, string> = new Map()

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
  /** Keys were destroyed: what events under them left in the read models is to vanish. Carried out while it runs. */
  erase(erasing: Erasing): void
  /** Carried out while it runs, while it goes on following the log. */
  order(order: VersionOrder): void
}

export function createProjector(options: ProjectorOptions): Projector {
  const folding = new Folding(options)
  return {
    async run(signal) {
      try {
        await folding.start(signal)
        await folding.follow(signal)
      } finally {
        folding.close()
      }
    },
    read: (read) => folding.read(read),
    hurry: (position) => folding.hurry(position),
    erase: (erasing) => folding.erase(erasing),
    order: (order) => folding.order(order),
  }
}

class Folding {
  readonly #options: ProjectorOptions
  /**
   * All that the log was found to publish, beyond what is folded too: many definitions in a row, or in a long log that is
   * caught up with, fold what they concern once.
   */
  #configuration = new ConfigurationState()
  /** How far the log was looked through for it. */
  #configuredTo = 0
  readonly #configures: ReadonlySet<string>
  readonly #identity: IdentityFold
  #folds: readonly BuildFold[] = []
  #routes = new Routes([])
  #position: number
  #received: number
  /** The event at `#position`; undefined as long as that is the checkpoint that this began at. */
  #last: RecordedEvent | undefined
  #batch: Batch = { events: 0, sinceMs: 0, firstReceived: undefined }
  /** Builds are being made, served or dropped. */
  #isSwitching = false
  readonly #pace: Pace
  readonly #committer: Committer
  readonly #builds: Builds
  readonly #rebuilds: Rebuilds
  readonly #reads: LiveReads
  readonly #erasings = new Erasings()

  constructor(options: ProjectorOptions) {
    this.#options = options
    this.#configures = new Set<EventType>([
      ...options.projections.flatMap((projection) => projection.configuredBy),
      'rules.published',
    ])
    this.#identity = new IdentityFold(options.store, options.rules)
    this.#pace = new Pace(options)
    this.#committer = new Committer(options.store, options.clock)
    this.#builds = new Builds(options, this.#committer, this.#identity.grouping)
    this.#rebuilds = new Rebuilds(options, this.#committer, this.#identity.grouping, {
      place: () => this.#place(),
      folds: () => this.#folds,
      setFolds: (folds) => this.#setFolds(folds),
      commitAll: () => this.#commitAll(),
      wantedHash: ({ projection }) => this.#configuration.hash(projection),
    })
    this.#reads = new LiveReads(this.#identity, options.clock)
    const checkpoint = options.store.checkpoint()
    this.#position = checkpoint.position
    this.#pace.committed(checkpoint.position, 0)
    this.#received = checkpoint.received
  }

  async start(signal: AbortSignal): Promise<void> {
    if (!(await this.#followsFromLog())) {
      this.#options.onBuild('all', 'foreign')
      this.#options.store.reset()
      this.#position = 0
      this.#received = 0
    }
    await this.#settleHistory(signal)
    await this.#readConfiguration()
    this.#tellOfBuilding()
    await this.#serveWanted(signal)
    // Of another release's making, or cut off before it was done.
    if (this.#followRules() && (await this.#regroup(signal))) {
      this.#beginCommit()
      this.#committer.finish()
    }
    this.#report({ position: this.#position, received: this.#received }, this.#batch, 0)
  }

  /** Where nothing serves yet and there is much to fold, all builds are folded in one pass: first who belongs together. */
  async #settleHistory(signal: AbortSignal): Promise<void> {
    const { log, store, bulkEvents = BULK_EVENTS } = this.#options
    const head = log.head().position
    if (head - this.#position < bulkEvents || store.builds().some(({ serving }) => serving)) return
    await this.#readConfiguration()
    // Cut off under other rules: grouped anew, and then followed from where it was.
    if (this.#followRules()) return
    // Whoever reads is told that nothing serves yet, rather than kept waiting.
    this.#options.onBuilding?.(this.#progress(this.#place(), this.#batch, 0))
    const last = await settleHistory(this.#identity, { log, store, from: this.#position + 1, head, signal })
    if (last === undefined) return
    this.#last = last
    this.#position = last.position
    this.#received = Math.max(this.#received, last.received)
  }

  /** Another release's builds are read meanwhile, as far as the two agree; where there are none, nothing is served yet. */
  #tellOfBuilding(): void {
    const { bulkEvents = BULK_EVENTS } = this.#options
    const at = this.#place()
    if (at.position < bulkEvents || !this.#builds.isMissingAny(this.#configuration, at)) return
    this.#options.onBuilding?.(this.#progress(at, this.#batch, 0))
  }

  async follow(signal: AbortSignal): Promise<void> {
    const events = this.#options.log.subscribe({ from: this.#position + 1, signal })[Symbol.asyncIterator]()
    let next = events.next()
    for (;;) {
      const arriving = this.#rebuilds.orArriving(this.#erasings.orArriving(next))
      const batch = await this.#commitUntil(arriving, signal)
      if (batch === 'ordered') continue
      if (batch === 'erasing') {
        await this.#erase(signal)
        continue
      }
      if (batch.done === true) break
      await this.#foldBatch(batch.value, signal)
      next = events.next()
    }
    this.#commitAll()
  }

  erase(erasing: Erasing): void {
    this.#erasings.add(erasing)
  }

  order(order: VersionOrder): void {
    this.#rebuilds.add(order)
  }

  /** All that are asked for, in one pass. Readers see the rows before or those after. */
  async #erase(signal: AbortSignal): Promise<void> {
    this.#commitAll()
    this.#rebuilds.restart()
    const { log, store, open } = this.#options
    const erasings = this.#erasings.take()
    const positions = positionsOf(erasings)
    // What was published may have had personal parts too: builds then differ by it, as they would after a restart.
    if (await anyOfTypes(log, positions, this.#configures)) {
      this.#configuration = new ConfigurationState()
      this.#configuredTo = 0
      await this.#readConfiguration()
      await this.#serveWanted(signal)
    }
    if (!(await this.#foldHiddenAnew(positions, signal))) return
    const until = { position: this.#position, received: this.#received }
    const { grouping } = this.#identity
    const refolded = await refold(this.#folds, positions, { log, open, grouping, until, signal })
    if (refolded === undefined) return
    const { writes, poison, keys } = refolded
    const builds = this.#folds.map((fold) => fold.build)
    const commit = { builds, ...until, mark: this.#mark(), writes, poison, members: NOBODY, evidence: [] }
    this.#committer.begin(commit, keys, () => undefined)
    this.#committer.finish()
    this.#setFolds(this.#folds.map((fold) => fold.renewed()))
    const purged = await purge(store, signal)
    for (const { done } of erasings) done({ keys, position: until.position, purged })
  }

  /** Builds of which nobody knows what these events touched. False: aborted on the way, and nothing has changed. */
  async #foldHiddenAnew(positions: readonly number[], signal: AbortSignal): Promise<boolean> {
    const hiding = await hidingKeys(this.#options.log, this.#folds, positions)
    if (hiding.length === 0) return true
    this.#isSwitching = true
    const folds = await this.#builds.foldAnew(hiding, this.#folds, this.#place(), signal)
    this.#isSwitching = false
    if (folds !== undefined) this.#setFolds(folds)
    return folds !== undefined
  }

  /** Whoever still waits to read is told that nothing comes. */
  close(): void {
    this.#rebuilds.close()
    this.#reads.close()
  }

  read(read: LiveRead): void {
    this.#reads.add(read)
    this.#answerReads()
  }

  hurry(position: number): void {
    this.#pace.hurry(position)
  }

  async #foldBatch(batch: readonly RecordedEvent[], signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let sliceMs = clock.monotonicMs()
    for (const recorded of batch) {
      // Awaited only where there is something to wait for: a promise for each event costs as much as folding it.
      if (recorded.position > this.#configuredTo && this.#configures.has(recorded.type)) {
        if (!(await this.#takeConfiguration(recorded, signal))) return
      } else this.#fold(recorded)
      if (this.#pace.isFull(this.#batch)) this.#beginCommit()
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
      if (this.#rebuilds.isBusy) {
        await this.#rebuilds.step(signal)
        await this.#giveWay(signal)
      } else if (this.#committer.isWriting) await this.#giveWay(signal)
      else if (this.#batch.events === 0) return arriving
      else if (await this.#pace.gather(arriving, this.#untilCommitMs())) this.#beginCommit()
      if (hasArrived) return arriving
    }
  }

  #giveWay(signal: AbortSignal): Promise<void> {
    const isAwaited = (): boolean =>
      this.#pace.isAwaited || this.#erasings.isWaiting || this.#reads.isAwaited(this.#options.log.head())
    return this.#pace.giveWay(this.#received, isAwaited, signal)
  }

  #goOnCommitting(): void {
    if (this.#committer.isWriting) this.#committer.advance(SLICE_MS)
    else if (this.#batch.events > 0 && this.#untilCommitMs() <= 0) this.#beginCommit()
  }

  #untilCommitMs(): number {
    return this.#pace.untilCommitMs(this.#batch, this.#position)
  }

  #answerReads(): void {
    // While builds are switched it isn't clear which of them serve: the store answers.
    const folds = this.#isSwitching ? [] : this.#folds
    this.#reads.answer({ position: this.#position, received: this.#received }, folds)
  }

  /** False: aborted before it is folded. */
  async #takeConfiguration(recorded: RecordedEvent, signal: AbortSignal): Promise<boolean> {
    // What came before is in the store, so that new identity rules and their event are one commit.
    this.#commitAll()
    const isChange = await this.#readConfiguration(recorded.position)
    // An answer at this position follows what is published here, so that whoever published it and waits reads by it. Held
    // builds don't serve by themselves, and are made up to here.
    const isHeld = this.#options.builds === 'hold'
    if (isChange && !isHeld) await this.#serveWanted(signal)
    if (signal.aborted) return false
    if (isChange && this.#followRules() && !(await this.#regroup(signal))) return false
    this.#fold(recorded)
    this.#commitAll()
    this.#answerReads()
    if (isChange && isHeld) await this.#serveWanted(signal)
    return true
  }

  /** Everything must be in the store. True if the membership there follows other identity rules than are published. */
  #followRules(): boolean {
    return this.#identity.follow(identityRulesOf(this.#configuration, this.#options.rules))
  }

  /** Readers are answered by the store meanwhile, as before. False: aborted on the way, and nothing has changed. */
  async #regroup(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options
    this.#isSwitching = true
    let sliceMs = clock.monotonicMs()
    for (const _ of this.#identity.regroup()) {
      if (clock.monotonicMs() - sliceMs < SLICE_MS) continue
      await this.#giveWay(signal)
      sliceMs = clock.monotonicMs()
      if (signal.aborted) break
    }
    if (signal.aborted) this.#identity.abandon()
    this.#isSwitching = false
    return !signal.aborted
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
    this.#rebuilds.regrouped(this.#identity.regrouped)
    const { writes, poison, size } = freezeAll(this.#folds, this.#identity.grouping, this.#identity.regrouped)
    const commit = {
      builds: this.#folds.map((fold) => fold.build),
      ...head,
      mark: this.#mark(),
      writes,
      poison,
      // Last: until then the grouping tells of changes that the store doesn't hold yet.
      ...this.#identity.takeChanges(),
    }
    this.#committer.begin(commit, size, (workMs) => {
      this.#pace.committed(head.position, workMs)
      this.#report(head, batch, workMs)
    })
  }

  #report(head: Head, batch: Batch, commitMs: number): void {
    this.#options.onCommit(this.#progress(head, batch, commitMs))
  }

  #progress({ position, received }: Head, batch: Batch, commitMs: number): Progress {
    const nextDue = this.#folds
      .map((fold) => fold.nextDue())
      .reduce(
        (least, due) => (due !== undefined && (least === undefined || due < least) ? due : least),
        undefined,
      )
    return {
      position,
      received,
      nextDue,
      events: batch.events,
      commitMs,
      firstReceived: batch.firstReceived,
      writes: this.#committer.takeWritten(),
    }
  }

  /** False if the read models were folded from another log, or from more of it than there is now (a restored backup). */
  async #followsFromLog(): Promise<boolean> {
    if (this.#position === 0) return true
    const recorded = await this.#options.log.at(this.#position)
    return recorded !== undefined && markOf(recorded) === this.#options.store.checkpoint().mark
  }

  /** True if it changed. */
  async #readConfiguration(from = this.#configuredTo + 1): Promise<boolean> {
    const { log } = this.#options
    this.#configuredTo = Math.max(this.#configuredTo, log.head().position)
    let isChange = false
    for await (const batch of log.read({ from, types: this.#configures })) {
      for (const recorded of batch) {
        isChange = this.#configure(recorded) || isChange
        this.#configuredTo = Math.max(this.#configuredTo, recorded.position)
      }
    }
    return isChange
  }

  async #serveWanted(signal: AbortSignal): Promise<void> {
    this.#rebuilds.restart()
    const at = this.#place()
    const config = this.#configuration.snapshot()
    this.#isSwitching = true
    const folds = await this.#builds.serveWanted(config, this.#folds, at, signal)
    this.#isSwitching = false
    if (folds !== undefined) this.#setFolds(folds)
  }

  #setFolds(folds: readonly BuildFold[]): void {
    this.#folds = folds
    this.#routes = new Routes(folds)
  }

  #place(): Place {
    return { position: this.#position, received: this.#received, mark: this.#mark() }
  }

  #mark(): string {
    return this.#last === undefined ? this.#options.store.checkpoint().mark : markOf(this.#last)
  }
}
