import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { OpenedEvent } from '../../engine/privacy/sealing.ts'
import { NOON } from '../support/intake-world.ts'
import { at, BASIC, only, segmentWorld } from './segment-world.ts'
import { AS_READER, READ_TOKEN, WRITE_KEY } from './world.ts'

// Theorem: a Segment message becomes one event that says all that the message said, at the time that it meant, from the source
// that its key names, however often and by whichever path it is sent; and only for whoever has the key.

const { engine, post, logged } = segmentWorld()

const people = ({ identities }: OpenedEvent) =>
  identities.map(({ id, namespace }) => `${namespace}:${engine().keyStore.reveal(id)?.value}`)

describe('calls', () => {
  const person = { userId: 'u-1', anonymousId: 'a-1' }
  const context = {
    ip: '203.0.113.7',
    userAgent: 'Mozilla/5.0',
    locale: 'en-GB',
    page: { url: 'https://shop.example/mugs', referrer: '' },
    campaign: { name: 'spring', source: 'mail' },
    traits: { email: 'Jane@Example.com' },
  }
  const integrations = { All: true, Mixpanel: false }

  it.each([
    ['identify', { traits: { email: 'jane@example.com', plan: null, city: '' } }],
    ['track', { event: 'Signed Up', properties: { plan: 'pro' } }],
    ['page', { name: 'Mugs', category: 'Shop', properties: { title: 'Mugs' } }],
    ['screen', { name: 'Home', properties: {} }],
    ['group', { groupId: 'acme', traits: { name: 'Acme' } }],
    ['alias', { previousId: 'a-0' }],
  ])('%s, by its long and its short path, keeps all that it says', async (call, own) => {
    const data = { ...person, context, integrations, ...own }
    const message = { ...data, messageId: `m-${call}`, timestamp: '2026-03-01T11:59:00.500Z' }
    const event = only(await logged(`/v1/${call}`, message))
    expect(event).toMatchObject({
      id: `m-${call}`,
      source: 'segment',
      type: `cdp.${call}`,
      time: NOON - 59_500,
      data,
    })
    expect(Object.keys(event.data).sort()).toEqual(Object.keys(data).sort())
    expect(people(event)).toEqual(
      expect.arrayContaining(['user:u-1', 'anonymous:a-1', 'email:jane@example.com']),
    )
    // The same once more, as analytics.js would send it.
    const again = JSON.stringify({ ...message, writeKey: WRITE_KEY, type: call })
    expect(await logged(`/v1/${call[0]}`, again, { 'content-type': 'text/plain' })).toHaveLength(1)
  })

  it('what identifies somebody or is personal stands sealed in the log', async () => {
    await logged('/v1/identify', { ...person, context, traits: { email: 'jane@example.com', name: 'Jane' } })
    await logged('/v1/group', { ...person, groupId: 'acme-corp', context })
    await logged('/v1/alias', { userId: 'u-1', previousId: 'old-1' })
    for await (const batch of engine().log.read()) {
      for (const event of batch) {
        expect(Object.keys(event.data)).toEqual([])
        const clear = JSON.stringify({ ...event, sealed: [] }).toLowerCase()
        for (const secret of ['jane', 'u-1', 'a-1', 'acme', 'old-1', '203.0.113.7', 'mozilla'])
          expect(clear).not.toContain(secret)
      }
    }
  })

  it('a known spec name is that event; null removes, a blank stays', async () => {
    const properties = { order_id: 'o-1', total: '19.90', currency: 'GBP', products: [] }
    const order = only(await logged('/v1/track', { ...person, event: 'Order Completed', properties }))
    expect(order.type).toBe('Order Completed')
    expect(order.data).toEqual({ ...person, ...properties })
    const traits = { email: null, phone: '', plan: 'pro' }
    expect((await logged('/v1/identify', { ...person, traits }))[1]?.data).toEqual({ ...person, traits })
  })

  it.each([null, ''])('a user id of %j names nobody, and the anonymous one still does', async (userId) => {
    const event = only(await logged('/v1/track', { userId, anonymousId: 'a-1', event: 'Seen' }))
    expect(people(event)).toEqual(['anonymous:a-1'])
  })
})

