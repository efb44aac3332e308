/**
 * Theorem: clients that others wrote, unchanged, send to a running engine: what they report as delivered is in the log
 * exactly once, whatever was refused, lost or killed on the way, and says what they said.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Analytics } from '@segment/analytics-node'
import { CloudEvent, emitterFor, HTTP, httpTransport, Mode } from 'cloudevents'
import { connect, headers } from 'nats'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { EngineProcess, freePort, WRITE_KEY } from '../support/engine-process.ts'
import type { Treatment } from '../support/flaky-front.ts'
import { FlakyFront } from '../support/flaky-front.ts'
import { describeNats } from '../support/nats-server.ts'

const TIMEOUT_MS = 180_000

const WITHOUT_NATS = {
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((entry) => !/sbin|local/.test(entry))
    .join(delimiter),
}

interface Logged {
  readonly position: number
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly identities: readonly { readonly namespace: string }[]
  readonly data: Readonly<Record<string, unknown>>
}

/** The whole log behind a position. */
async function readLog(engine: EngineProcess, from = 0): Promise<readonly Logged[]> {
  const events: Logged[] = []
  for (let after = from; ; ) {
    const page = await engine.get<{ data: readonly Logged[]; next: number }>(
      `/v1/events?after=${after}&limit=500`,
    )
    if (page.data.length === 0) return events
    events.push(...page.data)
    after = page.next
  }
}

const headOf = async (engine: EngineProcess) => (await readLog(engine)).at(-1)?.position ?? 0

const namespaces = ({ identities }: Logged) => identities.map(({ namespace }) => namespace)

async function started(directory: string, env: Readonly<Record<string, string>>): Promise<EngineProcess> {
  const engine = new EngineProcess(await freePort(), join(directory, 'data'), env)
  await engine.start()
  return engine
}

let directory: string
let engine: EngineProcess
const fronts: FlakyFront[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-clients-'))
  engine = await started(directory, WITHOUT_NATS)
})

afterEach(() => {
  for (const front of fronts.splice(0)) front.close()
})

afterAll(async () => {
  await engine?.kill('SIGTERM')
  rmSync(directory, { recursive: true, force: true })
})

async function front(turns: readonly Treatment[]): Promise<FlakyFront & { readonly url: string }> {
  const made = new FlakyFront(engine.url, turns)
  fronts.push(made)
  return Object.assign(made, { url: await made.open() })
}

/** What the client says became of each message. */
class Told {
  readonly delivered = new Set<string>()
  readonly failed = new Set<string>()

  /** For a call's callback. */
  readonly of = (
    error: unknown,
    context?: { readonly event: { readonly messageId?: string | undefined } },
  ): void => {
    const id = context?.event.messageId ?? 'unknown'
    if (error === undefined) this.delivered.add(id)
    else this.failed.add(id)
  }
}

