import { setImmediate } from 'node:timers/promises'
import type * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { LogReader, ReadOptions } from '../../engine/log/log.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { BuildsMode } from '../../engine/projector/builds.ts'
import type { Erased } from '../../engine/projector/erasing.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import type { OrderRefusal, Rebuilt, Switched } from '../../engine/projector/versions.ts'
import type { SnapshotRow } from '../../engine/store/snapshot.ts'
import type { Commit, StoreWriter } from '../../engine/store/store.ts'
import { projections as catalogue } from '../../projections/catalog.ts'
import type { IntakeWorld } from '../support/intake-world.ts'

interface Running {
  readonly world: IntakeWorld
  readonly writer: StoreWriter
  readonly projections?: readonly AnyProjection[] | undefined
  readonly builds?: BuildsMode | undefined
  readonly commitEvents?: number | undefined
}

/** A projector that runs until it is stopped, and takes orders. */
export function startRunning({ world, writer, projections = catalogue, ...options }: Running) {
  const stopping = new AbortController()
  const states: string[] = []
  let position = 0
  const projector = createProjector({
    ...{
      log: inSmallBatches(world.log),
      store: writer,
      projections,
      rules: DEFAULT_RULES,
      clock: world.clock,
      ...options,
    },
    open: (event) => openEvent(event, world.keyStore, registry),
    onCommit: (progress) => {
      position = progress.position
    },
    onBuild: (build, state) => states.push(`${build.split('__')[0]}: ${state}`),
  })
  const ended = projector.run(stopping.signal)
  ended.catch(() => undefined)
  return {
    states,
    ended,
    rebuild: (names: readonly string[] = projections.map(({ name }) => name)) =>
      orElse<readonly Rebuilt[]>(ended, (done) =>
        projector.order({ kind: 'rebuild', projections: names, onProgress: () => undefined, done }),
      ),
    switchTo: (kind: 'switch' | 'rollback', projection: string) =>
      orElse<Switched>(ended, (done) => projector.order({ kind, projection, done })),
    erase: (positions: readonly number[]) =>
      new Promise<Erased>((done) => projector.erase({ positions, done })),
    /** Resolves when everything in the log is committed, and no build is made any more because of it. */
    async caughtUp(): Promise<void> {
      const { position: head } = world.log.head()
      projector.hurry(head)
      while (position < head) await new Promise((resolve) => setTimeout(resolve, 1))
      // Orders are looked at between batches.
      await orElse<Switched>(ended, (done) =>
        projector.order({ kind: 'switch', projection: 'nothing', done }),
      )
    },
    async stop(): Promise<void> {
      stopping.abort()
      await ended
    },
  }
}

/** Events are read one by one, with time for something else between them. */
function inSmallBatches(log: LogReader): LogReader {
  async function* read(options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    for await (const batch of log.read(options))
      for (const event of batch) {
        await setImmediate()
        yield [event]
      }
  }
  return {
    head: () => log.head(),
    read,
    readBackwards: (options) => log.readBackwards(options),
    at: (position) => log.at(position),
    subscribe: (options) => log.subscribe(options),
    close: async () => undefined,
  }
}

/** Rejects if the projector ends first. */
function orElse<T>(
  ended: Promise<void>,
  give: (done: (outcome: E.Either<OrderRefusal, T>) => void) => void,
): Promise<E.Either<OrderRefusal, T>> {
  return new Promise((resolve, reject) => {
    give(resolve)
    ended.then(() => reject(new Error('the projector has ended')), reject)
  })
}

/** What queries reach: projection → rows in order. */
export function servedRows(writer: StoreWriter): Readonly<Record<string, readonly SnapshotRow[]>> {
  const snapshot = writer.snapshot()
  const served = snapshot.builds.filter(({ serving }) => serving)
  const rows = served.map(({ projection, build }) => [projection, [...snapshot.sortedRows(build)]] as const)
  snapshot.close()
  return Object.fromEntries(rows.sort(([a], [b]) => (a < b ? -1 : 1)))
}

export class Crash extends Error {}

/** The same store, whose process dies at the `at`th thing that it does, counted from 1. */
export function crashing(writer: StoreWriter, at: number): { readonly writer: StoreWriter; count(): number } {
  let count = 0
  const tick = (): void => {
    count += 1
    if (count === at) throw new Crash(`at ${at}`)
  }
  const counted: readonly (string | symbol)[] = ['createBuild', 'serve', 'dropBuild']
  const proxy = new Proxy(writer, {
    get(target, name) {
      if (name === 'commitInSteps') return (commit: Commit) => stepped(target, commit, tick)
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const bound: (...args: readonly unknown[]) => unknown = value.bind(target)
      if (!counted.includes(name)) return bound
      return (...args: readonly unknown[]) => {
        tick()
        const answer = bound(...args)
        tick()
        return answer
      }
    },
  })
  return { writer: proxy, count: () => count }
}

function* stepped(writer: StoreWriter, commit: Commit, tick: () => void): Generator<void, void> {
  tick()
  for (const _ of writer.commitInSteps(commit)) {
    tick()
    yield
  }
  tick()
}
