/**
 * Theorem: one search is under way at a time; what an erasure forgets is in no candidate from then on, and nothing is looked
 * for until the read models are without it, when what was cut off begins anew; it looks by itself as often as it was told,
 * and only where the log has moved; nothing outlives its end; and the mode `link` alone links.
 */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { DuplicatesJob, type DuplicatesMode } from '../../api/duplicates/duplicates.ts'
import { FIND_LIMITS, type Found, type FoundCandidate } from '../../api/duplicates/find.ts'
import type { FindOutcome, SearchOrder } from '../../api/duplicates/finder.ts'
import type { ErasingReads } from '../../api/erasing-reads.ts'
import { manualClock } from '../../engine/clock.ts'
import { arrayLog } from '../api/array-log.ts'

const HOUR_MS = 3_600_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function candidate(a: string, b: string): FoundCandidate {
  return { kind: 'person', a, b, bits: 9, probability: 0.99, priorBits: -9, reasons: [] }
}

function found(...pairs: readonly (readonly [string, string])[]): Found {
  const candidates = pairs.map(([a, b]) => candidate(a, b))
  // Each has another identity.
  const members = new Map(pairs.flat().map((id) => [id, [id, `${id}'`]]))
  return { position: 1, received: 1, kinds: [], candidates, members }
}

interface Begun {
  readonly order: SearchOrder
  readonly finish: (outcome: FindOutcome) => void
  stopped: boolean
}

function world({ mode = 'suggest', everyHours = 0 }: { mode?: DuplicatesMode; everyHours?: number } = {}) {
  const log = arrayLog()
  log.push({})
  const begun: Begun[] = []
  const linked: Found[] = []
  const notices: string[] = []
  const job = new DuplicatesJob({
    ...{ mode, everyHours, log, clock: manualClock(1_000) },
    finder: {
      limits: FIND_LIMITS,
      start(order) {
        const { promise: outcome, resolve } = Promise.withResolvers<FindOutcome>()
        const each: Begun = { order, finish: resolve, stopped: false }
        begun.push(each)
        return {
          outcome,
          async stop() {
            each.stopped = true
            resolve({ _tag: 'Failed', failure: { _tag: 'Dropped' } })
            await outcome
          },
        }
      },
    },
    link: async (what) => {
      linked.push(what)
      return 2
    },
    onNotice: (_, message) => notices.push(message),
  })
  const forgotten: (readonly string[])[] = []
  const reads: ErasingReads = {
    forget: async (owners) => void forgotten.push(owners),
    erase: async () => ({ position: 0, keys: 0, purged: true }),
  }
  const finish = async (what: Found) => {
    begun.at(-1)?.finish({ _tag: 'Found', found: what })
    await job.settled()
  }
  return { job, log, begun, linked, notices, forgotten, erasing: job.erasing(reads), finish }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('one at a time, on request', async () => {
  const { job, begun, finish, linked } = world()
  expect([job.run(), job.run()]).toEqual([true, false])
  await turn()
  expect(begun).toHaveLength(1)
  begun[0]?.order.onProgress({ step: 'comparing', kind: 'person', done: 5 })
  expect(job.status()).toMatchObject({ state: 'running', startedMs: 1_000, progress: { done: 5 } })
  expect(job.results()).toBeUndefined()
  await finish(found(['a', 'b']))
  expect(job.status()).toMatchObject({ state: 'idle', startedMs: undefined, progress: undefined, runs: 1 })
  expect(job.results()).toMatchObject({
    number: 1,
    doneMs: 1_000,
    linked: 0,
    candidates: [{ a: 'a', b: 'b' }],
  })
  expect(linked).toEqual([])
  expect(job.run()).toBe(true)
  await turn()
  await finish(found())
  expect(job.results()).toMatchObject({ number: 2, candidates: [] })
})

test('a failure is told, and what was found before stays', async () => {
  const { job, begun, finish, notices } = world()
  job.run()
  await turn()
  await finish(found(['a', 'b']))
  job.run()
  await turn()
  begun[1]?.finish({ _tag: 'Failed', failure: { _tag: 'TooLarge', limitMb: 1 } })
  await job.settled()
  expect(job.status()).toMatchObject({ state: 'idle', failure: { _tag: 'TooLarge' }, runs: 1 })
  expect(job.results()?.candidates).toHaveLength(1)
  expect(notices).toEqual(['duplicates: The search took more than the 1 MB of memory that it may.'])
})

test('an erasure takes its people out, by any identity that they had, and nobody else', async () => {
  const { job, finish, erasing, forgotten } = world()
  job.run()
  await turn()
  await finish(found(['a', 'b'], ['c', 'd'], ['e', 'a']))
  await erasing.forget(["a'"])
  expect(forgotten).toEqual([["a'"]])
  expect(job.results()).toMatchObject({ number: 2, candidates: [{ a: 'c', b: 'd' }] })
  expect([...(job.results()?.members.keys() ?? [])].some((id) => id === 'a')).toBe(false)
  await erasing.forget(['nobody'])
  expect(job.results()?.number).toBe(2)
})

test('an erasure cuts off what is under way; it begins anew when the read models are through', async () => {
  const { job, begun, erasing, finish } = world()
  job.run()
  await turn()
  await erasing.forget(['a'])
  expect(begun[0]?.stopped).toBe(true)
  await turn()
  expect(job.status()).toMatchObject({ state: 'waiting', failure: undefined })
  expect(job.run()).toBe(false)
  expect(begun).toHaveLength(1)
  await erasing.erase([])
  await turn()
  expect(begun).toHaveLength(2)
  await finish(found(['c', 'd']))
  expect(job.results()?.candidates).toHaveLength(1)
})

test('asked for during an erasure it waits', async () => {
  const { job, begun, erasing } = world()
  await erasing.forget(['a'])
  expect(job.run()).toBe(true)
  await turn()
  expect([job.status().state, begun.length]).toEqual(['waiting', 0])
  await erasing.erase([])
  await turn()
  expect([job.status().state, begun.length]).toEqual(['running', 1])
  await job.close()
})

test('by itself an hour after the start, then as often as told, where the log has moved', async () => {
  const { job, begun, log, finish } = world({ everyHours: 5 })
  const pass = async (hours: number) => {
    vi.advanceTimersByTime(hours * HOUR_MS)
    await turn()
  }
  await pass(0.9)
  expect(begun).toHaveLength(0)
  await pass(0.2)
  expect(begun).toHaveLength(1)
  await finish(found())
  await pass(5)
  expect(begun).toHaveLength(1)
  log.push({})
  await pass(4)
  expect(begun).toHaveLength(1)
  await pass(1)
  expect(begun).toHaveLength(2)
  await job.close()
  await pass(50)
  expect(begun).toHaveLength(2)
})

test('only on request where it is told so', async () => {
  const { begun } = world({ everyHours: 0 })
  vi.advanceTimersByTime(1_000 * HOUR_MS)
  await turn()
  expect(begun).toEqual([])
})

test('nothing is left at the end', async () => {
  const { job, begun, finish } = world()
  job.run()
  await turn()
  await finish(found(['a', 'b']))
  job.run()
  await turn()
  await job.close()
  expect(begun[1]?.stopped).toBe(true)
  expect(job.results()).toBeUndefined()
  expect(job.run()).toBe(false)
  await job.settled()
})

test('in the mode link what was found is linked, and counted', async () => {
  const { job, finish, linked } = world({ mode: 'link' })
  job.run()
  await turn()
  await finish(found(['a', 'b']))
  expect(linked).toHaveLength(1)
  expect(job.results()?.linked).toBe(2)
  expect(job.status().linked).toBe(2)
})
