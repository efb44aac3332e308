/**
 * Theorem: whatever happens to the connection, to the index or to other writers, a log in an EventStoreDB has every acknowledged
 * event once, in order, and says so where it can't go on. Shown over a server of the same protocol.
 */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { jsonEvent } from '@eventstore/db-client'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { EsdbServer } from '../../api/esdb/server.ts'
import type { RemoteLog } from '../../engine/log/eventstore/remote-log.ts'
import { type Appended, IndexUnavailable, type LogFailure } from '../../engine/log/log.ts'
import { clientOf, serve, until } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import { anEvent, appends, collect, identityId, positions } from './events.ts'
import { openedOn, openOn } from './eventstore-support.ts'
import { type TemporaryDirectory, temporaryDirectory } from './support.ts'

let directory: TemporaryDirectory
let server: EsdbServer
let closing: (() => Promise<void>)[]

beforeEach(async () => {
  directory = temporaryDirectory()
  server = await serve(memoryBackend(), { maxAppendBytes: 4 * 1024 * 1024 })
  closing = []
})

afterEach(async () => {
  for (const close of closing.toReversed()) await close()
  await server.stop()
  directory.remove()
})

async function open(on: Pick<EsdbServer, 'port'> = server, patienceMs?: number): Promise<RemoteLog> {
  const log = await openedOn(on, directory.path, patienceMs)
  closing.push(() => log.close())
  return log
}

async function proxy(): Promise<CuttingProxy> {
  const opened = await new CuttingProxy(server.port).open()
  closing.push(() => opened.close())
  return opened
}

const placeOf = (result: E.Either<LogFailure, Appended>) =>
  E.isRight(result) ? result.right.position : result.left._tag

const user = { id: identityId(1), namespace: 'user' }

it('goes on, and opens again, where somebody ends a stream that is none of its own', async () => {
  const log = await open()
  const client = clientOf(server)
  closing.push(() => client.dispose())
  await client.appendToStream('foreign-1', jsonEvent({ type: 'thing.done', data: {} }))
  await client.tombstoneStream('foreign-1')
  const [first] = await log.append(appends(anEvent({})))
  expect(first && placeOf(first)).toBe(1)
  await log.close()
  rmSync(join(directory.path, 'log-index.sqlite'))
  const again = await open()
  expect(again.head().position).toBe(1)
})

it('has everything once when connections are cut while it is written', async () => {
  const between = await proxy()
  const log = await open(between)
  const abort = new AbortController()
  const heard: number[] = []
  const subscribed = (async () => {
    for await (const batch of log.subscribe({ signal: abort.signal }))
      for (const { position } of batch) heard.push(position)
  })()
  const ids: string[] = []
  for (let round = 0; round < 6; round++) {
    const writing = Array.from({ length: 20 }, (_, i) => {
      const events = Array.from({ length: 3 }, () => anEvent({ stream: `deal-${i % 7}` }))
      ids.push(...events.map(({ id }) => id))
      return log.append(appends(...events), { atomic: i % 2 === 0 })
    })
    // Before, amid and after what is under way.
    for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setImmediate(resolve))
    between.cut()
    const results = (await Promise.all(writing)).flat()
    expect(results.every(E.isRight)).toBe(true)
  }
  const all = await collect(log.read())
  expect(all.map(({ id }) => id)).toEqual(ids)
  expect(all.map(({ position }) => position)).toEqual(ids.map((_, i) => i + 1))
  await until(() => heard.length === ids.length)
  abort.abort()
  await subscribed
  expect(heard).toEqual(all.map(({ position }) => position))
  const theirs = clientOf(server)
  let stored = 0
  for await (const { event } of theirs.readAll()) if (event?.streamId.startsWith('deal-') === true) stored++
  await theirs.dispose()
  expect(stored).toBe(ids.length)
})

it('is the same log when it is opened again, with its index or without', async () => {
  const first = await open()
  await first.append(
    appends(anEvent({ id: 'a', identities: [user] }), anEvent({ stream: '$odd' }), anEvent({ id: 'a' })),
  )
  await first.append(appends(anEvent({ stream: '%odd' }), anEvent({ stream: '$odd' })), { atomic: true })
  const before = await collect(first.read())
  await first.close()
  for (const [round, isKept] of [true, false, true].entries()) {
    if (!isKept)
      for (const end of ['', '-wal', '-shm'])
        rmSync(join(directory.path, `log-index.sqlite${end}`), { force: true })
    const again = await openedOn(server, directory.path)
    const all = await collect(again.read())
    expect(all.slice(0, before.length)).toStrictEqual(before)
    expect(again.head().position).toBe(before.length + round)
    expect((await collect(again.readIdentity(user.id))).map(({ position }) => position)).toEqual([1])
    expect(again.idCandidates('crm', 'a')).toEqual([1, 3])
    expect((await collect(again.readStream('$odd'))).map(({ revision }) => revision)).toEqual([0, 1])
    const results = await again.append([{ event: anEvent(), expected: { revision: 1 + round } }])
    expect(results.map(E.isRight)).toEqual([true])
    await again.close()
  }
})

