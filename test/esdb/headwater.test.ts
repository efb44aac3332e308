/**
 * Theorem: what EventStoreDB's client appends is an event like any other here, and what came by other ways is read by it; known
 * types are validated, names name nobody, and what was erased is absent.
 */
import {
  binaryEvent,
  DeadlineExceededError,
  type EventStoreDBClient,
  eventTypeFilter,
  jsonEvent,
  START,
  StreamNotFoundError,
  UnavailableError,
} from '@eventstore/db-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { headwaterBackend } from '../../api/esdb/headwater-backend.ts'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { uuidOf } from '../../engine/log/eventstore/event-id.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'
import { clientOf, collect, rejection, serve } from './client.ts'

let world: IntakeWorld
let server: EsdbServer
let client: EventStoreDBClient

beforeEach(async () => {
  world = intakeWorld()
  const { log, intake, keyStore } = world
  server = await serve(headwaterBackend({ log, intake, opener: keyStore }))
  client = clientOf(server)
})

afterEach(async () => {
  await client.dispose()
  await server.stop()
  await world.close()
})

const ID = '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9'
const identify = (id: string, more: object = {}) =>
  jsonEvent({
    id,
    type: 'cdp.identify',
    data: { traits: { email: 'jane@example.com' }, userId: 'u17', ...more },
  })

async function raw(stream: string): Promise<readonly string[]> {
  const found: string[] = []
  const { log, intake, keyStore } = world
  const backend = headwaterBackend({ log, intake, opener: keyStore })
  const read = { direction: 'forwards', from: undefined, limit: 100 } as const
  for await (const batch of backend.readStream(stream, read))
    for (const { data, metadata } of batch)
      found.push(`${Buffer.from(data).toString('latin1')}|${Buffer.from(metadata).toString('latin1')}`)
  return found
}

