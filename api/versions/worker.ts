import assert from 'node:assert/strict'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../engine/clock.ts'
import { registry } from '../../engine/events/registry.ts'
import { giveWay } from '../../engine/give-way.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { LazyEvent } from '../../engine/privacy/lazy-event.ts'
import { openOpener } from '../../engine/privacy/opener.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { digestOf } from '../../engine/store/digest.ts'
import { openSqliteSnapshot } from '../../engine/store/sqlite-snapshot.ts'
import { projections } from '../../projections/catalog.ts'
import { failureText } from '../failure-place.ts'
import { ComparingAborted, type ComparingWorld, diffAnew, diffWaiting, READ_MODELS } from './compare.ts'
import type { ComparisonMessage, ComparisonResult, ComparisonWorkerData } from './thread.ts'

/** One comparison on a thread of its own: log, keys and read models read-only, and a scratch store. */
const port = parentPort
assert(port !== null, 'runs as a worker thread')
const given: ComparisonWorkerData = workerData
const tell = (message: ComparisonMessage): void => port.postMessage(message)

const aborting = new AbortController()
port.on('message', () => aborting.abort())

try {
  giveWay()
  tell({ kind: 'result', result: await compare(given) })
} catch (error) {
  if (!(error instanceof ComparingAborted)) tell({ kind: 'failed', message: failureText(error) })
} finally {
  port.close()
}

async function compare({ comparison, ...paths }: ComparisonWorkerData): Promise<ComparisonResult> {
  switch (comparison.kind) {
    case 'digest':
      return digest(comparison.projection)
    case 'wanted': {
      const [projection] = named([comparison.projection])
      assert(projection !== undefined)
      return inWorld(paths, async (world) => {
        const waiting = await diffWaiting(world, projection, comparison.sample)
        return waiting ?? (await diffAnew(world, [projection], [], comparison.sample))
      })
    }
    case 'anew': {
      const { published, sample } = comparison
      return inWorld(paths, (world) => diffAnew(world, named(comparison.projections), published, sample))
    }
  }
}

async function inWorld(
  { data, masterKey, headSignal }: Omit<ComparisonWorkerData, 'comparison'>,
  work: (world: ComparingWorld) => ReturnType<typeof diffAnew>,
): Promise<ComparisonResult> {
  const log = openEmbeddedReader(join(data, 'log'), headSignal)
  const keys = openOpener(join(data, 'keys'), { masterKey })
  try {
    const found = await work({
      data,
      openLog: () => log,
      open: (event) => new LazyEvent(event, keys, registry),
      clock: systemClock,
      signal: aborting.signal,
      onProgress: (progress) => tell({ kind: 'progress', progress }),
    })
    return { kind: 'differences', ...found }
  } finally {
    keys.close()
    await log.close()
  }
}

function digest(projection: string): ComparisonResult {
  const snapshot = openSqliteSnapshot(join(given.data, READ_MODELS))
  try {
    const { position, received } = snapshot.checkpoint
    const serving = snapshot.builds.find((build) => build.projection === projection && build.serving)
    const found = serving && digestOf(snapshot, serving.build)
    const served = serving && found && { build: serving.build, rows: found.rows, digest: found.digest }
    return { kind: 'digest', position, received, served }
  } finally {
    snapshot.close()
  }
}

function named(names: readonly string[]): readonly AnyProjection[] {
  return projections.filter(({ name }) => names.includes(name))
}
