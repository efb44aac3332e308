import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { EngineIntake } from '../../engine/intake/intake.ts'
import type { Rebuilt, Switched } from '../../engine/projector/versions.ts'
import { failureText } from '../failure-place.ts'
import { ComparingAborted, type Differences, SCRATCH_DIRECTORY } from './compare.ts'
import { type Job, JobFailed, type JobProgress, Jobs } from './jobs.ts'
import type { OrderFailure, VersionOrders } from './orders.ts'
import {
  type ComparingPaths,
  type Comparison,
  type ComparisonResult,
  type RunningComparison,
  type ServedDigest,
  startComparison,
} from './thread.ts'

export type VersionResult =
  | { readonly kind: 'rebuilt'; readonly builds: readonly Rebuilt[] }
  | ({ readonly kind: 'differences' } & Differences)
  | ({ readonly kind: 'digest' } & ServedDigest)

export type VersionJob = Job<VersionResult>

/** Builds of read models: compared, made anew, switched. What answers with a job has only been begun; undefined: too many are. */
export interface Versions {
  rebuild(projections: readonly string[]): VersionJob | undefined
  /** Between what serves and what waits, or would serve by today's code and configuration. */
  diff(projection: string, sample: number): VersionJob | undefined
  /** Between what serves and what would if these were published now. Nothing is appended. */
  tryOut(
    projections: readonly string[],
    published: readonly RecordedEvent[],
    sample: number,
  ): VersionJob | undefined
  digest(projection: string): VersionJob | undefined
  switchTo(
    kind: 'switch' | 'rollback',
    projection: string,
    by: string | undefined,
  ): Promise<E.Either<OrderFailure, Switched>>
  job(id: string): VersionJob | undefined
  /** The job once it has ended. */
  settled(id: string): Promise<VersionJob> | undefined
  jobs(): readonly VersionJob[]
}

interface VersionsOptions extends ComparingPaths {
  readonly orders: VersionOrders
  readonly intake: Pick<EngineIntake, 'record'>
  readonly clock: Clock
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void
}

export function createVersions(options: VersionsOptions) {
  const { orders, intake, clock, onNotice } = options
  const removeScratch = (): void =>
    rmSync(join(options.data, SCRATCH_DIRECTORY), { recursive: true, force: true })
  // What a run before was cut off at.
  removeScratch()
  const jobs = new Jobs<VersionResult>(clock, (error) => onNotice('error', `versions: ${failureText(error)}`))
  let comparing: RunningComparison | undefined

  async function compare(
    comparison: Comparison,
    onProgress: (progress: JobProgress) => void,
  ): Promise<ComparisonResult> {
    comparing = startComparison(options, comparison, onProgress)
    try {
      return await comparing.result
    } catch (error) {
      if (error instanceof ComparingAborted)
        throw new JobFailed('Given up for an erasure or because the engine stops: ask again.')
      throw error
    } finally {
      comparing = undefined
    }
  }

  /** What was done is an event; that it was done doesn't depend on it. */
  async function note({ projection, from, to, digest }: Switched, by: string | undefined): Promise<void> {
    const data = { projection, from, to, digest, ...(by === undefined ? {} : { by }) }
    const { status } = await intake.record({
      type: 'projection.switched',
      id: `switched-${randomUUID()}`,
      data,
    })
    if (status !== 'appended') onNotice('warn', `the switch to ${to} could not be appended to the log`)
  }

  async function rebuild(
    projections: readonly string[],
    onProgress: (progress: JobProgress) => void,
  ): Promise<VersionResult> {
    const outcome = await orders.rebuild(projections, onProgress)
    if (E.isLeft(outcome)) throw new JobFailed(explainOrder(outcome.left))
    for (const { projection, from, to, after, before, rows, position } of outcome.right)
      if (after !== before) await note({ projection, from, to, rows, position, digest: after }, 'rebuild')
    return { kind: 'rebuilt', builds: outcome.right }
  }

  const versions: Versions = {
    rebuild: (projections) =>
      jobs.add(`rebuild ${projections.join(', ')}`, (onProgress) => rebuild(projections, onProgress)),
    diff: (projection, sample) =>
      jobs.add(`diff ${projection}`, (onProgress) =>
        compare({ kind: 'wanted', projection, sample }, onProgress),
      ),
    tryOut: (projections, published, sample) =>
      jobs.add('try', (onProgress) => compare({ kind: 'anew', projections, published, sample }, onProgress)),
    digest: (projection) =>
      jobs.add(`digest ${projection}`, (onProgress) => compare({ kind: 'digest', projection }, onProgress)),
    async switchTo(kind, projection, by) {
      const outcome = await orders.switchTo(kind, projection)
      if (E.isRight(outcome)) await note(outcome.right, by)
      return outcome
    },
    job: (id) => jobs.get(id),
    settled: (id) => jobs.settled(id),
    jobs: () => jobs.list(),
  }
  return {
    versions,
    /** Keys were destroyed: what is being folded may hold what they sealed. Resolves once nothing of it is left. */
    async forget(): Promise<void> {
      await comparing?.abort()
      // A command beside the engine may be at it too, or have been killed: it fails then, and is to be asked again.
      removeScratch()
    },
    async close(): Promise<void> {
      jobs.close()
      await comparing?.abort()
    },
  }
}

/** A whole sentence. */
export function explainOrder(failure: OrderFailure): string {
  switch (failure._tag) {
    case 'UnknownProjection':
      return `No build of ${failure.projection} serves.`
    case 'NothingWaits':
      return `Nothing waits to take the place of ${failure.serving}: it is what today's code and configuration come to.`
    case 'NoBuildBefore':
      return `The build before ${failure.serving} isn't kept: with HEADWATER_BUILDS=hold it is, until the next switch.`
    case 'BuildWaits':
      return `${failure.waiting} waits to serve: switch to it first.`
    case 'Ended':
      return `It was given up: ${failure.why}.`
  }
}