describe('ids and repetitions', () => {
  it('a retry changes nothing, whatever of its delivery it changed', async () => {
    const message = { type: 'track', messageId: 'm-1', userId: 'u', event: 'Seen', timestamp: at(-60_000) }
    await logged('/v1/track', { ...message, sentAt: at(-1_000), _metadata: { nodeVersion: '26' } })
    engine().clock.advance(5_000)
    const retried = { ...message, sentAt: at(4_000), _metadata: { retryCount: 1 }, receivedAt: at(1) }
    expect(await logged('/v1/t', { ...retried, writeKey: WRITE_KEY })).toHaveLength(1)
    expect(await logged('/v1/batch', { batch: [retried, retried], sentAt: at(4_500) })).toHaveLength(1)
  })

  it('without a messageId each is an event of its own', async () => {
    const message = { userId: 'u', event: 'Seen', timestamp: at(0) }
    await logged('/v1/track', message)
    const events = await logged('/v1/batch', {
      batch: [
        { ...message, type: 'track' },
        { ...message, type: 'track', messageId: null },
      ],
    })
    expect(new Set(events.map(({ id }) => id)).size).toBe(3)
    for (const { id } of events) expect(id).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('the same id for something else is kept in quarantine, and the client goes on', async () => {
    await logged('/v1/track', { messageId: 'm-1', userId: 'u', event: 'Seen' })
    const answer = await post('/v1/track', { messageId: 'm-1', userId: 'u', event: 'Bought' })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ success: true, quarantined: [{ reason: 'id_reused' }] })
  })

  it('a number is an id', async () => {
    expect(only(await logged('/v1/track', { messageId: 17, userId: 17, event: 'Seen' })).id).toBe('17')
  })
})

describe('time', () => {
  const track = (more: object) => ({ messageId: 'm', userId: 'u', event: 'Seen', ...more })

  it.each([
    ['sentAt corrects timestamp', { timestamp: at(3_590_000), sentAt: at(3_600_000) }, -10_000],
    [
      'originalTimestamp is the clock of sentAt',
      { originalTimestamp: at(-3_600_000), timestamp: at(-5), sentAt: at(-3_590_000) },
      -10_000,
    ],
    [
      'without sentAt timestamp is trusted',
      { timestamp: at(-86_400_000), originalTimestamp: at(5) },
      -86_400_000,
    ],
    ['an unreadable sentAt is none', { timestamp: at(-1_000), sentAt: 'now' }, -1_000],
    ['a null one too', { timestamp: at(-1_000), sentAt: null }, -1_000],
    ['one from before all time too', { timestamp: at(-1_000), sentAt: '0001-01-01T00:00:00Z' }, -1_000],
    ['without any it is now', { sentAt: at(-1_000) }, 0],
    ['a blank is none', { timestamp: '' }, 0],
    ['an offset without colon', { timestamp: '2026-03-01T12:59:59+0100' }, -1_000],
    ['none is UTC', { timestamp: '2026-03-01T11:59:59.123' }, -877],
    ['nanoseconds', { timestamp: '2026-03-01T11:59:59.123456789Z' }, -877],
  ])('%s', async (_, message, offsetMs) => {
    expect(only(await logged('/v1/track', track(message))).time - NOON).toBe(offsetMs)
  })

  it("the batch's sentAt holds for all", async () => {
    const batch = [
      { ...track({ messageId: '1', timestamp: at(100_000) }), type: 'track' },
      { ...track({ messageId: '2', timestamp: at(50_000), sentAt: at(60_000) }), type: 'track' },
    ]
    const events = await logged('/v1/batch', { batch, sentAt: at(110_000) })
    expect(events.map(({ time }) => time - NOON)).toEqual([-10_000, -60_000])
  })

  it.each(['yesterday', 1_772_366_400_000, { $date: 1 }, '1750-01-01T00:00:00Z'])(
    'a timestamp of %j is no time: quarantine',
    async (timestamp) => {
      const answer = await post('/v1/track', track({ timestamp }))
      expect(answer.json()).toMatchObject({ success: true, quarantined: [{ reason: 'invalid_time' }] })
    },
  )
})

