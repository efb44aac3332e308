/**
 * Theorem: of the past as much is kept as is allowed and no more; one build is under way at a time; whoever asks gets an
 * answer of their own moment or hears how far it is; what came in late is noticed; and after `forget` nothing is left.
 */
import { afterEach, expect, test } from 'vitest'
import type { PastLimits } from '../../api/past/kept.ts'
import type { BuildOrder, BuildOutcome, PastAsk, PastBuilder } from '../../api/past/past.ts'
import { createPasts } from '../../api/past/pasts.ts'
import { manualClock } from '../../engine/clock.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { arrayLog } from '../api/array-log.ts'

interface Scripted {
  readonly order: BuildOrder
  readonly finish: (outcome?: BuildOutcome) => void
  removed: boolean
  stopped: boolean
  /** That are open. */
  readers: number
}

/** Builds that end when the test says so. */
function scripted(sizeBytes: number) {
  const builds: Scripted[] = []
  const builder: PastBuilder = {
    build(order) {
      const { promise, resolve } = Promise.withResolvers<BuildOutcome>()
      const open = () => {
        build.readers += 1
        const reader = createMemoryStore().reader([])
        return Object.assign(reader, {
          close: async () => {
            build.readers -= 1
          },
        })
      }
      const remove = async () => {
        expect(build.readers).toBe(0)
        build.removed = true
      }
      const build: Scripted = {
        order,
        finish: (outcome = { _tag: 'Built', built: { open, sizeBytes, remove } }) => resolve(outcome),
        removed: false,
        stopped: false,
        readers: 0,
      }
      builds.push(build)
      return {
        outcome: promise,
        async stop() {
          build.stopped = true
          resolve({ _tag: 'Failed', failure: { _tag: 'Dropped' } })
          await promise
        },
      }
    },
  }
  return { builds, builder }
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function world(limits: Partial<PastLimits> = {}, sizeBytes = 1) {
  const log = arrayLog()
  for (let i = 0; i < 20; i++) log.push({ id: String(i), time: 1_000 + i, received: 2_000 + i })
  const clock = manualClock(1e6)
  const { builds, builder } = scripted(sizeBytes)
  const pasts = createPasts({ log, clock, builder, limits })
  closing.push(() => pasts.close())
  const received = (position: number): Moment => ({ by: 'received', position, received: 1_999 + position })
  const occurred = (time: number): Moment => ({ by: 'occurred', ...log.head(), time })
  const ask = (moment: Moment, more: Partial<PastAsk> = {}) =>
    pasts.use({ moment, projections: ['lead'], waitMs: 0, ...more }, async ({ at }) => at.position)
  /** Asked for, begun and done. */
  const make = async (moment: Moment) => {
    await ask(moment)
    await turn()
    builds.at(-1)?.finish()
    await turn()
  }
  return { log, clock, builds, pasts, received, occurred, ask, make }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 2))

test('one at a time, in the order asked; those of one moment together', async () => {
  const { builds, ask, received, pasts } = world()
  const asked = [ask(received(3)), ask(received(3), { projections: ['case'] }), ask(received(4))]
  expect(await Promise.all(asked)).toMatchObject([
    { _tag: 'Building', of: 3 },
    { of: 3 },
    { state: 'queued', of: 4 },
  ])
  expect(builds.map(({ order }) => order.projections)).toEqual([['lead', 'case']])
  // Begun already: what is asked for now isn't in it.
  await ask(received(3), { projections: ['order'] })
  builds[0]?.order.onProgress(2)
  expect(await ask(received(3))).toMatchObject({ state: 'building', position: 2, of: 3 })
  builds[0]?.finish()
  await turn()
  expect(builds.map(({ order }) => order.moment.position)).toEqual([3, 4])
  expect(await ask(received(3))).toEqual({ _tag: 'Answered', value: 3 })
  expect(await ask(received(3), { projections: ['case'] })).toMatchObject({ _tag: 'Answered' })
  builds[1]?.finish()
  await turn()
  expect(builds[2]?.order.projections).toEqual(['order'])
  expect(pasts.status().map(({ state }) => state)).toEqual(['ready', 'ready', 'building'])
})

test('is waited for as long as the caller says', async () => {
  const { builds, ask, received } = world()
  const answer = ask(received(3), { waitMs: 60_000 })
  await turn()
  builds[0]?.finish()
  expect(await answer).toEqual({ _tag: 'Answered', value: 3 })
})

test('so many wait and no more', async () => {
  const { ask, received } = world({ queued: 2 })
  await ask(received(1))
  await turn()
  expect(await ask(received(2))).toMatchObject({ _tag: 'Building' })
  expect(await ask(received(3))).toMatchObject({ _tag: 'Building' })
  expect(await ask(received(4))).toEqual({ _tag: 'Busy', limit: 2 })
  expect(await ask(received(3))).toMatchObject({ _tag: 'Building' })
})

