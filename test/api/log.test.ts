import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogDamaged } from '../../engine/log/log.ts'
import { arrayLog } from './array-log.ts'
import type { World } from './world.ts'
import { AS_READER, AS_WRITER, createWorld, START_MS, WRITE_KEY } from './world.ts'

// Theorem: who follows `next` sees every event of the log once and in order, waits no longer than asked, and is told of
// damage instead of being led past it; and operators are told truly whether the engine is alive, ready and trusted.

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(() => world.close())

const read = (url: string) => world.app.inject({ url, headers: AS_READER })

describe('the log', () => {
  it('followed page by page is the whole log', async () => {
    for (let n = 0; n < 7; n++) world.log.push({ position: 1 + n * 3, id: `e${n}` })
    for (const limit of [1, 3, 100]) {
      const seen: string[] = []
      let after = 0
      for (;;) {
        const page = (await read(`/v1/events?after=${after}&limit=${limit}`)).json()
        if (page.data.length === 0) break
        seen.push(...page.data.map((event: { id: string }) => event.id))
        after = page.next
      }
      expect(seen).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'e5', 'e6'])
    }
  })

  it("can be read by type, and a follower passes what isn't of it", async () => {
    world.log.push({ type: 'a.b' })
    world.log.push({ type: 'Order Completed' })
    world.log.push({ type: 'a.b' })
    const page = (await read('/v1/events?types=Order+Completed,x.y')).json()
    expect(page.data.map((event: { position: number }) => event.position)).toEqual([2])
    expect((await read('/v1/events?types=x.y&after=1')).json()).toMatchObject({
      data: [],
      next: 3,
      position: 3,
    })
  })

  it('amounts and instants are shown as everywhere', async () => {
    world.log.push({
      type: 'Order Completed',
      time: START_MS,
      received: START_MS,
      data: { total: '12.5' },
      normalised: { total: 125_000, 'products.0.price': 5, currency: 'EUR' },
      sequence: 3,
      basedOn: 1,
    })
    const [event] = (await read('/v1/events')).json().data
    expect(event.normalised).toMatchObject({ total: '12.50', 'products.0.price': '0.0005', currency: 'EUR' })
    expect(event).toMatchObject({ sequence: 3, basedon: 1, data: { total: '12.5' } })
    expect(event).not.toHaveProperty('actor')
  })

  it('wakes who waits, and lets go in time', async () => {
    world.log.push({})
    const waiting = read('/v1/events?after=1&wait=50')
    setTimeout(() => world.log.push({ id: 'late' }), 10)
    expect((await waiting).json()).toMatchObject({ data: [{ id: 'late' }], next: 2, position: 2 })
    expect((await read('/v1/events?after=2&wait=20')).json()).toMatchObject({ data: [], next: 2 })
  })

  it("who waits doesn't hold up the end", async () => {
    const own = await createWorld({ configuration: { ...world.deps.configuration, afterWaitMs: 20_000 } })
    const waiting = own.app.inject({ url: '/v1/events?wait=20000', headers: AS_READER })
    await new Promise((settle) => setTimeout(settle, 20))
    await own.close()
    expect((await waiting).json()).toMatchObject({ data: [], next: 0 })
  })

  it.each(['wait=51', 'limit=0', 'after=x', 'types=', 'types=,', 'cursor=1'])(
    '?%s is refused',
    async (query) => {
      expect((await read(`/v1/events?${query}`)).statusCode).toBe(400)
    },
  )

  it('tells of damage', async () => {
    const log = arrayLog()
    const damaged = new LogDamaged('0001.seg', 4096, 5, 9, 'checksum')
    const broken = await createWorld({
      log: {
        ...log,
        read: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(damaged) }) }),
      },
    })
    const answer = await broken.app.inject({ url: '/v1/events', headers: AS_READER })
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({
      segment: '0001.seg',
      offset: 4096,
      fromPosition: 5,
      untilPosition: 9,
    })
    await broken.close()
  })
})

