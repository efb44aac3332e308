import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { pack } from 'msgpackr'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Incoming, IntakeResult } from '../../engine/intake/result.ts'
import type { World } from './world.ts'
import { AS_WRITER, createWorld } from './world.ts'

// Theorem: an event reaches the intake as its sender wrote it, in each CloudEvents mode and encoding, or its bytes do with
// the reason why they could not be read; and the status of the answer says whether to drop, repeat or wait.

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(() => world.close())

const EVENT = { specversion: '1.0', id: '1', source: 'web', type: 'cdp.track', data: { event: 'Signed Up' } }

function send(payload: string | Buffer, headers: Record<string, string> = {}) {
  return world.app.inject({
    method: 'POST',
    url: '/v1/events',
    headers: { ...AS_WRITER, ...headers },
    payload,
  })
}

/** The one event that the intake was handed. */
function received(): Incoming {
  expect(world.intake.submitted).toHaveLength(1)
  const [incoming] = world.intake.submitted[0] ?? []
  if (incoming === undefined) throw new Error('nothing was submitted')
  return incoming
}

describe('structured and batched mode', () => {
  it.each([
    'application/cloudevents+json',
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
  ])('one event labelled %s', async (type) => {
    const answer = await send(JSON.stringify(EVENT), { 'content-type': type })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({
      position: 1,
      results: [{ status: 'appended', id: '0', position: 1, stream: 'stream-1', revision: 0 }],
    })
    expect(answer.headers['headwater-position']).toBe('1')
    expect(received()).toEqual({ value: EVENT })
  })

  it('a batch keeps its order', async () => {
    const batch = [EVENT, { ...EVENT, id: '2' }, 'no event at all']
    const type = 'application/cloudevents-batch+json'
    expect((await send(JSON.stringify(batch), { 'content-type': type })).statusCode).toBe(200)
    expect(world.intake.submitted).toEqual([batch.map((value) => ({ value }))])
  })

  it('an empty batch is valid', async () => {
    const answer = await send('[]', { 'content-type': 'application/cloudevents-batch+json' })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({ position: 0, results: [] })
    expect(world.intake.submitted).toEqual([])
  })

  it('MessagePack is taken as JSON is', async () => {
    await send(pack([EVENT]), { 'content-type': 'application/msgpack' })
    expect(received()).toEqual({ value: EVENT })
  })

  it('keys that could poison an object arrive as plain keys', async () => {
    const text = '{"id":"1","type":"x","data":{"__proto__":{"admin":true},"constructor":{"prototype":{}}}}'
    expect((await send(text)).statusCode).toBe(200)
    const incoming = received()
    const value = 'value' in incoming ? incoming.value : undefined
    expect(JSON.stringify({ value })).toContain(text)
    expect(Object.hasOwn((value as { data: object }).data, '__proto__')).toBe(true)
  })
})

describe('binary mode', () => {
  const ce = { 'ce-specversion': '1.0', 'ce-id': '7', 'ce-source': 'shop', 'ce-type': 'Order Completed' }

  it('attributes from headers, data from the body', async () => {
    const extra = { 'content-type': 'application/json', 'ce-subject': 'order-7', 'ce-expectedrevision': '-1' }
    await send('{"total":"1.50"}', { ...ce, ...extra })
    expect(received()).toEqual({
      value: {
        specversion: '1.0',
        id: '7',
        source: 'shop',
        type: 'Order Completed',
        subject: 'order-7',
        expectedrevision: '-1',
        datacontenttype: 'application/json',
        data: { total: '1.50' },
      },
    })
  })

  it.each([
    ['Euro %E2%82%AC %F0%9F%98%80', 'Euro € 😀'],
    ['once%2525only', 'once%25only'],
    ['"quoted \\"name\\""', 'quoted "name"'],
    ['100% sure %zz', '100% sure %zz'],
  ])('the header %s is %s', async (raw, meant) => {
    await send('', { ...ce, 'ce-actor': raw })
    expect(received()).toMatchObject({ value: { actor: meant } })
  })

  it('a header that is no UTF-8 is refused, and headers and body are kept', async () => {
    const answer = await send('{"total":1}', { ...ce, 'ce-actor': '%ff%fe' })
    expect(answer.statusCode).toBe(400)
    expect(answer.json().results[0]).toMatchObject({ status: 'quarantined', reason: 'invalid_utf8' })
    const incoming = received()
    const kept =
      'unparsable' in incoming ? JSON.parse(Buffer.from(incoming.unparsable).toString()) : undefined
    expect(kept.headers).toEqual({ ...ce, 'ce-actor': '%ff%fe' })
    expect(Buffer.from(kept.data_base64, 'base64').toString()).toBe('{"total":1}')
  })

  it('MessagePack data is decoded, other data is kept as base64', async () => {
    await send(pack({ total: 1 }), { ...ce, 'content-type': 'application/msgpack' })
    expect(received()).toMatchObject({ value: { data: { total: 1 } } })
    world.intake.submitted.length = 0
    await send(Buffer.from([255, 0]), { ...ce, 'content-type': 'image/png' })
    expect(received()).toMatchObject({ value: { data_base64: '/wA=' } })
  })

  it('no header stands in for the body', async () => {
    await send('', { ...ce, 'ce-data': 'x', 'ce-data_base64': 'eA==' })
    const incoming = received()
    expect(Object.keys('value' in incoming ? (incoming.value as object) : {})).toEqual([
      'specversion',
      'id',
      'source',
      'type',
    ])
  })
})

