/**
 * Theorem: who follows a log in an EventStoreDB is handed its events once and in order, those that settle meanwhile without another read of the
 * server, and those that were let go again (too many, too large, or nobody followed) from the server; what is kept is bounded.
 */
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { encode, envelopeOf, FORMAT } from '../../engine/log/eventstore/codec.ts'
import { Recent, type Settled } from '../../engine/log/eventstore/recent.ts'
import type { RemoteLog } from '../../engine/log/eventstore/remote-log.ts'
import { serve, until } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { anEvent, appends } from './events.ts'
import { openedOn } from './eventstore-support.ts'
import { type TemporaryDirectory, temporaryDirectory } from './support.ts'

let directory: TemporaryDirectory
let server: EsdbServer
let log: RemoteLog
let reads: number
let over: AbortController

beforeEach(async () => {
  directory = temporaryDirectory()
  over = new AbortController()
  reads = 0
  const memory = memoryBackend()
  const readAll: typeof memory.readAll = (options) => {
    reads++
    return memory.readAll(options)
  }
  server = await serve({ ...memory, readAll }, { maxAppendBytes: 4 * 1024 * 1024 })
  log = await openedOn(server, join(directory.path))
})

afterEach(async () => {
  over.abort()
  await log.close()
  await server.stop()
  directory.remove()
})

/** Ids as they are handed on, from the first one; `hold`: before the next batch is asked for. */
function followed(types?: ReadonlySet<string>, hold?: () => Promise<void>): readonly string[] {
  const ids: string[] = []
  void (async () => {
    for await (const batch of log.subscribe({ signal: over.signal, types })) {
      ids.push(...batch.map(({ id }) => id))
      await hold?.()
    }
  })()
  return ids
}

async function append(ids: readonly string[], more: Parameters<typeof anEvent>[0] = {}): Promise<void> {
  const results = await log.append(appends(...ids.map((id) => anEvent({ ...more, id }))))
  expect(results.every(E.isRight)).toBe(true)
}

const named = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`)

it('hands on what settles without reading it again, what was there before by reading', async () => {
  await append(['a', 'b'])
  const ids = followed()
  await until(() => ids.length === 2)
  expect(reads).toBeGreaterThan(0)
  reads = 0
  for (const id of ['c', 'd', 'e']) await append([id])
  await append(['f', 'g'], { type: 'other.happened' })
  await until(() => ids.length === 7)
  expect(ids).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  expect(reads).toBe(0)
})

it('hands on some types only', async () => {
  const ids = followed(new Set(['other.happened']))
  await append(['a'])
  await append(['b'], { type: 'other.happened' })
  await append(['c'])
  await append(['d'], { type: 'other.happened' })
  await until(() => ids.length === 2)
  expect(ids).toEqual(['b', 'd'])
})

it('leaves no gap where the follower falls behind what is kept', async () => {
  const gate = Promise.withResolvers<void>()
  const ids = followed(undefined, () => gate.promise)
  await append(['first'])
  await until(() => ids.length === 1)
  const text = 'x'.repeat(900_000)
  const large = named('l', 20)
  for (const id of large) await append([id], { data: { text } })
  await append(['last'])
  reads = 0
  gate.resolve()
  await until(() => ids.length === 22, 10_000)
  expect(ids).toEqual(['first', ...large, 'last'])
  expect(reads).toBeGreaterThan(0)
}, 20_000)

function settled(position: number, textBytes = 10): Settled {
  const { dataText, envelope } = encode(anEvent({ data: { text: 'x'.repeat(textBytes) } }))
  const metadata = { ...envelope, headwater: FORMAT, writer: 'w', position }
  const event = {
    stream: 's',
    revision: 0,
    commit: position,
    id: 'i',
    type: 't',
    data: JSON.parse(dataText),
    metadata,
  }
  const found = envelopeOf(event)
  if (found === undefined) throw new Error('no envelope')
  return { event, envelope: found, place: { position, revision: position - 1 } }
}

it('is bounded in number and bytes, keeps nothing for nobody, and nothing before a gap', () => {
  const recent = new Recent()
  recent.add([settled(1)])
  expect(recent.first()).toBeUndefined()
  const leave = recent.join()
  recent.add(Array.from({ length: 5_000 }, (_, i) => settled(i + 1)))
  expect(recent.first()).toBe(5_001 - 4_096)
  expect(recent.take(900, 5_000, 10, undefined)).toEqual({ events: [], next: 900 })
  const { events, next } = recent.take(4_990, 5_000, 1_024, undefined)
  expect([events.map(({ position }) => position), next]).toEqual([
    Array.from({ length: 11 }, (_, i) => 4_990 + i),
    5_001,
  ])
  recent.add(Array.from({ length: 40 }, (_, i) => settled(5_001 + i, 1_000_000)))
  expect(recent.first()).toBeGreaterThan(5_001 + 20)
  recent.add([settled(6_000)])
  expect(recent.first()).toBe(6_000)
  expect(recent.take(5_040, 6_000, 10, undefined).next).toBe(5_040)
  leave()
  expect(recent.first()).toBeUndefined()
})
