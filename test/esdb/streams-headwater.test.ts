/**
 * Theorem: metadata, deletions and tombstones are events of the log: sealed, there after a restart, and of no effect on what others
 * send and read; what others send to a deleted stream makes it anew, and to one with a tombstone is seen by them alone.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonEvent, StreamDeletedError, StreamNotFoundError } from '@eventstore/db-client'
import { afterEach, expect, test } from 'vitest'
import { headwaterBackend } from '../../api/esdb/headwater-backend.ts'
import { messages, shared } from '../../api/esdb/protocol.ts'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { streamIdentifier } from '../../api/esdb/wire.ts'
import { createMemoryKeyStore } from '../../engine/privacy/memory-key-store.ts'
import { opened as openedLog } from '../log/support.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'
import { clientOf, collect, rejection, serve } from './client.ts'
import { rawStreams } from './raw-calls.ts'

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function served({ log, intake, keyStore, clock }: IntakeWorld): Promise<EsdbServer> {
  const server = await serve(headwaterBackend({ log, intake, opener: keyStore }), { clock })
  closing.push(() => server.stop())
  return server
}

function connected(server: EsdbServer) {
  const client = clientOf(server)
  closing.push(() => client.dispose())
  return client
}

type Client = ReturnType<typeof connected>

const event = () => jsonEvent({ type: 'thing.done', data: { n: 1 } })
const revisions = async (client: Client, stream: string) =>
  (await collect(client.readStream(stream))).map(({ revision }) => Number(revision))

async function opened(): Promise<{ readonly world: IntakeWorld; readonly client: Client }> {
  const world = intakeWorld()
  closing.push(world.close)
  return { world, client: connected(await served(world)) }
}

test('after a restart all is hidden that was, and goes on', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-esdb-'))
  closing.push(async () => rmSync(directory, { recursive: true }))
  const keyStore = createMemoryKeyStore({ clock: { nowMs: () => 0, monotonicMs: () => 0 } })
  const life = async (work: (client: Client) => Promise<void>) => {
    const world = intakeWorld({ keyStore, log: await openedLog(directory) })
    const server = await served(world)
    const client = connected(server)
    await work(client)
    await client.dispose()
    await server.stop()
    await world.intake.close()
    await world.log.close()
    // The keys are those of both lives.
    closing.push(world.close)
  }
  await life(async (client) => {
    for (const stream of ['cut-1', 'gone-1', 'ended-1', 'anew-1'])
      await client.appendToStream(stream, [event(), event(), event()])
    await client.setStreamMetadata('cut-1', { maxCount: 2, owner: 'jane@example.com' })
    await client.deleteStream('gone-1')
    await client.deleteStream('anew-1')
    await client.appendToStream('anew-1', event())
    await client.tombstoneStream('ended-1')
  })
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  )
  const bytes = Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))))
  expect([bytes.includes('esdb.metadata_set'), bytes.includes('jane')]).toEqual([true, false])
  await life(async (client) => {
    expect(await revisions(client, 'cut-1')).toEqual([1, 2])
    expect((await client.getStreamMetadata('cut-1')).metadata).toEqual({
      maxCount: 2,
      owner: 'jane@example.com',
    })
    expect(await rejection(revisions(client, 'gone-1'))).toBeInstanceOf(StreamNotFoundError)
    expect(await revisions(client, 'anew-1')).toEqual([3])
    expect(await rejection(revisions(client, 'ended-1'))).toBeInstanceOf(StreamDeletedError)
    expect(await rejection(client.appendToStream('ended-1', event()))).toBeInstanceOf(StreamDeletedError)
    await client.appendToStream('gone-1', event(), { expectedRevision: 2n })
    expect(await revisions(client, 'gone-1')).toEqual([3])
  })
})

test('the log keeps what is hidden, and says in events of its own that it is', async () => {
  const { world, client } = await opened()
  await client.appendToStream('thing-1', [event(), event()])
  await client.setStreamMetadata('thing-1', { owner: 'jane@example.com' })
  await client.deleteStream('thing-1')
  await client.tombstoneStream('thing-1')
  const events = await world.events()
  expect(events.map(({ stream, type, source }) => `${stream} ${type} ${source}`)).toEqual([
    ...['thing-1 thing.done esdb', 'thing-1 thing.done esdb'],
    ...['esdb_metadata-thing-1 esdb.metadata_set esdb', 'esdb_metadata-thing-1 esdb.metadata_set esdb'],
    'esdb_metadata-thing-1 esdb.stream_tombstoned esdb',
  ])
  expect(events.every(({ identities }) => identities.length === 0)).toBe(true)
  for await (const batch of world.log.read())
    for (const { data } of batch) expect(JSON.stringify(data)).not.toContain('jane')
})

test('what came by another way makes a deleted stream anew', async () => {
  const { world, client } = await opened()
  const send = (id: string) =>
    world.sendOne({ id, source: 'crm', type: 'note.taken', subject: 'note-7', data: {} })
  for (const id of ['a', 'b', 'c']) await send(id)
  await client.deleteStream('note-7', { expectedRevision: 2n })
  expect(await rejection(revisions(client, 'note-7'))).toBeInstanceOf(StreamNotFoundError)
  for (const id of ['d', 'e']) expect(await send(id)).toMatchObject({ status: 'appended', stream: 'note-7' })
  expect(await revisions(client, 'note-7')).toEqual([3, 4])
  await client.appendToStream('note-7', event(), { expectedRevision: 4n })
  expect(await revisions(client, 'note-7')).toEqual([3, 4, 5])
  expect((await client.getStreamMetadata('note-7')).metadata).toEqual({ truncateBefore: 3 })
})

test('what came by another way to a stream with a tombstone is kept, and seen in $all alone', async () => {
  const { world, client } = await opened()
  const note = { source: 'crm', type: 'note.taken', subject: 'note-7', data: {} }
  await client.tombstoneStream('note-7')
  expect(await world.sendOne({ ...note, id: 'a' })).toMatchObject({ status: 'appended', revision: 0 })
  expect(await rejection(revisions(client, 'note-7'))).toBeInstanceOf(StreamDeletedError)
  expect(await rejection(client.appendToStream('note-7', event()))).toBeInstanceOf(StreamDeletedError)
  expect(await collect(client.readAll())).toHaveLength(2)
})

test('metadata come by this protocol alone', async () => {
  const { world, client } = await opened()
  await client.appendToStream('thing-1', [event(), event()])
  const cut = {
    source: 'crm',
    type: 'esdb.metadata_set',
    data: { $tb: 2 },
    esdbmetadata: '',
    esdbdata: '{"$tb":2}',
  }
  const forged = [
    { ...cut, subject: 'esdb_metadata-thing-1' },
    { ...cut, type: 'esdb.stream_tombstoned', subject: 'esdb_metadata-thing-1' },
    { ...cut, type: 'ESDB-metadata.set', subject: 'thing' },
    { ...cut, type: 'esdb_metadata' },
    { ...cut, type: 'cdp.page', subject: 'esdb_metadata-thing-1' },
    { ...cut, type: '$streamDeleted', subject: '$$thing-1' },
  ]
  for (const [index, one] of forged.entries())
    expect(await world.sendOne({ ...one, id: `forged-${index}` })).toMatchObject({
      status: 'quarantined',
      reason: 'reserved_stream',
    })
  expect(await revisions(client, 'thing-1')).toEqual([0, 1])
  expect((await client.getStreamMetadata('thing-1')).metadata).toBeUndefined()
  await client.setStreamMetadata('thing-1', { truncateBefore: 1 })
  expect(await revisions(client, 'thing-1')).toEqual([1])
})

test('names that mean something in metastreams are ordinary elsewhere', async () => {
  const { world, client } = await opened()
  for (const type of ['$metadata', '$streamDeleted', 'esdb.metadata_set'])
    await client.appendToStream('thing-1', jsonEvent({ type, data: { $tb: 2 } }))
  expect((await collect(client.readStream('thing-1'))).map(({ type, data }) => [type, data])).toEqual([
    ['$metadata', { $tb: 2 }],
    ['$streamDeleted', { $tb: 2 }],
    ['esdb.metadata_set', { $tb: 2 }],
  ])
  expect((await collect(client.readAll())).map(({ revision }) => Number(revision))).toEqual([0, 1, 2])
  expect((await world.events()).every(({ stream }) => stream === 'thing-1')).toBe(true)
})

/** What a raw read of the stream answers, of the kinds that the official client passes over. */
function bounds(port: number, from: number, count: number): Promise<readonly string[]> {
  const stream = new messages.ReadReq.Options.StreamOptions()
  stream.setStreamIdentifier(streamIdentifier('thing-1')).setRevision(String(from))
  const control = new messages.ReadReq.Options.ControlOption()
  control.setCompatibility(1)
  const options = new messages.ReadReq.Options()
  options.setStream(stream).setCount(String(count)).setNoFilter(new shared.Empty()).setControlOption(control)
  options.setUuidOption(new messages.ReadReq.Options.UUIDOption().setString(new shared.Empty()))
  const client = rawStreams(port)
  closing.push(async () => client.close())
  const told: string[] = []
  return new Promise((resolve, reject) => {
    const call = client.read(new messages.ReadReq().setOptions(options))
    call.on('data', (answer: messages.ReadResp) => {
      if (answer.hasFirstStreamPosition()) told.push(`first ${answer.getFirstStreamPosition()}`)
      else if (answer.hasLastStreamPosition()) told.push(`last ${answer.getLastStreamPosition()}`)
      else told.push(answer.getEvent()?.getEvent()?.getStreamRevision() ?? 'something else')
    })
    call.on('error', reject)
    call.on('end', () => resolve(told))
  })
}