describe('an event appended by the client', () => {
  test('is an event of the log: its id, type, stream and source, with what its metadata say', async () => {
    const metadata = { $correlationId: 'c-1', $causationId: 'e-0', source: 'erp' }
    await client.appendToStream(
      'thing-1',
      jsonEvent({ id: ID, type: 'thing.done', data: { n: 1 }, metadata }),
    )
    await client.appendToStream('thing-1', jsonEvent({ type: 'thing.done', data: {} }))
    const [event, other] = await world.events()
    expect(event).toMatchObject({
      ...{ id: ID, type: 'thing.done', stream: 'thing-1', source: 'erp' },
      ...{ correlation: 'c-1', causation: 'e-0' },
    })
    expect(event?.data).toMatchObject({ n: 1 })
    expect(other?.source).toBe('esdb')
  })

  test('of a known type makes a person of its identities, and comes back byte by byte', async () => {
    await client.appendToStream('visit-1', identify(ID))
    expect(world.keyStore.find('email', 'jane@example.com')).toBeDefined()
    // Personal properties before others: the log gives them back behind these.
    await client.appendToStream(
      'visit-1',
      jsonEvent({ type: 'cdp.page', data: { userId: 'u17', name: 'Home' } }),
    )
    await client.appendToStream(
      'visit-1',
      jsonEvent({ type: 'cdp.page', data: { name: 'Home', userId: 'u17' } }),
    )
    expect(await raw('visit-1')).toEqual([
      '{"traits":{"email":"jane@example.com"},"userId":"u17"}|',
      '{"userId":"u17","name":"Home"}|',
      '{"name":"Home","userId":"u17"}|',
    ])
    // Where they come back by themselves they aren't kept twice.
    const kept = (await world.events()).map(({ data }) => JSON.stringify(data).includes('esdbdata'))
    expect(kept).toEqual([false, true, false])
  })

  test.each([
    ['spaces and doubled keys', '{ "b" : 1.0, "a": 2, "a": 3 }'],
    ['keys that are numbers', '{"b":1,"1":2}'],
    ['no JSON at all', 'plainly not'],
    ['a bare value', '"text"'],
    ['bytes that are no text', '\xff\xfe{}'],
    ['nothing', ''],
    ['extensions of its own', '{"ce_extensions":{"x":1},"n":2}'],
    ['extensions that are none', '{"ce_extensions":"x"}'],
  ])('said to be JSON, with %s, comes back byte by byte', async (_what, text) => {
    const { log, intake, keyStore } = world
    const backend = headwaterBackend({ log, intake, opener: keyStore })
    const data = Buffer.from(text, 'latin1')
    const event = { id: ID, type: 'thing.done', isJson: true, data, metadata: new Uint8Array() }
    expect(await backend.append('thing-1', { kind: 'any' }, [event])).toMatchObject({ _tag: 'Right' })
    expect(await raw('thing-1')).toEqual([`${text}|`])
  })

  test('of a known type is refused with the reason where it is not valid, and its neighbours with it', async () => {
    const wrong = jsonEvent({ type: 'cdp.page', data: { userId: {} } })
    for (const more of [{}, { credentials: { username: 'a', password: 'b' } }]) {
      const failure = await rejection(client.appendToStream('visit-1', [identify(ID), wrong], more))
      expect(String(failure)).toMatch(/event 2 of 2: invalid_data: userId/)
    }
    expect(await world.events()).toEqual([])
  })

  test.each([
    ['an address', 'thing-jane@example.com', /holds an address/],
    ["a person's category", 'profile-17', /named by identity ids/],
    ['the system', '$settings', /system streams are not kept here/],
    ['an address whose metadata it holds', '$$thing-jane@example.com', /holds an address/],
    ["a person's category whose metadata it holds", '$$profile-17', /named by identity ids/],
    ['more than the log names', `thing-${'x'.repeat(600)}`, /at most 512 bytes/],
  ])('to a stream named by %s is refused', async (_what, stream, reason) => {
    const failure = await rejection(
      client.appendToStream(stream, jsonEvent({ type: 'thing.done', data: {} })),
    )
    expect(String(failure)).toMatch(reason)
    expect(await world.events()).toEqual([])
  })

  test('under an id that stands for another is refused', async () => {
    await client.appendToStream('thing-1', jsonEvent({ id: ID, type: 'thing.done', data: { n: 1 } }))
    const other = jsonEvent({ id: ID, type: 'thing.done', data: { n: 2 } })
    expect(String(await rejection(client.appendToStream('thing-1', other)))).toMatch(/id_reused/)
    const elsewhere = jsonEvent({ id: ID, type: 'thing.done', data: { n: 1 } })
    expect(String(await rejection(client.appendToStream('thing-2', elsewhere)))).toMatch(/id_reused/)
  })

  test('of another engine, whose log lies here, is as it wrote it, and decides nothing here', async () => {
    const types = [
      'person.erased',
      'event.quarantined',
      'clock.advanced',
      'esdb.reserved.person.erased',
      'cdp.page',
    ]
    const metadata = { source: 'headwater', id: 'erased-1' }
    const sent = types.map((type) => jsonEvent({ type, data: { erased: ['e1'], name: 'Home' }, metadata }))
    await client.appendToStream('person-2026', sent)
    // An event that names nobody has a stream of this name.
    await client.appendToStream('profile-none', jsonEvent({ type: 'cdp.page', data: {} }))
    const seen = await collect(client.readStream('person-2026'))
    expect(seen.map(({ type }) => type)).toEqual(types)
    expect(seen.map(({ data }) => data)).toEqual(sent.map(({ data }) => data))
    expect(seen.map(({ metadata: its }) => its)).toEqual(sent.map(() => metadata))
    const filter = eventTypeFilter({ prefixes: ['person.'] })
    const subscription = client.subscribeToAll({ fromPosition: START, filter })
    for await (const { event } of subscription) {
      expect(event?.type).toBe('person.erased')
      break
    }
    const kept = await world.events()
    expect(kept.slice(0, 4).map(({ type }) => type)).toEqual(
      types.slice(0, 4).map((type) => `esdb.reserved.${type}`),
    )
    expect(new Set(kept.map(({ source }) => source))).toEqual(new Set(['esdb']))
  })

  test('to streams that another engine keeps metadata in is as it wrote it, and hides nothing here', async () => {
    await client.appendToStream('thing-1', [identify(ID), jsonEvent({ type: 'thing.done', data: {} })])
    await client.setStreamMetadata('thing-1', { maxCount: 5 })
    const streams = [
      'esdb_metadata-thing-1',
      'esdb_reserved-esdb_metadata-thing-1',
      'esdb_reserved-esdb_reserved-thing-1',
      'esdb_reserved-thing-1',
    ]
    const set = () => jsonEvent({ type: 'esdb.metadata_set', data: { $tb: 2 } })
    for (const [n, stream] of streams.entries()) {
      expect(await rejection(collect(client.readStream(stream)))).toBeInstanceOf(StreamNotFoundError)
      await client.appendToStream(stream, Array.from({ length: n + 1 }, set), {
        expectedRevision: 'no_stream',
      })
    }
    for (const [n, stream] of streams.entries()) {
      const seen = await collect(client.readStream(stream))
      expect(seen.map(({ streamId, type }) => `${streamId} ${type}`)).toEqual(
        Array.from({ length: n + 1 }, () => `${stream} esdb.metadata_set`),
      )
    }
    const all = new Set((await collect(client.readAll())).map(({ streamId }) => streamId))
    expect(all).toEqual(new Set(['thing-1', '$$thing-1', ...streams]))
    expect(await collect(client.readStream('thing-1'))).toHaveLength(2)
    await client.setStreamMetadata('esdb_metadata-thing-1', { truncateBefore: 1 })
    expect(await collect(client.readStream('esdb_metadata-thing-1'))).toEqual([])
    expect((await client.getStreamMetadata('thing-1')).metadata).toEqual({ maxCount: 5 })
  })

  test('while nothing is taken fails so that it is sent again, and is taken then', async () => {
    world.clock.jump(3_600_000)
    const event = jsonEvent({ type: 'thing.done', data: {} })
    const batched = await rejection(client.appendToStream('thing-1', event))
    expect(batched).toBeInstanceOf(DeadlineExceededError)
    const credentials = { username: 'a', password: 'b' }
    const lone = await rejection(client.appendToStream('thing-1', event, { credentials }))
    expect(lone).toBeInstanceOf(UnavailableError)
    expect(String(lone)).toMatch(/wall clock jumped/)
    world.guard.confirm()
    expect(await client.appendToStream('thing-1', event)).toMatchObject({ success: true })
  })
})

