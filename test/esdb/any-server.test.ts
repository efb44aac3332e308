/**
 * Theorem: what we rely on in EventStoreDB holds of the server that EVENTSTORE_URL names, and of ours alike: appends, repetitions,
 * expectations, reads both ways, subscriptions with filters and checkpoints, deletion. It needs no server of its own, since it looks
 * at streams of its own alone, and deletes them for good.
 */
import { randomUUID } from 'node:crypto'
import {
  binaryEvent,
  EventStoreDBClient,
  jsonEvent,
  MaxAppendSizeExceededError,
  type Position,
  StreamDeletedError,
  StreamNotFoundError,
  streamNameFilter,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { clientOf, collect, rejection, serve, until } from './client.ts'
import { memoryBackend } from './memory-backend.ts'

const REAL = process.env['EVENTSTORE_URL']

let server: EsdbServer | undefined

suite('ours', true, async () => {
  server = await serve(memoryBackend())
  return clientOf(server, { isAlone: true })
})
suite('the one of EVENTSTORE_URL', REAL !== undefined, async () =>
  EventStoreDBClient.connectionString(REAL ?? ''),
)

function suite(name: string, isThere: boolean, open: () => Promise<EventStoreDBClient>): void {
  describe.skipIf(!isThere)(name, () => {
    const prefix = `headwatertest${randomUUID().replaceAll('-', '')}`
    const made = new Set<string>()
    let client: EventStoreDBClient

    const streamOf = (name: string): string => {
      const stream = `${prefix}-${name}`
      made.add(stream)
      return stream
    }
    const events = (count: number) =>
      Array.from({ length: count }, (_, n) => jsonEvent({ type: 'thing.done', data: { n } }))

    beforeAll(async () => {
      client = await open()
    })

    afterAll(async () => {
      for (const stream of made) await client.tombstoneStream(stream).catch(unlessDeleted)
      for (const stream of made)
        expect(await rejection(collect(client.readStream(stream)))).toBeInstanceOf(StreamDeletedError)
      await client.dispose()
      await server?.stop()
      server = undefined
    })

    test('gives back what it was sent, both ways, from any revision', async () => {
      const stream = streamOf('sent')
      const sent = [
        jsonEvent({ type: 'thing.done', data: { b: 'ü', a: [1, null] }, metadata: { $correlationId: 'c' } }),
        binaryEvent({ type: 'thing.blob', data: Uint8Array.of(0, 255, 7) }),
        ...events(8),
      ]
      const done = await client.appendToStream(stream, sent, { expectedRevision: 'no_stream' })
      expect(done).toMatchObject({ success: true, nextExpectedRevision: 9n })
      const found = await collect(client.readStream(stream))
      expect(found.map(({ id, data }) => ({ id, data }))).toEqual(sent.map(({ id, data }) => ({ id, data })))
      expect(found[0]?.metadata).toEqual({ $correlationId: 'c' })
      const revisions = async (options: Parameters<typeof client.readStream>[1]) =>
        (await collect(client.readStream(stream, options))).map(({ revision }) => Number(revision))
      expect(await revisions({ fromRevision: 4n, maxCount: 3 })).toEqual([4, 5, 6])
      const direction = 'backwards'
      expect(await revisions({ direction, fromRevision: 'end', maxCount: 2 })).toEqual([9, 8])
      expect(await revisions({ direction, fromRevision: 1n })).toEqual([1, 0])
    })

    test('takes an append again as the first time, and no other one at its place', async () => {
      const stream = streamOf('again')
      const [first, second] = [events(2), events(1)]
      const once = await client.appendToStream(stream, first, { expectedRevision: 'no_stream' })
      await client.appendToStream(stream, second, { expectedRevision: 1n })
      expect(await client.appendToStream(stream, first, { expectedRevision: 'no_stream' })).toEqual(once)
      for (const expectedRevision of ['no_stream', 0n, 7n] as const) {
        const refused = await rejection(client.appendToStream(stream, events(1), { expectedRevision }))
        expect(refused).toBeInstanceOf(WrongExpectedVersionError)
        expect(refused).toMatchObject({ actualVersion: 2n })
      }
      expect(await collect(client.readStream(stream))).toHaveLength(3)
    })

    test('refuses what is too large with the limit, and keeps nothing of it', async () => {
      const stream = streamOf('large')
      const large = binaryEvent({ type: 'thing.blob', data: new Uint8Array(17 * 1024 * 1024) })
      const failure = await rejection(client.appendToStream(stream, [...events(1), large]))
      // Larger than a message, too: who hangs up hasn't taken it either.
      if (failure instanceof MaxAppendSizeExceededError) expect(failure.maxAppendSize).toBeGreaterThan(0)
      else expect(String(failure)).toMatch(/larger than max|RESOURCE_EXHAUSTED|size/i)
      expect(await rejection(collect(client.readStream(stream)))).toBeInstanceOf(StreamNotFoundError)
      await client.appendToStream(stream, events(1))
    })

    test('hands a subscription its streams, catching up and live, and goes on behind a checkpoint', async () => {
      const [one, other] = [streamOf('followed-1'), streamOf('followed-2')]
      const seen: { readonly id: string; readonly position: Position | undefined }[] = []
      const follow = (fromPosition: Position | 'start') => {
        const subscription = client.subscribeToAll({
          fromPosition,
          filter: streamNameFilter({ prefixes: [`${prefix}-followed-`] }),
        })
        subscription.on('data', ({ event }) => {
          if (event !== undefined) seen.push({ id: event.id, position: event.position })
        })
        return subscription
      }
      const sent = [...events(6), ...events(6)]
      await client.appendToStream(one, sent.slice(0, 3))
      await client.appendToStream(other, sent.slice(3, 6))
      const first = follow('start')
      await until(() => seen.length === 6, 60_000)
      await client.appendToStream(one, sent.slice(6, 9))
      await until(() => seen.length === 9)
      await first.unsubscribe()
      await client.appendToStream(other, sent.slice(9))
      const checkpoint = seen.at(-1)?.position
      if (checkpoint === undefined) throw new Error('an event of $all has its position')
      const second = follow(checkpoint)
      await until(() => seen.length === 12)
      await second.unsubscribe()
      expect(seen.map(({ id }) => id)).toEqual(sent.map(({ id }) => id))
    })

    test('filters by an expression past a stream that was ended for good', async () => {
      const [ended, other] = [streamOf('ended-1'), streamOf('ended-2')]
      // Never written: its end is the first that is heard of its name.
      await client.tombstoneStream(ended)
      const sent = events(1)
      await client.appendToStream(other, sent)
      const seen: string[] = []
      const failures: unknown[] = []
      const subscription = client.subscribeToAll({
        filter: streamNameFilter({ regex: `^(${prefix}-(ended)+)+-[12]$` }),
      })
      subscription.on('data', ({ event }) => seen.push(event?.id ?? ''))
      subscription.on('error', (error) => failures.push(error))
      await until(() => seen.includes(sent[0]?.id ?? '') || failures.length > 0, 60_000)
      expect(failures).toEqual([])
      await subscription.unsubscribe()
    })

    test('keeps metadata, and forgets what was deleted until it is written again', async () => {
      const stream = streamOf('deleted')
      await client.appendToStream(stream, events(3))
      await client.setStreamMetadata(stream, { maxCount: 2 })
      expect((await client.getStreamMetadata(stream)).metadata).toEqual({ maxCount: 2 })
      expect((await collect(client.readStream(stream))).map(({ revision }) => revision)).toEqual([1n, 2n])
      await client.deleteStream(stream)
      expect(await rejection(collect(client.readStream(stream)))).toBeInstanceOf(StreamNotFoundError)
      await client.appendToStream(stream, events(1))
      expect((await collect(client.readStream(stream))).map(({ revision }) => revision)).toEqual([3n])
    })
  })
}

function unlessDeleted(error: unknown): void {
  if (!(error instanceof StreamDeletedError)) throw error
}
