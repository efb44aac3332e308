import {
  binaryEvent,
  type EventStoreDBClient,
  eventTypeFilter,
  type JSONEventType,
  jsonEvent,
  MaxAppendSizeExceededError,
  StreamNotFoundError,
  streamNameFilter,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EsdbBackend } from '../../api/esdb/backend.ts'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { clientOf, collect, rejection, serve, until } from './client.ts'

export interface Behind {
  readonly backend: EsdbBackend
  close(): Promise<void>
}

const event = (type: string, data: JSONEventType['data'] = { n: 1 }) => jsonEvent({ type, data })
const many = (count: number) => Array.from({ length: count }, (_, n) => event('thing.done', { n }))

/** What the official client sees of a server, whatever stands behind it. */
export function esdbContract(name: string, open: () => Behind): void {
  describe(name, () => {
    let behind: Behind
    let server: EsdbServer
    let client: EventStoreDBClient

    beforeEach(async () => {
      behind = open()
      server = await serve(behind.backend)
      client = clientOf(server)
    })

    afterEach(async () => {
      await client.dispose()
      await server.stop()
      await behind.close()
    })

    const credentials = { username: 'a', password: 'b' }

    // Credentials of a call make the client append by Append, else it uses BatchAppend.
    describe.each([
      ['BatchAppend', {}],
      ['Append', { credentials }],
    ] as const)('%s', (_way, way) => {
      test('answers the last revision and position, and is read as it was sent', async () => {
        const sent = [
          jsonEvent({
            type: 'thing.done',
            data: { b: 'ü', a: [1, null] },
            metadata: { $correlationId: 'c1', x: 1 },
          }),
          binaryEvent({ type: 'thing.blob', data: Uint8Array.of(0, 255, 7), metadata: Uint8Array.of(254) }),
          jsonEvent({ type: 'thing.list', data: ['a', 2] }),
          binaryEvent({ type: 'thing.none', data: new Uint8Array() }),
        ]
        const done = await client.appendToStream('thing-1', sent, way)
        const last = BigInt(behind.backend.head())
        expect(done).toEqual({
          success: true,
          nextExpectedRevision: 3n,
          position: { commit: last, prepare: last },
        })
        const found = await collect(client.readStream('thing-1'))
        const shown = found.map(({ id, type, data, metadata, isJson }) => ({
          id,
          type,
          data,
          metadata,
          isJson,
        }))
        expect(shown).toEqual(
          sent.map(({ id, type, data, metadata, contentType }) => ({
            ...{ id, type, data, metadata },
            isJson: contentType === 'application/json',
          })),
        )
        expect(found.map(({ streamId, revision }) => `${streamId} ${revision}`)).toEqual(
          ['0', '1', '2', '3'].map((revision) => `thing-1 ${revision}`),
        )
      })

      test('is taken where the stream is as expected, else refused with what it is', async () => {
        const append = (expectedRevision: 'any' | 'no_stream' | 'stream_exists' | bigint) =>
          client.appendToStream('thing-1', event('thing.done'), { ...way, expectedRevision })
        expect(await rejection(append('stream_exists'))).toMatchObject({ expectedVersion: 'stream_exists' })
        const early = await rejection(append(0n))
        expect(early).toBeInstanceOf(WrongExpectedVersionError)
        expect(early).toMatchObject({
          expectedVersion: 0n,
          actualVersion: 'no_stream',
          streamName: 'thing-1',
        })
        await append('no_stream')
        await append('stream_exists')
        await append(1n)
        await append('any')
        expect(await rejection(append('no_stream'))).toMatchObject({
          expectedVersion: 'no_stream',
          actualVersion: 3n,
        })
        expect(await rejection(append(1n))).toMatchObject({ expectedVersion: 1n, actualVersion: 3n })
        expect(await collect(client.readStream('thing-1'))).toHaveLength(4)
      })

      test('sent again answers as the first time; a part of it, or another place, is a wrong expectation', async () => {
        const [first, second, third] = many(3)
        if (first === undefined || second === undefined || third === undefined) throw new Error('three')
        const append = (
          events: readonly ReturnType<typeof event>[],
          expectedRevision: 'any' | 'no_stream' | bigint = 'any',
        ) => client.appendToStream('thing-1', [...events], { ...way, expectedRevision })
        const once = await append([first, second], 'no_stream')
        await append([third])
        expect(await append([first, second], 'no_stream')).toEqual(once)
        expect(await append([first, second])).toEqual(once)
        expect(await append([second], 0n)).toEqual(once)
        expect(await rejection(append([second], 'no_stream'))).toBeInstanceOf(WrongExpectedVersionError)
        expect(await rejection(append([third, event('thing.done')]))).toBeInstanceOf(
          WrongExpectedVersionError,
        )
        expect(await collect(client.readStream('thing-1'))).toHaveLength(3)
      })

      test('too large is refused with the limit, and nothing of it is kept', async () => {
        const large = event('thing.done', { text: 'x'.repeat(1024 * 1024) })
        const failure = await rejection(client.appendToStream('thing-1', [event('thing.done'), large], way))
        expect(failure).toBeInstanceOf(MaxAppendSizeExceededError)
        expect(failure).toMatchObject({ maxAppendSize: 1024 * 1024 })
        expect(await rejection(collect(client.readStream('thing-1')))).toBeInstanceOf(StreamNotFoundError)
      })

      test('of nothing keeps the expectation', async () => {
        expect(
          await rejection(client.appendToStream('thing-1', [], { ...way, expectedRevision: 2n })),
        ).toBeInstanceOf(WrongExpectedVersionError)
        await client.appendToStream('thing-1', event('thing.done'))
        const done = await client.appendToStream('thing-1', [], { ...way, expectedRevision: 0n })
        expect(done).toMatchObject({ success: true, nextExpectedRevision: 0n })
      })
    })

    test('a client that wants no exception is told of a wrong expectation by the result', async () => {
      const quiet = clientOf(server, { throwOnAppendFailure: false })
      for (const way of [{}, { credentials }]) {
        const done = await quiet.appendToStream('thing-1', event('thing.done'), {
          ...way,
          expectedRevision: 5n,
        })
        expect(done).toEqual({ success: false, nextExpectedRevision: -1n, position: undefined })
      }
      await quiet.dispose()
    })

    test('two hundred appends at once are all answered, and each stands together, once', async () => {
      const appends = Array.from({ length: 200 }, (_, n) =>
        client.appendToStream(`thing-${n % 7}`, [event('thing.done', { n }), event('thing.left', { n })]),
      )
      const revisions = (await Promise.all(appends)).map((done) => done.nextExpectedRevision)
      expect(revisions.filter((revision) => revision === 1n)).toHaveLength(7)
      const all = await collect(client.readAll())
      const texts = all.map(({ type, data }) => `${type} ${JSON.stringify(data)}`)
      const begun = texts.filter((_, index) => index % 2 === 0)
      expect(new Set(begun).size).toBe(200)
      expect(texts).toEqual(begun.flatMap((text) => [text, text.replace('thing.done', 'thing.left')]))
      for (let stream = 0; stream < 7; stream++) {
        const own = all.filter(({ streamId }) => streamId === `thing-${stream}`)
        expect(own.map(({ revision }) => Number(revision))).toEqual(own.map((_, index) => index))
      }
    })

    test('a stream is read both ways from any revision', async () => {
      await client.appendToStream('other-1', many(3))
      await client.appendToStream('thing-1', many(10))
      const revisions = async (options: Parameters<typeof client.readStream>[1]) =>
        (await collect(client.readStream('thing-1', options))).map(({ revision }) => Number(revision))
      const upTo = (first: number, last: number) =>
        Array.from({ length: last - first + 1 }, (_, index) => first + index)
      expect(await revisions({})).toEqual(upTo(0, 9))
      expect(await revisions({ fromRevision: 4n, maxCount: 3 })).toEqual([4, 5, 6])
      // Its pages go on where the one before ended.
      expect(await revisions({ fromRevision: 7n, maxCount: 2 })).toEqual([7, 8])
      expect(await revisions({ fromRevision: 9n })).toEqual([9])
      expect(await revisions({ fromRevision: 10n })).toEqual([])
      expect(await revisions({ fromRevision: 'end' })).toEqual([])
      const direction = 'backwards'
      expect(await revisions({ direction, fromRevision: 'end' })).toEqual(upTo(0, 9).reverse())
      expect(await revisions({ direction, fromRevision: 'end', maxCount: 1 })).toEqual([9])
      expect(await revisions({ direction, fromRevision: 6n, maxCount: 2 })).toEqual([6, 5])
      expect(await revisions({ direction, fromRevision: 4n, maxCount: 9 })).toEqual([4, 3, 2, 1, 0])
      expect(await revisions({ direction, fromRevision: 'start' })).toEqual([0])
      expect(await revisions({ direction, fromRevision: 99n, maxCount: 1 })).toEqual([9])
    })

    test('$all is read both ways from any position, forwards with it and backwards without it', async () => {
      await client.appendToStream('thing-1', many(4))
      await client.appendToStream('thing-2', many(4))
      const all = await collect(client.readAll())
      const [, , , fourth, fifth] = all
      if (fourth?.position === undefined || fifth?.position === undefined) throw new Error('eight events')
      const ids = async (options: Parameters<typeof client.readAll>[0]) =>
        (await collect(client.readAll(options))).map(({ id }) => id)
      const own = all.map(({ id }) => id)
      expect(own).toHaveLength(8)
      expect(await ids({ fromPosition: fifth.position })).toEqual(own.slice(4))
      expect(await ids({ fromPosition: fifth.position, maxCount: 2 })).toEqual(own.slice(4, 6))
      const direction = 'backwards'
      expect(await ids({ direction, fromPosition: 'end' })).toEqual(own.toReversed())
      expect(await ids({ direction, fromPosition: fifth.position })).toEqual(own.slice(0, 4).toReversed())
      expect(await ids({ direction, fromPosition: fifth.position, maxCount: 1 })).toEqual([fourth.id])
      expect(await ids({ direction, fromPosition: 'start' })).toEqual([])
      expect(await ids({ fromPosition: 'end' })).toEqual([])
    })

    test('a stream that was never written is not found, and has no metadata', async () => {
      expect(await rejection(collect(client.readStream('nothing-1')))).toBeInstanceOf(StreamNotFoundError)
      expect(await client.getStreamMetadata('nothing-1')).toEqual({ streamName: 'nothing-1' })
    })

    test('a subscription to $all confirms, catches up, says so, and goes on live', async () => {
      await client.appendToStream('thing-1', many(5))
      const told: string[] = []
      const subscription = client.subscribeToAll()
      subscription.on('confirmation', () => told.push('confirmed'))
      subscription.on('caughtUp', () => told.push('caught up'))
      subscription.on('data', (resolved) => told.push(String(resolved.event?.revision)))
      await until(() => told.includes('caught up'))
      expect(told).toEqual(['confirmed', '0', '1', '2', '3', '4', 'caught up'])
      await client.appendToStream('thing-1', many(2))
      await until(() => told.length === 9)
      expect(told.slice(-2)).toEqual(['5', '6'])
      await subscription.unsubscribe()
    })

    test('a subscription to $all begins behind its position, and at the end hears of new events alone', async () => {
      await client.appendToStream('thing-1', many(5))
      const [, , third] = await collect(client.readAll())
      if (third?.position === undefined) throw new Error('five events')
      const behindThird: string[] = []
      const live: string[] = []
      let confirmed = false
      const subscriptions = [
        client.subscribeToAll({ fromPosition: third.position }),
        client.subscribeToAll({ fromPosition: 'end' }),
      ] as const
      subscriptions[0].on('data', (resolved) => behindThird.push(String(resolved.event?.revision)))
      subscriptions[1].on('data', (resolved) => live.push(String(resolved.event?.revision)))
      subscriptions[1].on('confirmation', () => {
        confirmed = true
      })
      await until(() => confirmed)
      await client.appendToStream('thing-1', event('thing.done'))
      await until(() => behindThird.length === 3 && live.length === 1)
      expect([behindThird, live]).toEqual([['3', '4', '5'], ['5']])
      for (const subscription of subscriptions) await subscription.unsubscribe()
    })

    test('a subscription to a stream hears of that stream alone, behind its revision, though it is written meanwhile', async () => {
      await client.appendToStream('thing-1', many(200))
      const heard: number[] = []
      const ahead: number[] = []
      const subscription = client.subscribeToStream('thing-1', { fromRevision: 99n })
      subscription.on('data', (resolved) => heard.push(Number(resolved.event?.revision)))
      const early = client.subscribeToStream('thing-1', { fromRevision: 250n })
      early.on('data', (resolved) => ahead.push(Number(resolved.event?.revision)))
      for (let round = 0; round < 10; round++) {
        await client.appendToStream('thing-1', many(10))
        await client.appendToStream('thing-2', many(3))
      }
      await until(() => heard.length === 200 && ahead.length === 49)
      expect(heard).toEqual(Array.from({ length: 200 }, (_, n) => 100 + n))
      expect(ahead).toEqual(Array.from({ length: 49 }, (_, n) => 251 + n))
      await subscription.unsubscribe()
      await early.unsubscribe()
    })

    test('filters choose by prefix and expression, of stream or type, and tell how far they have looked', async () => {
      await client.appendToStream('thing-1', [event('thing.done'), event('thing.left')])
      await client.appendToStream('other-1', [event('other.done'), event('thing.done')])
      const last = behind.backend.head()
      const heardBy = async (filter: Parameters<typeof client.subscribeToAll>[0]) => {
        const heard: string[] = []
        const subscription = client.subscribeToAll(filter)
        let caughtUp = false
        subscription.on('caughtUp', () => {
          caughtUp = true
        })
        subscription.on('data', ({ event: one }) => heard.push(`${one?.streamId} ${one?.type}`))
        await until(() => caughtUp)
        await subscription.unsubscribe()
        return heard
      }
      const done = ['thing-1 thing.done', 'other-1 other.done', 'other-1 thing.done']
      expect(await heardBy({ filter: eventTypeFilter({ regex: '\\.done$' }) })).toEqual(done)
      expect(await heardBy({ filter: eventTypeFilter({ prefixes: ['other.', 'none'] }) })).toEqual([done[1]])
      expect(await heardBy({ filter: streamNameFilter({ prefixes: ['oth'] }) })).toEqual(done.slice(1))
      expect(await heardBy({ filter: streamNameFilter({ regex: '^other-\\d$' }) })).toEqual(done.slice(1))
      const checkpoints: bigint[] = []
      const checkpointReached = async (_: unknown, position: { commit: bigint }) => {
        checkpoints.push(position.commit)
      }
      const nothing = { prefixes: ['none'], checkpointInterval: 2, maxSearchWindow: 1, checkpointReached }
      expect(await heardBy({ filter: streamNameFilter(nothing) })).toEqual([])
      expect(checkpoints).toHaveLength(2)
      expect(checkpoints.at(-1)).toBe(BigInt(last))
      const broken = client.subscribeToAll({ filter: eventTypeFilter({ regex: '(' }) })
      const failure = await new Promise<Error>((resolve) => broken.on('error', resolve))
      expect(failure.message).toContain("regular expression can't be read")
    })
  })
}
