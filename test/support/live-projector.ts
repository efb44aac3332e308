import assert from 'node:assert/strict'
import type { Clock } from '../../engine/clock.ts'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { Erasing } from '../../engine/projector/erasing.ts'
import type { LiveAnswer, LiveRead } from '../../engine/projector/live-reads.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { Progress } from '../../engine/projector/projector.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import type { Commit, StoreWriter } from '../../engine/store/store.ts'
import { projections as catalogue } from '../../projections/catalog.ts'
import type { IntakeWorld } from './intake-world.ts'

/** A clock on which every look at it takes time: work takes as long as it has such looks. */
export function tickingClock(clock: Clock, stepMs: number): Clock {
  let spentMs = 0
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => {
      spentMs += stepMs
      return clock.monotonicMs() + spentMs
    },
  }
}

/** The same store, with something done after each step of a commit. */
export function stepping(writer: StoreWriter, onStep: () => void): StoreWriter {
  return new Proxy(writer, {
    get(target, name) {
      if (name === 'commitInSteps') return (commit: Commit) => stepped(target, commit, onStep)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function* stepped(writer: StoreWriter, commit: Commit, onStep: () => void): Generator<void, void> {
  for (const _ of writer.commitInSteps(commit)) {
    yield
    onStep()
    yield
  }
}

interface Running {
  readonly world: IntakeWorld
  readonly writer: StoreWriter
  readonly clock: Clock
  readonly projections?: readonly AnyProjection[] | undefined
  readonly isUnderPressure?: (() => boolean) | undefined
  readonly onCommit?: ((progress: Progress) => void) | undefined
  readonly onBuild?: ((build: string, state: string) => void) | undefined
}

/** A projector that runs until it is stopped. */
export function startLive({ world, writer, clock, projections = catalogue, ...options }: Running) {
  const stopping = new AbortController()
  const commits: number[] = []
  const projector = createProjector({
    log: world.log,
    store: writer,
    projections,
    rules: DEFAULT_RULES,
    clock,
    isUnderPressure: options.isUnderPressure,
    open: (event) => openEvent(event, world.keyStore, registry),
    onCommit: (progress) => {
      commits.push(progress.position)
      options.onCommit?.(progress)
    },
    onBuild: (build, state) => options.onBuild?.(build, state),
  })
  const ended = projector.run(stopping.signal)
  ended.catch(() => undefined)
  return {
    /** Positions of its reports, in order; the first is where it began. */
    commits,
    ended,
    ask: (read: LiveRead) => projector.read(read),
    hurry: (position: number) => projector.hurry(position),
    erase: (erasing: Erasing) => projector.erase(erasing),
    read(read: Pick<LiveRead, 'projections' | 'key' | 'after'>): Promise<LiveAnswer | undefined> {
      const { promise, resolve } = Promise.withResolvers<LiveAnswer | undefined>()
      projector.read({ ...read, withinMs: Number.MAX_SAFE_INTEGER, answer: resolve })
      return promise
    },
    /** What is answered at once. */
    readNow(read: Pick<LiveRead, 'projections' | 'key'>): LiveAnswer | undefined {
      const answers: (LiveAnswer | undefined)[] = []
      projector.read({ ...read, after: 0, withinMs: 0, answer: (found) => answers.push(found) })
      assert(answers.length === 1, 'what is folded is answered at once')
      return answers[0]
    },
    async stop(): Promise<void> {
      stopping.abort()
      await ended
    },
  }
}

export type Live = ReturnType<typeof startLive>
