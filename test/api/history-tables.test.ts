/**
 * Theorem: every route over a read model can be asked for the past, and explains itself where its read model does: as of
 * the head it answers what it answers now; as of an earlier moment what it answered then; while that is being built it says
 * how far it is, and never an answer of another moment.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PastBuilder } from '../../api/past/past.ts'
import { projections } from '../../projections/catalog.ts'
import { janeAndBob, type LivingWorld, livingWorld } from '../history/living-world.ts'

interface Parameter {
  readonly name: string
}
interface Operation {
  readonly parameters?: readonly Parameter[]
  readonly responses?: Readonly<Record<string, unknown>>
}
interface Document {
  readonly paths: Readonly<Record<string, { readonly get?: Operation }>>
}

const MORE = [
  {
    ...{ id: 'd1', source: 'crm', type: 'opportunity.created', time: '2025-06-20T10:00:00Z' },
    data: { opportunity_id: '61', owner: 'Zane', stage: 'prospecting', amount: 10, currency: 'EUR' },
  },
  {
    ...{ id: 'c1', source: 'crm', type: 'campaign.member_added', time: '2025-06-21T10:00:00Z' },
    data: { campaign_id: 'spring', email: 'jane@example.com' },
  },
  {
    ...{ id: 'd2', source: 'crm', type: 'opportunity.won', time: '2025-07-20T10:00:00Z' },
    data: { opportunity_id: '61', stage: 'closed_won', amount: 25, currency: 'EUR' },
  },
]

let world: LivingWorld
/** Path → every answer there was, by the position that it held at. */
const then = new Map<number, ReadonlyMap<string, unknown>>()
let paths: readonly string[] = []

beforeAll(async () => {
  world = await livingWorld()
  const document: Document = (await world.inject('/docs/json')).json()
  paths = Object.entries(document.paths)
    // Rules of a moment are read from the log, and not built.
    .filter(([, { get }]) =>
      ['asOf', 'wait'].every((wanted) => get?.parameters?.some(({ name }) => name === wanted)),
    )
    .map(([path]) => path)
  for (const event of [...janeAndBob(), ...MORE]) {
    world.engine.clock.advance(60_000)
    await world.send(event)
    const { position } = world.engine.log.head()
    then.set(
      position,
      new Map(await Promise.all(listPaths().map(async (path) => [path, await bodyOf(path)] as const))),
    )
  }
})
afterAll(() => world.close())

function listPaths(): readonly string[] {
  return paths.filter((path) => !path.includes('{'))
}

async function bodyOf(path: string): Promise<Readonly<Record<string, unknown>>> {
  const { status, body } = await world.read(path)
  expect(status, path).toBe(200)
  return body
}

/** Asks again until it is built, as a reader would. */
async function built(path: string): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const { status, body } = await world.read(path)
    if (status !== 202) {
      expect(status, path).toBe(200)
      return body
    }
  }
}

test('every read model has a route that can be asked for the past', async () => {
  const document: Document = (await world.inject('/docs/json')).json()
  for (const path of listPaths()) {
    const { get } = document.paths[path] ?? {}
    expect(Object.keys(get?.responses ?? {}), path).toEqual(
      expect.arrayContaining(['200', '202', '422', '429']),
    )
    expect(get?.parameters?.map(({ name }) => name)).toEqual(expect.arrayContaining(['asOf', 'by', 'wait']))
  }
  const asked = listPaths().map((path) => path.split('/').at(-1))
  expect(asked.length).toBeGreaterThan(projections.length)
  const items = paths.filter((path) => path.endsWith('{id}'))
  expect(items.map((path) => path.split('/')[2])).toEqual(
    expect.arrayContaining([
      'profiles',
      'accounts',
      'contacts',
      'leads',
      'opportunities',
      'campaigns',
      'cases',
    ]),
  )
})

test('as of each position every list and figure is what it was there', async () => {
  for (const [position, answers] of then) {
    for (const [path, answer] of answers) {
      const { history, ...rest } = await built(`${path}?asOf=${position}&wait=5000`)
      expect(history).toEqual({ by: 'received', until: position })
      expect(rest, `${path} at ${position}`).toEqual(answer)
    }
  }
})

test('occurred goes by when things happened, in figures too', async () => {
  const deals = await built('/v1/opportunities?asOf=2025-07-01&by=occurred')
  expect(deals).toMatchObject({
    history: { by: 'occurred', until: '2025-07-01T00:00:00.000Z' },
    data: [{ id: '61', stage: 'prospecting', amount: '10.00' }],
  })
  const figures = await built('/v1/pipeline?asOf=2025-07-01&by=owner,occurred')
  expect(figures).toMatchObject({
    by: ['owner', 'currency'],
    data: [{ owner: 'Zane', count: 1, amount: '10.00' }],
  })
  expect(await built('/v1/pipeline?asOf=2025-07-01&by=occurred')).toMatchObject({
    by: ['stage', 'owner', 'currency'],
  })
  expect(await built('/v1/pipeline?asOf=2025-06-01&by=occurred')).toMatchObject({ data: [] })
})