it('makes an index anew that is of another log', async () => {
  const first = await open()
  await first.append(appends(anEvent(), anEvent({ stream: 'gone-1' })))
  await first.close()
  await server.stop()
  server = await serve(memoryBackend(), { maxAppendBytes: 4 * 1024 * 1024 })
  const other = await open()
  expect(other.head()).toEqual({ position: 0, received: 0 })
  expect(other.streamHead('gone-1')).toBeUndefined()
  await other.append(appends(anEvent({ stream: 'new-1' })))
  expect(await positions(other)).toEqual([1])
})

it('stops a writer when another one opens the log, and takes nothing more from it', async () => {
  const first = await open()
  await first.append(appends(anEvent()))
  const elsewhere = temporaryDirectory()
  const second = await openedOn(server, elsewhere.path)
  closing.push(async () => {
    await second.close()
    elsewhere.remove()
  })
  const late = (await first.append(appends(anEvent({ stream: 'late-1' }))))[0]
  expect(late).toMatchObject({
    left: { _tag: 'WriterStopped', cause: expect.stringContaining('another process') },
  })
  await second.append(appends(anEvent()))
  expect(await positions(second)).toEqual([1, 2])
  expect(second.streamHead('late-1')).toBeUndefined()
})

it('leaves alone what lies beside it under another prefix', async () => {
  const elsewhere = [temporaryDirectory(), temporaryDirectory()] as const
  const logs = [
    await openedOn(server, elsewhere[0].path, undefined, 'one-'),
    await openedOn(server, elsewhere[1].path, undefined, 'two-'),
  ] as const
  const theirs = clientOf(server)
  await theirs.setStreamMetadata('two-deal-1', { maxAge: 1 })
  for (const { remove } of elsewhere) closing.push(async () => remove())
  await logs[0].append(appends(anEvent(), anEvent()))
  await logs[0].append(appends(anEvent({ stream: 'deal-2' })))
  expect((await collect(logs[0].read())).map(({ stream }) => stream)).toEqual(['deal-1', 'deal-1', 'deal-2'])
  expect(logs[1].head().position).toBe(0)
  expect((await logs[0].append(appends(anEvent()))).every(E.isRight)).toBe(true)
  const [late] = await logs[1].append(appends(anEvent({ stream: 'deal-2' })))
  expect(late).toMatchObject({ left: { _tag: 'WriterStopped' } })
  for (const log of logs) await log.close()
  await theirs.dispose()
})

it('does not open where a stream forgets, and stops when one begins to', async () => {
  const log = await open()
  await log.append(appends(anEvent()))
  const theirs = clientOf(server)
  closing.push(() => theirs.dispose())
  await theirs.setStreamMetadata('other-1', { acl: { readRoles: ['$all'] } })
  expect((await log.append(appends(anEvent()))).every(E.isRight)).toBe(true)
  await theirs.setStreamMetadata('deal-1', { maxCount: 1 })
  // Otherwise the next one may be on its way before it is heard of.
  await until(() => log.state() === 'stopped')
  const results = await log.append(appends(anEvent()))
  expect(results[0]).toMatchObject({
    left: { _tag: 'WriterStopped', cause: expect.stringContaining('deal-1') },
  })
  await log.close()
  const refused = { left: { _tag: 'Forgetful', streams: ['deal-1'] } }
  expect(await openOn(server, directory.path)).toMatchObject(refused)
  await theirs.setStreamMetadata('deal-1', {})
  expect((await open()).head().position).toBe(2)
})

it('fails what is under way when the server stays away, and goes on when it is back', async () => {
  const between = await proxy()
  const log = await open(between, 200)
  await log.append(appends(anEvent({ id: 'a' })))
  between.isAway = true
  between.cut()
  const results = await log.append(appends(anEvent()))
  expect(results[0]).toMatchObject({ left: { _tag: 'Unavailable' } })
  expect([log.head().position, log.state()]).toEqual([1, 'away'])
  // Whether it is there nobody knows, so nobody may be told that it isn't.
  expect(() => log.idCandidates('crm', 'a')).toThrow(IndexUnavailable)
  expect((await log.append(appends(anEvent())))[0]).toMatchObject({ left: { _tag: 'Unavailable' } })
  const elsewhere = temporaryDirectory()
  closing.push(async () => elsewhere.remove())
  expect(await openOn(between, elsewhere.path)).toMatchObject({ left: { _tag: 'Unreachable' } })
  between.isAway = false
  await until(() => log.state() === 'writing')
  expect((await log.append(appends(anEvent(), anEvent()))).map(placeOf)).toEqual([2, 3])
  expect(await positions(log)).toEqual([1, 2, 3])
})