describe('quarantine', () => {
  const resubmit = (payload?: object) =>
    world.app.inject({
      method: 'POST',
      url: '/v1/quarantine/q1/resubmit',
      headers: AS_WRITER,
      ...(payload === undefined ? {} : { payload }),
    })

  it('shows what was refused, and its body as far as it can be read', async () => {
    world.commit(1, [
      { projection: 'quarantine', key: 'q1', rows: { reason: 'invalid_data', received: START_MS } },
      { projection: 'quarantine', key: 'q2', rows: { reason: 'not_json' } },
      { projection: 'quarantine', key: 'q3', rows: { reason: 'not_json', message: 'not JSON' } },
    ])
    world.quarantined.set('q1', { bytes: Buffer.from('{"id":"1"}'), message: 'jane: unknown' })
    world.quarantined.set('q2', { bytes: Buffer.from('{"id'), message: 'not JSON' })
    const list = await read('/v1/quarantine')
    expect(list.json().data).toHaveLength(3)
    expect(list.body).not.toContain('jane')
    expect((await read('/v1/quarantine/q1')).json().data).toMatchObject({
      reason: 'invalid_data',
      message: 'jane: unknown',
      body: { value: { id: '1' } },
    })
    expect((await read('/v1/quarantine/q2')).json().data.body).toEqual({
      base64: Buffer.from('{"id').toString('base64'),
    })
    expect((await read('/v1/quarantine/q3')).json().data).toMatchObject({ body: null, message: 'not JSON' })
    world.quarantined.set('q3', { bytes: undefined, message: 'too large' })
    expect((await read('/v1/quarantine/q3')).json().data).toMatchObject({ body: null, message: 'too large' })
    expect((await read('/v1/quarantine/q4')).statusCode).toBe(404)
  })

  it('takes a second try, as it was or corrected', async () => {
    expect((await resubmit()).statusCode).toBe(404)
    world.quarantined.set('q1', { bytes: Buffer.from('{}'), message: 'missing' })
    expect((await resubmit()).json()).toMatchObject({ position: 1, results: [{ status: 'appended' }] })
    expect((await resubmit({ event: { id: '2' } })).statusCode).toBe(200)
    expect(world.intake.submitted).toEqual([[{ value: 'as kept' }], [{ value: { id: '2' } }]])
    world.intake.answer = () => ({
      status: 'refused',
      id: '1',
      refusal: { code: 'stopped', message: 'stopped' },
    })
    expect((await resubmit()).statusCode).toBe(503)
  })

  it.each([
    { id: '2', type: 'cdp.track' },
    { event: 'text' },
    { event: null },
    { event: [] },
    { event: { id: '2' }, id: '2' },
    {},
    [],
  ])('%j is no correction, and the original is not sent in its place', async (body) => {
    world.quarantined.set('q1', { bytes: Buffer.from('{}'), message: 'missing' })
    const answer = await resubmit(body)
    expect([answer.statusCode, answer.json().type]).toEqual([400, 'urn:headwater:problem:invalid_body'])
    expect(world.intake.submitted).toEqual([])
  })

  it('what the view knows to be resubmitted is not taken again: 409 with the position', async () => {
    world.commit(1, [{ projection: 'quarantine', key: 'q1', rows: { resubmitted_position: 41 } }])
    world.quarantined.set('q1', { bytes: Buffer.from('{}'), message: 'missing' })
    for (const body of [undefined, { event: { id: '2' } }]) {
      const answer = await resubmit(body)
      expect(answer.statusCode).toBe(409)
      expect(answer.json()).toMatchObject({
        type: 'urn:headwater:problem:already_resubmitted',
        detail: 'The event at position 41 stands for this.',
        position: 41,
      })
    }
    expect(world.intake.submitted).toEqual([])
  })
})

describe('operations', () => {
  it('ready only when caught up, not stopped, and sure of the time', async () => {
    expect((await read('/readyz')).json()).toMatchObject({ ready: true, reasons: [] })
    for (const change of [{ caughtUp: false }, { writer: 'stopped' as const }, { clockTrusted: false }]) {
      const before = world.status
      world.status = { ...before, ...change }
      const answer = await read('/readyz')
      expect([answer.statusCode, answer.json().ready, answer.json().reasons.length]).toEqual([503, false, 1])
      expect((await read('/healthz')).statusCode).toBe(200)
      world.status = before
    }
  })

  it('a full disk leaves it ready for queries, and is told', async () => {
    world.status = { ...world.status, writer: 'read_only' }
    const answer = await read('/readyz')
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ ready: true, reasons: [], writer: 'read_only' })
  })

  it('an operator confirms the clock', async () => {
    world.status = { ...world.status, clockTrusted: false }
    expect((await read('/metrics')).body).toContain('headwater_clock_trusted 0')
    const headers = { ...AS_READER, 'headwater-write-key': WRITE_KEY }
    const answer = await world.app.inject({ method: 'POST', url: '/v1/clock/confirm', headers })
    expect(answer.json()).toMatchObject({ clockTrusted: true })
    expect(world.status.clockTrusted).toBe(true)
  })

  it('the views and where they stand', async () => {
    world.commit(5, [])
    const { data, poison, position } = (await read('/v1/projections')).json()
    expect(position).toBe(5)
    expect(poison).toEqual([])
    const profile = data.find(({ name }: { name: string }) => name === 'profile')
    expect(profile).toMatchObject({
      grain: 'profile',
      explains: true,
      builds: [{ serving: true, position: 5 }],
    })
    expect(data.find(({ name }: { name: string }) => name === 'revenue').explains).toBe(false)
  })

  it('requests are counted by route and status', async () => {
    await read('/v1/opportunities/a')
    await read('/v1/opportunities/b')
    const { body, headers } = await read('/metrics')
    expect(headers['content-type']).toContain('text/plain')
    expect(body).toContain(
      'headwater_http_requests_total{method="GET",route="/v1/opportunities/:id",status="404"} 2',
    )
    expect(body).toMatch(
      /headwater_http_request_duration_seconds_bucket\{le="\+Inf",route="\/v1\/opportunities\/:id"\} 2/,
    )
  })
})