describe('encodings', () => {
  const text = JSON.stringify(EVENT)
  it.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdCompressSync(text)],
    ['identity', Buffer.from(text)],
  ])('%s', async (encoding, body) => {
    expect((await send(body, { 'content-encoding': encoding })).statusCode).toBe(200)
    expect(received()).toEqual({ value: EVENT })
  })

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)('a bomb in %s makes no more than the limit', async (encoding, compress) => {
    const bomb = compress(Buffer.alloc(30_000_000, ' '))
    expect(bomb.length).toBeLessThan(100_000)
    const answer = await send(bomb, { 'content-encoding': encoding })
    expect(answer.statusCode).toBe(413)
    expect(answer.json()).toMatchObject({ type: 'urn:headwater:problem:too_large', errors: [] })
    expect(world.intake.submitted).toEqual([])
  })

  it('an unknown one is told which are known', async () => {
    const answer = await send(text, { 'content-encoding': 'compress' })
    expect(answer.statusCode).toBe(415)
    expect(answer.headers['accept-encoding']).toContain('gzip')
  })

  it('bytes that are not what they are called are kept', async () => {
    const answer = await send(text, { 'content-encoding': 'gzip' })
    expect(answer.statusCode).toBe(400)
    expect(received()).toMatchObject({ unparsable: Buffer.from(text), reason: 'not_json' })
  })
})

describe("bodies that can't be read", () => {
  it.each([
    ['not JSON', Buffer.from('{"email":"jane@example.com'), 'not_json'],
    ['nothing', Buffer.alloc(0), 'not_json'],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid_utf8'],
  ])('%s: 400, kept in quarantine, and not repeated', async (_, body, reason) => {
    const answer = await send(body)
    expect(answer.statusCode).toBe(400)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json()).toMatchObject({
      type: 'urn:headwater:problem:unparsable_body',
      status: 400,
      results: [{ status: 'quarantined', reason }],
    })
    expect(answer.json().detail).toContain('quarantine')
    expect(answer.body).not.toContain('jane')
    expect(received()).toMatchObject({ unparsable: body, reason })
  })

  it('a body over the limit is refused before it is read', async () => {
    const answer = await send(Buffer.alloc(1_000_001, ' '))
    expect(answer.statusCode).toBe(413)
    expect(answer.json().type).toBe('urn:headwater:problem:too_large')
  })

  it('deep nesting reaches the intake or the quarantine, never breaks', async () => {
    const depth = 400_000
    const answer = await send(`${'['.repeat(depth)}${']'.repeat(depth)}`)
    expect([200, 400]).toContain(answer.statusCode)
    expect(world.intake.submitted).toHaveLength(1)
  })
})

describe('what the status says', () => {
  const appended: IntakeResult = { status: 'appended', id: '1', position: 5, stream: 's-1', revision: 0 }
  const quarantined: IntakeResult = {
    status: 'quarantined',
    id: '2',
    position: 6,
    quarantineId: 'q',
    reason: 'invalid_data',
    message: 'total must be an amount',
  }
  const stale: IntakeResult = {
    status: 'refused',
    id: '3',
    refusal: { code: 'wrong_expected', message: 'the stream moved on', actualRevision: 3, actualPosition: 9 },
  }
  const refused = (code: 'overloaded' | 'clock_jumped' | 'read_only' | 'stopped'): IntakeResult => ({
    status: 'refused',
    id: '4',
    refusal: { code, message: 'not now' },
  })
  const sendAll = (results: readonly IntakeResult[]) => {
    world.intake.answer = (_, index) => results[index] ?? appended
    return send(JSON.stringify(results.map(() => EVENT)))
  }

  it('200 where each is acknowledged or out of date, with every fate in order', async () => {
    const results = [stale, appended, quarantined]
    const answer = await sendAll(results)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({ position: 6, results })
  })

  it('429 where only some could not be taken now: who reads nothing but the status must send again', async () => {
    const results = [stale, appended, quarantined, refused('overloaded')]
    const answer = await sendAll(results)
    expect(answer.statusCode).toBe(429)
    expect(answer.json()).toMatchObject({ results })
    expect(answer.headers['headwater-position']).toBe('6')
  })

  it('409 when the stream moved on, with where it is', async () => {
    const answer = await sendAll([stale])
    expect(answer.statusCode).toBe(409)
    expect(answer.json()).toMatchObject({ type: 'urn:headwater:problem:wrong_expected', results: [stale] })
    expect(answer.headers['headwater-position']).toBeUndefined()
  })

  it.each([
    ['overloaded', 429],
    ['clock_jumped', 503],
    ['read_only', 503],
    ['stopped', 503],
  ] as const)('%s is %i, with an integer Retry-After', async (code, status) => {
    const answer = await sendAll([refused(code), refused(code)])
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/)
  })

  it('fates are counted', async () => {
    await sendAll([stale, appended, quarantined])
    const { body } = await world.app.inject({ url: '/metrics' })
    expect(body).toContain('headwater_http_events_total{fate="appended"} 1')
    expect(body).toContain('headwater_http_events_total{fate="refused_wrong_expected"} 1')
  })
})
