/**
 * Theorem: an event that the server refuses is refused alone, at once and with the reason, whoever was sent along with it; what else was
 * under way is either in the log or may be sent again, and the log goes on.
 */
import { join } from 'node:path'
import { UnknownError } from '@eventstore/db-client'
import { Metadata, status } from '@grpc/grpc-js'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { systemClock } from '../../engine/clock.ts'
import { MARKER_STREAM } from '../../engine/log/eventstore/codec.ts'
import type { Connection, ConnectionFailure } from '../../engine/log/eventstore/connection.ts'
import { openEventStoreLog } from '../../engine/log/eventstore/event-store-log.ts'
import type { RemoteLog } from '../../engine/log/eventstore/remote-log.ts'
import { connectionOf } from '../../engine/log/eventstore.ts'
import type { Log, LogFailure } from '../../engine/log/log.ts'
import { clientOf, serve, until } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { anEvent, appends, collect } from './events.ts'
import { openedOn } from './eventstore-support.ts'
import { type TemporaryDirectory, temporaryDirectory } from './support.ts'

const REASON = 'the name holds an address'

let directory: TemporaryDirectory
let server: EsdbServer
let log: RemoteLog
/** What tells of refused events is refused too. */
let isStrict: boolean
let closing: (() => Promise<void>)[]

beforeEach(async () => {
  directory = temporaryDirectory()
  isStrict = false
  closing = []
  const memory = memoryBackend()
  server = await serve(
    {
      ...memory,
      append: async (stream, expectation, events, ...rest) =>
        stream.includes('forbidden') || events.some(({ type }) => type === 'deal.forbidden')
          ? E.left({ _tag: 'Refused', reason: REASON })
          : isStrict && stream.includes('quarantine')
            ? E.left({ _tag: 'Refused', reason: REASON })
            : memory.append(stream, expectation, events, ...rest),
    },
    { maxAppendBytes: 4 * 1024 * 1024 },
  )
  log = await openedOn(server, directory.path)
})

afterEach(async () => {
  for (const close of closing) await close()
  await log.close()
  await server.stop()
  directory.remove()
})

const told = (results: Awaited<ReturnType<Log['append']>>) =>
  results.map((result) => (E.isLeft(result) ? result.left : APPENDED))
const APPENDED = { _tag: 'Appended' } as const
const REFUSED: LogFailure = { _tag: 'Refused', cause: REASON }
const ids = async () => (await collect(log.read())).map(({ id }) => id)

/** Sent until it is taken, as a sender does who is told to come back. */
async function persist(id: string, stream: string): Promise<void> {
  await until(() => log.state() === 'writing')
  if (log.idCandidates('crm', id).length > 0) return
  const [result] = told(await log.append(appends(anEvent({ id, stream }))))
  if (result !== APPENDED) await persist(id, stream)
}

it('refuses the event of a stream that the server refuses, and goes on', async () => {
  await log.append(appends(anEvent({ id: 'before' })))
  expect(told(await log.append(appends(anEvent({ stream: 'forbidden-1' }))))).toEqual([REFUSED])
  await persist('after', 'deal-2')
  expect(await ids()).toEqual(['before', 'after'])
  expect(log.state()).toBe('writing')
})

it('refuses no other event of the streams beside it', async () => {
  const under = Array.from({ length: 20 }, (_, i) =>
    log.append(appends(anEvent({ id: `e${i}`, stream: i === 7 ? 'forbidden-1' : `deal-${i}` }))),
  )
  const results = (await Promise.all(under)).map((each) => told(each)[0])
  expect(results[7]).toEqual(REFUSED)
  for (const [i, result] of results.entries()) {
    if (i !== 7) expect(['Appended', 'Unavailable']).toContain(result?._tag)
  }
  for (let i = 0; i < 20; i++) if (i !== 7) await persist(`e${i}`, `deal-${i}`)
  expect((await ids()).toSorted()).toEqual(
    Array.from({ length: 20 }, (_, i) => `e${i}`)
      .filter((id) => id !== 'e7')
      .toSorted(),
  )
})

it('refuses no neighbour in its own stream, with which it was sent', async () => {
  const results = told(
    await log.append(
      appends(anEvent({ id: 'a' }), anEvent({ id: 'b', type: 'deal.forbidden' }), anEvent({ id: 'c' })),
    ),
  )
  expect(results[1]).toEqual(REFUSED)
  for (const result of [results[0], results[2]]) expect(['Appended', 'Unavailable']).toContain(result?._tag)
  await persist('a', 'deal-1')
  await persist('c', 'deal-1')
  expect(await ids()).toEqual(['a', 'c'])
})

