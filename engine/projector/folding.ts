import type { RecordedEvent } from '../events/event.ts'
import type { BuildFold } from './build-fold.ts'
import { Builds } from './builds.ts'
import { CommitPath } from './commit-path.ts'
import { Committer } from './committer.ts'
import { anyOfTypes, type Erasing, Erasings, positionsOf, purge } from './erasing.ts'
import { Folded } from './folded.ts'
import { IdentityFold } from './identity-fold.ts'
import { settleHistory } from './identity-history.ts'
import { identityRulesOf } from './identity-rules.ts'
import { type LiveRead, LiveReads } from './live-reads.ts'
import { Pace } from './pace.ts'
import type { ProjectorOptions } from './projector.ts'
import { Published } from './published.ts'
import { Rebuilds } from './rebuild.ts'
import { hidingKeys, refold } from './refold.ts'
import { Routes } from './routes.ts'
import type { VersionOrder } from './versions.ts'

const BULK_EVENTS = 20_000

const NOBODY: ReadonlyMap<string, string> = new Map()

/** Folding and writing a commit take turns of this length; between turns readers are answered. */
const SLICE_MS = 2

/** One workspace's log being folded; `createProjector` says what is asked of it. */
export class Folding {
  readonly #options: ProjectorOptions
  readonly #published: Published
  readonly #identity: IdentityFold
  #folds: readonly BuildFold[] = []
  #routes = new Routes([])
  readonly #folded: Folded
  /** Builds are being made, served or dropped. */
  #isSwitching = false
  readonly #pace: Pace
  readonly #committer: Committer
  readonly #commits: CommitPath
  readonly #builds: Builds
  readonly #rebuilds: Rebuilds
  readonly #reads: LiveReads
  readonly #erasings = new Erasings()