test('what was used least recently makes room, by number and by size', async () => {
  for (const limits of [{ kept: 2 }, { sizeBytes: 2 }]) {
    const { builds, ask, make, received, clock } = world(limits)
    for (const position of [1, 2]) {
      clock.advance(1)
      await make(received(position))
    }
    clock.advance(1)
    expect(await ask(received(1))).toMatchObject({ _tag: 'Answered' })
    clock.advance(1)
    await make(received(3))
    expect(builds.map(({ removed }) => removed)).toEqual([false, true, false])
  }
})

test('what is being read stays until that is done', async () => {
  const { builds, pasts, make, received } = world({ kept: 1 })
  await make(received(1))
  const reading = Promise.withResolvers<void>()
  const answer = pasts.use({ moment: received(1), projections: ['lead'], waitMs: 0 }, () => reading.promise)
  await turn()
  await make(received(2))
  expect(builds[0]?.removed).toBe(false)
  reading.resolve()
  await answer
  await make(received(3))
  expect(builds.map(({ removed }) => removed)).toEqual([true, true, false])
})

test('whoever reads shares one reader; nobody reads, nobody holds one', async () => {
  const { builds, pasts, make, received } = world({ idleMs: 20 })
  await make(received(1))
  expect(builds[0]?.readers).toBe(0)
  const reading = Promise.withResolvers<void>()
  const ask = { moment: received(1), projections: ['lead'], waitMs: 0 }
  const answers = [pasts.use(ask, () => reading.promise), pasts.use(ask, () => reading.promise)]
  await turn()
  expect(builds[0]?.readers).toBe(1)
  await new Promise((resolve) => setTimeout(resolve, 40))
  expect(builds[0]?.readers).toBe(1)
  reading.resolve()
  await Promise.all(answers)
  expect(builds[0]?.readers).toBe(1)
  await new Promise((resolve) => setTimeout(resolve, 40))
  expect(builds[0]?.readers).toBe(0)
  await pasts.use(ask, async () => undefined)
  expect(builds[0]?.readers).toBe(1)
})

test('what nobody asks for goes', async () => {
  const { builds, pasts, make, received, clock } = world({ unusedMs: 10 })
  await make(received(1))
  clock.advance(11)
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  expect(builds[0]?.removed).toBe(true)
  expect(pasts.status()).toEqual([])
})

test('late news are noticed, other news are not', async () => {
  const { log, builds, ask, make, occurred, clock } = world({ outdatedMs: 100 })
  const moment = occurred(1_005)
  await make(moment)
  log.push({ id: 'later', time: 5_000, received: 5_000 })
  // It is as good as one of the new head, and says so.
  expect(await ask(occurred(1_005), { after: 21 })).toEqual({ _tag: 'Answered', value: 21 })
  log.push({ id: 'late', time: 1_001, received: 5_001 })
  // Outdated, but only just made: whoever doesn't ask for more is told what it knows.
  expect(await ask(occurred(1_005))).toEqual({ _tag: 'Answered', value: 21 })
  expect(await ask(occurred(1_005), { after: 22 })).toMatchObject({ _tag: 'Building', of: 22 })
  clock.advance(101)
  expect(await ask(occurred(1_005))).toMatchObject({ _tag: 'Building', of: 22 })
  await turn()
  builds[1]?.finish()
  await turn()
  expect(await ask(occurred(1_005), { after: 22 })).toEqual({ _tag: 'Answered', value: 22 })
  expect(builds).toHaveLength(2)
})

test('a build that failed says why, and is tried again later', async () => {
  const { builds, ask, received, clock } = world({ failedMs: 50 })
  await ask(received(1))
  await turn()
  builds[0]?.finish({ _tag: 'Failed', failure: { _tag: 'DiskFull' } })
  await turn()
  expect(await ask(received(1))).toEqual({ _tag: 'Failed', failure: { _tag: 'DiskFull' } })
  clock.advance(51)
  expect(await ask(received(1))).toMatchObject({ _tag: 'Building' })
})

test('forgetting leaves nothing: built, under way or waiting', async () => {
  const { builds, pasts, ask, make, received } = world()
  await make(received(1))
  const waiting = ask(received(2), { waitMs: 60_000 })
  const behind = ask(received(3), { waitMs: 60_000 })
  await turn()
  await pasts.forget()
  expect(builds.map(({ removed, stopped }) => [removed, stopped])).toEqual([
    [true, false],
    [false, true],
  ])
  expect(await waiting).toEqual({ _tag: 'Failed', failure: { _tag: 'Dropped' } })
  expect(await behind).toEqual({ _tag: 'Failed', failure: { _tag: 'Dropped' } })
  expect(pasts.status()).toEqual([])
  await turn()
  expect(builds).toHaveLength(2)
  await make(received(1))
  expect(await ask(received(1))).toMatchObject({ _tag: 'Answered' })
})
