import { systemClock } from '../../engine/clock.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import type { Commit, StoreWriter } from '../../engine/store/store.ts'
import { projections } from '../../projections/catalog.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { startLive } from '../support/live-projector.ts'

/** Work that a storm makes, in units that don't depend on the machine. */
export interface Work {
  /** Look-ups in the store: states, profiles, members, evidence. */
  lookUps: number
  /** Evidence and members that look-ups answered with. */
  answered: number
  /** Memberships, evidence, states and keys' rows written. */
  written: number
  commits: number
  /** Most look-ups between two places at which somebody else may have the thread. */
  longestStep: number
}

const COUNTED: ReadonlySet<PropertyKey> = new Set(['state', 'profileOf', 'membersOf', 'evidenceOf'])

/** The same store, with its work counted. */
function counting(writer: StoreWriter, work: Work): StoreWriter {
  let step = 0
  const looked = (answer: unknown) => {
    work.lookUps += 1
    step += 1
    work.longestStep = Math.max(work.longestStep, step)
    if (Array.isArray(answer)) work.answered += answer.length
  }
  return new Proxy(writer, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name === 'commitInSteps') return stepped
      if (!COUNTED.has(name)) return value.bind(target)
      return (...args: readonly unknown[]) => {
        const answer: unknown = Reflect.apply(value, target, args)
        looked(answer)
        return answer
      }
    },
  })

  function* stepped(commit: Commit): Generator<void, void> {
    work.commits += 1
    work.written += commit.members.size + commit.evidence.length
    for (const _ of writer.commitInSteps({ ...commit, writes: commit.writes.map(counted) })) {
      step = 0
      yield
    }
    step = 0
  }

  function counted<W extends Commit['writes'][number]>(write: W): W {
    const each = function* <T>(items: Iterable<T>): Generator<T> {
      for (const item of items) {
        work.written += 1
        yield item
      }
    }
    return {
      ...write,
      states: { [Symbol.iterator]: () => each(write.states) },
      rows: { [Symbol.iterator]: () => each(write.rows) },
    }
  }
}

export function noWork(): Work {
  return { lookUps: 0, answered: 0, written: 0, commits: 0, longestStep: 0 }
}

/** An intake and a projector on memory stores; every commit is small, as on an engine that keeps up. */
export function stormWorld() {
  const world = intakeWorld({ queueEvents: 100_000, queueBytes: 1_000_000_000 })
  const store = createMemoryStore()
  const reader = store.reader(projections.map(({ name, table }) => ({ projection: name, table })))
  const work = noWork()
  const live = startLive({
    world,
    writer: counting(store.writer, work),
    clock: systemClock,
  })
  // Rejects where it fails; it ends otherwise when nobody asks any more.
  const failure = live.ended.then(() => new Promise<void>(() => undefined))
  failure.catch(() => undefined)
  let sent = 0
  return {
    world,
    store,
    reader,
    /** Sends events and answers with the work of folding them, `each` of them a commit. */
    async send(events: readonly object[], each = events.length): Promise<Work> {
      const before = { ...work }
      work.longestStep = 0
      for (let at = 0; at < events.length; at += each) {
        await world.send(
          ...events.slice(at, at + each).map((event) => {
            sent += 1
            return { id: `e${sent}`, source: 'web', ...event }
          }),
        )
        await reached(world.log.head().position)
      }
      return {
        lookUps: work.lookUps - before.lookUps,
        answered: work.answered - before.answered,
        written: work.written - before.written,
        commits: work.commits - before.commits,
        longestStep: work.longestStep,
      }
    },
    profileOf(namespace: string, value: string): string | undefined {
      const id = world.keyStore.find(namespace, value)
      return id === undefined ? undefined : (store.writer.profileOf(id) ?? id)
    },
    async close(): Promise<void> {
      await live.stop()
      await reader.close()
      await world.close()
    },
  }

  async function reached(position: number): Promise<void> {
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
    while (store.writer.checkpoint().position < position) await Promise.race([turn(), failure])
  }
}