describe('an event that came by another way', () => {
  test('has its data as JSON, its envelope as metadata, and a UUID made of source and id', async () => {
    const id = 'mail-7'
    const sent = { id, source: 'crm', type: 'note.taken', subject: 'note-7', identities: ['user:u17'] }
    await world.send({ ...sent, correlation: 'c-9', data: { text: 'called' } })
    const [event] = await collect(client.readStream('note-7'))
    expect(event).toMatchObject({
      ...{ id: uuidOf('crm', id), type: 'note.taken', isJson: true },
      data: { text: 'called' },
    })
    expect(event?.metadata).toMatchObject({
      ...{ source: 'crm', id, schema: 1, correlation: 'c-9', $correlationId: 'c-9' },
      identities: [{ namespace: 'user', id: world.keyStore.find('user', 'u17') }],
    })
    expect(event?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab]/)
    expect(uuidOf('crm', ID.toUpperCase())).toBe(ID)
    expect(uuidOf('erp', id)).not.toBe(event?.id)
  })

  test('is among $all, in the order of the log', async () => {
    await client.appendToStream('thing-1', jsonEvent({ type: 'thing.done', data: {} }))
    await world.send({ id: 'n', source: 'crm', type: 'note.taken', subject: 'note-1', data: {} })
    const all = await collect(client.readAll())
    expect(all.map(({ streamId, position }) => `${streamId} ${position?.commit}`)).toEqual([
      'thing-1 1',
      'note-1 2',
    ])
  })
})

test('of a person who was erased nothing is read any more, and the event keeps its place', async () => {
  await client.appendToStream('visit-1', [
    jsonEvent({ ...identify(ID), metadata: { note: 'jane@example.com' } }),
    binaryEvent({ type: 'thing.blob', data: Uint8Array.of(1) }),
  ])
  const jane = world.keyStore.find('email', 'jane@example.com')
  const user = world.keyStore.find('user', 'u17')
  if (jane === undefined || user === undefined) throw new Error('she is known')
  await world.keyStore.destroyOwner([jane, user])
  const [first, second] = await raw('visit-1')
  expect(first).not.toContain('jane@example.com')
  expect(first).toContain('"erased":1')
  expect(second).toBe('\x01|')
})
