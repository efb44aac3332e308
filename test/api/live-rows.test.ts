/**
 * Theorem: who asks for the rows of a key at a position gets them from the store as soon as it is known to hold them and
 * from the projector's memory before; in either case within the time given or not at all, and questions that are given
 * up leave nothing behind.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LiveRows } from '../../api/live-rows.ts'
import { createLiveRows } from '../../api/live-rows.ts'
import type { ReadOrder } from '../../api/projector-thread.ts'
import type { LiveAnswer } from '../../engine/projector/live-reads.ts'
import { StoreQueryError } from '../../engine/store/store.ts'
import type { World } from './world.ts'
import { AS_READER, createWorld, START_MS } from './world.ts'

const answerAt = (position: number, name = 'Jane', key = 'k'): LiveAnswer => ({
  position,
  received: START_MS + position,
  value: { profile: key, members: [key], rows: new Map([['profile', [{ key, part: '', row: { name } }]]]) },
})

describe('rows of a key', () => {
  const STORED = answerAt(5)
  let asked: ReadOrder[]
  let committed: number
  const store = {
    get: vi.fn(async () => STORED),
    waitFor: vi.fn(async (position: number, _timeoutMs: number) => position <= committed),
  }
  let live: ReturnType<typeof createLiveRows>
  const get = (after: number) => live.rows.get(['profile'], 'k', after, 100)

  beforeEach(() => {
    vi.useFakeTimers()
    vi.clearAllMocks()
    asked = []
    committed = 5
    live = createLiveRows({ store, committed: () => committed, ask: (order) => asked.push(order) })
  })
  afterEach(() => vi.useRealTimers())

  test('that are committed come from the store', async () => {
    expect(await get(5)).toBe(STORED)
    expect([asked, store.get.mock.calls]).toEqual([[], [[['profile'], 'k']]])
  })

  test('that aren’t come from the projector, each answer to its question', async () => {
    const [first, second] = [get(6), get(7)]
    expect(asked).toMatchObject([
      { kind: 'read', projections: ['profile'], key: 'k', after: 6, withinMs: 100 },
      { kind: 'read', projections: ['profile'], key: 'k', after: 7, withinMs: 100 },
    ])
    const [sixth, seventh] = [answerAt(6), answerAt(7)]
    live.answered(asked[1]?.id ?? Number.NaN, seventh)
    live.answered(asked[0]?.id ?? Number.NaN, sixth)
    expect([await first, await second]).toEqual([sixth, seventh])
    expect(store.waitFor).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('that aren’t reached in time are undefined, and an answer that comes too late is dropped', async () => {
    const late = get(6)
    await vi.advanceTimersByTimeAsync(99)
    expect(store.waitFor).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(await late).toBeUndefined()
    // Its time is over: no more of it may be spent on the store.
    expect(store.waitFor.mock.calls).toEqual([[6, 0]])
    const next = get(7)
    live.answered(asked[0]?.id ?? Number.NaN, answerAt(6))
    live.answered(12_345, answerAt(6))
    live.answered(asked[1]?.id ?? Number.NaN, answerAt(7))
    expect((await next)?.position).toBe(7)
  })

  test('that are committed just as time runs out come from the store', async () => {
    const found = get(6)
    committed = 6
    await vi.advanceTimersByTimeAsync(100)
    expect(await found).toBe(STORED)
  })

  test('that the projector can’t tell come from the store when it holds them', async () => {
    const [reached, missed] = [get(6), get(7)]
    committed = 6
    for (const { id } of asked) live.answered(id, undefined)
    expect([await reached, await missed]).toEqual([STORED, undefined])
    expect(store.waitFor.mock.calls).toEqual([
      [6, 100],
      [7, 100],
    ])
  })

  test('that too many ask for are waited for in the store, until places are free again', async () => {
    const waiting = Array.from({ length: 10_000 }, () => get(6))
    expect(await get(6)).toBeUndefined()
    expect(asked).toHaveLength(10_000)
    expect(store.waitFor.mock.calls).toEqual([[6, 100]])
    live.answered(1, answerAt(6))
    await waiting[0]
    const taken = get(6)
    expect(asked).toHaveLength(10_001)
    await vi.advanceTimersByTimeAsync(100)
    expect(new Set(await Promise.all([...waiting.slice(1), taken]))).toEqual(new Set([undefined]))
    for (const _ of waiting) void get(6)
    expect(asked).toHaveLength(20_001)
    await vi.advanceTimersByTimeAsync(100)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('fail as the store fails', async () => {
    const failure = new StoreQueryError({ _tag: 'Overloaded', limit: 1 })
    store.get.mockRejectedValueOnce(failure)
    await expect(get(5)).rejects.toBe(failure)
    store.waitFor.mockRejectedValueOnce(failure)
    const fallen = get(6)
    live.answered(1, undefined)
    await expect(fallen).rejects.toBe(failure)
  })
})

describe('GET /v1/profiles/:id?after=', () => {
  let world: World
  let jane: string
  const liveGet = vi.fn<LiveRows['get']>()
  const read = (query: string) =>
    world.app.inject({ url: `/v1/profiles/user:u1${query}`, headers: AS_READER })

  beforeEach(async () => {
    liveGet.mockReset()
    world = await createWorld({ liveRows: { get: liveGet } })
    jane = world.keyStore.identify({ namespace: 'user', value: 'u1' })
    world.commit(3, [{ projection: 'profile', key: jane, rows: { name: 'Stored' } }])
  })
  afterEach(() => world.close())

  test('answers what is folded and not committed yet, at its position', async () => {
    liveGet.mockResolvedValue(answerAt(9, 'Live', jane))
    const answer = await read('?after=8')
    expect(liveGet.mock.calls).toEqual([[['profile'], jane, 8, 50]])
    expect([answer.statusCode, answer.headers['headwater-position']]).toEqual([200, '9'])
    expect(answer.json()).toMatchObject({
      position: 9,
      asOf: new Date(START_MS + 9).toISOString(),
      data: { id: jane, name: 'Live', identities: [{ id: jane, namespace: 'user', value: 'u1' }] },
    })
    const known = await world.app.inject({
      url: '/v1/profiles/user:u1?after=8',
      headers: { ...AS_READER, 'if-none-match': String(answer.headers.etag) },
    })
    expect(known.statusCode).toBe(304)
  })

  test('is refused with when to ask again if that isn’t reached', async () => {
    liveGet.mockResolvedValue(undefined)
    const answer = await read('?after=8')
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([504, '1'])
    expect(answer.json().type).toBe('urn:headwater:problem:position_not_reached')
  })

  test('is 404 of whom nobody knows there, and 429 of a store that has too much to do', async () => {
    liveGet.mockResolvedValue({ ...answerAt(9), value: { profile: jane, members: [jane], rows: new Map() } })
    expect((await read('?after=8')).statusCode).toBe(404)
    liveGet.mockRejectedValue(new StoreQueryError({ _tag: 'Overloaded', limit: 1 }))
    expect((await read('?after=8')).statusCode).toBe(429)
  })

  test.each(['', '?after=0'])('%j asks for what is committed', async (query) => {
    expect((await read(query)).json()).toMatchObject({ position: 3, data: { name: 'Stored' } })
    expect(liveGet).not.toHaveBeenCalled()
  })

  test('an explanation waits for the commit, and is of the row that it comes with', async () => {
    liveGet.mockResolvedValue(answerAt(9, 'Live', jane))
    expect((await read('?explain=true&after=4')).statusCode).toBe(504)
    const waiting = read('?explain=true&after=4')
    world.commit(4, [{ projection: 'profile', key: jane, rows: { name: 'Committed' } }])
    const { data, position, explain } = (await waiting).json()
    expect([position, data.name, typeof explain]).toEqual([4, 'Committed', 'object'])
    expect(liveGet).not.toHaveBeenCalled()
  })

  test('the past waits for the commit too', async () => {
    const waitFor = vi.spyOn(world.deps.store, 'waitFor')
    expect((await read('?asOf=1&after=8')).statusCode).toBe(504)
    expect(waitFor.mock.calls).toEqual([[8, 50]])
    // Committed, it is looked for in the log, which is empty.
    expect((await read('?asOf=1&after=3')).statusCode).toBe(400)
    expect(liveGet).not.toHaveBeenCalled()
  })

  test('a list waits for the commit', async () => {
    const list = await world.app.inject({ url: '/v1/profiles?after=8', headers: AS_READER })
    expect(list.statusCode).toBe(504)
    expect(liveGet).not.toHaveBeenCalled()
  })
})
