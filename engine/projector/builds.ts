import assert from 'node:assert/strict'
import type { RecordedEvent } from '../events/event.ts'
import type { Head, LogReader } from '../log/log.ts'
import type { BuildName, BuildStatus, StoreWriter } from '../store/store.ts'
import { BuildFold, type Grouping } from './build-fold.ts'
import { type EmptyBuild, foldHistory } from './bulk-fold.ts'
import type { Committer } from './committer.ts'
import type { Configured } from './configuration.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'
import { projectionUnder } from './projection-under.ts'
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
  /** Events in one commit, or between packing states, of a build that is folded from the beginning; for tests. */
  readonly commitEvents?: number | undefined
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly onBuild: (build: BuildName, state: BuildState) => void
}

/** A published configuration as the wanted builds need it. */
interface HashedConfiguration extends Configuration {
  hash(configured: Configured): string
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

  constructor(options: BuildsOptions, committer: Committer, grouping: Grouping) {
    this.#options = options
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
    const wantings = projections.map((projection) => this.#wanting(projection, config, at))
    const missing = wantings.filter(({ wanted }) => wanted === undefined)
    const made = missing.length === 0 ? [] : await this.#build(missing, at, signal)
    if (made === undefined) return undefined
    // From here on to the end: whoever reads by the folds of before would look for builds that are gone.
    const there = [...current, ...made]
    const folds: BuildFold[] = []
    for (const wanting of wantings) {
      const held = await this.#held(wanting, there)
      folds.push(...(held ?? [this.#served(wanting, there)]))
    }
    const followed = new Set(folds.map((fold) => fold.build))
    for (const { build } of store.builds()) if (!followed.has(build)) store.dropBuild(build)
    return folds
  }

  /** Whether builds must be folded from the beginning before all that is wanted serves. */
  isMissingAny(config: HashedConfiguration, at: Head): boolean {
    const { projections } = this.#options
    return projections.some((projection) => this.#wanting(projection, config, at).wanted === undefined)
  }

  #wanting(projection: AnyProjection, config: HashedConfiguration, at: Head): Wanting {
    const hash = config.hash(projection)
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
  async #held(wanting: Wanting, there: readonly BuildFold[]): Promise<readonly BuildFold[] | undefined> {
    const { projection, serving, wanted, previous } = wanting
    if (this.#options.builds !== 'hold' || serving === undefined) return undefined
    const first = await this.#followed(projection, serving, there)
    if (first === undefined) return undefined
    const folds = [first]
    if (wanted !== serving) folds.push(this.#wanted(wanting, there))
    if (wanted === undefined) this.#options.onBuild(nameOf(wanting), 'waiting')
    const before = previous && (await this.#followed(projection, previous, there))
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
    const config = await configurationOfHash(log, projection, open, status.configuration)
    return config && new BuildFold(projection, status.build, config, this.#options.store)
  }

  #served(wanting: Wanting, there: readonly BuildFold[]): BuildFold {
    const { store, onBuild } = this.#options
    const fold = this.#wanted(wanting, there)
    if (wanting.wanted?.serving === true) return fold
    store.serve(fold.build)
    onBuild(fold.build, 'serving')
    return fold
  }

  #wanted(wanting: Wanting, there: readonly BuildFold[]): BuildFold {
    const { projection, config, wanted } = wanting
    const build = wanted?.build ?? nameOf(wanting)
    const kept = there.find((fold) => fold.build === build)
    return kept ?? new BuildFold(projection, build, config, this.#options.store)
  }

  /** What isn't there, folded in one pass over the log. undefined: aborted on the way. */
  async #build(
    missing: readonly Wanting[],
    until: Place,
    signal: AbortSignal,
  ): Promise<readonly BuildFold[] | undefined> {
    return this.#foldEmpty(
      missing.map((wanting) => this.#create(wanting)),
      until,
      signal,
    )
  }

  async #foldEmpty(
    empty: readonly EmptyBuild[],
    until: Place,
    signal: AbortSignal,
  ): Promise<readonly BuildFold[] | undefined> {
    const { log, open, store, onBuild } = this.#options
    if (until.position === 0)
      return empty.map(({ projection, build, config }) => new BuildFold(projection, build, config, store))
    for (const { build } of empty) onBuild(build, 'building')
    const stageEvents = this.#options.commitEvents
    const fixed = { log, open, store, committer: this.#committer, grouping: this.#grouping }
    return foldHistory(empty, { ...fixed, stageEvents, until, signal })
  }

  /**
   * Folds these of the folds from the beginning; what they come to takes the place of what there was of them in one
   * transaction each. undefined: aborted on the way, and nothing has changed.
   */
  async foldAnew(
    hiding: readonly BuildFold[],
    folds: readonly BuildFold[],
    at: Place,
    signal: AbortSignal,
  ): Promise<readonly BuildFold[] | undefined> {
    const { store } = this.#options
    const empty = hiding.map((fold) => this.#createAgain(fold))
    const made = await this.#foldEmpty(empty, at, signal)
    if (made === undefined) {
      for (const { build } of empty) store.dropBuild(build)
      return undefined
    }
    const places = new Map(hiding.map((fold, i) => [fold, made[i]]))
    for (const [before, after] of places) {
      assert(after !== undefined, 'each build comes to one')
      const others = store.builds().filter(({ projection }) => projection === before.projection.name)
      const isServing = others.some(({ build, serving }) => serving && build === before.build)
      const kept = others.map(({ build }) => build).filter((build) => build !== before.build)
      if (isServing) store.serve(after.build, kept)
      else store.dropBuild(before.build)
      this.#options.onBuild(after.build, isServing ? 'serving' : 'waiting')
    }
    return folds.map((fold) => places.get(fold) ?? fold)
  }

  #createAgain({ build: before, projection, config }: BuildFold): EmptyBuild {
    const { store } = this.#options
    const builds = store.builds()
    const status = builds.find(({ build }) => build === before)
    assert(status !== undefined, 'what follows is there')
    const { name, version, table } = projection
    const base = `${name}__v${version}_${status.configuration}`
    let build = base
    for (let n = 2; builds.some((other) => other.build === build); n++) build = `${base}_${n}`
    store.createBuild({ projection: name, build, version, configuration: status.configuration, table })
    return { projection, build, config }
  }

  #create(wanting: Wanting): EmptyBuild {
    const { store } = this.#options
    const { config, hash } = wanting
    const projection = projectionUnder(wanting.projection, config)
    const build = nameOf(wanting)
    // One that a crash left half folded starts over: its config may have been another's.
    if (store.builds().some((other) => other.build === build)) store.dropBuild(build)
    const { name, version, table } = projection
    store.createBuild({ projection: name, build, version, configuration: hash, table })
    return { projection, build, config }
  }
}

function nameOf({ projection, hash }: Wanting): BuildName {
  return `${projection.name}__v${projection.version}_${hash}`
}

export function commitEvents(options: Pick<BuildsOptions, 'commitEvents'>): number {
  return options.commitEvents ?? COMMIT_EVENTS
}
