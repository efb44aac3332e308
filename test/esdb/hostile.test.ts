/**
 * Theorem: whatever a client sends to EventStoreDB's port, or leaves undone there, the engine lives, keeps nothing of what wasn't
 * appended whole, and goes on serving others; and it can be stopped with all of it open.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EventStoreDBClient, jsonEvent, MaxAppendSizeExceededError } from '@eventstore/db-client'
import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { EngineProcess } from '../support/engine-process.ts'
import { clientOf, collect, rejection, until } from './client.ts'
import { loopbackEngine } from './loopback-engine.ts'
import { appendEvent, appendOptions, batchPart, frame, rawBytes, rawCall, rawStreams } from './raw-calls.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-hostile-'))
let engine: EngineProcess
let esdbPort: number
let client: EventStoreDBClient
let raw: ReturnType<typeof rawStreams>

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const WITNESSED = 'witnessed-1'
let witness: EventStoreDBClient
let appended = 0
let heard = 0

beforeAll(async () => {
  const made = await loopbackEngine(directory)
  esdbPort = made.esdbPort
  engine = made.engine
  await engine.start()
  raw = rawStreams(esdbPort)
  testify()
})

function testify(): void {
  witness = clientOf({ port: esdbPort }, { isAlone: true })
  const subscription = witness.subscribeToStream(WITNESSED)
  heard = 0
  subscription.on('data', () => {
    heard += 1
  })
  subscription.on('error', () => {
    heard = Number.NaN
  })
}

afterAll(async () => {
  // First, so that none is left where the start failed.
  await engine.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
  raw.close()
  await witness.dispose()
})

beforeEach(() => {
  client = clientOf({ port: esdbPort }, { isAlone: true })
})

/** Others are served, over the connection that they have had all along. */
afterEach(async () => {
  await client.dispose()
  await witness.appendToStream(WITNESSED, event())
  appended += 1
  await until(() => heard === appended)
  expect(await collect(witness.readStream(WITNESSED))).toHaveLength(appended)
  expect(engine.output).not.toMatch(/defect|uncaught|unhandled/i)
})

const event = (data: Parameters<typeof jsonEvent>[0]['data'] = {}) => jsonEvent({ type: 'thing.done', data })
/** Behind them lie those of other tests, in their thousands. */
const newest = (by: EventStoreDBClient) =>
  collect(by.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 500 }))
const isEmpty = async (stream: string): Promise<boolean> =>
  String(await rejection(collect(client.readStream(stream)))).includes('not found')