describe('keys and sources', () => {
  const message = { messageId: 'm', userId: 'u', event: 'Seen' }
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })

  it.each([
    ['Basic', basic(`${WRITE_KEY}:`), undefined, 'segment'],
    ['Basic without a colon', basic(WRITE_KEY), undefined, 'segment'],
    ['Basic with a source as password', basic(`${WRITE_KEY}:web`), undefined, 'web'],
    ['Basic of a client whose key names a source', basic(`${WRITE_KEY}:web:`), undefined, 'web'],
    ['Bearer', { authorization: `Bearer ${WRITE_KEY}` }, undefined, 'segment'],
    ['Bearer with a source', { authorization: `Bearer ${WRITE_KEY}:app` }, undefined, 'app'],
    ['in the body', {}, WRITE_KEY, 'segment'],
    ['in the body with a source', {}, `${WRITE_KEY}:shop`, 'shop'],
    [
      'in the body, beside an OAuth token of somebody else',
      { authorization: 'Bearer x.y.z' },
      WRITE_KEY,
      'segment',
    ],
  ])('%s', async (_, headers, writeKey, source) => {
    const event = only(await logged('/v1/track', { ...message, ...(writeKey && { writeKey }) }, headers))
    expect(event.source).toBe(source)
    expect(JSON.stringify(event)).not.toContain(WRITE_KEY)
  })

  it.each([
    ['none', {}, undefined, 401],
    ['a wrong one', {}, 'wrong', 401],
    ['a wrong one in the header', basic('wrong:'), undefined, 401],
    ['one that is no text', {}, { $ne: null }, 401],
    ['a longer one', {}, `${WRITE_KEY}x`, 401],
    ['the read token', {}, READ_TOKEN, 403],
    ['the read token in the header', AS_READER, undefined, 403],
  ])('%s: nothing is taken', async (_, headers, writeKey, status) => {
    for (const path of ['/v1/track', '/v1/t', '/v1/batch']) {
      const answer = await post(path, { ...message, batch: [message], writeKey }, headers)
      expect(answer.statusCode).toBe(status)
      expect(answer.body).not.toContain(READ_TOKEN)
    }
    expect(await engine().events()).toEqual([])
  })

  it('without a key in the header no more than a MiB is read, packed or not', async () => {
    const long = JSON.stringify({
      ...message,
      properties: { text: 'x'.repeat(1024 * 1024) },
      writeKey: WRITE_KEY,
    })
    const packed = { 'content-encoding': 'gzip' }
    expect((await post('/v1/track', long, {})).statusCode).toBe(413)
    expect((await post('/v1/track', gzipSync(long), packed)).statusCode).toBe(413)
    expect((await post('/v1/track', gzipSync(long), { ...packed, ...basic('wrong:') })).statusCode).toBe(413)
    expect((await post('/v1/track', gzipSync(long), { ...packed, ...BASIC })).statusCode).toBe(200)
  })

  it('a body that nobody can be told from is not kept', async () => {
    expect((await post('/v1/track', '{"writeKey":', {})).statusCode).toBe(401)
    expect(await engine().events()).toEqual([])
  })

  it.each(['two words', 'jane@example.com', 'headwater'])('the source %j is not accepted', async (source) => {
    const answer = await post('/v1/track', message, basic(`${WRITE_KEY}:${source}`))
    expect(answer.json().quarantined).toHaveLength(1)
  })
})