test('clients that understand it are told where a stream begins and ends', async () => {
  const world = intakeWorld()
  closing.push(world.close)
  const server = await served(world)
  const client = connected(server)
  await client.appendToStream('thing-1', Array.from({ length: 50 }, event))
  expect(await bounds(server.port, 48, 9)).toEqual(['48', '49', 'last 49'])
  expect(await bounds(server.port, 60, 9)).toEqual(['first 50', 'last 49'])
  await client.setStreamMetadata('thing-1', { truncateBefore: 48 })
  expect(await bounds(server.port, 2, 100)).toEqual(['first 48', '48', '49', 'last 49'])
  // In the first page there is something.
  expect(await bounds(server.port, 20, 100)).toEqual(['48', '49', 'last 49'])
})

test('a deletion of a stream that is to exist fails where it never did, and where it is deleted', async () => {
  const world = intakeWorld()
  closing.push(world.close)
  const server = await served(world)
  const client = connected(server)
  const raw = rawStreams(server.port)
  closing.push(async () => raw.close())
  const remove = () =>
    new Promise<readonly string[]>((resolve) => {
      const options = new messages.DeleteReq.Options()
      options.setStreamIdentifier(streamIdentifier('thing-1')).setStreamExists(new shared.Empty())
      raw.delete(new messages.DeleteReq().setOptions(options), (error, answer) =>
        resolve(
          error === null
            ? [answer.getPosition()?.getCommitPosition() ?? 'nowhere']
            : ['exception', 'expected-version', 'actual-version'].map((name) =>
                String(error.metadata.get(name)),
              ),
        ),
      )
    })
  expect(await remove()).toEqual(['wrong-expected-version', '-4', '-1'])
  await client.appendToStream('thing-1', event())
  expect(await remove()).toEqual(['2'])
  expect(await remove()).toEqual(['stream-deleted', '', ''])
})
