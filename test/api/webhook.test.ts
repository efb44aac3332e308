import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { World } from './world.ts'
import { AS_WRITER, createWorld, READ_TOKEN, WRITE_KEY } from './world.ts'

// Theorem: a webhook sender that asks for permission as CloudEvents has it is given it, beside what browsers ask for; one
// that can set no header delivers with its key in the address, at this one place; and the key is written down nowhere.

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())
beforeEach(() => {
  world.intake.submitted.length = 0
  world.logged.length = 0
})

const EVENT = JSON.stringify({
  specversion: '1.0',
  id: '1',
  source: '/sub/1',
  type: 'Blob.Created',
  data: {},
})

const ask = (headers: Record<string, string>, url = '/v1/events') =>
  world.app.inject({ method: 'OPTIONS', url, headers })

const deliver = (query: string, headers: Record<string, string> = {}, url = '/v1/events') =>
  world.app.inject({
    method: 'POST',
    url: `${url}${query}`,
    payload: EVENT,
    headers: { 'content-type': 'application/cloudevents+json; charset=utf-8', ...headers },
  })

describe('the handshake', () => {
  it('as Azure Event Grid does it', async () => {
    const answer = await ask({
      'webhook-request-origin': 'eventgrid.azure.net',
      'webhook-request-callback': 'http://127.0.0.1:1/never-called',
      'webhook-request-rate': '120',
    })
    expect(answer.statusCode).toBe(200)
    expect(answer.headers).toMatchObject({
      'webhook-allowed-origin': 'eventgrid.azure.net',
      'webhook-allowed-rate': '120',
      allow: 'POST',
    })
  })

  it.each([undefined, '0', '-5', '1.5', 'fast', '9999999999999'])(
    'a rate of %s is granted as any',
    async (rate) => {
      const headers = rate === undefined ? {} : { 'webhook-request-rate': rate }
      const answer = await ask({ 'webhook-request-origin': 'a.example', ...headers })
      expect(answer.headers['webhook-allowed-rate']).toBe('*')
    },
  )

  it.each(['', ' ', '<script>', 'a,b', `${'a'.repeat(300)}.example`, 'http://a.example'])(
    'an origin of %j is none: no permission',
    async (origin) => {
      const answer = await ask({ 'webhook-request-origin': origin })
      expect(answer.headers['webhook-allowed-origin']).toBeUndefined()
      expect(answer.headers['webhook-allowed-rate']).toBeUndefined()
      expect(answer.headers.allow).toBe('POST')
    },
  )

  it('a browser that asks gets its own answer, and one that asks both gets both', async () => {
    const preflight = { origin: 'https://shop.example', 'access-control-request-method': 'POST' }
    const browser = await ask(preflight)
    expect(browser.statusCode).toBe(204)
    expect(browser.headers['webhook-allowed-origin']).toBeUndefined()
    const both = await ask({ ...preflight, 'webhook-request-origin': 'a.example' })
    expect(both.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST',
      'webhook-allowed-origin': 'a.example',
    })
  })

  it('an address with a wrong key is not granted, one with the right key is', async () => {
    const headers = { 'webhook-request-origin': 'a.example' }
    const wrong = await ask(headers, '/v1/events?access_token=wrong')
    expect(wrong.headers['webhook-allowed-origin']).toBeUndefined()
    const right = await ask(headers, `/v1/events?access_token=${WRITE_KEY}`)
    expect(right.headers['webhook-allowed-origin']).toBe('a.example')
  })
})

describe('delivery', () => {
  const origin = { 'webhook-request-origin': 'eventgrid.azure.net', 'aeg-event-type': 'Notification' }

  it('with the key in a header, or in the address', async () => {
    expect((await deliver('', { ...origin, ...AS_WRITER })).statusCode).toBe(200)
    const answer = await deliver(`?x=1&access_token=${encodeURIComponent(WRITE_KEY)}`, origin)
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['cache-control']).toContain('private')
    expect(world.intake.submitted).toEqual([[{ value: JSON.parse(EVENT) }], [{ value: JSON.parse(EVENT) }]])
  })

  it.each([
    ['a wrong key', '?access_token=wrong', {}, 401],
    ['none', '?access_token=', {}, 401],
    ['no query', '', {}, 401],
    ['two keys', `?access_token=${WRITE_KEY}&access_token=${WRITE_KEY}`, {}, 401],
    ['malformed escapes', '?access_token=%zz%', {}, 401],
    ['the read token', `?access_token=${READ_TOKEN}`, {}, 403],
    ['a header that is wrong', `?access_token=${WRITE_KEY}`, { authorization: 'Bearer wrong' }, 401],
  ])('%s: refused', async (_, query, headers, status) => {
    expect((await deliver(query, headers)).statusCode).toBe(status)
    expect(world.intake.submitted).toEqual([])
  })

  it('no other route takes a key from the address', async () => {
    for (const path of ['/v1/clock/confirm', '/v1/quarantine/q1/resubmit', '/v1/track', '/v1/batch'])
      expect((await deliver(`?access_token=${WRITE_KEY}`, {}, path)).statusCode, path).toBe(401)
    for (const path of ['/v1/events', '/v1/profiles']) {
      const url = `${path}?access_token=${READ_TOKEN}`
      expect((await world.app.inject({ url })).statusCode, path).toBe(401)
    }
  })

  it('the key stands in no log, metric or answer', async () => {
    const answers = [
      await deliver(`?access_token=${WRITE_KEY}`),
      await deliver(`?access_token=${WRITE_KEY}x`),
    ]
    const { body } = await world.app.inject({ url: '/metrics' })
    const told = [
      JSON.stringify(world.logged),
      body,
      ...answers.map((a) => a.body + JSON.stringify(a.headers)),
    ]
    expect(world.logged.length).toBeGreaterThan(0)
    for (const text of told) expect(text).not.toContain(WRITE_KEY)
  })
})
