/**
 * Theorem: a subscription that catches up with `$all` while it is written leaves no gap, repeats nothing and keeps the order, however
 * far it is behind; and readers that don't read cost the server no more memory for what they are owed, and delay nobody.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EngineProcess, freePort, READ_TOKEN } from '../support/engine-process.ts'
import { clientOf, collect, until } from './client.ts'

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const EVENTS = LONG ? 100_000 : 2_800
/** Half of the events are a multiple of it. */
const BATCH = 200
const SLOW_READERS = 60
/** Owed to the slow readers: many times as much. */
const MOST_GROWTH_BYTES = 200e6

const directory = mkdtempSync(join(tmpdir(), 'headwater-catch-up-'))
let engine: EngineProcess
let client: EventStoreDBClient
let esdbPort: number

beforeAll(async () => {
  const port = await freePort()
  esdbPort = await freePort()
  engine = new EngineProcess(port, directory, {
    HEADWATER_ESDB_PORT: String(esdbPort),
    HEADWATER_ESDB_ANONYMOUS: 'loopback',
    // An own nats-server would outlive the kill.
    NATS_URL: 'nats://127.0.0.1:1',
  })
  await engine.start()
  client = clientOf({ port: esdbPort }, { isAlone: true })
})

afterAll(async () => {
  // First, so that none is left where the start failed.
  await engine.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
  await client.dispose()
})

const text = 'x'.repeat(LONG ? 900 : 4_000)

async function write(first: number, count: number): Promise<void> {
  for (let from = first; from < first + count; from += BATCH) {
    const events = Array.from({ length: BATCH }, (_, n) =>
      jsonEvent({ type: 'thing.done', data: { n: from + n, text } }),
    )
    await client.appendToStream(`thing-${(from / BATCH) % 7}`, events)
  }
}

/** Of the server's process. */
async function residentBytes(): Promise<number> {
  const answer = await fetch(`${engine.url}/metrics`, { headers: { authorization: `Bearer ${READ_TOKEN}` } })
  const found = /^headwater_process_resident_memory_bytes (\S+)$/m.exec(await answer.text())
  if (found === null) throw new Error('the engine tells no memory')
  return Number(found[1])
}

function numberOf(data: unknown): number {
  if (typeof data === 'object' && data !== null && 'n' in data) return Number(data.n)
  throw new Error('no event of this test')
}

test(`${EVENTS} events are caught up with, once and in order, while half of them are written`, async () => {
  await write(0, EVENTS / 2)
  const reader = clientOf({ port: esdbPort }, { isAlone: true })
  const heard: number[] = []
  const positions: bigint[] = []
  const subscription = reader.subscribeToAll()
  subscription.on('data', ({ event }) => {
    if (event?.type !== 'thing.done') return
    heard.push(numberOf(event.data))
    positions.push(event.position?.commit ?? -1n)
  })
  await write(EVENTS / 2, EVENTS / 2)
  await until(() => heard.length >= EVENTS, 60_000)
  expect(heard).toEqual(Array.from({ length: EVENTS }, (_, n) => n))
  expect(positions.every((position, i) => i === 0 || position > (positions[i - 1] ?? 0n))).toBe(true)
  await subscription.unsubscribe()
  await reader.dispose()
}, 120_000)

test('readers that do not read are held back: they cost little, delay nobody, and miss nothing', async () => {
  const before = await residentBytes()
  const slow = clientOf({ port: esdbPort }, { isAlone: true })
  const unread = Array.from({ length: SLOW_READERS }, (_, n) =>
    n % 2 === 0 ? slow.readAll() : slow.subscribeToAll(),
  )
  for (const one of unread) one.on('error', () => undefined)
  await write(EVENTS, 2 * BATCH)
  const all = await collect(client.readAll())
  expect(all.filter(({ type }) => type === 'thing.done')).toHaveLength(EVENTS + 2 * BATCH)
  const owedBytes = SLOW_READERS * EVENTS * text.length
  expect(owedBytes).toBeGreaterThan(3 * MOST_GROWTH_BYTES)
  const grown = (await residentBytes()) - before
  expect(grown).toBeLessThan(MOST_GROWTH_BYTES)
  // Whoever reads at last has missed nothing; its connection goes on with the others' answers unread.
  const [late] = unread
  if (late === undefined) throw new Error('there are slow readers')
  const found = (await collect(late)).filter(({ type }) => type === 'thing.done')
  expect(found.map(({ data }) => numberOf(data))).toEqual(Array.from({ length: found.length }, (_, n) => n))
  expect(found.length).toBeGreaterThanOrEqual(EVENTS)
  await slow.dispose()
}, 120_000)
