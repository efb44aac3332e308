import {
  binaryEvent,
  type EventStoreDBClient,
  type JSONEventType,
  jsonEvent,
  type ResolvedEvent,
  StreamDeletedError,
  StreamNotFoundError,
  streamNameFilter,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EsdbServer } from '../../api/esdb/server.ts'
import type { ManualClock } from '../../engine/clock.ts'
import { clientOf, collect, rejection, serve, until } from './client.ts'
import type { Behind } from './contract.ts'

const event = (type = 'thing.done', data: JSONEventType['data'] = { n: 1 }) => jsonEvent({ type, data })
const many = (count: number) => Array.from({ length: count }, (_, n) => event('thing.done', { n }))
const upTo = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** What the official client sees of streams that have metadata, were deleted, or have a tombstone. */
export function esdbStreamsContract(
  name: string,
  open: () => Behind & { readonly clock: ManualClock },
): void {
  describe(`streams ${name}`, () => {
    let behind: ReturnType<typeof open>
    let server: EsdbServer
    let client: EventStoreDBClient

    beforeEach(async () => {
      behind = open()
      server = await serve(behind.backend, { clock: behind.clock })
      client = clientOf(server)
    })

    afterEach(async () => {
      await client.dispose()
      await server.stop()
      await behind.close()
    })

    const revisions = async (options: Parameters<typeof client.readStream>[1] = {}, stream = 'thing-1') =>
      (await collect(client.readStream(stream, options))).map(({ revision }) => Number(revision))
    const backwards = { direction: 'backwards', fromRevision: 'end' } as const
    const metadataOf = async (stream = 'thing-1') => (await client.getStreamMetadata(stream)).metadata
    const shown = async () =>
      (await collect(client.readAll())).map(
        ({ streamId, revision, type }) => `${streamId} ${revision} ${type}`,
      )

    // Credentials of a call make the client append by Append, else it uses BatchAppend.
    describe.each([
      ['BatchAppend', {}],
      ['Append', { credentials: { username: 'a', password: 'b' } }],
    ] as const)('%s', (_way, way) => {
      test('sets metadata, which come back with keys of their own, under an expectation of their own', async () => {
        const metadata = {
          ...{ maxCount: 7, maxAge: 60, truncateBefore: 2, cacheControl: 5 },
          acl: { readRoles: ['$all'], writeRoles: ['ops', '$all'], deleteRoles: ['$all'] },
          ...{ owner: 'jane@example.com', wide: 1.5 },
        }
        const first = await client.setStreamMetadata('thing-1', metadata, {
          ...way,
          expectedRevision: 'no_stream',
        })
        expect(first).toMatchObject({ success: true, nextExpectedRevision: 0n })
        expect(await metadataOf()).toEqual(metadata)
        const again = client.setStreamMetadata('thing-1', {}, { ...way, expectedRevision: 'no_stream' })
        expect(await rejection(again)).toMatchObject({ actualVersion: 0n, streamName: '$$thing-1' })
        await client.setStreamMetadata('thing-1', { maxCount: 3 }, { ...way, expectedRevision: 0n })
        expect(await metadataOf()).toEqual({ maxCount: 3 })
        // Of a metastream the last event is seen, as by EventStoreDB's own metadata of metastreams.
        expect(await revisions({}, '$$thing-1')).toEqual([1])
        expect(await revisions(backwards, '$$thing-1')).toEqual([1])
        expect(await rejection(collect(client.readStream('thing-1')))).toBeInstanceOf(StreamNotFoundError)
        // A stream that has metadata exists for whoever appends.
        await client.appendToStream('thing-1', event(), { ...way, expectedRevision: 'stream_exists' })
      })

      test('sets no $acl that would be kept by nobody, and says so', async () => {
        await client.appendToStream('thing-1', many(3))
        await client.setStreamMetadata('thing-1', { maxCount: 2 })
        const narrow = [
          ...[
            { $r: '$admins' },
            { $w: ['ops'] },
            { $d: [] },
            { $mr: 'jane' },
            { $r: '$all', $mw: ['$admins'] },
          ],
          ...[{ $r: 7 }, { $r: null }, 'ops', ['$all'], null],
        ]
        for (const $acl of narrow) {
          const set = (also: object) => [
            jsonEvent({ type: '$metadata', data: { $acl, $maxCount: 1 } }),
            ...(Object.keys(also).length > 0 ? [jsonEvent({ type: '$metadata', data: { ...also } })] : []),
          ]
          for (const also of [{}, { $maxCount: 1 }]) {
            const refused = await rejection(client.appendToStream('$$thing-1', set(also), way))
            expect(String(refused)).toMatch(/(\$acl|\$r|\$w|\$d|\$mr|\$mw) can't be kept: .* \$all alone/)
          }
        }
        expect(await metadataOf()).toEqual({ maxCount: 2 })
        expect(await revisions()).toEqual([1, 2])
        for (const $acl of [{}, { $r: '$all' }, { $w: ['ops', '$all'], other: 1 }])
          await client.appendToStream('$$thing-1', jsonEvent({ type: '$metadata', data: { $acl } }), way)
        // Bytes that are no JSON are no metadata.
        const bytes = binaryEvent({ type: '$metadata', data: Buffer.from('{"$acl":{"$r":"ops"}}') })
        await client.appendToStream('$$thing-1', bytes, way)
        expect(await revisions()).toEqual([0, 1, 2])
      })

      test('finds a stream with a tombstone deleted, whatever it expects', async () => {
        await client.appendToStream('thing-1', event(), way)
        await client.tombstoneStream('thing-1')
        for (const expectedRevision of ['any', 'no_stream', 'stream_exists', 0n] as const) {
          const failure = await rejection(
            client.appendToStream('thing-1', event(), { ...way, expectedRevision }),
          )
          expect(failure).toBeInstanceOf(StreamDeletedError)
          expect(failure).toMatchObject({ streamName: 'thing-1', type: 'stream-deleted' })
        }
        expect(await rejection(client.setStreamMetadata('thing-1', { maxCount: 1 }, way))).toBeInstanceOf(
          StreamDeletedError,
        )
      })

      test('makes a deleted stream anew: revisions go on, what was there stays hidden', async () => {
        await client.appendToStream('thing-1', many(3), way)
        await client.setStreamMetadata('thing-1', { owner: 'ops' }, way)
        await client.deleteStream('thing-1')
        const append = (expectedRevision: 'no_stream' | 'stream_exists' | bigint, events = many(2)) =>
          client.appendToStream('thing-1', events, { ...way, expectedRevision })
        expect(await rejection(append('stream_exists'))).toBeInstanceOf(StreamDeletedError)
        expect(await rejection(append(1n))).toMatchObject({ actualVersion: 2n })
        const events = many(2)
        expect(await append('no_stream', events)).toMatchObject({ nextExpectedRevision: 4n })
        expect(await revisions()).toEqual([3, 4])
        expect(await revisions(backwards)).toEqual([4, 3])
        expect(await metadataOf()).toEqual({ truncateBefore: 3 })
        expect(await rejection(append('no_stream'))).toBeInstanceOf(WrongExpectedVersionError)
        // A repetition of what made it anew.
        expect(await append(2n, events)).toMatchObject({ nextExpectedRevision: 4n })
        await append(4n)
        expect(await revisions()).toEqual([3, 4, 5, 6])
      })
    })

    test('only the last of $maxCount events are seen, from wherever one reads', async () => {
      await client.appendToStream('thing-1', many(100))
      await client.setStreamMetadata('thing-1', { maxCount: 5 })
      expect(await revisions()).toEqual(upTo(95, 99))
      expect(await revisions({ fromRevision: 97n })).toEqual(upTo(97, 99))
      expect(await revisions({ fromRevision: 3n, maxCount: 2 })).toEqual([95, 96])
      expect(await revisions({ fromRevision: 100n })).toEqual([])
      expect(await revisions(backwards)).toEqual(upTo(95, 99).reverse())
      expect(await revisions({ ...backwards, maxCount: 2 })).toEqual([99, 98])
      expect(await revisions({ ...backwards, fromRevision: 96n })).toEqual([96, 95])
      expect(await revisions({ ...backwards, fromRevision: 94n })).toEqual([])
      await client.appendToStream('thing-1', event())
      expect(await revisions()).toEqual(upTo(96, 100))
      await client.setStreamMetadata('thing-1', { maxCount: 200 })
      expect(await revisions()).toEqual(upTo(0, 100))
    })

    test('events before $tb are hidden; a stream cut behind its end is there and empty', async () => {
      await client.appendToStream('thing-1', many(10))
      await client.setStreamMetadata('thing-1', { truncateBefore: 8 })
      expect(await revisions()).toEqual([8, 9])
      expect(await revisions(backwards)).toEqual([9, 8])
      await client.setStreamMetadata('thing-1', { truncateBefore: 8, maxCount: 1 })
      expect(await revisions()).toEqual([9])
      await client.setStreamMetadata('thing-1', { truncateBefore: 50 })
      expect(await revisions()).toEqual([])
      expect(await revisions(backwards)).toEqual([])
      await client.appendToStream('thing-1', event(), { expectedRevision: 9n })
      await client.setStreamMetadata('thing-1', {})
      expect(await revisions()).toEqual(upTo(0, 10))
    })

    test('events older than $maxAge are hidden, as time goes by', async () => {
      for (let hour = 0; hour < 12; hour++) {
        await client.appendToStream('thing-1', many(2))
        behind.clock.advance(3_600_000)
      }
      await client.setStreamMetadata('thing-1', { maxAge: 3 * 3_600 })
      expect(await revisions()).toEqual(upTo(18, 23))
      expect(await revisions(backwards)).toEqual(upTo(18, 23).reverse())
      behind.clock.advance(1_000)
      expect(await revisions()).toEqual(upTo(20, 23))
      expect(await revisions({ fromRevision: 3n, maxCount: 1 })).toEqual([20])
      behind.clock.advance(3 * 3_600_000)
      expect(await revisions()).toEqual([])
      await client.appendToStream('thing-1', event())
      expect(await revisions()).toEqual([24])
      await client.setStreamMetadata('thing-1', { maxAge: 13 * 3_600 })
      expect((await revisions()).at(0)).toBe(6)
    })

    test('metadata that EventStoreDB cannot read are kept, and hide nothing', async () => {
      await client.appendToStream('thing-1', many(3))
      const unread = [{ $maxCount: 1.5, $tb: 2 }, { $tb: 2 ** 63 }, { $maxCount: '1' }, 'no', [1]]
      for (const data of [...unread, { $maxCount: 0, $tb: -1 }, { $acl: { $r: ['$all', 7] }, $tb: 2 }]) {
        await client.appendToStream('$$thing-1', jsonEvent({ type: '$metadata', data }))
        const [kept] = await collect(client.readStream('$$thing-1'))
        expect(kept?.data).toEqual(data)
        expect(await revisions()).toEqual([0, 1, 2])
      }
      await client.appendToStream(
        '$$thing-1',
        binaryEvent({ type: '$metadata', data: Buffer.from('{"$tb":2}') }),
      )
      expect(await revisions()).toEqual([0, 1, 2])
      await client.appendToStream('$$thing-1', jsonEvent({ type: '$metadata', data: { $tb: 2 } }))
      expect(await revisions()).toEqual([2])
    })

    test('$all shows what metadata, deletions and tombstones hide, and these themselves', async () => {
      await client.appendToStream('thing-1', many(2))
      await client.setStreamMetadata('thing-1', { maxCount: 1 })
      await client.deleteStream('thing-1')
      await client.appendToStream('thing-1', event())
      await client.tombstoneStream('thing-1')
      const all = [
        ...['thing-1 0 thing.done', 'thing-1 1 thing.done'],
        ...['$$thing-1 0 $metadata', '$$thing-1 1 $metadata'],
        ...['thing-1 2 thing.done', '$$thing-1 2 $metadata'],
        'thing-1 9223372036854775807 $streamDeleted',
      ]
      expect(await shown()).toEqual(all)
      const heard: string[] = []
      const subscription = client.subscribeToAll()
      subscription.on('data', ({ event: one }) =>
        heard.push(`${one?.streamId} ${one?.revision} ${one?.type}`),
      )
      await until(() => heard.length === all.length)
      expect(heard).toEqual(all)
      await subscription.unsubscribe()
      const filtered: string[] = []
      const ofThings = client.subscribeToAll({
        filter: { filterOn: 'streamName', prefixes: ['thing-'], checkpointInterval: 1, maxSearchWindow: 32 },
      })
      ofThings.on('data', ({ event: one }) => filtered.push(`${one?.type}`))
      await until(() => filtered.includes('$streamDeleted'))
      expect(filtered).toEqual(['thing.done', 'thing.done', 'thing.done', '$streamDeleted'])
      await ofThings.unsubscribe()
    })

    test('a deleted stream is not found, and where it says so is answered', async () => {
      await client.appendToStream('thing-1', many(3))
      const { position } = await client.deleteStream('thing-1', { expectedRevision: 2n })
      expect(position?.commit).toBe(BigInt(behind.backend.head()))
      for (const options of [{}, backwards])
        expect(await rejection(revisions(options))).toBeInstanceOf(StreamNotFoundError)
      // Again, and then by metadata: it is there, and empty.
      await client.deleteStream('thing-1')
      await client.setStreamMetadata('thing-1', { maxCount: 9 })
      expect(await revisions()).toEqual([])
      expect(await metadataOf()).toEqual({ maxCount: 9, truncateBefore: 3 })
      await client.appendToStream('thing-1', event(), { expectedRevision: 2n })
      expect(await revisions()).toEqual([3])
    })

    test('deletions hold to what they expect', async () => {
      const wrong = async (work: Promise<unknown>) => {
        const failure = await rejection(work)
        expect(failure).toBeInstanceOf(WrongExpectedVersionError)
        expect(failure).toMatchObject({ streamName: 'thing-1' })
        return failure
      }
      expect(await wrong(client.deleteStream('thing-1'))).toMatchObject({ actualVersion: -1n })
      await client.appendToStream('thing-1', many(3))
      for (const remove of [client.deleteStream.bind(client), client.tombstoneStream.bind(client)]) {
        const early = await wrong(remove('thing-1', { expectedRevision: 1n }))
        expect(early).toMatchObject({ expectedVersion: 1n, actualVersion: 2n })
        const late = await wrong(remove('thing-1', { expectedRevision: 9n }))
        expect(late).toMatchObject({ expectedVersion: 9n, actualVersion: 2n })
        await wrong(remove('thing-1', { expectedRevision: 'no_stream' }))
      }
      expect(await revisions()).toEqual([0, 1, 2])
      await client.tombstoneStream('thing-1', { expectedRevision: 2n })
    })

    test('a stream with a tombstone is deleted for ever, also one that was never written', async () => {
      await client.appendToStream('thing-1', many(3))
      const { position } = await client.tombstoneStream('thing-1')
      expect(position?.commit).toBe(BigInt(behind.backend.head()))
      await client.tombstoneStream('other-1', { expectedRevision: 'no_stream' })
      for (const stream of ['thing-1', 'other-1'])
        for (const work of [
          () => revisions({}, stream),
          () => revisions(backwards, stream),
          () => revisions({}, `$$${stream}`),
          () => client.getStreamMetadata(stream),
          () => client.deleteStream(stream),
          () => client.tombstoneStream(stream),
        ]) {
          const failure = await rejection(work())
          expect(failure).toBeInstanceOf(StreamDeletedError)
          expect(String(Object(failure).streamName)).toContain(stream)
        }
    })

    test('a subscription to a stream sees what is visible, and ends with its tombstone', async () => {
      await client.appendToStream('thing-1', many(6))
      await client.setStreamMetadata('thing-1', { truncateBefore: 4 })
      const heard: number[] = []
      const subscription = client.subscribeToStream('thing-1')
      const ended = new Promise((resolve) => subscription.on('error', resolve))
      subscription.on('data', (resolved) => heard.push(Number(resolved.event?.revision)))
      await until(() => heard.length === 2)
      await client.deleteStream('thing-1')
      await client.appendToStream('thing-1', many(2))
      await until(() => heard.length === 4)
      expect(heard).toEqual([4, 5, 6, 7])
      await client.tombstoneStream('thing-1')
      expect(await ended).toBeInstanceOf(StreamDeletedError)
      const late = client.subscribeToStream('thing-1')
      expect(await new Promise((resolve) => late.on('error', resolve))).toBeInstanceOf(StreamDeletedError)
    })

    test('appends that race with a tombstone stand before it, or are refused', async () => {
      const appends = Array.from({ length: 60 }, async (_, n) => {
        if (n === 30) await client.tombstoneStream('thing-1')
        return rejection(client.appendToStream('thing-1', event('thing.done', { n })))
      })
      const failures = (await Promise.all(appends)).filter((done) => done instanceof Error)
      for (const failure of failures) expect(failure).toBeInstanceOf(StreamDeletedError)
      const all = await shown()
      expect(all).toHaveLength(61 - failures.length)
      expect(all.at(-1)).toBe('thing-1 9223372036854775807 $streamDeleted')
    })

    test('deletions and appends at once leave each stream with what came after its last deletion', async () => {
      await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          n % 10 === 9
            ? client.deleteStream(`thing-${n % 3}`).catch(() => undefined)
            : client.appendToStream(`thing-${n % 3}`, many(2)),
        ),
      )
      for (const stream of ['thing-0', 'thing-1', 'thing-2']) {
        const all = await collect(client.readAll())
        const place = all.findLastIndex(
          ({ streamId, data }) =>
            streamId === `$$${stream}` && JSON.stringify(data).includes('"$tb":9223372036854776000'),
        )
        const own = all.flatMap(({ streamId, revision }, index) =>
          streamId === stream && index > place ? [Number(revision)] : [],
        )
        expect(await revisions({}, stream).catch(() => [])).toEqual(own)
      }
    })

    test('system streams are not there, and can be neither written nor deleted', async () => {
      for (const stream of ['$streams', '$scavenges', '$settings', '$users', '$projections-$all'])
        expect(await rejection(revisions({}, stream))).toBeInstanceOf(StreamNotFoundError)
      for (const work of [
        () => client.setStreamMetadata('$settings', { maxCount: 1 }),
        () => client.deleteStream('$settings'),
        () => client.tombstoneStream('$$thing-1'),
      ])
        expect(String(await rejection(work()))).toMatch(/system streams are not kept here/)
    })

    const links = (...targets: readonly string[]) =>
      targets.map((target) => binaryEvent({ type: '$>', data: Buffer.from(target) }))
    /** Each as `event<-link`. */
    const told = ({ event: found, link }: ResolvedEvent) => {
      const [one, other] = [found, link].map((each) => each && `${each.streamId} ${each.revision}`)
      return link === undefined ? one : `${one}<-${other}`
    }

    test('links lead to their events where the reader asks for it, and to nothing where these are not seen', async () => {
      await client.appendToStream('thing-1', many(3))
      await client.appendToStream('other-1', event())
      await client.appendToStream('gone-1', event())
      await client.appendToStream('ended-1', event())
      const targets = [
        ...['0@thing-1', '2@thing-1', '-1@thing-1', '0@other-1', '0@index-1'],
        ...['3@thing-1', '-2@thing-1', '0@nothing-1', '0@gone-1', '0@ended-1', '0', '0@', '0@$settings'],
        ...['9223372036854775807@thing-1', 'thing-1', '{"n":1}', ''],
      ]
      const first = await client.appendToStream('index-1', links(...targets))
      await client.appendToStream('index-1', event())
      await client.setStreamMetadata('thing-1', { truncateBefore: 1 })
      await client.deleteStream('gone-1')
      await client.tombstoneStream('ended-1')
      const expected = [
        ...['undefined<-index-1 0', 'thing-1 2<-index-1 1', 'thing-1 2<-index-1 2', 'other-1 0<-index-1 3'],
        // Of a link to a link the first is resolved.
        ...['index-1 0<-index-1 4', ...upTo(5, 13).map((revision) => `undefined<-index-1 ${revision}`)],
        // Whatever begins with no number is an event.
        ...upTo(14, 17).map((revision) => `index-1 ${revision}`),
      ]
      const read = async (resolved: AsyncIterable<ResolvedEvent>) => {
        const found: ResolvedEvent[] = []
        for await (const one of resolved) found.push(one)
        return found
      }
      const forwards = await read(client.readStream('index-1', { resolveLinkTos: true }))
      expect(forwards.map(told)).toEqual(expected)
      expect(forwards[1]?.event).toMatchObject({ type: 'thing.done', data: { n: 2 } })
      expect(forwards[1]?.link).toMatchObject({ type: '$>', data: new Uint8Array(Buffer.from('2@thing-1')) })
      // A link's place is its own.
      expect(forwards[0]?.commitPosition).toBe((first.position?.commit ?? 0n) - BigInt(targets.length - 1))
      const whole = { resolveLinkTos: true, ...backwards }
      expect((await read(client.readStream('index-1', whole))).map(told)).toEqual(expected.toReversed())
      const all = (await read(client.readAll({ resolveLinkTos: true }))).map(told)
      expect(all.filter((one) => one?.includes('index-1'))).toEqual(expected)
      const plain = await read(client.readStream('index-1'))
      expect(plain.map(told)).toEqual(upTo(0, 17).map((revision) => `index-1 ${revision}`))
      await client.deleteStream('thing-1')
      const [, gone] = await read(client.readStream('index-1', { resolveLinkTos: true, maxCount: 2 }))
      expect(gone?.event).toBeUndefined()
    })

    test('a subscription resolves links, catching up and live, and filters by the links themselves', async () => {
      await client.appendToStream('thing-1', many(2))
      await client.appendToStream('index-1', links('0@thing-1', '7@thing-1'))
      const heard: (string | undefined)[][] = [[], []]
      const filter = streamNameFilter({ prefixes: ['index-'] })
      const subscriptions = [
        client.subscribeToStream('index-1', { resolveLinkTos: true }),
        client.subscribeToAll({ resolveLinkTos: true, filter }),
      ]
      for (const [n, subscription] of subscriptions.entries())
        subscription.on('data', (one: ResolvedEvent) => void heard[n]?.push(told(one)))
      await until(() => heard.every((each) => each.length === 2))
      await client.appendToStream('index-1', links('1@thing-1'))
      await until(() => heard.every((each) => each.length === 3))
      for (const each of heard)
        expect(each).toEqual(['thing-1 0<-index-1 0', 'undefined<-index-1 1', 'thing-1 1<-index-1 2'])
      for (const subscription of subscriptions) await subscription.unsubscribe()
    })
  })
}
