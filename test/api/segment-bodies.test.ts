import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IntakeResult } from '../../engine/intake/result.ts'
import { at, BASIC, only, segmentWorld } from './segment-world.ts'
import { createWorld, READ_TOKEN, WRITE_KEY } from './world.ts'

// Theorem: a Segment client gets the answers that it acts on rightly (200 only when all is kept, 400 only for what can't be
// parsed, 429 and 503 to try again), and no message, however hostile or labelled, costs its neighbours theirs.

const { engine, app, post, logged } = segmentWorld()

describe('batches', () => {
  it('types by message, in order; the bad ones are kept with the reason and the others are in', async () => {
    const batch = [
      { type: 'identify', userId: 'u', messageId: '1', traits: {} },
      5,
      null,
      ['track'],
      'track',
      { type: 'purchase', userId: 'u', messageId: '2', writeKey: WRITE_KEY, total: 5 },
      { userId: 'u', messageId: '3' },
      { type: 'track', userId: 'u', messageId: '4' },
      { type: 'track', userId: { $gt: '' }, messageId: '5', event: 'Seen' },
      { type: '__proto__', messageId: '6' },
      { type: 'track', userId: 'u', messageId: '7', event: 'Seen' },
    ]
    const answer = await post('/v1/batch', { batch })
    expect(answer.statusCode).toBe(200)
    const { quarantined, position } = answer.json()
    expect(quarantined.map(({ messageId }: { messageId?: string }) => messageId)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      '2',
      '3',
      '4',
      '5',
      '6',
    ])
    expect(position).toBe(11)
    expect(answer.headers['headwater-position']).toBe('11')
    const events = await engine().events()
    expect(events.filter(({ type }) => type.startsWith('cdp.')).map(({ id }) => id)).toEqual(['1', '7'])
    for (const { quarantineId } of quarantined) {
      const kept = Buffer.from(engine().quarantine.get(quarantineId)?.body ?? '').toString()
      expect(kept).not.toBe('')
      expect(kept).not.toContain(WRITE_KEY)
    }
  })

  it('what the batch says of context stands in for what a message lacks', async () => {
    const batch = [
      { type: 'track', userId: 'u', event: 'Seen', context: { ip: '203.0.113.9' } },
      { type: 'track', userId: 'u', event: 'Seen' },
    ]
    const context = { ip: '203.0.113.1', library: { name: 'mine' } }
    const events = await logged('/v1/import', { batch, context, integrations: { All: false } })
    expect(events.map(({ data }) => data['context'])).toEqual([{ ...context, ip: '203.0.113.9' }, context])
    expect(events[1]?.data['integrations']).toEqual({ All: false })
  })

  it('a context that would swell the batch beyond the limit is refused', async () => {
    const batch = Array.from({ length: 5_000 }, () => ({}))
    const answer = await post('/v1/batch', { batch, context: { note: 'x'.repeat(5_000) } })
    expect(answer.statusCode).toBe(413)
    expect(await engine().events()).toEqual([])
  })

  it("real clients' 600 KB of 40 KB events are taken", async () => {
    const batch = Array.from({ length: 15 }, (_, i) => ({
      type: 'track',
      messageId: `m-${i}`,
      userId: 'u',
      event: 'Uploaded',
      properties: { text: 'x'.repeat(40_000) },
    }))
    expect(await logged('/v1/batch', { batch })).toHaveLength(15)
  })

  it('a hundred thousand items, good and bad, are each told apart in the log', {
    timeout: 120_000,
  }, async () => {
    const batch = Array.from({ length: 100_000 }, (_, i) => (i % 1_000 === 0 ? i : SMALL))
    const answer = await post('/v1/batch', { batch })
    expect(answer.statusCode).toBe(200)
    expect(answer.json().position).toBe(100_000)
    expect(answer.json().quarantined).toHaveLength(100)
    expect(answer.body.length).toBeLessThan(50_000)
  })
  const SMALL = { type: 'track', event: 'Seen', userId: 'u' }

  it.each([{}, { batch: 5 }, { batch: { 0: {} } }, [], 5, 'x', null])(
    '%j is no batch: kept whole, 200',
    async (body) => {
      const answer = await post('/v1/batch', JSON.stringify(body))
      expect(answer.statusCode).toBe(200)
      expect(answer.json().quarantined).toHaveLength(1)
    },
  )

  it('an empty batch is fine', async () => {
    const answer = await post('/v1/batch', { batch: [] })
    expect(answer.json()).toEqual({ success: true, position: 0 })
  })
})