describe('a connection that speaks another language is hung up on, or left alone', () => {
  test.each([
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['the greeting of TLS', Buffer.from('160301020001000001fc0303', 'hex')],
    ['a wrong preface', Buffer.from('PRI * HTTP/3.0\r\n\r\nXX\r\n\r\n')],
    ['noise', Buffer.from(Array.from({ length: 4_096 }, (_, i) => (i * 167 + 13) % 256))],
    [
      'the preface and then noise',
      Buffer.from(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(99)}`, 'latin1'),
    ],
  ])('%s', async (_what, bytes) => {
    const heard = await rawBytes(esdbPort, bytes)
    expect(heard ?? '').not.toMatch(/^HTTP\/1.1 [25]/)
  })
})

describe.each([['Append'], ['BatchAppend'], ['Read']])('%s', (method) => {
  test.each([
    ['bytes that are no message', frame(Buffer.from('ffffffffffffffffffff', 'hex'))],
    ['a message of half a field', frame(Buffer.from('0aff', 'hex'))],
    ['a length beyond all limits', frame(Buffer.alloc(16), { length: 0xffff_ffff })],
    ['a flag of compression alone', frame(Buffer.alloc(4), { flag: 1 })],
    ['half a frame', frame(Buffer.alloc(4), { length: 400 })],
    ['an empty message', frame(Buffer.alloc(0))],
    ['nothing', Buffer.alloc(0)],
  ])('with %s fails alone', async (what, body) => {
    const answer = await rawCall(esdbPort, method, body)
    expect(answer.status).toBe(200)
    // A call of many appends without any whole one has nothing that fails.
    if (method === 'BatchAppend' && !/no message|half a field|length/.test(what)) return
    expect(Number(answer.grpcStatus)).toBeGreaterThan(0)
  })
})

test('a method, a service or a kind of content that there is not is answered as such', async () => {
  const unknown = String(status.UNIMPLEMENTED)
  expect(await rawCall(esdbPort, 'Forget', frame(Buffer.alloc(0)))).toMatchObject({ grpcStatus: unknown })
  expect(await rawCall(esdbPort, '/none.Such/At', frame(Buffer.alloc(0)))).toMatchObject({
    grpcStatus: unknown,
  })
  const answer = await rawCall(esdbPort, 'Read', Buffer.from('{}'), { 'content-type': 'application/json' })
  expect(answer.status).toBe(415)
})

test('ten thousand events in one call stand together; more bytes than fit are refused whole', async () => {
  // The second one is that of clients older than BatchAppend, too slow for every day.
  const ways = [
    ['many-1', {}],
    ['many-2', { credentials: { username: 'a', password: 'b' } }],
  ] as const
  for (const [stream, way] of LONG ? ways : ways.slice(0, 1)) {
    const events = Array.from({ length: 10_000 }, (_, n) => event({ n }))
    const done = await client.appendToStream(stream, events, way)
    expect(done).toMatchObject({ success: true, nextExpectedRevision: 9_999n })
    const last = await collect(
      client.readStream(stream, { direction: 'backwards', fromRevision: 'end', maxCount: 2 }),
    )
    expect(last.map(({ data }) => data)).toEqual([{ n: 9_999 }, { n: 9_998 }])
    const large = Array.from({ length: 1_100 }, (_, n) => event({ n, text: 'x'.repeat(950) }))
    const refused = await rejection(client.appendToStream(`${stream}-large`, large, way))
    expect(refused).toBeInstanceOf(MaxAppendSizeExceededError)
    expect(await isEmpty(`${stream}-large`)).toBe(true)
  }
})

test('a thousand subscriptions of one client hear of an event each, and leave nothing when it goes', async () => {
  const heardBy = new Set<number>()
  let confirmed = 0
  await client.appendToStream('thing-1', event())
  for (let n = 0; n < 1_000; n++) {
    const subscription = client.subscribeToAll({ fromPosition: 'end' })
    subscription.on('confirmation', () => {
      confirmed += 1
    })
    subscription.on('data', () => heardBy.add(n))
    subscription.on('error', () => undefined)
  }
  await until(() => confirmed === 1_000, 20_000)
  await client.appendToStream('thing-1', event())
  await until(() => heardBy.size === 1_000, 20_000)
})

/**
 * A client that cancels, as one whose deadline passes, may end its messages just before it says so. An append that the server has
 * heard the end of is made, as with EventStoreDB.
 */
test('what a client cancels, or is too late with, is there whole or not at all; what it never ended is not', async () => {
  const cancelled = raw.append(() => undefined)
  cancelled.on('error', () => undefined)
  for (const message of [appendOptions('cancelled-1'), appendEvent(randomUUID()), appendEvent(randomUUID())])
    cancelled.write(message)
  await new Promise((resolve) => setTimeout(resolve, 30))
  cancelled.cancel()
  const late = await new Promise<number | undefined>((resolve) => {
    const deadline = { deadline: Date.now() + 100 }
    const call = raw.append(new Metadata(), deadline, (error: ServiceError | null) => resolve(error?.code))
    call.write(appendOptions('late-1'))
    for (let count = 0; count < 2; count++) call.write(appendEvent(randomUUID()))
  })
  expect(late).toBe(status.DEADLINE_EXCEEDED)
  const part = Buffer.concat(
    [appendOptions('unended-1'), appendEvent(randomUUID())].map((message) =>
      frame(message.serializeBinary()),
    ),
  )
  await rawCall(esdbPort, 'Append', part, {}, 'leave')
  await new Promise((resolve) => setTimeout(resolve, 100))
  const all = await newest(client)
  for (const stream of ['cancelled-1', 'late-1'])
    expect([0, 2]).toContain(all.filter(({ streamId }) => streamId === stream).length)
  expect(all.filter(({ streamId }) => streamId === 'unended-1')).toEqual([])
})

test('reads that are cancelled at once, by the hundred, end', async () => {
  for (let round = 0; round < 200; round++) {
    const read = client.readAll()
    read.on('error', () => undefined)
    void read.cancel()
  }
})

test('parts of appends that never end are bounded, of all calls together, and forgotten with them', async () => {
  const refused: string[] = []
  const data = Buffer.from(JSON.stringify('x'.repeat(900_000)))
  const open = () => {
    const batch = raw.batchAppend()
    batch.on('error', () => undefined)
    batch.on('data', (answer) => refused.push(answer.getError()?.getMessage() ?? 'taken'))
    for (let part = 0; part < 20; part++)
      batch.write(batchPart(randomUUID(), `part-${part}`, [{ id: randomUUID(), data }], false))
    const lone = Array.from({ length: 10 }, () => {
      const append = raw.append((error) => void refused.push(error?.details ?? 'taken'))
      append.on('error', () => undefined)
      append.write(appendOptions('part-1'))
      append.write(appendEvent(randomUUID(), data))
      return append
    })
    return () => {
      for (const call of [batch, ...lone]) call.cancel()
    }
  }
  const calls = Array.from({ length: 4 }, open)
  await until(() => refused.length >= 40, 20_000)
  expect(new Set(refused)).toEqual(
    new Set(['too many appends wait for their last part; send it again later']),
  )
  expect(await client.appendToStream('whole-1', event({ n: 1 }))).toMatchObject({ success: true })
  for (const cancel of calls) cancel()
  await until(() => refused.includes('Cancelled on client'))
  refused.length = 0
  const again = [open(), open()]
  const alone = { credentials: { username: 'a', password: 'b' } }
  expect(await client.appendToStream('whole-1', event({ n: 2 }), alone)).toMatchObject({ success: true })
  expect(refused.filter((reason) => reason !== 'Cancelled on client')).toEqual([])
  for (const cancel of again) cancel()
})

test('the engine stops in good time with calls of every kind open, and keeps what it acknowledged', async () => {
  // All clients of a process note their appends in one table: an error of one empties it, and what others are answered then throws.
  await witness.dispose()
  const sockets: Socket[] = []
  for (const bytes of ['', 'PRI * HT', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']) {
    const socket = connect(esdbPort, '127.0.0.1').on('error', () => undefined)
    if (bytes !== '') socket.write(bytes)
    sockets.push(socket)
  }
  const own = clientOf({ port: esdbPort })
  const subscription = own.subscribeToAll()
  subscription.on('error', () => undefined)
  subscription.on('data', () => undefined)
  // Never read.
  const slow = own.readAll()
  slow.on('error', () => undefined)
  const append = raw.append(() => undefined)
  append.on('error', () => undefined)
  append.write(appendOptions('open-1'))
  const batch = raw.batchAppend()
  batch.on('error', () => undefined)
  batch.write(batchPart(randomUUID(), 'open-2', [{ id: randomUUID(), data: Buffer.from('{}') }], false))
  const acknowledged: string[] = []
  const sending = Array.from({ length: 200 }, (_, n) => {
    const sent = event({ n })
    return own.appendToStream(`kept-${n % 3}`, sent).then(
      () => void acknowledged.push(sent.id),
      () => undefined,
    )
  })
  await until(() => acknowledged.length > 0)
  const from = Date.now()
  expect(await engine.kill('SIGTERM')).toBe(0)
  expect(Date.now() - from).toBeLessThan(10_000)
  await Promise.all(sending)
  for (const socket of sockets) socket.destroy()
  append.cancel()
  batch.cancel()
  await own.dispose()
  await engine.start()
  testify()
  const kept = new Set((await newest(witness)).map(({ id }) => id))
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
})
