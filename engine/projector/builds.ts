import type { RecordedEvent } from '../events/event.ts'
import type { Head, LogReader } from '../log/log.ts'
import type { BuildName, BuildStatus, StoreWriter } from '../store/store.ts'
import { BuildFold, freezeAll, type Grouping } from './build-fold.ts'
import type { Committer } from './committer.ts'
import { markOf } from './mark.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'
import { Routes } from './routes.ts'
import { configurationOfHash } from './versions-configuration.ts'

const COMMIT_EVENTS = 50_000

/**
 * `auto`: a changed build serves as soon as it is folded, and the one before is dropped. `hold`: where only configuration
 * changed it waits, following the log, until somebody switches; the one that served before goes on following too, until the
 * next switch. A build of other code can't be followed by this one: there the new one serves at once.
 */
export type BuildsMode = 'auto' | 'hold'

export type BuildState = 'building' | 'serving' | 'waiting' | 'foreign'

export interface BuildsOptions {
  readonly log: LogReader
  readonly store: StoreWriter
  readonly projections: readonly AnyProjection[]
  /** Default `auto`. */
  readonly builds?: BuildsMode | undefined
  /** Events in one commit of a build that is folded from the beginning; default 50,000. */
  readonly commitEvents?: number | undefined
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly onBuild: (build: BuildName, state: BuildState) => void
}

/** A published configuration as the wanted builds need it. */
interface HashedConfiguration extends Configuration {
  hash(types: AnyProjection['configuredBy']): string
}

/** How far the serving builds have got. */
export interface Place extends Head {
  readonly mark: string
}

/** What there is of one projection, and what should be. */
interface Wanting {
  readonly projection: AnyProjection
  readonly config: HashedConfiguration
  readonly hash: string
  readonly serving: BuildStatus | undefined
  /** Of the wanted version and configuration, folded as far as the serving one. */
  readonly wanted: BuildStatus | undefined
  /** It served before, and is folded as far. */
  readonly previous: BuildStatus | undefined
}

/** Makes every projection's wanted build, folding what is missing beside what serves. */
export class Builds {
  readonly #options: BuildsOptions
  readonly #committer: Committer
  readonly #grouping: Grouping
  readonly #commitEvents: number

  constructor(options: BuildsOptions, committer: Committer, grouping: Grouping) {
    this.#options = options
    this.#commitEvents = commitEvents(options)
    this.#committer = committer
    this.#grouping = grouping
  }

