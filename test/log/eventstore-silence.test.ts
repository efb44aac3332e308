/**
 * Theorem: a server that takes calls and never answers them, in whatever state of the log, hangs neither an append nor opening nor closing: they
 * end in good time, and what was not answered is neither lost nor doubled once the server answers again.
 */
import { join } from 'node:path'
import { setTimeout as timer } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { EsdbBackend } from '../../api/esdb/backend.ts'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { systemClock } from '../../engine/clock.ts'
import { openEventStoreLog } from '../../engine/log/eventstore/event-store-log.ts'
import type { OpenFailure, RemoteLog } from '../../engine/log/eventstore/remote-log.ts'
import { connectionOf } from '../../engine/log/eventstore.ts'
import { openMirroredLog } from '../../engine/log/mirrored.ts'
import { clientOf, serve, until } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { anEvent, appends, collect } from './events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

/** Within which the server must answer, and for which an append is tried again. */
const ANSWER_MS = 1_000
const PATIENCE_MS = 1_100
/** Closing waits for what is under way, and lets go of calls for a while. */
const CLOSE_MS = 4_000

let directory: TemporaryDirectory
let server: EsdbServer
let backend: EsdbBackend
/** What the server does with an append: makes it and answers, makes it and keeps silent, keeps silent. */
let mode: 'answers' | 'makes' | 'nothing'
let isReadable: boolean
/** It answers no question at all. */
let isSilent: boolean

beforeEach(async () => {
  isSilent = false
  directory = temporaryDirectory()
  mode = 'answers'
  isReadable = true
  const memory = memoryBackend()
  const never = new Promise<never>(() => {})
  backend = {
    ...memory,
    append: async (...args) => {
      const answer = mode === 'nothing' ? never : memory.append(...args)
      await answer
      return mode === 'answers' ? answer : never
    },
    async *readStream(...args) {
      if (isSilent) await never
      yield* memory.readStream(...args)
    },
    async *readAll(options) {
      if (!isReadable) await never
      yield* memory.readAll(options)
    },
  }
  server = await serve(backend, { maxAppendBytes: 4 * 1024 * 1024 })
})

afterEach(async () => {
  await server.stop()
  directory.remove()
})

async function tryOpen(
  more: { readonly patienceMs?: number } = {},
): Promise<E.Either<OpenFailure, RemoteLog>> {
  const [writer, reader] = [0, 1].map(() => clientOf(server, { isAlone: true }))
  if (writer === undefined) throw new Error('no client')
  return openEventStoreLog(connectionOf(writer, '', reader, ANSWER_MS), {
    indexPath: join(directory.path, 'log-index.sqlite'),
    clock: systemClock,
    patienceMs: PATIENCE_MS,
    ...more,
  })
}

async function open(more: { readonly patienceMs?: number } = {}): Promise<RemoteLog> {
  const log = await tryOpen(more)
  if (E.isLeft(log)) throw new Error(JSON.stringify(log.left))
  return log.right
}

async function closesInTime(log: Pick<RemoteLog, 'close'>): Promise<void> {
  const startMs = systemClock.monotonicMs()
  await log.close()
  expect(systemClock.monotonicMs() - startMs).toBeLessThan(CLOSE_MS)
}

const tags = (results: readonly E.Either<{ readonly _tag: string }, unknown>[]) =>
  results.map((result) => (E.isLeft(result) ? result.left._tag : 'appended'))

it('fails an append that is never answered, and goes on when the server answers', async () => {
  const log = await open()
  mode = 'nothing'
  expect(tags(await log.append(appends(anEvent({ id: 'a' }))))).toEqual(['Unavailable'])
  expect(log.state()).toBe('away')
  mode = 'answers'
  await until(() => log.state() === 'writing', 10_000)
  expect(tags(await log.append(appends(anEvent({ id: 'a' }))))).toEqual(['appended'])
  expect((await collect(log.read())).map(({ id }) => id)).toEqual(['a'])
  await closesInTime(log)
}, 20_000)

