import { randomBytes } from 'node:crypto'
import { mkdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { Head, LogReader } from '../../engine/log/log.ts'
import { type BuildDiff, diffBuilds, type Side } from '../../engine/projector/diff.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import { configurationOfHash, publishedIn } from '../../engine/projector/versions-configuration.ts'
import { foldAnew } from '../../engine/projector/versions-fold.ts'
import { prefixOf } from '../../engine/projector/versions-log.ts'
import { differingBuckets, digestOf } from '../../engine/store/digest.ts'
import type { StoreSnapshot } from '../../engine/store/snapshot.ts'
import { openSqliteSnapshot } from '../../engine/store/sqlite-snapshot.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { BuildStatus } from '../../engine/store/store.ts'

/** Where builds that are folded only to be compared lie, in the data directory; gone when that is done. */
export const SCRATCH_DIRECTORY = 'versions'

export interface ComparingWorld {
  readonly data: string
  /** The log as it stands when this is called: at least what the read models hold by then. */
  openLog(): LogReader
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onProgress: (progress: CompareProgress) => void
}

export interface CompareProgress {
  readonly step: 'folding' | 'comparing'
  readonly done: number
  readonly of: number
}

/** Aborted before it was done. */
export class ComparingAborted extends Error {
  constructor() {
    super('it was given up before it was done')
    this.name = 'ComparingAborted'
  }
}

/** What one serving build comes to when it is folded again. */
export interface VerifiedBuild {
  readonly projection: string
  readonly build: string
  readonly position: number
  /** `other_version`: what serves isn't of the version and configuration that would be folded now. */
  readonly result: 'equal' | 'differs' | 'other_version'
  readonly rows: number
  /** Of what serves, and of what it should be; undefined for `other_version`. */
  readonly digest: string
  readonly expected: string | undefined
  readonly expectedBuild: string
  readonly differingBuckets: readonly number[]
}

export interface Verified {
  readonly position: number
  readonly builds: readonly VerifiedBuild[]
  /** `person.erased` events up to there. */
  readonly erased: number
}

export interface Differences {
  readonly position: number
  readonly diffs: readonly BuildDiff[]
}

export const READ_MODELS = 'read-models.sqlite'

/** Compares what serves, bucket by bucket, with what the log comes to. */
export async function verifyBuilds(
  world: ComparingWorld,
  projections: readonly AnyProjection[],
): Promise<Verified> {
  return withFresh(world, projections, [], async ({ served, fresh, log }) => {
    const builds: VerifiedBuild[] = []
    for (const projection of projections) {
      world.onProgress({ step: 'comparing', done: builds.length, of: projections.length })
      const [from, to] = [servingIn(served, projection), servingIn(fresh, projection)]
      if (from !== undefined && to !== undefined) builds.push(verified(served, from, fresh, to))
    }
    let erased = 0
    for await (const batch of log.read({ types: new Set(['person.erased']) })) erased += batch.length
    return { position: served.checkpoint.position, builds, erased }
  })
}

function verified(
  served: StoreSnapshot,
  from: BuildStatus,
  fresh: StoreSnapshot,
  to: BuildStatus,
): VerifiedBuild {
  const { projection, build, position } = from
  const own = digestOf(served, build)
  const stated = { projection, build, position, rows: own.rows, digest: own.digest, expectedBuild: to.build }
  if (from.version !== to.version || from.configuration !== to.configuration)
    return { ...stated, result: 'other_version', expected: undefined, differingBuckets: [] }
  const expected = digestOf(fresh, to.build)
  const isEqual = own.digest === expected.digest
  return {
    ...stated,
    result: isEqual ? 'equal' : 'differs',
    expected: expected.digest,
    differingBuckets: isEqual ? [] : differingBuckets(own, expected),
  }
}

/**
 * Compares what serves with what the log would come to if `published` had just been published, row by row. Nothing is
 * appended, and what serves isn't touched.
 */
export async function diffAnew(
  world: ComparingWorld,
  projections: readonly AnyProjection[],
  published: readonly RecordedEvent[],
  sampleSize: number,
): Promise<Differences> {
  return withFresh(world, projections, published, async ({ served, fresh, log }) => {
    const diffs: BuildDiff[] = []
    for (const projection of projections) {
      world.onProgress({ step: 'comparing', done: diffs.length, of: projections.length })
      const build = servingIn(served, projection)
      const made = servingIn(fresh, projection)
      if (build === undefined || made === undefined) continue
      const from = await sideOf(world, log, served, build, projection)
      const config = await publishedIn(
        prefixOf(log, served.checkpoint, published),
        projection.configuredBy,
        world.open,
      )
      diffs.push(diffBuilds(from, { snapshot: fresh, build: made.build, projection, config }, sampleSize))
    }
    return { position: served.checkpoint.position, diffs }
  })
}

/** Compares what serves with the build that waits beside it; undefined: none waits. */
export async function diffWaiting(
  world: ComparingWorld,
  projection: AnyProjection,
  sampleSize: number,
): Promise<Differences | undefined> {
  const served = openSqliteSnapshot(join(world.data, READ_MODELS))
  try {
    const log = prefixOf(world.openLog(), served.checkpoint)
    const serving = servingIn(served, projection)
    const config = await publishedIn(log, projection.configuredBy, world.open)
    const hash = config.hash(projection)
    const waiting = served.builds.find(
      ({ projection: name, configuration, position, serving: serves }) =>
        name === projection.name &&
        !serves &&
        configuration === hash &&
        position === served.checkpoint.position,
    )
    if (serving === undefined || waiting === undefined) return undefined
    const from = await sideOf(world, log, served, serving, projection)
    const to = { snapshot: served, build: waiting.build, projection, config }
    return { position: served.checkpoint.position, diffs: [diffBuilds(from, to, sampleSize)] }
  } finally {
    served.close()
  }
}

async function sideOf(
  { open }: ComparingWorld,
  log: LogReader,
  snapshot: StoreSnapshot,
  { build, version, configuration }: BuildStatus,
  projection: AnyProjection,
): Promise<Side> {
  // States of another version are another code's.
  const config =
    version === projection.version
      ? await configurationOfHash(log, projection, open, configuration)
      : undefined
  return { snapshot, build, projection, config }
}

interface Fresh {
  readonly served: StoreSnapshot
  /** At the same position. */
  readonly fresh: StoreSnapshot
  /** Up to there. */
  readonly log: LogReader
}

/**
 * Folds beside what serves, first as far as that is now, and then, under a snapshot that is kept open only shortly, what has
 * come meanwhile.
 */
async function withFresh<T>(
  world: ComparingWorld,
  projections: readonly AnyProjection[],
  published: readonly RecordedEvent[],
  compare: (fresh: Fresh) => Promise<T>,
): Promise<T> {
  const servedPath = join(world.data, READ_MODELS)
  const scratch = join(world.data, SCRATCH_DIRECTORY, randomBytes(8).toString('hex'))
  mkdirSync(scratch, { recursive: true, mode: 0o700 })
  try {
    const store = openSqliteWriter(join(scratch, READ_MODELS))
    try {
      const fold = async (head: Head): Promise<LogReader> => {
        const log = world.openLog()
        const onProgress = (done: number) => world.onProgress({ step: 'folding', done, of: head.position })
        const folding = { ...world, log, store, projections, rules: DEFAULT_RULES, published, onProgress }
        if (!(await foldAnew(folding, head))) throw new ComparingAborted()
        return log
      }
      const now = openSqliteSnapshot(servedPath)
      const { checkpoint } = now
      now.close()
      await fold(checkpoint)
      const served = openSqliteSnapshot(servedPath)
      try {
        const log = prefixOf(await fold(served.checkpoint), served.checkpoint)
        const fresh = store.snapshot()
        try {
          return await compare({ served, fresh, log })
        } finally {
          fresh.close()
        }
      } finally {
        served.close()
      }
    } finally {
      store.close()
    }
  } finally {
    removeScratch(world.data, scratch)
  }
}

function removeScratch(data: string, scratch: string): void {
  rmSync(scratch, { recursive: true, force: true })
  try {
    rmdirSync(join(data, SCRATCH_DIRECTORY))
  } catch {
    // Another one is at work.
  }
}

function servingIn(snapshot: StoreSnapshot, { name }: AnyProjection): BuildStatus | undefined {
  return snapshot.builds.find(({ projection, serving }) => projection === name && serving)
}
