import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Put, World } from './world.ts'
import { AS_READER, createWorld, identityId } from './world.ts'

// Theorem: figures are exact sums of the rows that the query names, never across currencies or bases, and people are
// counted once, whatever identities they acted under.

let world: World

const sale = (key: string, row: Readonly<Record<string, string | number>>): Put => ({
  projection: 'revenue',
  key,
  rows: { basis: 'invoiced', product: 'P1', country: 'GB', currency: 'GBP', quantity: 1, lines: 1, ...row },
})
const event = (key: string, day: string, type: string, events: number): Put => ({
  projection: 'daily_events',
  key,
  rows: { day, type, source: 'web', events },
})
const active = (key: string, ...days: string[]): Put => ({
  projection: 'active_people',
  key,
  rows: new Map(days.map((day) => [day, { day }] as const)),
})

beforeAll(async () => {
  world = await createWorld()
  world.commit(
    9,
    [
      sale('a', { day: '2010-12-01', amount: 33_330 }),
      sale('b', { day: '2010-12-31', amount: 1, country: 'FR' }),
      sale('c', { day: '2011-01-01', amount: -10_000 }),
      sale('d', { day: '2010-12-01', amount: 70_000, currency: 'EUR' }),
      sale('e', { day: '2010-12-01', amount: 33_330, basis: 'ordered' }),
      event('1', '2011-01-01', 'cdp.track', 3),
      event('2', '2011-01-01', 'cdp.page', 4),
      event('3', '2011-02-01', 'cdp.page', 5),
      active(identityId(1), '2011-01-01', '2011-01-02'),
      active(identityId(3), '2011-01-01'),
      { projection: 'lead', key: 'l1', rows: { origin: 'search', status: 'converted', converted_at: 1 } },
      { projection: 'lead', key: 'l2', rows: { origin: 'search', status: 'new' } },
      { projection: 'lead', key: 'l3', rows: { status: 'new' } },
    ],
    new Map([[identityId(2), identityId(1)]]),
  )
})
afterAll(() => world.close())

const read = (url: string) => world.app.inject({ url, headers: AS_READER })
const figures = async (url: string) => {
  const answer = await read(url)
  expect(answer.statusCode, answer.body).toBe(200)
  expect(answer.json()).toMatchObject({ position: 9, truncated: false })
  return answer.json().data
}

describe('revenue', () => {
  const gbp = { basis: 'invoiced', currency: 'GBP' }
  it('by month keeps bases and currencies apart, to the ten-thousandth', async () => {
    expect(await figures('/v1/analytics/revenue?currency=GBP')).toEqual([
      { month: '2010-12', ...gbp, amount: '3.3331', quantity: 2, lines: 2 },
      { month: '2010-12', ...gbp, basis: 'ordered', amount: '3.333', quantity: 1, lines: 1 },
      { month: '2011-01', ...gbp, amount: '-1.00', quantity: 1, lines: 1 },
    ])
    expect(await figures('/v1/analytics/revenue?by=&basis=invoiced')).toEqual([
      { ...gbp, currency: 'EUR', amount: '7.00', quantity: 1, lines: 1 },
      { ...gbp, amount: '2.3331', quantity: 3, lines: 3 },
    ])
  })

  it('by several dimensions, between days, filtered', async () => {
    expect(
      await figures('/v1/analytics/revenue?by=year,country&from=2010-12-31&to=2011-12-31&country=FR'),
    ).toEqual([{ year: '2010', country: 'FR', ...gbp, amount: '0.0001', quantity: 1, lines: 1 }])
  })

  it('says when groups were left out', async () => {
    const answer = (await read('/v1/analytics/revenue?by=day&limit=2')).json()
    expect(answer.data).toHaveLength(2)
    expect(answer.truncated).toBe(true)
  })

  it.each([
    ['by=colour', 'by'],
    ['by=day,day', 'by'],
    ['by=amount', 'by'],
    ['from=2011-13-01', 'from'],
    ['to=now', 'to'],
    ['colour=red', 'colour'],
    ['limit=0', 'limit'],
  ])('?%s is refused by the name %s', async (query, parameter) => {
    const answer = await read(`/v1/analytics/revenue?${query}`)
    expect(answer.statusCode).toBe(400)
    expect(answer.json().errors[0].parameter).toBe(parameter)
  })

  it('a sum beyond exact numbers is refused, not rounded', async () => {
    const own = await createWorld()
    const huge = { day: '2011-01-01', amount: Number.MAX_SAFE_INTEGER }
    own.commit(1, [sale('a', huge), sale('b', huge)])
    const answer = await own.app.inject({ url: '/v1/analytics/revenue', headers: AS_READER })
    expect(answer.statusCode).toBe(422)
    expect(answer.json()).toMatchObject({ type: 'urn:headwater:problem:overflow' })
    await own.close()
  })
})

it('events by type', async () => {
  expect(await figures('/v1/analytics/events?by=type')).toEqual([
    { type: 'cdp.page', events: 9 },
    { type: 'cdp.track', events: 3 },
  ])
})

it('people, each once', async () => {
  expect(await figures('/v1/analytics/people')).toEqual([
    { day: '2011-01-01', people: 2 },
    { day: '2011-01-02', people: 1 },
  ])
  expect(await figures('/v1/analytics/people?by=month')).toEqual([{ month: '2011-01', people: 2 }])
  expect(await figures('/v1/analytics/people?by=&from=2011-01-02')).toEqual([{ people: 1 }])
})

it('leads and conversions by origin', async () => {
  expect(await figures('/v1/analytics/leads')).toEqual([
    { origin: null, leads: 1, converted: 0 },
    { origin: 'search', leads: 2, converted: 1 },
  ])
  const refused = await read('/v1/analytics/leads?from=2011-01-01')
  expect(refused.json().errors[0].parameter).toBe('from')
})

it('an ETag spares what is known', async () => {
  const { headers } = await read('/v1/analytics/events')
  const again = await world.app.inject({
    url: '/v1/analytics/events',
    headers: { ...AS_READER, 'if-none-match': String(headers.etag) },
  })
  expect([again.statusCode, again.body]).toEqual([304, ''])
})