describe('single rows', () => {
  test.each([
    ['/v1/opportunities/61', 11],
    ['/v1/leads/O%27Neil', 11],
    ['/v1/profiles/email:bob@example.com', 11],
  ])('%s explains itself in the past as it does now', async (path, least) => {
    const { position } = world.engine.log.head()
    expect(position).toBeGreaterThanOrEqual(least)
    const now = await bodyOf(`${path}?explain=true`)
    const { history, orders: _, timeline: __, ...rest } = await built(`${path}?explain=true&asOf=${position}`)
    expect(history).toEqual({ by: 'received', until: position })
    expect(rest).toEqual(now)
  })

  test('one record from the index is the row of the whole view', async () => {
    for (const position of then.keys()) {
      const list = await built(`/v1/leads?asOf=${position}&wait=5000`)
      const one = await world.read(`/v1/leads/O%27Neil?asOf=${position}`)
      expect(one.status === 200 ? [one.body.data] : []).toEqual(list.data)
    }
  })

  test('a row that was not there yet is not found', async () => {
    expect((await world.read('/v1/opportunities/61?asOf=3&wait=5000')).status).toBe(404)
    expect((await world.read('/v1/leads/nobody?asOf=3')).status).toBe(404)
  })
})

test('a look-up of many is of that moment, too', async () => {
  const identities = ['email:jane@example.com', 'email:bob@example.com', 'email:nobody@example.com']
  const ask = (query: string) => world.ask(`/v1/profiles/lookup${query}`, { identities })
  const { position } = world.engine.log.head()
  const now = await ask('')
  const { history, ...rest } = (await ask(`?asOf=${position}&wait=5000`)).body
  expect(history).toEqual({ by: 'received', until: position })
  expect(rest).toEqual(now.body)
  const before = await ask('?asOf=2025-02-15&by=occurred&wait=5000')
  expect(before.body.data).toMatchObject([
    { email: 'jane@example.com', phone: null },
    { email: 'bob@example.com' },
    null,
  ])
  expect(before.body.data[0].id).not.toBe(before.body.data[1].id)
  expect((await ask('?by=occurred')).status).toBe(400)
})

test('a list explains each of its rows', async () => {
  const { data, explain } = await bodyOf('/v1/opportunities?explain=true')
  expect(data).toHaveLength(1)
  expect(explain).toEqual([(await bodyOf('/v1/opportunities/61?explain=true')).explain])
  const past = await built('/v1/opportunities?explain=true&asOf=2025-07-01&by=occurred')
  expect(past.explain).toMatchObject([{ amount: { winners: [{ event: 'd1' }] } }])
  expect((await world.read('/v1/opportunities?explain=true&limit=101')).status).toBe(400)
})

test.each([
  ['by=occurred', 'asOf'],
  ['asOf=9999', 'asOf'],
  ['asOf=3&by=occurred', 'by'],
  ['asOf=3&wait=x', 'wait'],
  ['wait=3', 'asOf'],
])('%s is refused', async (query, parameter) => {
  const { status, body } = await world.read(`/v1/opportunities?${query}`)
  expect(status).toBe(400)
  expect(body.errors).toMatchObject([{ parameter }])
})

test('while it is built the answer says how far it is', async () => {
  const gate = Promise.withResolvers<void>()
  const slow = (builder: PastBuilder): PastBuilder => ({
    build(order) {
      order.onProgress(1)
      const outcome = gate.promise.then(() => builder.build(order).outcome)
      return { outcome, stop: async () => gate.resolve() }
    },
  })
  const busy = await livingWorld({ limits: { queued: 1 }, builder: slow })
  await busy.send(...janeAndBob())
  const answer = await busy.inject('/v1/leads?asOf=2&wait=5')
  expect(answer.statusCode).toBe(202)
  expect(answer.headers['retry-after']).toBe('1')
  const history = { by: 'received', until: 2 }
  const startedAt = new Date(busy.engine.clock.nowMs()).toISOString()
  expect(answer.json()).toEqual({ state: 'building', position: 1, of: 2, startedAt, history })
  expect((await busy.read('/v1/pipeline?asOf=3&wait=0')).body).toMatchObject({
    state: 'queued',
    position: 0,
    of: 3,
  })
  expect((await busy.read('/v1/opportunities/61?asOf=4&wait=0')).body).toMatchObject({ status: 429 })
  const building = { projections: ['lead'], state: 'building', position: 1, of: 2 }
  expect((await busy.read('/v1/past')).body.data).toMatchObject([building, { state: 'queued' }])
  gate.resolve()
  expect((await busy.read('/v1/leads?asOf=2&wait=5000')).body).toMatchObject({
    position: 2,
    history,
    data: [],
  })
  expect((await busy.read('/v1/past')).body.data).toMatchObject([{ state: 'ready', position: 2 }, {}])
  await busy.close()
})