describe('@segment/analytics-node', () => {
  test('every call is its event, from the source that the key names', { timeout: TIMEOUT_MS }, async () => {
    const from = await headOf(engine)
    const client = new Analytics({ writeKey: `${WRITE_KEY}:backend`, host: engine.url })
    const told = new Told()
    const timestamp = new Date('2026-03-01T12:00:00.000Z')
    const context = { ip: '203.0.113.7', traits: { phone: '+44 20 7946 0018' } }
    client.identify({ userId: 'n-1', traits: { email: 'Node@Example.com', plan: null }, timestamp }, told.of)
    client.track({ userId: 'n-1', event: 'Signed Up', properties: { plan: 'pro' }, context }, told.of)
    const order = { order_id: 'o-1', total: 19.9, currency: 'GBP', products: [] }
    client.track({ userId: 'n-1', event: 'Order Completed', properties: order }, told.of)
    client.page({ anonymousId: 'an-1', name: 'Mugs', properties: { url: 'https://shop.example' } }, told.of)
    client.screen({ anonymousId: 'an-1', name: 'Home' }, told.of)
    client.group({ userId: 'n-1', groupId: 'acme', traits: { name: 'Acme' } }, told.of)
    client.alias({ userId: 'n-1', previousId: 'an-1' }, told.of)
    await client.closeAndFlush()

    const events = await readLog(engine, from)
    expect(events.map(({ type }) => type)).toEqual([
      'cdp.identify',
      'cdp.track',
      'Order Completed',
      'cdp.page',
      'cdp.screen',
      'cdp.group',
      'cdp.alias',
    ])
    expect(new Set(events.map(({ source }) => source))).toEqual(new Set(['backend']))
    expect(new Set(events.map(({ id }) => id))).toEqual(told.delivered)
    expect(told.failed).toEqual(new Set())
    const [identify, track, bought, page, , group, alias] = events
    expect(identify?.data).toMatchObject({
      userId: 'n-1',
      traits: { email: 'Node@Example.com', plan: null },
    })
    // Our clock, by way of sentAt, is the client's: they run on one machine.
    expect(Math.abs(Date.parse(identify?.time ?? '') - timestamp.getTime())).toBeLessThan(30_000)
    expect(track?.data).toMatchObject({ event: 'Signed Up', properties: { plan: 'pro' }, context })
    expect(bought?.data).toMatchObject({ order_id: 'o-1', total: 19.9 })
    const named = [identify, track, page, group, alias].map((event) => (event ? namespaces(event) : []))
    expect(named).toEqual([
      ['user', 'email'],
      ['user', 'phone'],
      ['anonymous'],
      ['user', 'account'],
      ['user', 'anonymous'],
    ])
    const profile = await engine.get<{ data: { email: string } }>(
      `/v1/profiles/user:n-1?after=${events.at(-1)?.position}`,
    )
    expect(profile.data.email).toBe('node@example.com')
  })

  test('503, 429 and lost answers: it tries again, and each message is in the log once', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const from = await headOf(engine)
    const flaky = await front([
      { status: 503, retryAfter: '1' },
      { status: 429, retryAfter: '1' },
      'lose_answer',
      'hand_on',
      'lose_answer',
      { status: 503 },
    ])
    const client = new Analytics({ writeKey: WRITE_KEY, host: flaky.url, flushAt: 20, flushInterval: 50 })
    const told = new Told()
    for (let i = 0; i < 60; i++)
      client.track({ userId: `u-${i % 7}`, event: 'Clicked', properties: { i } }, told.of)
    await client.closeAndFlush()
    expect(told.delivered.size).toBe(60)
    expect(flaky.statuses.filter((status) => status !== 200).sort()).toEqual([0, 0, 429, 503, 503])
    const events = await readLog(engine, from)
    expect(events).toHaveLength(60)
    expect(new Set(events.map(({ id }) => id))).toEqual(told.delivered)
  })

  test('batches beyond the published limits are taken', { timeout: TIMEOUT_MS }, async () => {
    const from = await headOf(engine)
    const requests: number[] = []
    const client = new Analytics({ writeKey: WRITE_KEY, host: engine.url, flushAt: 15 })
    client.on('http_request', ({ body }) => requests.push(Buffer.byteLength(String(body))))
    const told = new Told()
    // The client counts its escapes where it means its bytes, so that 40 KB of plain letters pass for a few.
    for (let i = 0; i < 15; i++)
      client.track({ userId: 'u-1', event: 'Uploaded', properties: { text: 'x'.repeat(40_000) } }, told.of)
    await client.closeAndFlush()
    expect(Math.max(...requests)).toBeGreaterThan(600_000)
    expect(told.delivered.size).toBe(15)
    expect(await readLog(engine, from)).toHaveLength(15)
  })

  test('a wrong key: the client is told, nothing is taken', { timeout: TIMEOUT_MS }, async () => {
    const from = await headOf(engine)
    const client = new Analytics({ writeKey: 'wrong', host: engine.url })
    client.on('error', () => undefined)
    const told = new Told()
    client.track({ userId: 'u-1', event: 'Seen' }, told.of)
    await client.closeAndFlush()
    expect([told.delivered.size, told.failed.size]).toEqual([0, 1])
    expect(await readLog(engine, from)).toEqual([])
  })

  test('killed midway and started again: what is reported as delivered is in the log exactly once', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const from = await headOf(engine)
    const client = new Analytics({
      writeKey: WRITE_KEY,
      host: engine.url,
      flushAt: 10,
      flushInterval: 20,
      httpRequestTimeout: 5_000,
    })
    client.on('error', () => undefined)
    const told = new Told()
    let sending = true
    const sender = (async () => {
      for (let i = 0; sending; i++) {
        client.track({ userId: `u-${i % 50}`, event: 'Clicked', properties: { i } }, told.of)
        // Enough under way for a kill to hit, no more than the retries behind it take a few seconds for.
        do await sleep(i % 10 === 9 ? 5 : 0)
        while (sending && i - told.delivered.size > 300)
      }
    })()
    for (let kill = 0; kill < 2; kill++) {
      const before = told.delivered.size
      await expect.poll(() => told.delivered.size, { timeout: 30_000 }).toBeGreaterThan(before + 200)
      await engine.kill('SIGKILL')
      await sleep(200)
      await engine.start()
    }
    sending = false
    await sender
    await client.closeAndFlush({ timeout: 60_000 })
    const ids = (await readLog(engine, from)).map(({ id }) => id)
    const inLog = new Set(ids)
    expect(ids.length).toBe(inLog.size)
    expect([...told.delivered].filter((id) => !inLog.has(id))).toEqual([])
    expect(told.delivered.size).toBeGreaterThan(400)
    expect(told.failed.size).toBe(0)
  })
})

