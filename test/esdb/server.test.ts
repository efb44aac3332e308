/**
 * Theorem: nobody reads without the read token or appends without the write key unless it was said so; a reader that is slow, a
 * client that leaves and a server that stops cost neither memory nor acknowledged events; what isn't offered says so.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AccessDeniedError,
  EventStoreDBClient,
  jsonEvent,
  persistentSubscriptionToAllSettingsFromDefaults,
  persistentSubscriptionToStreamSettingsFromDefaults,
  streamNameFilter,
  UnavailableError,
} from '@eventstore/db-client'
import gossip from '@eventstore/db-client/generated/gossip_grpc_pb.js'
import streams from '@eventstore/db-client/generated/streams_grpc_pb.js'
import { credentials, type ServiceError, status } from '@grpc/grpc-js'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, describe, expect, test } from 'vitest'
import type { EsdbBackend, EsdbRecord } from '../../api/esdb/backend.ts'
import { messages, shared } from '../../api/esdb/protocol.ts'
import type { EsdbServer, EsdbServerOptions } from '../../api/esdb/server.ts'
import { startEsdb } from '../../api/esdb/start.ts'
import { streamIdentifier, uuidMessage } from '../../api/esdb/wire.ts'
import { systemClock } from '../../engine/clock.ts'
import { CuttingProxy } from '../log/cutting-proxy.ts'
import { freePort } from '../support/engine-process.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { CERTIFICATE, CLIENT_CA, PRIVATE_KEY, USER_CERTIFICATE, USER_KEY } from './certificate.ts'
import { clientOf, collect, READ_TOKEN, rejection, serve, TLS, until, WRITE_KEY } from './client.ts'
import { memoryBackend } from './memory-backend.ts'
import { appendEvent, appendOptions } from './raw-calls.ts'

const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function served(backend: EsdbBackend, more: Partial<EsdbServerOptions> = {}): Promise<EsdbServer> {
  const server = await serve(backend, more)
  closing.push(() => server.stop())
  return server
}

function connected(
  server: Pick<EsdbServer, 'port'>,
  options: Parameters<typeof clientOf>[1] = {},
): EventStoreDBClient {
  const client = clientOf(server, options)
  closing.push(() => client.dispose())
  return client
}

const event = () => jsonEvent({ type: 'thing.done', data: { n: 1 } })

describe('over TLS', () => {
  const tls = { tls: TLS, anonymous: false }

  test('the write key appends, the read token reads, and neither does the other', async () => {
    const server = await served(memoryBackend(), tls)
    const [writer, reader] = [WRITE_KEY, READ_TOKEN].map((password) => connected(server, { password }))
    if (writer === undefined || reader === undefined) throw new Error('two clients')
    await writer.appendToStream('thing-1', event())
    expect(await collect(reader.readStream('thing-1'))).toHaveLength(1)
    expect(await rejection(collect(writer.readStream('thing-1')))).toBeInstanceOf(AccessDeniedError)
    expect(await rejection(reader.appendToStream('thing-1', event()))).toBeInstanceOf(AccessDeniedError)
    // By a call of its own, with credentials of its own.
    const credentials = { username: 'x', password: READ_TOKEN }
    expect(await rejection(writer.appendToStream('thing-1', event(), { credentials }))).toBeInstanceOf(
      AccessDeniedError,
    )
    expect(await collect(reader.readStream('thing-1'))).toHaveLength(1)
  })

  test.each([['a wrong key'], ['']])(
    'with %j nothing is read or appended, or subscribed to',
    async (password) => {
      const backend = memoryBackend()
      const client = connected(await served(backend, tls), { password })
      expect(await rejection(client.appendToStream('thing-1', event()))).toBeInstanceOf(AccessDeniedError)
      expect(await rejection(collect(client.readAll()))).toBeInstanceOf(AccessDeniedError)
      const subscription = client.subscribeToAll()
      const failure = await new Promise((resolve) => subscription.on('error', resolve))
      expect(failure).toBeInstanceOf(AccessDeniedError)
      expect(backend.head()).toBe(0)
    },
  )

  test('nobody connects without a certificate of the clients’ authority, which gives no right by itself', async () => {
    const backend = memoryBackend()
    const clientCa = Buffer.from(CLIENT_CA)
    const server = await served(backend, { anonymous: false, tls: { ...TLS, clientCa } })
    const of = (password: string, userCertFile: string, userKeyFile: string) =>
      connected(server, {
        ...{ password, isAlone: true },
        user: { userCertFile: Buffer.from(userCertFile), userKeyFile: Buffer.from(userKeyFile) },
      })
    const user = of(WRITE_KEY, USER_CERTIFICATE, USER_KEY)
    await user.appendToStream('thing-1', event())
    expect(await rejection(collect(user.readAll()))).toBeInstanceOf(AccessDeniedError)
    const wrong = of('a wrong key', USER_CERTIFICATE, USER_KEY)
    expect(await rejection(wrong.appendToStream('thing-1', event()))).toBeInstanceOf(AccessDeniedError)
    const strangers = [of(WRITE_KEY, CERTIFICATE, PRIVATE_KEY), connected(server, { password: WRITE_KEY })]
    for (const stranger of strangers)
      expect(await rejection(stranger.appendToStream('thing-1', event()))).toMatchObject({
        code: status.UNAVAILABLE,
      })
    expect(backend.head()).toBe(1)
  })
})

test('without credentials nothing is read or appended unless it was said so', async () => {
  const backend = memoryBackend()
  const client = connected(await served(backend, { anonymous: false }))
  expect(await rejection(client.appendToStream('thing-1', event()))).toBeInstanceOf(AccessDeniedError)
  expect(await rejection(collect(client.readAll()))).toBeInstanceOf(AccessDeniedError)
  expect(backend.head()).toBe(0)
})

test('a client that looks for its cluster finds one node, and what is not offered says so', async () => {
  const { port } = await served(memoryBackend())
  const discovering = new EventStoreDBClient({ discover: { address: '127.0.0.1', port } }, { insecure: true })
  closing.push(() => discovering.dispose())
  expect(await discovering.appendToStream('thing-1', event())).toMatchObject({ success: true })
  const ofStream = persistentSubscriptionToStreamSettingsFromDefaults()
  const ofAll = persistentSubscriptionToAllSettingsFromDefaults()
  for (const work of [
    () => discovering.listProjections(),
    () => discovering.createProjection('counts', 'fromAll()'),
    () => discovering.createPersistentSubscriptionToStream('thing-1', 'group', ofStream),
    () => discovering.updatePersistentSubscriptionToStream('thing-1', 'group', ofStream),
    () => discovering.deletePersistentSubscriptionToStream('thing-1', 'group'),
    () => discovering.getPersistentSubscriptionToStreamInfo('thing-1', 'group'),
    () => discovering.listPersistentSubscriptionsToStream('thing-1'),
    () => discovering.replayParkedMessagesToStream('thing-1', 'group'),
    () => discovering.createPersistentSubscriptionToAll('group', ofAll),
    () => discovering.getPersistentSubscriptionToAllInfo('group'),
    () => discovering.listPersistentSubscriptionsToAll(),
    () => discovering.listAllPersistentSubscriptions(),
    () => discovering.restartPersistentSubscriptionSubsystem(),
  ])
    expect(await rejection(work())).toMatchObject({ code: status.UNIMPLEMENTED })
  const group = discovering.subscribeToPersistentSubscriptionToStream('thing-1', 'group')
  const failure = await new Promise((resolve) => group.on('error', resolve))
  expect(failure).toMatchObject({ code: status.UNIMPLEMENTED })
})

test('who may append may delete, and who may read may not', async () => {
  const server = await served(memoryBackend(), { tls: TLS, anonymous: false })
  const [writer, reader] = [WRITE_KEY, READ_TOKEN].map((password) => connected(server, { password }))
  if (writer === undefined || reader === undefined) throw new Error('two clients')
  await writer.appendToStream('thing-1', event())
  for (const remove of [reader.deleteStream.bind(reader), reader.tombstoneStream.bind(reader)])
    expect(await rejection(remove('thing-1'))).toBeInstanceOf(AccessDeniedError)
  expect(await rejection(reader.setStreamMetadata('thing-1', {}))).toBeInstanceOf(AccessDeniedError)
  await writer.deleteStream('thing-1')
  await writer.tombstoneStream('thing-1')
})

test('a subscription whose filter takes too long ends with the reason, and others go on', async () => {
  const client = connected(await served(memoryBackend()))
  await client.appendToStream('a'.repeat(60), event())
  const slow = client.subscribeToAll({ filter: streamNameFilter({ regex: '(a+)+b' }) })
  const failure = new Promise<Error>((resolve) => slow.on('error', resolve))
  await client.appendToStream('thing-1', event())
  expect(await collect(client.readStream('thing-1'))).toHaveLength(1)
  expect((await failure).message).toMatch(/INVALID_ARGUMENT.*takes too long/)
})

test('an append that is cancelled once it was begun is made all the same, and answers its repetition', async () => {
  // As EventStoreDB does, which looks for a cancellation before it writes and not afterwards.
  const held = Promise.withResolvers<void>()
  const backend = memoryBackend({ hold: () => held.promise })
  const server = await served(backend)
  const client = new streams.StreamsClient(`127.0.0.1:${server.port}`, credentials.createInsecure())
  closing.push(async () => client.close())
  const id = randomUUID()
  const cancelled = await new Promise<ServiceError | null>((resolve) => {
    const call = client.append((error) => resolve(error))
    call.write(appendOptions('thing-1'))
    call.write(appendEvent(id))
    call.end()
    setTimeout(() => call.cancel(), 100)
  })
  expect(cancelled?.code).toBe(status.CANCELLED)
  held.resolve()
  await until(() => backend.head() === 1)
  const again = jsonEvent({ id, type: 'thing.done', data: {} })
  expect(await connected(server).appendToStream('thing-1', again)).toMatchObject({
    nextExpectedRevision: 0n,
  })
  expect(backend.head()).toBe(1)
})

test('a stopped server ends subscriptions as unavailable, and answers what is under way', async () => {
  const held = Promise.withResolvers<void>()
  const server = await serve(memoryBackend({ hold: () => held.promise }))
  const client = connected(server)
  const subscription = client.subscribeToAll()
  const failure = new Promise((resolve) => subscription.on('error', resolve))
  await new Promise((resolve) => subscription.on('caughtUp', resolve))
  const credentials = { username: 'a', password: 'b' }
  const appended = client.appendToStream('thing-1', event(), { credentials })
  await new Promise((resolve) => setTimeout(resolve, 50))
  const stopped = server.stop()
  held.resolve()
  expect(await appended).toMatchObject({ success: true })
  expect(await failure).toBeInstanceOf(UnavailableError)
  await stopped
})

test('a peer that vanished without a word is let go, one that lives is not', async () => {
  const backend = memoryBackend()
  let [followed, left] = [0, 0]
  const follow: EsdbBackend['follow'] = async function* (asked) {
    followed += 1
    try {
      yield* backend.follow(asked)
    } finally {
      left += 1
    }
  }
  const server = await served({ ...backend, follow }, { keepAliveMs: 300 })
  const proxy = await new CuttingProxy(server.port).open()
  closing.push(() => proxy.close())
  const heard: string[] = []
  for (const through of [proxy, server]) {
    const subscription = connected(through, { isAlone: true }).subscribeToAll()
    subscription.on('error', () => undefined)
    subscription.on('data', ({ event: its }) => void heard.push(its?.id ?? ''))
  }
  await until(() => followed === 2)
  proxy.weather = { kind: 'swallowed' }
  await until(() => left === 1)
  const sent = event()
  await connected(server, { isAlone: true }).appendToStream('thing-1', sent)
  await until(() => heard.length > 0)
  expect([heard, left]).toEqual([[sent.id], 1])
})

test('a client is told to come back where it came, whatever we listen on', async () => {
  const { port } = await served(memoryBackend())
  const proxy = await new CuttingProxy(port).open()
  closing.push(() => proxy.close())
  const told = (target: string, authority?: string) =>
    new Promise<string>((resolve, reject) => {
      const options = authority === undefined ? {} : { 'grpc.default_authority': authority }
      const asking = new gossip.GossipClient(target, credentials.createInsecure(), options)
      asking.read(new shared.Empty(), (error, cluster) => {
        asking.close()
        if (error !== null) return reject(error)
        const place = cluster.getMembersList()[0]?.getHttpEndPoint()
        resolve(`${place?.getAddress()} ${place?.getPort()}`)
      })
    })
  expect(await told(`127.0.0.1:${port}`)).toBe(`127.0.0.1 ${port}`)
  expect(await told(`localhost:${proxy.port}`)).toBe(`localhost ${proxy.port}`)
  expect(await told(`127.0.0.1:${port}`, '[2001:db8::1]:2113')).toBe('[2001:db8::1] 2113')
  expect(await told(`127.0.0.1:${port}`, 'events.example.com')).toBe(`events.example.com ${port}`)
  expect(await told(`127.0.0.1:${port}`, 'a+b:2113')).toBe(`127.0.0.1 ${port}`)
})

test('an append keeps its deadline, in either way', async () => {
  const backend = memoryBackend({ hold: () => new Promise((resolve) => setTimeout(resolve, 300)) })
  const client = connected(await served(backend))
  const credentials = { username: 'a', password: 'b' }
  const late = await rejection(client.appendToStream('thing-1', event(), { credentials, deadline: 50 }))
  expect(late).toMatchObject({ type: 'deadline-exceeded' })
  const expired = await rejection(client.appendToStream('thing-1', event(), { deadline: -1_000 }))
  expect(expired).toMatchObject({ type: 'deadline-exceeded' })
})

test('a connection that is cut in the midst of an append leaves nothing, and that is no defect', async () => {
  const defects: unknown[] = []
  const backend = memoryBackend()
  const server = await served(backend, { onDefect: (error) => void defects.push(error) })
  const sockets = new Set<Socket>()
  const proxy = createServer((near) => {
    const far = connect(server.port, '127.0.0.1')
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined))
    near.pipe(far).pipe(near)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  closing.push(async () => void proxy.close())
  const address = proxy.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const client = new streams.StreamsClient(`127.0.0.1:${port}`, credentials.createInsecure())
  closing.push(async () => client.close())
  const cut = await new Promise<ServiceError | null>((resolve) => {
    const call = client.append((error) => resolve(error))
    const options = new messages.AppendReq.Options()
    options.setStreamIdentifier(streamIdentifier('thing-1'))
    options.setAny(new shared.Empty())
    const request = new messages.AppendReq()
    request.setOptions(options)
    call.write(request)
    const message = new messages.AppendReq.ProposedMessage()
    message.setId(uuidMessage(randomUUID(), false))
    message.getMetadataMap().set('type', 'thing.done').set('content-type', 'application/json')
    const first = new messages.AppendReq()
    first.setProposedMessage(message)
    const reset = () => {
      for (const socket of sockets) socket.resetAndDestroy()
    }
    call.write(first, () => setTimeout(reset, 50))
  })
  expect(cut?.code).toBe(status.UNAVAILABLE)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(defects).toEqual([])
  expect(backend.head()).toBe(0)
})

test('what is appended to a stream while its past is read comes once, in order', async () => {
  const memory = memoryBackend()
  const add = () =>
    memory.append('thing-1', { kind: 'any' }, [
      {
        id: randomUUID(),
        type: 'thing.done',
        isJson: true,
        data: Buffer.from('{}'),
        metadata: new Uint8Array(),
      },
    ])
  for (let count = 0; count < 3; count++) await add()
  const backend: EsdbBackend = {
    ...memory,
    async *readStream(stream, read) {
      await add()
      yield* memory.readStream(stream, read)
    },
  }
  const client = connected(await served(backend))
  const heard: number[] = []
  const subscription = client.subscribeToStream('thing-1')
  subscription.on('data', (resolved) => heard.push(Number(resolved.event?.revision)))
  await until(() => heard.length >= 4)
  await add()
  await until(() => heard.includes(4))
  expect(heard).toEqual([0, 1, 2, 3, 4])
  await subscription.unsubscribe()
})

/** Endless events of 10 kB, counted as they are taken. */
function endless() {
  let taken = 0
  const data = Buffer.from(JSON.stringify({ text: 'x'.repeat(10_000) }))
  const record = (position: number): EsdbRecord => ({
    ...{ stream: 'thing-1', revision: position - 1, position, createdMs: 0 },
    ...{ id: `00000000-0000-4000-8000-${String(position).padStart(12, '0')}` },
    ...{ type: 'thing.done', isJson: true, data, metadata: new Uint8Array() },
  })
  let ended = false
  const backend: EsdbBackend = {
    ...memoryBackend(),
    head: () => Number.MAX_SAFE_INTEGER,
    async *follow({ signal }) {
      try {
        while (!signal.aborted) {
          taken += 1
          yield [{ position: taken, record: record(taken) }]
        }
      } finally {
        ended = true
      }
    },
    async *readAll() {
      try {
        for (;;) {
          taken += 1
          yield [record(taken)]
        }
      } finally {
        ended = true
      }
    },
  }
  return { backend, taken: () => taken, ended: () => ended }
}

