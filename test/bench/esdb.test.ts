/**
 * Theorem: the bench of EventStoreDB's protocol reports exactly the agreed names; its events have the size that it claims and differ;
 * who begins a round rotates and the first one doesn't count; the server that stores nothing answers the official client as a
 * server does, and the one that keeps events gives them back.
 */
import { EventStoreDBClient } from '@eventstore/db-client'
import { afterEach, describe, expect, test } from 'vitest'
import { type ServerChild, startClient, startServer } from '../../bench/esdb/child.ts'
import { DATA_BYTES, dataOf } from '../../bench/esdb/events.ts'
import { noEsdbFindings } from '../../bench/esdb/findings.ts'
import { esdbPlanOf } from '../../bench/esdb/plan.ts'
import { interleave } from '../../bench/esdb/rounds.ts'
import { esdbReportOf } from '../../bench/esdb.ts'

const NAMES = [
  'esdb_single_events_per_s',
  'esdb_single_vs_noop',
  'esdb_batch_events_per_s',
  'esdb_batch_vs_noop',
  'esdb_read_events_per_s',
  'esdb_read_vs_noop',
  'esdb_flood_answered',
  'esdb_flood_s',
  'adapter_overhead',
]
const WITHIN_MS = 20_000

const open: { stop(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop()
})

async function served(script: 'noop-server.ts' | 'kept-server.ts'): Promise<ServerChild> {
  const server = await startServer(script)
  open.push(server)
  return server
}

test('the figures have the agreed names, of a quick run as of a full one, measured or not', () => {
  const about = { commit: '0123456789ab', machine: { cores: 2 } }
  expect(esdbReportOf(noEsdbFindings(), about).results.map(({ name }) => name)).toEqual(NAMES)
  expect(Object.keys(esdbPlanOf(true))).toEqual(Object.keys(esdbPlanOf(false)))
})

test('events have the bytes that they should, and differ', () => {
  const made = [0, 9, 10, 12_345, 1_000_000].map((k) => JSON.stringify(dataOf(k)))
  expect(made.map((text) => Buffer.byteLength(text))).toEqual(made.map(() => DATA_BYTES))
  expect(new Set(made).size).toBe(made.length)
})

test('rounds: the first one only warms up, who begins rotates, one may be enough', async () => {
  const seen: string[] = []
  const contender = (name: string) => ({ name, turn: async () => seen.push(name) })
  const rates = await interleave([contender('a'), contender('b')], 2, () => false)
  expect(seen.join('')).toBe('abbaab')
  expect(rates).toEqual(new Map(Object.entries({ a: [4, 5], b: [3, 6] })))
  const short = await interleave([contender('a')], 9, () => true)
  expect(short.get('a')).toHaveLength(1)
})

describe('the processes', () => {
  test('a server that stores nothing answers appends and makes up reads', {
    timeout: WITHIN_MS,
  }, async () => {
    const { port } = await served('noop-server.ts')
    const client = startClient(port)
    open.push(client)
    const order = { kind: 'append', inFlight: 20, batch: 3, forMs: 50 } as const
    const appended = await client.obey(order, WITHIN_MS)
    expect(appended).toMatchObject({ kind: 'rate' })
    expect(appended.kind === 'rate' && appended.events >= 60).toBe(true)
    expect(await client.obey({ kind: 'read', events: 300 }, WITHIN_MS)).toMatchObject({ events: 300 })
  })

  test('what is kept comes back, and a flood is counted', { timeout: WITHIN_MS }, async () => {
    const { port } = await served('kept-server.ts')
    const client = startClient(port)
    open.push(client)
    const flood = await client.obey({ kind: 'flood', appends: 200 }, WITHIN_MS)
    expect(flood).toMatchObject({ kind: 'flood', answered: 200, stored: 200, distinct: 200, failed: {} })
    const own = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${port}?tls=false`)
    open.push({ stop: () => own.dispose() })
    const found: unknown[] = []
    for await (const { event } of own.readAll({ maxCount: 3 })) found.push(event?.data)
    expect(found).toEqual(
      [dataOf(0), dataOf(1), dataOf(2)].map(({ number }) => expect.objectContaining({ number })),
    )
  })
})