describe('bodies', () => {
  const message = { messageId: 'm', userId: 'u', event: 'Seen' }

  it.each([
    ['text/plain', {}],
    ['application/json', {}],
    ['application/x-www-form-urlencoded', { 'content-encoding': 'gzip' }],
    ['multipart/form-data', {}],
    ['nonsense', {}],
    ['', {}],
  ])('labelled %j', async (type, headers) => {
    const text = JSON.stringify(message)
    const body = 'content-encoding' in headers ? gzipSync(text) : text
    const all = { ...BASIC, ...headers, ...(type === '' ? {} : { 'content-type': type }) }
    only(await logged('/v1/track', body, all))
  })

  it.each([
    ['cut off', Buffer.from('{"userId":"u"')],
    ['nothing', Buffer.alloc(0)],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ])('%s: 400, and kept', async (_, body) => {
    const answer = await post('/v1/batch', body)
    expect(answer.statusCode).toBe(400)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(only(await engine().events()).type).toBe('event.quarantined')
  })

  it('a bomb makes no more than the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000, ' '))
    const answer = await post('/v1/batch', bomb, { ...BASIC, 'content-encoding': 'gzip' })
    expect(answer.statusCode).toBe(413)
    expect(await engine().events()).toEqual([])
  })

  it('gzip that is none: 400', async () => {
    expect((await post('/v1/t', '{}', { ...BASIC, 'content-encoding': 'gzip' })).statusCode).toBe(400)
  })
})

describe('hostile messages', () => {
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  const good = '{"type":"track","userId":"u","messageId":"good","event":"Seen"}'

  it.each([
    ['__proto__ in traits', '{"type":"identify","userId":"u","traits":{"__proto__":{"admin":true}}}'],
    ['__proto__ beside them', '{"type":"identify","userId":"u","__proto__":{"type":"track"}}'],
    ['deep', `{"type":"track","userId":"u","event":"x","properties":${nested(100)}}`],
    ['very deep', `{"type":"track","userId":"u","event":"x","properties":${nested(50_000)}}`],
    ['very deep, of no type', `{"properties":${nested(50_000)}}`],
    ['only depth', nested(50_000)],
    ['arrays all the way down', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
    ['half a surrogate', '{"type":"track","userId":"u","event":"\\ud800"}'],
    ['huge', `{"type":"track","userId":"u","event":"x","properties":{"a":"${'x'.repeat(1_200_000)}"}}`],
    [
      'an inexact integer',
      '{"type":"track","userId":"u","event":"x","properties":{"a":12345678901234567890}}',
    ],
    ['an id that is none', '{"type":"track","userId":"u","event":"x","messageId":{"a":1}}'],
    ['an id too long', `{"type":"track","userId":"u","event":"x","messageId":"${'m'.repeat(600)}"}`],
    ['traits that are none', '{"type":"identify","userId":"u","traits":[1]}'],
    ['context that is none', '{"type":"identify","userId":"u","context":"x"}'],
  ])('%s: kept in quarantine, its neighbour is in', async (_, text) => {
    const answer = await post('/v1/batch', `{"batch":[${text},${good}]}`)
    expect(answer.statusCode, answer.body.slice(0, 300)).toBe(200)
    expect(answer.json().quarantined).toHaveLength(1)
    expect((await engine().events()).map(({ id }) => id)).toContain('good')
    expect(Reflect.get({}, 'admin')).toBeUndefined()
  })

  it('whatever JSON is sent, the answer is 200 and the neighbour is in', async () => {
    const key = fc.constantFrom('type', 'userId', 'anonymousId', 'messageId', 'timestamp', 'sentAt', 'traits')
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('track', 'identify', 'group', at(0)),
    )
    const item = fc.oneof(fc.dictionary(key, value, { noNullPrototype: true }), fc.jsonValue())
    let runs = 0
    const property = fc.asyncProperty(fc.array(item, { maxLength: 8 }), async (batch) => {
      runs += 1
      const messageId = `good-${runs}`
      const answer = await post('/v1/batch', { batch: [...batch, { ...JSON.parse(good), messageId }] })
      expect(answer.statusCode, answer.body).toBe(200)
      expect(answer.json().quarantined?.length ?? 0).toBeLessThanOrEqual(batch.length)
      expect((await engine().events()).filter(({ id }) => id === messageId)).toHaveLength(1)
    })
    await fc.assert(property, { numRuns: 100 })
  })
})

