/**
 * Theorem: of whoever has more history than one answer reads from the log's index, routes about the past answer the same from
 * read models built of that moment; while these are built they say how far they are; what changed is refused by name, with
 * the questions that are answered instead.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'
import { at, built, compareWithThen, type Recorded, recordStory } from './then-and-now.ts'

const { LIMIT } = vi.hoisted(() => ({ LIMIT: 2 }))
vi.mock(import('../../api/history/component.ts'), async (original) => ({
  ...(await original()),
  HISTORY_LIMITS: { events: LIMIT, identities: 1_000 },
}))

let world: LivingWorld
let recorded: Recorded
let builds = 0
let gate = Promise.resolve()
beforeAll(async () => {
  world = await livingWorld({
    builder: (builder) => ({
      build(order) {
        builds += 1
        const building = gate.then(() => builder.build(order))
        return {
          outcome: building.then(({ outcome }) => outcome),
          stop: async () => (await building).stop(),
        }
      },
    }),
  })
  recorded = await recordStory(world)
})
afterAll(() => world.close())

const JANE = '/v1/profiles/email:jane@example.com'

test('as of each position every route about people is what it was there', async () => {
  await compareWithThen(world, recorded)
  expect(builds).toBeGreaterThan(5)
})

test('while it is built the answer says how far it is', async () => {
  for (const path of [JANE, `${JANE}/timeline`, `${JANE}/identity`]) {
    await world.past.forget()
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    const answer = await world.inject(at(path, 'asOf=8&wait=0'))
    expect(answer.statusCode).toBe(202)
    expect(answer.headers['retry-after']).toBe('1')
    expect(answer.json()).toMatchObject({ of: 8, history: { by: 'received', until: 8 } })
    resolve()
    expect((await built(world, at(path, 'asOf=8&wait=5000'))).status).toBe(200)
  }
})

interface Event {
  readonly id: string
}

test('a profile brings its orders and latest events along', async () => {
  const { body } = await built(world, `${JANE}?asOf=8&events=2&wait=5000`)
  expect(body['timeline']).toEqual((await built(world, `${JANE}/timeline?asOf=8&limit=2`)).body['data'])
  expect(body['orders']).toMatchObject([{ orders: 1, currency: 'GBP' }])
})

test('occurred: in the order of time, page by page', async () => {
  const ids: string[] = []
  let cursor = ''
  do {
    const path = `${JANE}/timeline?limit=2&asOf=2025-08-02&by=occurred&wait=5000${cursor}`
    const { body } = await built(world, path)
    ids.push(...(body['data'] as Event[]).map(({ id }) => id))
    cursor = body['next'] === null ? '' : `&cursor=${String(body['next'])}`
  } while (cursor !== '')
  expect(ids).toEqual(['cut', 'j2', 't2', 't1', 'j3', 'j1'])
})

test('what changed is refused with the way out', async () => {
  for (const query of ['from=3&to=8', 'from=2025-05-01&to=2025-06-02&by=occurred', 'by=occurred']) {
    const { status, body } = await world.read(`${JANE}/changes?${query}`)
    expect(status).toBe(422)
    expect(body).toMatchObject({
      type: 'urn:headwater:problem:history_too_large',
      what: 'events',
      limit: LIMIT,
    })
    for (const instead of body['instead'] as string[])
      expect((await built(world, `${JANE}?${instead}&wait=5000`)).status).toBe(200)
  }
  const { body } = await world.read(`${JANE}/changes?from=3&to=8`)
  expect(body['instead']).toEqual(['asOf=3&by=received', 'asOf=8&by=received'])
})