describe('cloudevents', () => {
  const authorization = `Bearer ${WRITE_KEY}`
  const event = (
    id: string,
    data: unknown = { userId: 'c-1', traits: { city: 'Köln' } },
    subject = 'profile-100%',
  ) =>
    new CloudEvent({
      id,
      source: 'crm',
      type: 'cdp.identify',
      time: '2026-03-01T12:00:00.000Z',
      subject,
      sequence: '7',
      partitionkey: 'k-1',
      data,
    })

  test.each([
    ['binary', Mode.BINARY],
    ['structured', Mode.STRUCTURED],
  ] as const)('its emitter, %s', async (name, mode) => {
    const from = await headOf(engine)
    const emit = emitterFor(httpTransport(`${engine.url}/v1/events`), { binding: HTTP, mode })
    const send = async () => (await emit(event(name), { headers: { authorization } })) as { body: string }
    expect(JSON.parse((await send()).body).results).toMatchObject([{ status: 'appended' }])
    expect(JSON.parse((await send()).body).results).toMatchObject([{ status: 'duplicate' }])
    const [recorded, ...more] = await readLog(engine, from)
    expect(more).toEqual([])
    expect(recorded).toMatchObject({
      id: name,
      source: 'crm',
      type: 'cdp.identify',
      time: '2026-03-01T12:00:00.000Z',
      sequence: 7,
      data: { userId: 'c-1', traits: { city: 'Köln' }, ce_extensions: { partitionkey: 'k-1' } },
    })
    expect(recorded?.subject).toBe('profile-100%')
  })

  test('its binary form leaves headers in Latin-1, against the binding: kept for a correction, never guessed', async () => {
    const emit = emitterFor(httpTransport(`${engine.url}/v1/events`), { binding: HTTP, mode: Mode.BINARY })
    const sent = await emit(event('latin', undefined, 'profile-Grüße'), { headers: { authorization } })
    expect(JSON.parse((sent as { body: string }).body).results).toMatchObject([
      { status: 'quarantined', reason: 'invalid_utf8' },
    ])
  })

  test('a batch', async () => {
    const from = await headOf(engine)
    const body = JSON.stringify([event('b-1'), event('b-2'), event('b-3', { userId: { $ne: 1 } })])
    const answer = await engine.post('/v1/events', body, {
      'content-type': 'application/cloudevents-batch+json',
    })
    expect(((await answer.json()) as { results: unknown }).results).toMatchObject([
      { status: 'appended' },
      { status: 'appended' },
      { status: 'quarantined' },
    ])
    expect((await readLog(engine, from)).map(({ type }) => type)).toEqual([
      'cdp.identify',
      'cdp.identify',
      'event.quarantined',
    ])
  })

  test('with the key in the address, for senders without headers', async () => {
    const from = await headOf(engine)
    const emit = emitterFor(httpTransport(`${engine.url}/v1/events?access_token=${WRITE_KEY}`), {
      binding: HTTP,
      mode: Mode.STRUCTURED,
    })
    await emit(event('token'))
    expect((await readLog(engine, from)).map(({ id }) => id)).toEqual(['token'])
    expect(engine.output).not.toContain(WRITE_KEY)
  })
})