  constructor(options: ProjectorOptions) {
    this.#options = options
    this.#published = new Published(options)
    this.#identity = new IdentityFold(options.store, options.rules)
    this.#pace = new Pace(options)
    this.#committer = new Committer(options.store, options.clock)
    this.#folded = new Folded(options.store, options.clock)
    this.#pace.committed(this.#folded.position, 0)
    this.#commits = new CommitPath({
      folded: this.#folded,
      identity: this.#identity,
      pace: this.#pace,
      committer: this.#committer,
      folds: () => this.#folds,
      onCommit: options.onCommit,
      onRegrouped: (profiles) => this.#rebuilds.regrouped(profiles),
    })
    this.#builds = new Builds(options, this.#committer, this.#identity.grouping)
    this.#rebuilds = new Rebuilds(options, this.#committer, this.#identity.grouping, {
      place: () => this.#folded.place,
      folds: () => this.#folds,
      setFolds: (folds) => this.#setFolds(folds),
      commitAll: () => this.#commits.all(),
      wantedHash: ({ projection }) => this.#published.configuration.hash(projection),
    })
    this.#reads = new LiveReads(this.#identity, options.clock)
  }

  async start(signal: AbortSignal): Promise<void> {
    if (!(await this.#folded.followsFrom(this.#options.log))) {
      this.#options.onBuild('all', 'foreign')
      this.#options.store.reset()
      this.#folded.restart()
    }
    await this.#settleHistory(signal)
    await this.#published.read()
    this.#tellOfBuilding()
    await this.#serveWanted(signal)
    // Of another release's making, or cut off before it was done.
    if (this.#followRules() && (await this.#regroup(signal))) {
      this.#commits.begin()
      this.#committer.finish()
    }
    this.#commits.report(this.#folded.head, this.#folded.batch, 0)
  }

  /** Where nothing serves yet and there is much to fold, all builds are folded in one pass: first who belongs together. */
  async #settleHistory(signal: AbortSignal): Promise<void> {
    const { log, store, bulkEvents = BULK_EVENTS } = this.#options
    const head = log.head().position
    if (head - this.#folded.position < bulkEvents || store.builds().some(({ serving }) => serving)) return
    await this.#published.read()
    // Cut off under other rules: grouped anew, and then followed from where it was.
    if (this.#followRules()) return
    // Whoever reads is told that nothing serves yet, rather than kept waiting.
    this.#options.onBuilding?.(this.#commits.progress(this.#folded.place, this.#folded.batch, 0))
    const last = await settleHistory(this.#identity, {
      log,
      store,
      from: this.#folded.position + 1,
      head,
      signal,
    })
    if (last !== undefined) this.#folded.skipTo(last)
  }

  /** Another release's builds are read meanwhile, as far as the two agree; where there are none, nothing is served yet. */
  #tellOfBuilding(): void {
    const { bulkEvents = BULK_EVENTS } = this.#options
    const at = this.#folded.place
    if (at.position < bulkEvents || !this.#builds.isMissingAny(this.#published.configuration, at)) return
    this.#options.onBuilding?.(this.#commits.progress(at, this.#folded.batch, 0))
  }

  async follow(signal: AbortSignal): Promise<void> {
    const events = this.#options.log
      .subscribe({ from: this.#folded.position + 1, signal })
      [Symbol.asyncIterator]()
    let next = events.next()
    for (;;) {
      // Told to stop, it does nothing more that was asked for: what is under way wouldn't go on, and would be asked for ever.
      const arriving = signal.aborted ? next : this.#rebuilds.orArriving(this.#erasings.orArriving(next))
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
    this.#commits.all()
  }

  erase(erasing: Erasing): void {
    this.#erasings.add(erasing)
  }

  order(order: VersionOrder): void {
    this.#rebuilds.add(order)
  }

  /** All that are asked for, in one pass. Readers see the rows before or those after. */
  async #erase(signal: AbortSignal): Promise<void> {
    this.#commits.all()
    this.#rebuilds.restart()
    const { log, store, open } = this.#options
    const erasings = this.#erasings.take()
    const positions = positionsOf(erasings)
    // What was published may have had personal parts too: builds then differ by it, as they would after a restart.
    if (await anyOfTypes(log, positions, this.#published.types)) {
      await this.#published.readAnew()
      await this.#serveWanted(signal)
    }
    if (!(await this.#foldHiddenAnew(positions, signal))) return
    const until = this.#folded.head
    const { grouping } = this.#identity
    const refolded = await refold(this.#folds, positions, { log, open, grouping, until, signal })
    if (refolded === undefined) return
    const { writes, poison, keys } = refolded
    const builds = this.#folds.map((fold) => fold.build)
    const commit = {
      builds,
      ...until,
      mark: this.#folded.mark,
      writes,
      poison,
      members: NOBODY,
      evidence: [],
    }
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
    const folds = await this.#builds.foldAnew(hiding, this.#folds, this.#folded.place, signal)
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
      if (this.#published.isNew(recorded)) {
        if (!(await this.#takeConfiguration(recorded, signal))) return
      } else this.#fold(recorded)
      if (this.#pace.isFull(this.#folded.batch)) this.#commits.begin()
      if (clock.monotonicMs() - sliceMs < SLICE_MS) continue
      this.#answerReads()
      this.#commits.goOn(SLICE_MS)
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
      this.#commits.goOn(SLICE_MS)
      if (this.#rebuilds.isBusy) {
        await this.#rebuilds.step(signal)
        await this.#giveWay(signal)
      } else if (this.#committer.isWriting) await this.#giveWay(signal)
      else if (this.#folded.batch.events === 0) return arriving
      else if (await this.#pace.gather(arriving, this.#commits.untilMs())) this.#commits.begin()
      if (hasArrived) return arriving
    }
  }

  #giveWay(signal: AbortSignal): Promise<void> {
    const isAwaited = (): boolean =>
      this.#pace.isAwaited || this.#erasings.isWaiting || this.#reads.isAwaited(this.#options.log.head())
    return this.#pace.giveWay(this.#folded.received, isAwaited, signal)
  }

  #answerReads(): void {
    // While builds are switched it isn't clear which of them serve: the store answers.
    const folds = this.#isSwitching ? [] : this.#folds
    this.#reads.answer(this.#folded.head, folds)
  }

  /** False: aborted before it is folded. */
  async #takeConfiguration(recorded: RecordedEvent, signal: AbortSignal): Promise<boolean> {
    // What came before is in the store, so that new identity rules and their event are one commit.
    this.#commits.all()
    const isChange = await this.#published.read(recorded.position)
    // An answer at this position follows what is published here, so that whoever published it and waits reads by it. Held
    // builds don't serve by themselves, and are made up to here.
    const isHeld = this.#options.builds === 'hold'
    if (isChange && !isHeld) await this.#serveWanted(signal)
    if (signal.aborted) return false
    if (isChange && this.#followRules() && !(await this.#regroup(signal))) return false
    this.#fold(recorded)
    this.#commits.all()
    this.#answerReads()
    if (isChange && isHeld) await this.#serveWanted(signal)
    return true
  }

  /** Everything must be in the store. True if the membership there follows other identity rules than are published. */
  #followRules(): boolean {
    return this.#identity.follow(identityRulesOf(this.#published.configuration, this.#options.rules))
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

  #fold(recorded: RecordedEvent): void {
    this.#folded.add(recorded)
    this.#routes.fold(recorded, this.#options.open)
    this.#identity.take(recorded)
  }

  async #serveWanted(signal: AbortSignal): Promise<void> {
    this.#rebuilds.restart()
    const at = this.#folded.place
    const config = this.#published.configuration.snapshot()
    this.#isSwitching = true
    const folds = await this.#builds.serveWanted(config, this.#folds, at, signal)
    this.#isSwitching = false
    if (folds !== undefined) this.#setFolds(folds)
  }

  #setFolds(folds: readonly BuildFold[]): void {
    this.#folds = folds
    this.#routes = new Routes(folds)
  }
}