  /**
   * A fold for each build that follows the log, of those there are where they are still wanted; other builds are dropped.
   * Of one projection the serving build comes first. undefined: aborted on the way.
   */
  async serveWanted(
    config: HashedConfiguration,
    current: readonly BuildFold[],
    at: Place,
    signal: AbortSignal,
  ): Promise<readonly BuildFold[] | undefined> {
    const { store, projections } = this.#options
    const folds: BuildFold[] = []
    for (const projection of projections) {
      const wanting = this.#wanting(projection, config, at)
      const held = await this.#held(wanting, current, at, signal)
      folds.push(...(held ?? [await this.#served(wanting, current, at, signal)]))
    }
    if (signal.aborted) return undefined
    const followed = new Set(folds.map((fold) => fold.build))
    for (const { build } of store.builds()) if (!followed.has(build)) store.dropBuild(build)
    return folds
  }

  #wanting(projection: AnyProjection, config: HashedConfiguration, at: Head): Wanting {
    const hash = config.hash(projection.configuredBy)
    const builds = this.#options.store.builds().filter((build) => build.projection === projection.name)
    const serving = builds.find((build) => build.serving)
    const isWanted = ({ version, configuration }: BuildStatus): boolean =>
      version === projection.version && configuration === hash
    const others = builds.filter((build) => !build.serving && build.position === at.position)
    const wanted = serving !== undefined && isWanted(serving) ? serving : others.find(isWanted)
    // In the order in which they were made: one behind the serving build waited, and never served.
    const older = serving === undefined ? [] : builds.slice(0, builds.indexOf(serving))
    const previous = others.findLast((build) => older.includes(build) && !isWanted(build))
    return { projection, config, hash, serving, wanted, previous }
  }

  /** What follows where nothing is switched by itself; undefined: the wanted build must serve at once. */
  async #held(
    wanting: Wanting,
    current: readonly BuildFold[],
    at: Place,
    signal: AbortSignal,
  ): Promise<readonly BuildFold[] | undefined> {
    const { projection, serving, wanted, previous } = wanting
    if (this.#options.builds !== 'hold' || serving === undefined) return undefined
    const first = await this.#followed(projection, serving, current)
    if (first === undefined) return undefined
    const folds = [first]
    if (wanted === undefined) folds.push(await this.#waiting(wanting, at, signal))
    else if (wanted !== serving) folds.push(this.#kept(wanting, wanted.build, current))
    const before = previous && (await this.#followed(projection, previous, current))
    if (before !== undefined) folds.push(before)
    return folds
  }

  /** A build of this code, with the configuration that it was made for; undefined: nobody knows that any more. */
  async #followed(
    projection: AnyProjection,
    status: BuildStatus,
    current: readonly BuildFold[],
  ): Promise<BuildFold | undefined> {
    const kept = current.find((fold) => fold.build === status.build)
    if (kept !== undefined) return kept
    if (status.version !== projection.version) return undefined
    const { log, open } = this.#options
    const config = await configurationOfHash(log, projection.configuredBy, open, status.configuration)
    return config && new BuildFold(projection, status.build, config, this.#options.store)
  }

  async #waiting(wanting: Wanting, at: Place, signal: AbortSignal): Promise<BuildFold> {
    const fold = await this.#build(wanting, at, signal)
    if (!signal.aborted) this.#options.onBuild(fold.build, 'waiting')
    return fold
  }

  async #served(
    wanting: Wanting,
    current: readonly BuildFold[],
    at: Place,
    signal: AbortSignal,
  ): Promise<BuildFold> {
    const { store, onBuild } = this.#options
    const { wanted } = wanting
    const fold =
      wanted === undefined
        ? await this.#build(wanting, at, signal)
        : this.#kept(wanting, wanted.build, current)
    if (wanted?.serving === true || signal.aborted) return fold
    store.serve(fold.build)
    onBuild(fold.build, 'serving')
    return fold
  }

  #kept({ projection, config }: Wanting, build: BuildName, current: readonly BuildFold[]): BuildFold {
    const kept = current.find((fold) => fold.build === build)
    return kept ?? new BuildFold(projection, build, config, this.#options.store)
  }

  async #build({ projection, config, hash }: Wanting, at: Place, signal: AbortSignal): Promise<BuildFold> {
    const { store, onBuild } = this.#options
    const build = `${projection.name}__v${projection.version}_${hash}`
    // One that a crash left half folded starts over: its config may have been another's.
    if (store.builds().some((other) => other.build === build)) store.dropBuild(build)
    const fold = new BuildFold(projection, build, config, this.create(projection, build, hash))
    if (at.position > 0) {
      onBuild(build, 'building')
      await this.#foldHistory(fold, at, signal)
    }
    return fold
  }

  create({ name, version, table }: AnyProjection, build: BuildName, configuration: string): StoreWriter {
    const { store } = this.#options
    store.createBuild({ projection: name, build, version, configuration, table })
    return store
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
        if (folded % this.#commitEvents === 0)
          this.#commit(fold, { ...headOf(recorded), mark: markOf(recorded) })
      }
      // At its place it would be taken for whole.
      if (signal.aborted) return
      if ((batch.at(-1)?.position ?? 0) >= at.position) break
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

export function commitEvents(options: Pick<BuildsOptions, 'commitEvents'>): number {
  return options.commitEvents ?? COMMIT_EVENTS
}

function headOf({ position, received }: Head): Head {
  return { position, received }
}
