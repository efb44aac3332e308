import type { Moment } from '../engine/projector/asof.ts'
import { ConfigurationState } from '../engine/projector/configuration.ts'
import type { AnyProjection, Configuration, DecodedEvent } from '../engine/projector/projection.ts'
import { projectionUnder } from '../engine/projector/projection-under.ts'
import type { BuildName, BuildStatus, ReadSpec, StoreReader } from '../engine/store/store.ts'

/**
 * Read models as they are served: under the configuration that the serving build was made for, with the columns that the
 * workspace had defined then. Which build serves changes while requests are under way, so what answers is read by the
 * build that gave it.
 */

export interface Served {
  readonly projection: AnyProjection
  /** What its build was made under. */
  readonly config: Configuration
}

export interface ServedProjections {
  /** By name, as they are served by all that is known: not to be kept beyond a request. */
  readonly projections: ReadonlyMap<string, AnyProjection>
  /**
   * Of a build that has answered; undefined: it is gone, and nobody knows any more what made it. Without a build, of the one
   * that serves.
   */
  of(projection: string, build: BuildName | undefined): Promise<Served | undefined>
  /** Resolves when everything is known that serves by now. Never rejects: what can't be read stays as it was. */
  refresh(): Promise<void>
}

/** What a reader of their tables is told of them. */
export function readSpecs(catalogue: readonly AnyProjection[]): readonly ReadSpec[] {
  return catalogue.map(({ name, version, table, under }) => ({
    projection: name,
    statesOf: version,
    table,
    isExtensible: under !== undefined,
  }))
}

interface Options {
  /** As the code has them. */
  readonly catalogue: readonly AnyProjection[]
  readonly store: Pick<StoreReader, 'builds'>
  readonly head: () => { readonly position: number; readonly received: number }
  /** The events that configuration at a moment follows from, in log order. */
  readonly published: (moment: Moment) => Promise<readonly DecodedEvent[]>
  readonly onFailure: (error: unknown) => void
}

/** Builds that are gone but may have given an answer that is still being shown. */
const MAX_KEPT = 200

export function servedProjections(options: Options): ServedProjections {
  const { catalogue, store, head, published, onFailure } = options
  const bases = new Map(catalogue.map((projection) => [projection.name, projection]))
  const projections = new Map(bases)
  const byBuild = new Map<BuildName, Served>()
  const serving = new Map<string, Served>()

  const look = async (): Promise<void> => {
    const { value: builds } = await store.builds()
    const unknown = builds.filter((each) => each.serving && !byBuild.has(each.build))
    if (unknown.length > 0) {
      const events = await published({ by: 'received', ...head() })
      const newest = configurationOf(events)
      for (const status of unknown) {
        const base = bases.get(status.projection)
        if (base === undefined) continue
        const config = (await madeUnder(base, status, events, newest)) ?? newest
        byBuild.set(status.build, { projection: projectionUnder(base, config), config })
      }
    }
    for (const { build, projection, serving: serves } of builds) {
      const served = serves ? byBuild.get(build) : undefined
      if (served === undefined) continue
      serving.set(projection, served)
      projections.set(projection, served.projection)
    }
    forget(byBuild, new Set(builds.map(({ build }) => build)))
  }

  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const start = (): Promise<void> => {
    running = look()
      .catch(onFailure)
      .finally(() => {
        running = undefined
      })
    return running
  }
  /** One look that has begun may have missed what was switched since: whoever asks meanwhile waits for another. */
  const refresh = (): Promise<void> => {
    if (running === undefined) return start()
    next ??= running.then(() => {
      next = undefined
      return start()
    })
    return next
  }
  return {
    projections,
    refresh,
    async of(projection, build) {
      if (build === undefined) {
        await (next ?? running)
        return serving.get(projection)
      }
      const known = byBuild.get(build)
      if (known !== undefined) return known
      await refresh()
      return byBuild.get(build)
    },
  }
}

function forget(byBuild: Map<BuildName, Served>, there: ReadonlySet<BuildName>): void {
  for (const build of byBuild.keys()) {
    if (byBuild.size <= MAX_KEPT) return
    if (!there.has(build)) byBuild.delete(build)
  }
}

function configurationOf(events: readonly DecodedEvent[]): ConfigurationState {
  const state = new ConfigurationState()
  for (const event of events) state.apply(event)
  return state
}

/**
 * The configuration of a build, looked for from the newest backwards: most builds serve soon after they were asked for.
 * undefined: no code of today knows it.
 */
async function madeUnder(
  projection: AnyProjection,
  { version, configuration }: BuildStatus,
  events: readonly DecodedEvent[],
  newest: ConfigurationState,
): Promise<Configuration | undefined> {
  if (version !== projection.version) return undefined
  if (hashOf(newest, projection) === configuration) return newest
  for (let length = events.length - 1; length >= 0; length--) {
    const type = events[length]?.type
    if (!projection.configuredBy.some((configuring) => configuring === type)) continue
    const state = configurationOf(events.slice(0, length))
    if (hashOf(state, projection) === configuration) return state
    // A long history of configuration must not hold up whoever else is served.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return undefined
}

function hashOf(state: ConfigurationState, projection: AnyProjection): string {
  return state.hash(projection)
}
