/**
 * Theorem: pages together are the list, whatever their size and whatever of it has been decided, linked or forgotten; none
 * less probable than asked for is in it; and where nobody looks, every route but the status says so.
 */
import { afterEach, expect, test } from 'vitest'
import type { Duplicates, Results } from '../../api/duplicates/duplicates.ts'
import { FIND_LIMITS, type FoundCandidate } from '../../api/duplicates/find.ts'
import { AS_READER, createWorld, identityId, type World } from '../api/world.ts'
import { AS_ADMIN } from './support.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const PAIRS = 250

/** Pair i is of the profiles 2 i and 2 i + 1; every third one is a company, and the probability falls. */
function results(number: number): Results {
  const candidates = Array.from({ length: PAIRS }, (_, i): FoundCandidate => {
    const kind = i % 3 === 0 ? 'company' : 'person'
    const [a, b] = [identityId(2 * i), identityId(2 * i + 1)]
    return { kind, a, b, bits: 20 - i / 100, probability: 1 - i / 1_000, priorBits: -4, reasons: [] }
  })
  const run = { number, doneMs: 1, tookMs: 1, linked: 0, position: 1, received: 1 }
  return { ...run, kinds: [], candidates, members: new Map() }
}

interface Scripted {
  readonly world: World
  readonly run: { number: number }
  get(url: string): Promise<{ status: number; body: ReturnType<typeof JSON.parse> }>
}

async function scripted(decided: readonly number[], linked: readonly number[]): Promise<Scripted> {
  const run = { number: 1 }
  const pairs = new Map(decided.map((i) => [identityId(2 * i), new Set([identityId(2 * i + 1)])]))
  const duplicates: Duplicates = {
    status: () => ({
      ...{ mode: 'suggest', everyHours: 24, limits: FIND_LIMITS, state: 'idle', startedMs: undefined },
      ...{ progress: undefined, failure: undefined, runs: 1, linked: 0 },
    }),
    run: () => true,
    settled: async () => undefined,
    results: () => results(run.number),
    decided: async () => pairs,
  }
  const world = await createWorld({ duplicates })
  closing.push(() => world.close())
  const rows = Array.from({ length: 2 * PAIRS }, (_, i) => i)
  const members = new Map(linked.map((i) => [identityId(2 * i + 1), identityId(2 * i)]))
  world.commit(
    5,
    // The last one has no row any more.
    rows.slice(0, -1).map((i) => ({ projection: 'profile', key: identityId(i), rows: { name: `N${i}` } })),
    members,
  )
  const get = async (url: string) => {
    const answer = await world.app.inject({ url, headers: AS_READER })
    return { status: answer.statusCode, body: answer.json() }
  }
  return { world, run, get }
}

test.each([1, 7, 100])('pages of %i together are the list', async (limit) => {
  const decided = [0, 5, ...Array.from({ length: 120 }, (_, i) => 60 + i)]
  const { get } = await scripted(decided, [1, 200])
  const expected = Array.from({ length: PAIRS - 1 }, (_, i) => i).filter(
    (i) => !decided.includes(i) && i !== 1 && i !== 200,
  )
  for (const [query, wanted] of [
    ['', expected],
    ['&kind=company', expected.filter((i) => i % 3 === 0)],
    ['&minProbability=0.98', expected.filter((i) => 1 - i / 1_000 >= 0.98)],
  ] as const) {
    const seen: string[] = []
    for (let cursor = ''; ; ) {
      const { body } = await get(`/v1/duplicates?limit=${limit}${query}${cursor}`)
      expect(body.data.length).toBeLessThanOrEqual(limit)
      expect(body.position).toBe(5)
      seen.push(...body.data.map((each: { a: { id: string } }) => each.a.id))
      if (body.next === null) break
      cursor = `&cursor=${body.next}`
    }
    expect(seen).toEqual(wanted.map((i) => identityId(2 * i)))
  }
})

test('a cursor ends with its run', async () => {
  const { get, run } = await scripted([], [])
  const { next } = (await get('/v1/duplicates?limit=2')).body
  run.number = 2
  expect(await get(`/v1/duplicates?limit=2&cursor=${next}`)).toMatchObject({
    status: 400,
    body: { type: 'urn:headwater:problem:invalid_query' },
  })
})

test('where nobody looks that is what is answered', async () => {
  const world = await createWorld({ duplicates: 'off' })
  closing.push(() => world.close())
  const off = { type: 'urn:headwater:problem:duplicates_off', status: 409 }
  const list = await world.app.inject({ url: '/v1/duplicates', headers: AS_READER })
  expect(list.json()).toMatchObject(off)
  for (const url of ['/v1/duplicates/run', '/v1/duplicates/decision']) {
    const answer = await world.app.inject({ method: 'POST', url, headers: AS_ADMIN, payload: {} })
    expect(answer.json(), url).toMatchObject(off)
  }
  const status = await world.app.inject({ url: '/v1/duplicates/status', headers: AS_READER })
  expect(status.json().data).toEqual({ mode: 'off', state: 'off' })
  expect(world.intake.submitted).toEqual([])
})

test('the documentation knows every route', async () => {
  const { world } = await scripted([], [])
  const { paths } = (await world.app.inject({ url: '/docs/json' })).json()
  const documented = Object.keys(paths).filter((path) => path.startsWith('/v1/duplicates'))
  expect(documented.sort()).toEqual([
    '/v1/duplicates',
    '/v1/duplicates/decision',
    '/v1/duplicates/run',
    '/v1/duplicates/status',
  ])
})
