import assert from 'node:assert/strict'
import type { RecordedEvent } from '../events/event.ts'
import { type BuildFold, freezeAll, type Grouping } from './build-fold.ts'
import { type BuildsOptions, commitEvents, type Place } from './builds.ts'
import type { Committer } from './committer.ts'
import { markOf } from './mark.ts'
import { Routes } from './routes.ts'

type BesideOptions = Pick<BuildsOptions, 'log' | 'open' | 'commitEvents'>

/**
 * Builds that are folded from the log's beginning, a batch at a time, while others go on following it. Their own checkpoint
 * is behind the others' until they are finished, so that a crash shows how far they were.
 */
export class BesideFolds {
  readonly folds: readonly BuildFold[]
  readonly #options: BesideOptions
  readonly #committer: Committer
  readonly #grouping: Grouping
  readonly #routes: Routes
  readonly #types: ReadonlySet<string> | undefined
  /** Profiles that won or lost members since a row of theirs was written. */
  readonly #regrouped = new Set<string>()
  #events: AsyncIterator<readonly RecordedEvent[]> | undefined
  #last: RecordedEvent | undefined
  #uncommitted = 0
  #position = 0
  /** What `#events` ends at. */
  #readsTo = 0

  constructor(folds: readonly BuildFold[], options: BesideOptions, committer: Committer, grouping: Grouping) {
    this.folds = folds
    this.#options = options
    this.#committer = committer
    this.#grouping = grouping
    this.#routes = new Routes(folds)
    const needAll = folds.some(({ projection, isTimed }) => projection.handles === 'every' || isTimed)
    this.#types = needAll ? undefined : new Set(folds.flatMap(({ projection }) => projection.handles))
  }

  /** Folded up to and including this position, as far as events of their types go. */
  get position(): number {
    return this.#position
  }

  regrouped(profiles: ReadonlySet<string>): void {
    for (const profile of profiles) this.#regrouped.add(profile)
  }

  /** Folds the next batch of what lies up to `at`, which is in the log; true: there is no more. */
  async step(at: Place, signal: AbortSignal): Promise<boolean> {
    if (this.#position >= at.position) return true
    const { log } = this.#options
    if (this.#events === undefined) {
      this.#readsTo = at.position
      this.#events = log.read({ from: this.#position + 1, types: this.#types })[Symbol.asyncIterator]()
    }
    const next = await this.#events.next()
    if (signal.aborted) return false
    const isWhole = next.done !== true && this.#fold(next.value)
    if (!isWhole) {
      this.#events = undefined
      this.#position = this.#readsTo
    }
    if (this.#uncommitted >= commitEvents(this.#options)) this.#commit()
    return this.#position >= at.position
  }

  /** False: the batch goes on behind what is to be read; that is for another step. */
  #fold(batch: readonly RecordedEvent[]): boolean {
    for (const recorded of batch) {
      if (recorded.position > this.#readsTo) return false
      this.#routes.fold(recorded, this.#options.open)
      this.#last = recorded
      this.#position = recorded.position
      this.#uncommitted += 1
    }
    return true
  }

  /**
   * Begins to write what is left, which moves their checkpoint to `at`, where the others' is and up to which `step` has come.
   */
  finish(at: Place): void {
    for (const fold of this.folds) fold.tick(at.received)
    this.#write(at, this.#regrouped)
  }

  #commit(): void {
    const last = this.#last
    if (last === undefined) return
    this.#uncommitted = 0
    this.#write({ position: last.position, received: last.received, mark: markOf(last) }, new Set())
  }

  #write({ position, received, mark }: Place, regrouped: ReadonlySet<string>): void {
    assert(!this.#committer.isWriting, 'one commit at a time')
    const { writes, poison, size } = freezeAll(this.folds, this.#grouping, regrouped)
    const nobody = { members: new Map<string, string>(), evidence: [] }
    const builds = this.folds.map(({ build }) => build)
    this.#committer.begin(
      { builds, position, received, mark, writes, poison, ...nobody },
      size,
      () => undefined,
    )
  }
}