it('has an append once whose answer alone is missing', async () => {
  const log = await open()
  mode = 'makes'
  const under = log.append(appends(anEvent({ id: 'a' })))
  // It is read back.
  expect(tags(await under)).toEqual(['appended'])
  mode = 'answers'
  const next = await log.append(appends(anEvent({ id: 'b' })))
  expect(tags(next)).toEqual(['appended'])
  expect((await collect(log.read())).map(({ id }) => id)).toEqual(['a', 'b'])
  await closesInTime(log)
}, 20_000)

it('closes while an append, or the marker after it, is never answered', async () => {
  const under = await open()
  mode = 'nothing'
  const pending = under.append(appends(anEvent()))
  await closesInTime(under)
  expect(tags(await pending)).not.toEqual(['appended'])
  mode = 'answers'
  const away = await open()
  mode = 'nothing'
  expect(tags(await away.append(appends(anEvent())))).toEqual(['Unavailable'])
  await closesInTime(away)
}, 20_000)

it('closes while a read is never answered', async () => {
  const log = await open()
  await log.append(appends(anEvent()))
  isReadable = false
  const read = collect(log.read()).then(
    () => 'it was read',
    (error: Error) => error.name,
  )
  await timer(50)
  await closesInTime(log)
  // Not that the log is damaged, though what was read is less than what was asked for.
  expect(await read).toBe('ConnectionFailed')
}, 20_000)

it('closes a mirrored log that waits for a read', async () => {
  const filled = await open()
  await filled.append(appends(anEvent(), anEvent()))
  await filled.close()
  const remote = await open()
  isReadable = false
  const replica = await opened(join(directory.path, 'log'), { files: unsyncedFiles })
  const mirrored = openMirroredLog(remote, replica)
  await timer(50)
  isReadable = true
  const log = await Promise.race([mirrored, timer(500, undefined)])
  // Its read is never answered: only the server's end of the call brings it to an end.
  expect(log).toBeUndefined()
  await closesInTime(remote)
  await mirrored.then(
    (late) => late.close(),
    () => undefined,
  )
}, 20_000)

it('refuses to open where the server answers nothing', async () => {
  mode = 'nothing'
  const result = await tryOpen()
  expect(E.isLeft(result) && result.left._tag).toBe('Unreachable')
}, 20_000)

it('says that the server is away when nobody has asked it for anything, and that it is back', async () => {
  const log = await open()
  expect(log.state()).toBe('writing')
  isSilent = true
  await until(() => log.state() === 'away', 8_000)
  isSilent = false
  await until(() => log.state() === 'writing', 8_000)
  expect(log.interruptions()).toBe(0)
  expect(tags(await log.append(appends(anEvent())))).toEqual(['appended'])
  await closesInTime(log)
}, 20_000)

it('gives up what is under way, and all that comes, once the server is silent and the end is near', async () => {
  const log = await open({ patienceMs: 60_000 })
  await log.append(appends(anEvent({ id: 'before' })))
  let isGivenUp = false
  log.hurry(() => {
    isGivenUp = true
  })
  expect(tags(await log.append(appends(anEvent({ id: 'taken' }))))).toEqual(['appended'])
  expect(isGivenUp).toBe(false)
  mode = 'nothing'
  isSilent = true
  expect(tags(await log.append(appends(anEvent({ id: 'lost' }))))).toEqual(['LogClosed'])
  expect(isGivenUp).toBe(true)
  expect(tags(await log.append(appends(anEvent())))).toEqual(['LogClosed'])
  await closesInTime(log)
}, 20_000)

it('gives up at once where the server has been away for a while', async () => {
  const log = await open()
  mode = 'nothing'
  expect(tags(await log.append(appends(anEvent())))).toEqual(['Unavailable'])
  let isGivenUp = false
  log.hurry(() => {
    isGivenUp = true
  })
  expect(isGivenUp).toBe(true)
  expect(tags(await log.append(appends(anEvent())))).toEqual(['LogClosed'])
  await closesInTime(log)
}, 20_000)