it('refuses an atomic batch as a whole', async () => {
  const batch = [
    anEvent({ stream: 'deal-1' }),
    anEvent({ stream: 'forbidden-1' }),
    anEvent({ stream: 'deal-2' }),
  ]
  expect(told(await log.append(appends(...batch), { atomic: true }))).toEqual([REFUSED, REFUSED, REFUSED])
  await persist('after', 'deal-1')
  expect(await ids()).toEqual(['after'])
})

it('comes to quarantine, or to its sender where it was sent in an atomic batch, or not even that is taken', async () => {
  const world = intakeWorld({ log })
  const event = (id: string, type = 'deal.forbidden') => ({ id, source: 'web', type, data: { n: 1 } })
  expect(await world.send(event('a'), event('b', 'deal.won'))).toMatchObject([
    { status: 'quarantined', reason: 'refused_by_log' },
    { id: 'b' },
  ])
  const batch = [event('c'), event('d', 'deal.won')].map((value) => ({ value }))
  const refused = { status: 'refused', refusal: { code: 'forbidden' } }
  expect(await world.intake.submitAtomic(batch, { defaultSource: 'web' })).toMatchObject([refused, refused])
  isStrict = true
  expect(await world.sendOne(event('e'))).toMatchObject(refused)
  await world.close()
})

/** Another log, that has taken this one over, whose appends may fail before they get to the server. */
async function failing(
  client = clientOf(server),
  failure: (stream: string) => ConnectionFailure | undefined = () => undefined,
) {
  const connection = connectionOf(client)
  const append: Connection['append'] = async (...asked) => {
    const left = failure(asked[0])
    return left === undefined ? connection.append(...asked) : E.left(left)
  }
  const options = { indexPath: join(directory.path, 'failing.sqlite'), clock: systemClock }
  const opened = await openEventStoreLog({ ...connection, append }, options)
  if (E.isLeft(opened)) throw new Error(JSON.stringify(opened.left))
  closing.push(() => opened.right.close())
  return opened.right
}

it('interrupts the log once for all that is refused together, of one stream or of many', async () => {
  const streams = Array.from({ length: 60 }, (_, i) => `forbidden-${i % 3 === 0 ? i : 1}`)
  const results = await Promise.all(
    streams.map((stream, i) => log.append(appends(anEvent({ id: `e${i}`, stream })))),
  )
  expect(results.flatMap(told)).toEqual(streams.map(() => REFUSED))
  expect(log.interruptions()).toBe(1)
  await persist('after', 'deal-1')
  expect(log.interruptions()).toBe(1)
  expect(await ids()).toEqual(['after'])
})

it('finds all that is refused of what was sent together, among what is not', async () => {
  const types = ['deal.won', 'deal.forbidden', 'deal.won', 'deal.forbidden', 'deal.won']
  const results = told(await log.append(appends(...types.map((type, i) => anEvent({ id: `e${i}`, type })))))
  expect(results.map(({ _tag }) => _tag === 'Refused')).toEqual([false, true, false, true, false])
  for (const id of ['e0', 'e2', 'e4']) await persist(id, 'deal-1')
  expect(await ids()).toEqual(['e0', 'e2', 'e4'])
})

it('lets nobody wait for a server that goes away when it has refused something', async () => {
  let isAway = false
  const its = await failing(undefined, (stream) =>
    isAway && stream === MARKER_STREAM ? { _tag: 'Away', cause: 'gone' } : undefined,
  )
  isAway = true
  const results = told(await its.append(appends(anEvent({ stream: 'forbidden-1' }), anEvent({}))))
  expect(results.map(({ _tag }) => _tag)).toEqual(['Unavailable', 'Unavailable'])
  isAway = false
  await until(() => its.state() === 'writing')
  expect(told(await its.append(appends(anEvent({ stream: 'forbidden-1' }))))).toEqual([REFUSED])
})

it('takes a call that failed for no refusal of what it carried', async () => {
  const client = clientOf(server)
  const its = await failing(client)
  const error = Object.assign(new Error('12 UNIMPLEMENTED: Received HTTP status code 404'), {
    ...{ code: status.UNIMPLEMENTED, details: 'Received HTTP status code 404', metadata: new Metadata() },
  })
  const asked = vi.spyOn(client, 'appendToStream').mockRejectedValueOnce(new UnknownError(error))
  expect(told(await its.append(appends(anEvent({ id: 'a' }))))).toMatchObject([{ _tag: 'Unavailable' }])
  await until(() => its.state() === 'writing')
  expect(told(await its.append(appends(anEvent({ id: 'a' }))))).toEqual([APPENDED])
  // It is so of whatever is asked.
  asked.mockRejectedValue(new UnknownError(error))
  expect(told(await its.append(appends(anEvent({ id: 'b' }))))).toMatchObject([{ _tag: 'Unavailable' }])
  await until(() => its.state() === 'stopped')
})
