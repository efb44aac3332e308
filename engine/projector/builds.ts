import type { RecordedEvent } from '../events/event.ts'
import type { Head, LogReader } from '../log/log.ts'
import type { BuildName, StoreWriter } from '../store/store.ts'
import { BuildFold, freezeAll, type Grouping } from './build-fold.ts'
import type { Committer } from './committer.ts'
import { markOf } from './mark.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'
import { Routes } from './routes.ts'

/** Events in one commit of a build that is folded from the beginning. */
const COMMIT_EVENTS = 50_000

interface BuildsOptions {
  readonly log: LogReader
  readonly store: StoreWriter
  readonly projections: readonly AnyProjection[]
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly onBuild: (build: BuildName, state: 'building' | 'serving' | 'foreign') => void
}

/** A published configuration as the wanted builds need it. */
interface HashedConfiguration extends Configuration {
  hash(types: AnyProjection['configuredBy']): string
}

/** How far the serving builds have got. */
interface Place extends Head {
  readonly mark: string
}

/** Makes every projection's wanted build the serving one, folding what is missing beside what serves. */
export class Builds {
  readonly #options: BuildsOptions
  readonly #committer: Committer
  readonly #grouping: Grouping

  constructor(options: BuildsOptions, committer: Committer, grouping: Grouping) {
    this.#options = options
    this.#committer = committer
    this.#grouping = grouping
  }

  /**
   * A fold for each projection, of those there are where they are still wanted; builds that aren't wanted any more are
   * dropped. undefined: aborted on the way.
   */
  async serveWanted(
    config: HashedConfiguration,
    current: readonly BuildFold[],
    at: Place,
    signal: AbortSignal,
  ): Promise<readonly BuildFold[] | undefined> {
    const { store, projections } = this.#options
    const existing = new Map(store.builds().map((build) => [build.build, build]))
    const folds: BuildFold[] = []
    for (const projection of projections) {
      const hash = config.hash(projection.configuredBy)
      const build = `${projection.name}__v${projection.version}_${hash}`
      const kept = current.find((fold) => fold.build === build)
      if (kept !== undefined) {
        folds.push(kept)
      } else if (existing.get(build)?.serving === true) {
        folds.push(new BuildFold(projection, build, config, store))
      } else {
        const fold = new BuildFold(projection, build, config, this.#create(projection, build, hash))
        await this.#serve(fold, at, signal)
        folds.push(fold)
      }
    }
    if (signal.aborted) return undefined
    const wanted = new Set(folds.map((fold) => fold.build))
    for (const build of store.builds()) if (!wanted.has(build.build)) store.dropBuild(build.build)
    return folds
  }

  #create(projection: AnyProjection, build: BuildName, configuration: string): StoreWriter {
    const { store } = this.#options
    // One that a crash left half folded starts over: its config may have been another's.
    if (store.builds().some((other) => other.build === build)) store.dropBuild(build)
    const { name, version, table } = projection
    store.createBuild({ projection: name, build, version, configuration, table })
    return store
  }

  async #serve(fold: BuildFold, at: Place, signal: AbortSignal): Promise<void> {
    const { store, onBuild } = this.#options
    if (at.position > 0) {
      onBuild(fold.build, 'building')
      await this.#foldHistory(fold, at, signal)
    }
    if (signal.aborted) return
    store.serve(fold.build)
    onBuild(fold.build, 'serving')
  }

  async #foldHistory(fold: BuildFold, at: Place, signal: AbortSignal): Promise<void> {
    let folded = 0
    const routes = new Routes([fold])
    const { handles, due } = fold.projection
    const types = handles === 'every' || due !== undefined ? undefined : new Set(handles)
    for await (const batch of this.#options.log.read({ types })) {
      for (const recorded of batch) {
        if (recorded.position > at.position || signal.aborted) break
        routes.fold(recorded, this.#options.open)
        folded += 1
        if (folded % COMMIT_EVENTS === 0) this.#commit(fold, { ...headOf(recorded), mark: markOf(recorded) })
      }
      if (signal.aborted || (batch.at(-1)?.position ?? 0) >= at.position) break
    }
    this.#commit(fold, at)
  }

  #commit(fold: BuildFold, at: Place): void {
    const { writes, poison, size } = freezeAll([fold], this.#grouping, new Set())
    const { position, received, mark } = at
    const nobody = { members: new Map(), evidence: [] }
    const commit = { builds: [fold.build], position, received, mark, writes, poison, ...nobody }
    this.#committer.begin(commit, size, () => undefined)
    this.#committer.finish()
  }
}

function headOf({ position, received }: Head): Head {
  return { position, received }
}