test.each([['subscribeToAll'], ['readAll']] as const)(
  'a slow reader of %s is sent what its window holds and no more, and reading ends when it leaves',
  async (method) => {
    const source = endless()
    const client = connected(await served(source.backend))
    const reading = method === 'readAll' ? client.readAll() : client.subscribeToAll()
    const iterator = reading[Symbol.asyncIterator]()
    await iterator.next()
    let before = -1
    let still = 0
    await until(() => {
      still = source.taken() === before ? still + 1 : 0
      before = source.taken()
      return still > 40
    })
    const atRest = source.taken()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(source.taken()).toBe(atRest)
    // Windows of both sides: far below what a reader that isn't waited for is sent in this time.
    expect(atRest).toBeLessThan(1_000)
    for (let count = 0; count < 2 * atRest; count++) await iterator.next()
    expect(source.taken()).toBeGreaterThan(atRest)
    await ('unsubscribe' in reading ? reading.unsubscribe() : reading.cancel())
    await until(source.ended)
  },
)

describe('starting it', () => {
  const settings = {
    host: '127.0.0.1',
    esdbPort: 1,
    esdbTlsCert: undefined,
    esdbTlsKey: undefined,
    esdbTlsClientCa: undefined,
    esdbAnonymous: 'off',
  } as const
  const start = (more: Partial<Parameters<typeof startEsdb>[0]>) => {
    const world = intakeWorld()
    closing.push(world.close)
    const credentials = { writeKey: WRITE_KEY, readToken: READ_TOKEN }
    return startEsdb({ ...settings, ...more }, world, {
      credentials,
      clock: systemClock,
      onDefect: () => undefined,
    })
  }

  test('is left undone unless it is asked for', async () => {
    expect(await start({ esdbPort: 0 })).toEqual(E.right(undefined))
  })

  test.each([
    [{}, /clients send credentials over TLS alone/],
    [{ esdbAnonymous: 'loopback', host: '0.0.0.0' }, /loopback address/],
    [{ esdbTlsCert: '/nowhere/cert.pem' }, /belong together/],
    [{ esdbTlsCert: '/nowhere/cert.pem', esdbTlsKey: '/nowhere/key.pem' }, /_CERT: .* can't be read/],
    [{ esdbTlsClientCa: '/nowhere/ca.pem', esdbAnonymous: 'loopback' }, /CLIENT_CA needs/],
  ] as const)('with %j says what is wrong', async (more, message) => {
    const started = await start(more)
    expect(E.isLeft(started) ? started.left : started.right).toMatch(message)
  })

  const file = (name: string, pem: string): string => {
    const directory = mkdtempSync(join(tmpdir(), 'headwater-esdb-'))
    closing.push(async () => rmSync(directory, { recursive: true }))
    const path = join(directory, name)
    writeFileSync(path, pem)
    return path
  }
  test.each([
    [
      'of no certificate',
      [PRIVATE_KEY, PRIVATE_KEY, CLIENT_CA],
      /^HEADWATER_ESDB_TLS_CERT: .* no certificate/,
    ],
    ['of no key', [CERTIFICATE, CERTIFICATE, CLIENT_CA], /^HEADWATER_ESDB_TLS_KEY: .* no certificate or key/],
    ['of another key', [CERTIFICATE, USER_KEY, CLIENT_CA], /^HEADWATER_ESDB_TLS_KEY: .* is not the key/],
    ['of no authority', [CERTIFICATE, PRIVATE_KEY, 'x'], /^HEADWATER_ESDB_TLS_CLIENT_CA: .* no certificate/],
  ] as const)('over TLS with a file %s says which', async (_what, pems, message) => {
    const [esdbTlsCert, esdbTlsKey, esdbTlsClientCa] = pems.map((pem, n) => file(`${n}.pem`, pem))
    const started = await start({ esdbTlsCert, esdbTlsKey, esdbTlsClientCa })
    expect(E.isLeft(started) ? started.left : started.right).toMatch(message)
  })

  test('with an authority of clients asks for their certificates', async () => {
    const started = await start({
      ...{ esdbTlsCert: file('cert.pem', CERTIFICATE), esdbTlsKey: file('key.pem', PRIVATE_KEY) },
      ...{ esdbTlsClientCa: file('ca.pem', CLIENT_CA), esdbPort: await freePort() },
    })
    const server = E.isRight(started) ? started.right : undefined
    if (server === undefined) throw new Error('it started')
    closing.push(() => server.stop())
    const client = connected(server, { password: WRITE_KEY })
    expect(await rejection(client.appendToStream('thing-1', event()))).toMatchObject({
      code: status.UNAVAILABLE,
    })
  })

  test('on a port that is taken says so', async () => {
    const { port } = await served(memoryBackend())
    const started = await start({ esdbPort: port, esdbAnonymous: 'loopback' })
    expect(E.isLeft(started) ? started.left : started.right).toMatch(/can't be listened on/)
  })
})
