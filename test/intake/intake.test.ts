/**
 * Theorem: every event that is submitted has exactly one fate, of its own: appended once, recognised as a repetition, kept in
 * quarantine with a reason, or refused; whatever its neighbours are.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { manualClock } from '../../engine/clock.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import { type Log, LogDamaged } from '../../engine/log/log.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import { createMemoryKeyStore } from '../../engine/privacy/memory-key-store.ts'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld, NOON } from '../support/intake-world.ts'

let world: IntakeWorld

beforeEach(() => {
  world = intakeWorld()
})

afterEach(async () => {
  await world.close()
})

const page = (id: string, more: object = {}) => ({
  id,
  source: 'web',
  type: 'cdp.page',
  data: { userId: 'u1', name: 'Home' },
  ...more,
})

function reasons(results: readonly IntakeResult[]): string[] {
  return results.map((result) => {
    if (result.status === 'quarantined') return result.reason
    return result.status === 'refused' ? result.refusal.code : result.status
  })
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = { a: value }
  return value
}

describe('bad input', () => {
  test('each kind gets its own reason, between good neighbours that are appended', async () => {
    const bad: readonly (readonly [string, unknown])[] = [
      ['invalid_envelope', 'text'],
      ['invalid_envelope', null],
      ['invalid_envelope', { id: 'a', source: 'web' }],
      ['invalid_envelope', { id: 7, source: 'web', type: 'x' }],
      ['invalid_envelope', { id: 'a', source: 'web', type: 'x', specversion: '0.3' }],
      ['invalid_envelope', { id: 'a', source: 'web', type: 'x', identities: ['Email:a@b.c'] }],
      ['invalid_envelope', { id: 'a', source: 'web', type: 'x', basedon: -1 }],
      ['missing_id', { source: 'web', type: 'cdp.page' }],
      ['invalid_data', page('b', { data: { userId: {} } })],
      ['schema_newer', page('c', { schema: 99 })],
      ['schema_unknown', page('d', { schema: 0 })],
      ['invalid_time', page('e', { time: 'yesterday' })],
      ['invalid_time', page('f', { time: '0001-01-01T00:00:00Z' })],
      ['too_deep', page('g', { data: { properties: nested(100) } })],
      ['too_deep', page('h', { data: { properties: nested(200_000) } })],
      [
        'forbidden_key',
        JSON.parse('{"id":"i","source":"web","type":"cdp.page","data":{"__proto__":{"admin":true}}}'),
      ],
      ['invalid_utf8', page('j', { data: { name: '\ud800' } })],
      ['too_large', page('k', { data: { properties: { text: 'x'.repeat(1_100_000) } } })],
      ['invalid_data', { id: 'l', source: 'web', type: 'anything', data: { n: Number.NaN } }],
      ['reserved_type', { id: 'm', source: 'web', type: 'clock.advanced' }],
      ['reserved_type', { id: 'n', source: 'web', type: 'person.erased' }],
      ['reserved_source', { id: 'clock-5', source: 'headwater', type: 'made.up' }],
      ['reserved_stream', { id: 's', source: 'web', type: 'x', subject: 'esdb_metadata-thing-1' }],
      ['reserved_stream', { id: 't', source: 'web', type: 'ESDB metadata.x', subject: 'thing' }],
      ['reserved_stream', page('u', { subject: 'esdb_metadata-thing-1' })],
      ['invalid_envelope', { id: 'o', source: 'web', type: 'x', specversion: { toString: null } }],
      ['invalid_envelope', { id: 'p', source: 'jane@example.com', type: 'x' }],
      ['invalid_envelope', { id: 'r', source: 'web', type: 'jane@example.com' }],
      ['invalid_data', { id: 'q', source: 'web', type: 'x', data: { n: 9_007_199_254_740_993n } }],
    ]
    const batch = bad.flatMap(([, value], index) => [page(`good-${index}`), value])
    const results = await world.send(...batch)
    expect(reasons(results)).toEqual(bad.flatMap(([reason]) => ['appended', reason]))
    const events = await world.events()
    expect(events.filter((event) => event.type === 'cdp.page')).toHaveLength(bad.length)
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
  })

  test('what is refused is kept whole, and can be corrected and sent again', async () => {
    const wrong = page('b', { data: { userId: {} } })
    const result = await world.sendOne(wrong)
    if (result.status !== 'quarantined') throw new Error(`it is ${result.status}`)
    const kept = world.quarantine.get(result.quarantineId)
    expect(JSON.parse(Buffer.from(kept?.body ?? []).toString())).toEqual(wrong)
    expect(await world.sendOne(page('b'))).toMatchObject({ status: 'appended' })
  })

  test('the log tells of a refused event without its content', async () => {
    await world.sendOne({
      id: 'x',
      source: 'jane@example.com',
      type: 'cdp.identify',
      data: { userId: {}, traits: { email: 'jane@example.com' } },
    })
    for await (const [event] of world.log.read()) {
      expect(event?.type).toBe('event.quarantined')
      expect(JSON.stringify(event?.data)).not.toContain('jane')
    }
  })

  test('the same refused body twice is one event in the log', async () => {
    const [first, second] = [
      await world.sendOne(page('b', { schema: 9 })),
      await world.sendOne(page('b', { schema: 9 })),
    ]
    expect(second).toEqual(first)
    expect(await world.events()).toHaveLength(1)
  })
})

describe('duplicates', () => {
  test('the same id with the same content answers its first position, also within one batch and in flight', async () => {
    const [first, again] = await world.send(page('1'), page('1'))
    const [later, other] = await Promise.all([
      world.sendOne(page('1')),
      world.sendOne(page('1', { source: 'shop' })),
    ])
    expect(reasons([first, again, later, other].flatMap((one) => one ?? []))).toEqual([
      'appended',
      'duplicate',
      'duplicate',
      'appended',
    ])
    expect(again).toMatchObject({ position: first?.status === 'appended' ? first.position : -1, revision: 0 })
    expect(await world.events()).toHaveLength(2)
  })

  test.each([
    ['data', { data: { userId: 'u1', name: 'Shop' } }],
    ['data, in a sealed part alone', { data: { userId: 'u2', name: 'Home' } }],
    ['type', { type: 'cdp.screen' }],
    ['time', { time: '2026-01-02T00:00:00Z' }],
  ])('the same id with other %s is no duplicate: id_reused', async (_what, other) => {
    const stated = page('1', { time: '2026-01-01T00:00:00Z' })
    const results = [await world.sendOne(stated), await world.sendOne({ ...stated, ...other })]
    expect(reasons(results)).toEqual(['appended', 'id_reused'])
  })

  test('the same id about somebody else is no duplicate', async () => {
    const named = (...identities: string[]) => ({
      id: '1',
      source: 'web',
      type: 'made.up',
      identities,
      data: {},
    })
    const results = [
      await world.sendOne(named('user:a', 'email:A@example.com')),
      await world.sendOne(named('email:a@example.com', 'user:a')),
      await world.sendOne(named('user:b')),
    ]
    expect(reasons(results)).toEqual(['appended', 'duplicate', 'id_reused'])
  })

  test('a retry that only refreshes its sending time is a duplicate', async () => {
    const first = page('1', { time: '2026-03-01T11:00:00Z', sent: '2026-03-01T11:00:05Z' })
    await world.sendOne(first)
    world.clock.advance(60_000)
    expect(reasons([await world.sendOne({ ...first, sent: '2026-03-01T11:01:05Z' })])).toEqual(['duplicate'])
  })

  test('after the person’s key is destroyed a repetition is still one', async () => {
    await world.sendOne(page('1'))
    const [event] = await world.events()
    await world.keyStore.destroyOwner([event?.identities[0]?.id ?? ''])
    const [result] = await world.send(page('1', { data: { name: 'Home' } }))
    expect(result?.status).toBe('duplicate')
  })
})

describe('time', () => {
  async function timeOf(
    event: object,
  ): Promise<{ time: number; originalTime?: number | undefined; sentTime?: number | undefined }> {
    await world.sendOne(page('t', event))
    const [{ time, originalTime, sentTime } = { time: 0 }] = await world.events()
    return { time, originalTime, sentTime }
  }

  test('without a time it is when the intake took it', async () => {
    expect(await timeOf({})).toEqual({ time: NOON })
  })

  test('a sender whose clock is an hour ahead, and says when it sent: received − (sent − original)', async () => {
    const found = await timeOf({ time: '2026-03-01T12:59:50Z', sent: '2026-03-01T13:00:00Z' })
    expect(found).toEqual({ time: NOON - 10_000, originalTime: NOON + 3_590_000, sentTime: NOON + 3_600_000 })
  })

  test('more than ten minutes ahead is not believed, ten minutes are', async () => {
    expect((await timeOf({ time: '2026-03-01T12:10:00Z' })).time).toBe(NOON + 600_000)
    world = intakeWorld()
    expect(await timeOf({ time: '9999-01-01T00:00:00Z' })).toMatchObject({
      time: NOON,
      originalTime: Date.UTC(9999, 0),
    })
  })

  test('a sending time beyond all sense corrects nothing', async () => {
    const found = await timeOf({ time: '1900-01-01T00:00:00Z', sent: '9999-12-31T00:00:00Z' })
    expect(found.time).toBe(Date.UTC(1900, 0))
  })

  test('received never goes back, though the clock does', async () => {
    await world.sendOne(page('1'))
    world.clock.jump(-60_000)
    await world.sendOne(page('2'))
    expect((await world.events()).map((event) => event.received)).toEqual([NOON, NOON])
  })

  test('a clock that jumps ten minutes stops acknowledgements until an operator confirms it', async () => {
    world.clock.jump(11 * 60_000)
    expect(reasons(await world.send(page('1'), page('2')))).toEqual(['clock_jumped', 'clock_jumped'])
    const tick = await world.intake.record({ type: 'clock.advanced', id: 'clock-1', data: {} })
    expect(reasons([tick])).toEqual(['clock_jumped'])
    world.guard.confirm()
    expect(reasons(await world.send(page('1')))).toEqual(['appended'])
  })

  test('a clock that jumps while events wait, and is set right again, leaves no trace in the log', async () => {
    const { keyStore } = world
    const flush = keyStore.flush.bind(keyStore)
    const flushing = Promise.withResolvers<void>()
    const right = Promise.withResolvers<void>()
    keyStore.flush = async () => {
      flushing.resolve()
      await right.promise
      await flush()
    }
    const first = world.send(page('1'), page('2', { schema: 9 }))
    await flushing.promise
    const second = world.send(page('3'), page('4', { schema: 9 }))
    world.clock.jump(86_400_000)
    right.resolve()
    const results = [...(await first), ...(await second)]
    expect(reasons(results)).toEqual(results.map(() => 'clock_jumped'))
    expect(results.map(({ id }) => id)).toEqual(['1', '2', '3', '4'])
    world.clock.jump(-86_400_000)
    world.guard.confirm()
    await world.send(page('1'))
    expect((await world.events()).map(({ received }) => received)).toEqual([NOON])
  })
})

describe('expectations', () => {
  const deal = (id: string, more: object) => ({
    id,
    source: 'crm',
    type: 'opportunity.updated',
    data: { opportunity_id: '7', amount: 1 },
    ...more,
  })

  test('are checked against what is under way in the same batch too', async () => {
    const results = await world.send(
      deal('1', { expectedrevision: -1 }),
      deal('2', { expectedrevision: 0 }),
      deal('3', { expectedrevision: 0 }),
      deal('4', { expectedposition: 0 }),
    )
    expect(reasons(results)).toEqual(['appended', 'appended', 'wrong_expected', 'wrong_expected'])
    expect(results[2]).toMatchObject({ refusal: { actualRevision: 1 } })
  })

  test('a repetition is a duplicate whatever it expects', async () => {
    await world.sendOne(deal('1', { expectedrevision: -1 }))
    expect(reasons(await world.send(deal('1', { expectedrevision: -1 })))).toEqual(['duplicate'])
  })

  test('pipelined expectations hold without waiting', async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, n) => world.sendOne(deal(`p${n}`, { expectedrevision: n - 1 }))),
    )
    expect(new Set(reasons(results))).toEqual(new Set(['appended']))
  })
})

describe('what enters the log', () => {
  test('no identity value: not in clear data, not in stream names', async () => {
    await world.send(
      {
        id: '1',
        source: 'web',
        type: 'cdp.identify',
        subject: 'profile-jane@example.com',
        data: { userId: 'user-4711', traits: { email: 'Jane@Example.com ', phone: '+44 20 7946 0018' } },
      },
      {
        id: '2',
        source: 'web',
        type: 'made.up',
        subject: 'user-4711',
        identities: 'user:user-4711',
        data: { note: 'jane@example.com' },
      },
      {
        id: '3',
        source: 'crm',
        type: 'lead.created',
        data: { lead_id: 'lead-99', name: 'Jane Doe', favourite: 'jane@example.com' },
      },
    )
    for await (const batch of world.log.read()) {
      for (const event of batch) {
        const clear = JSON.stringify({ ...event, sealed: [], data: event.data, normalised: event.normalised })
        // Random ids may hold any four digits; as long as these nothing is that anybody sent.
        expect(clear.replaceAll(/\b[0-9a-f]{32}\b/g, 'id')).not.toMatch(/jane|4711|7946|lead-99/i)
      }
    }
    expect((await world.events()).map((event) => event.data)).toMatchObject([
      { userId: 'user-4711', traits: { email: 'Jane@Example.com ' } },
      { note: 'jane@example.com' },
      { lead_id: 'lead-99', favourite: 'jane@example.com' },
    ])
  })

  test.each([
    ['lead-(020) 7946 0999', ['phone:+44 20 7946 0999'], /7946|0999/],
    ['customer-+44 20 7946 0018', ['phone:020 7946 0018'], /7946|0018/],
    ['contact-jane@example.com', ['email:jane@example.com'], /jane/],
    ['contact-jane@example.com', [], /jane/],
    ['mary-jane@example.com', ['email:mary-jane@example.com'], /jane/],
    ['jane@example.com', [], /jane/],
    ['contact-442079460018', ['phone:+44 20 7946 0018'], /7946/],
    ['contact-00442079460018', ['phone:+44 20 7946 0018'], /7946/],
    ['contact-(020) 7946-0018', ['phone:+44 20 7946 0018'], /7946/],
    ['tel:+44-20-7946-0018', ['phone:+44 20 7946 0018'], /7946/],
    ['contact-+442079460018', [], /7946/],
    ['contact-jane%40example.com', ['email:jane@example.com'], /jane/],
    ['contact-jane＠example.com', [], /jane/],
  ])('the subject %s with %j names a stream without saying who', async (subject, identities, who) => {
    await world.sendOne({
      id: 'r',
      source: 'crm',
      type: 'source.registered',
      data: { source: 'web', name: 'w', default_country: 'GB' },
    })
    await world.sendOne({ id: '1', source: 'web', type: 'made.up', subject, identities, data: {} })
    const event = (await world.events()).at(-1)
    expect(event?.stream).toMatch(/^[a-z]+-[0-9a-f]{32}$/)
    expect(event?.stream).not.toMatch(who)
    const id = event?.stream.split('-').at(-1) ?? ''
    // Erasing the person, by whatever of theirs is known, takes what the stream's name leads to.
    if (identities.length > 0) expect(event?.identities.map((identity) => identity.id)).toContain(id)
    expect(world.keyStore.reveal(id)?.value).not.toMatch(/^(contact|customer|lead)-/)
  })

  test('normalised values stand beside the data as sent', async () => {
    await world.sendOne({
      id: '1',
      source: 'crm',
      type: 'source.registered',
      data: {
        source: 'shop',
        name: 'Shop',
        priority: 1,
        default_country: 'GB',
        currency: 'GBP',
        time_zone: 'Europe/London',
      },
    })
    await world.sendOne({
      id: '2',
      source: 'shop',
      type: 'cdp.identify',
      data: { userId: 'u', traits: { email: ' JANE@example.com', phone: '020 7946 0018' } },
    })
    const event = (await world.events()).at(-1)
    expect(event?.data).toMatchObject({ traits: { email: ' JANE@example.com', phone: '020 7946 0018' } })
    expect(event?.normalised).toMatchObject({
      'traits.email': 'jane@example.com',
      'traits.phone': '+442079460018',
    })
    expect(event?.identities.map(({ namespace }) => namespace)).toEqual(['user', 'email', 'phone'])
  })

  test('a track call of a known name is that event; extension attributes are kept', async () => {
    await world.sendOne({
      id: '1',
      source: 'web',
      type: 'cdp.track',
      traceparent: '00-abc',
      data: {
        event: 'Order Completed',
        userId: 'u',
        properties: { order_id: 'o1', total: 12.5, currency: 'EUR' },
      },
    })
    const [event] = await world.events()
    expect(event).toMatchObject({
      type: 'Order Completed',
      stream: 'order-o1',
      data: { order_id: 'o1', userId: 'u', ce_extensions: { traceparent: '00-abc' } },
    })
    expect(event?.normalised['total']).toBe(125_000)
  })

  test('an erased person is not collected again without new consent', async () => {
    await world.sendOne(page('1'))
    const [event] = await world.events()
    await world.keyStore.destroyOwner([event?.identities[0]?.id ?? ''])
    const [result] = await world.send(page('2'))
    expect(reasons(result === undefined ? [] : [result])).toEqual(['suppressed'])
    if (result?.status === 'quarantined')
      expect(world.quarantine.get(result.quarantineId)?.body).toHaveLength(0)
  })

  test('consent counts for what comes after it, in one batch or right behind it, and for nothing before', async () => {
    const consent = (id: string) => ({
      id,
      source: 'web',
      type: 'consent.granted',
      identities: ['user:u1'],
      data: { purpose: 'marketing' },
    })
    await world.sendOne(page('1'))
    const [event] = await world.events()
    await world.keyStore.destroyOwner([event?.identities[0]?.id ?? ''])
    const [before, behind] = await Promise.all([
      world.send(page('2'), consent('3'), page('4'), consent('5'), page('6')),
      world.send(page('7')),
    ])
    expect(reasons([...before, ...behind])).toEqual(['suppressed', ...Array(5).fill('appended')])
    const places = (await world.events()).filter(({ source }) => source === 'web').map(({ id }) => id)
    expect(places).toEqual(['1', '3', '4', '5', '6', '7'])
  })

  test.each([
    ['a record', { data: { case_id: 'jane@example.com' } }],
    ['a subject', { subject: 'case-jane@example.com', data: { case_id: '7' } }],
  ])('an erased address that comes back as the id of %s makes nobody known again', async (_, more) => {
    const jane = { namespace: 'email', value: 'jane@example.com' }
    await world.keyStore.destroyOwner([world.keyStore.identify(jane)])
    const results = await world.send({ id: '1', source: 'erp', type: 'case.opened', ...more })
    expect(reasons(results)).toEqual(['suppressed'])
    expect(world.keyStore.suppressed(jane)).toBe(true)
  })
})

test('whoever counts is told of every fate once, and how long it took', async () => {
  const told: [string, number][] = []
  const slow = intakeWorld({ onResult: ({ status }, durationMs) => told.push([status, durationMs]) })
  const sent = slow.send(page('a'), page('a'), page('b', { type: 'clock.advanced' }))
  slow.clock.advance(40)
  await sent
  slow.clock.jump(-86_400_000)
  await slow.send(page('c'))
  await slow.close()
  expect(told.sort()).toEqual([
    ['appended', 40],
    ['duplicate', 40],
    ['quarantined', 40],
    ['refused', 0],
  ])
})

describe('pressure', () => {
  test('beyond the queue events are refused, none is lost, and later there is room again', async () => {
    const sending = Array.from({ length: 30 }, (_, batch) =>
      world.send(...Array.from({ length: 100 }, (_, n) => page(`${batch}-${n}`))),
    )
    const results = (await Promise.all(sending)).flat()
    const counts = Object.groupBy(reasons(results), (reason) => reason)
    expect(counts['appended']).toHaveLength(1_000)
    expect(counts['overloaded']).toHaveLength(2_000)
    expect(await world.events()).toHaveLength(1_000)
    expect(world.intake.queue).toEqual({ events: 0, bytes: 0 })
    expect(reasons(await world.send(page('later')))).toEqual(['appended'])
  })
})

describe('a log that fails', () => {
  test('disk full: nothing is acknowledged; once there is room the same events are taken, once', async () => {
    let full = true
    const own = intakeWorld({}, { fail: () => (full ? { _tag: 'DiskFull' } : undefined) })
    expect(reasons(await own.send(page('1'), page('2')))).toEqual(['read_only', 'read_only'])
    full = false
    expect(reasons(await own.send(page('1'), page('2')))).toEqual(['appended', 'appended'])
    expect((await own.events()).map((event) => event.id)).toEqual(['1', '2'])
    await own.close()
  })

  test('keys that can’t be made durable: refused, and the same ids are taken once they can', async () => {
    const clock = manualClock(NOON)
    const keyStore = createMemoryKeyStore({ clock })
    let full = true
    const flush = keyStore.flush.bind(keyStore)
    keyStore.flush = () => (full ? Promise.reject(new KeyStoreError({ _tag: 'DiskFull' })) : flush())
    const own = intakeWorld({ keyStore })
    expect(reasons(await own.send(page('1'), page('2'), page('1')))).toEqual([
      'read_only',
      'read_only',
      'read_only',
    ])
    full = false
    expect(reasons(await own.send(page('1'), page('2')))).toEqual(['appended', 'appended'])
    await own.close()
  })

  test('a repetition whose original can’t be read is refused; its neighbours are taken', async () => {
    const log = overriding(createMemoryLog(), 'idCandidates', (_, id) => (id === '1' ? [1] : []))
    const damaged = overriding(log, 'at', () => Promise.reject(new LogDamaged('s', 0, 1, 2, 'a flipped bit')))
    const own = intakeWorld({ log: damaged })
    expect(reasons(await own.send(page('1'), page('2')))).toEqual(['log_damaged', 'appended'])
    expect(reasons(await own.send(page('1')))).toEqual(['log_damaged'])
    await own.close()
  })

  test('a writer that stopped acknowledges nothing', async () => {
    const own = intakeWorld({}, { fail: () => ({ _tag: 'WriterStopped', cause: 'EIO' }) })
    expect(reasons(await own.send(page('1')))).toEqual(['stopped'])
    expect(await own.events()).toEqual([])
    await own.close()
  })

  test('a defect while appending stops the intake: what it committed is known again only after a restart', async () => {
    const defective = overriding(createMemoryLog(), 'append', () => Promise.reject(new Error('a defect')))
    const own = intakeWorld({ log: defective })
    expect(reasons(await own.send(page('1')))).toEqual(['stopped'])
    expect(reasons(await own.send(page('2')))).toEqual(['stopped'])
    expect(await own.send(page('2'))).toMatchObject([
      { refusal: { message: 'the intake failed; the engine must be restarted' } },
    ])
    await own.close()
  })
})

function overriding<K extends keyof Log>(log: Log, name: K, method: Log[K]): Log {
  return new Proxy(log, {
    get(target, asked) {
      if (asked === name) return method
      const member: unknown = Reflect.get(target, asked)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