describeNats('nats', () => {
  let natsEngine: EngineProcess
  let natsDirectory: string
  let port: number

  beforeAll(async () => {
    natsDirectory = mkdtempSync(join(tmpdir(), 'headwater-clients-nats-'))
    port = await freePort()
    natsEngine = await started(natsDirectory, { HEADWATER_NATS_PORT: String(port) })
  })

  afterAll(async () => {
    await natsEngine?.kill('SIGTERM')
    rmSync(natsDirectory, { recursive: true, force: true })
  })

  test('CloudEvents 1.0.3 in binary mode: attributes in ce- headers, percent-encoded, the payload is the data', async () => {
    const client = await connect({ servers: `nats://127.0.0.1:${port}` })
    const ce = headers()
    for (const [name, value] of [
      ['ce-specversion', '1.0'],
      ['ce-id', 'n-1'],
      ['ce-source', 'crm'],
      ['ce-type', 'cdp.identify'],
      ['ce-time', '2026-03-01T12:00:00Z'],
      ['ce-subject', 'profile-Gr%C3%BC%C3%9Fe'],
      ['ce-partitionkey', 'k-1'],
      ['content-type', 'application/json'],
    ] as const)
      ce.set(name, value)
    const data = { userId: 'c-1', traits: { city: 'Köln' } }
    const publish = () =>
      client.jetstream().publish('events.default.web', JSON.stringify(data), { headers: ce })
    expect(await publish()).toMatchObject({ seq: 1, duplicate: false })
    expect(await publish()).toMatchObject({ seq: 1, duplicate: true })
    const answer = await client.request('events.default.web', JSON.stringify(data), {
      headers: ce,
      timeout: 5_000,
    })
    expect(answer.json()).toMatchObject({ seq: 1, duplicate: true, results: [{ status: 'duplicate' }] })
    expect(await readLog(natsEngine)).toMatchObject([
      {
        id: 'n-1',
        source: 'crm',
        type: 'cdp.identify',
        subject: 'profile-Grüße',
        time: '2026-03-01T12:00:00.000Z',
        data: { ...data, ce_extensions: { partitionkey: 'k-1' } },
      },
    ])
    await client.close()
  })

  test('the message id stands in for the event’s, and both ways share one log', async () => {
    const client = await connect({ servers: `nats://127.0.0.1:${port}` })
    const event = { source: 'web', type: 'cdp.page', data: { anonymousId: 'a-1' } }
    const ack = await client
      .jetstream()
      .publish('events.default.web', JSON.stringify(event), { msgID: 'page-1' })
    const again = await natsEngine.post('/v1/events', JSON.stringify({ ...event, id: 'page-1' }))
    expect(((await again.json()) as { results: unknown }).results).toMatchObject([
      { status: 'duplicate', position: ack.seq },
    ])
    await client.close()
  })
})