describe('answers that clients act on', () => {
  const appended: IntakeResult = { status: 'appended', id: '1', position: 5, stream: 's-1', revision: 0 }
  const refused = (code: 'overloaded' | 'clock_jumped' | 'read_only' | 'stopped'): IntakeResult => ({
    status: 'refused',
    id: '2',
    refusal: { code, message: 'not now' },
  })

  it.each([
    ['overloaded', 429],
    ['clock_jumped', 503],
    ['read_only', 503],
    ['stopped', 503],
  ] as const)('one message refused, %s: %i for all, with an integer Retry-After', async (code, status) => {
    const scripted = await createWorld()
    scripted.intake.answer = (_, index) => (index === 1 ? refused(code) : appended)
    const answer = await scripted.app.inject({
      method: 'POST',
      url: '/v1/batch',
      headers: BASIC,
      payload: { batch: [{}, {}, {}].map(() => ({ type: 'page' })) },
    })
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/)
    expect(answer.headers['headwater-position']).toBeUndefined()
    await scripted.close()
  })

  it('other sites may call every path, and read the answer', async () => {
    const paths = ['identify', 'track', 'page', 'screen', 'group', 'alias', 'batch', 'import']
    for (const path of [...paths, 'i', 't', 'p', 's', 'g', 'a', 'b']) {
      const url = `/v1/${path}`
      const preflight = await app().inject({
        method: 'OPTIONS',
        url,
        headers: { origin: 'https://shop.example', 'access-control-request-method': 'POST' },
      })
      expect(preflight.statusCode).toBe(204)
      expect(preflight.headers['access-control-allow-origin']).toBe('*')
      expect(preflight.headers['access-control-allow-methods']).toBe('POST')
      expect(preflight.headers['access-control-allow-headers']).toContain('authorization')
      expect((await post(url, '{', {})).headers['access-control-allow-origin']).toBe('*')
    }
  })
})

describe('settings of analytics.js', () => {
  const ask = (key: string, headers: Record<string, string> = {}) =>
    app().inject({ url: `/v1/projects/${encodeURIComponent(key)}/settings`, headers })

  it('send it here, with nothing else to load', async () => {
    const answer = await ask(`${WRITE_KEY}:web`, { host: 'localhost:7070' })
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['access-control-allow-origin']).toBe('*')
    const { integrations, metrics, remotePlugins } = answer.json()
    expect(Object.keys(integrations)).toEqual(['Segment.io'])
    expect(integrations['Segment.io']).toMatchObject({
      apiKey: `${WRITE_KEY}:web`,
      apiHost: 'localhost:7070/v1',
      protocol: 'http',
    })
    expect(metrics.sampleRate).toBe(0)
    expect(remotePlugins).toEqual([])
    const behindTls = await ask(WRITE_KEY, { 'x-forwarded-proto': 'https' })
    expect(behindTls.json().integrations['Segment.io'].protocol).toBe('https')
  })

  it.each(['wrong', READ_TOKEN, ' ', `${WRITE_KEY}x`])('nothing for %s', async (key) => {
    expect((await ask(key)).statusCode).toBe(404)
  })
})
