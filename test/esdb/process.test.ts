/**
 * Theorem: after a kill -9 of the engine while EventStoreDB's client appends, every acknowledged event is there, once, at the place that
 * was answered; sending everything again adds what was lost and nothing else; and events make people as those of any other sender do.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonEvent } from '@eventstore/db-client'
import { afterEach, expect, test } from 'vitest'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { clientOf, collect, until } from './client.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-esdb-'))
let engine: EngineProcess | undefined

afterEach(async () => {
  await engine?.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const BATCHES = process.env['HEADWATER_TEST_LONG'] === undefined ? 400 : 4_000
/** Under way at a time, so that the kill comes in the midst of them. */
const LANES = 8

test('kill -9 during appends loses nothing that was acknowledged, and repeats nothing', async () => {
  const [port, esdbPort] = [await freePort(), await freePort()]
  // An own nats-server would outlive the kill.
  const env = {
    HEADWATER_ESDB_PORT: String(esdbPort),
    HEADWATER_ESDB_ANONYMOUS: 'loopback',
    NATS_URL: 'nats://127.0.0.1:1',
  }
  engine = new EngineProcess(port, directory, env)
  await engine.start()
  expect(engine.output).toContain(`esdb://127.0.0.1:${esdbPort}?tls=false`)

  const batches = Array.from({ length: BATCHES }, (_, batch) => ({
    stream: `thing-${batch % 5}`,
    events: [0, 1, 2].map((n) => jsonEvent({ type: 'thing.done', data: { batch, n } })),
  }))
  const answered = new Map<number, { readonly revision: bigint; readonly position: bigint }>()
  let client = clientOf({ port: esdbPort })
  const lane = async (from: number) => {
    for (let batch = from; batch < BATCHES; batch += LANES) {
      const { stream = '', events = [] } = batches[batch] ?? {}
      const done = await client.appendToStream(stream, [...events]).catch(() => undefined)
      if (done?.position === undefined) continue
      const place = { revision: done.nextExpectedRevision, position: done.position.commit }
      // What was acknowledged is answered the same for ever.
      expect(answered.get(batch) ?? place).toEqual(place)
      answered.set(batch, place)
    }
  }
  const sendAll = () => Promise.all(Array.from({ length: LANES }, (_, from) => lane(from)))
  const first = sendAll()
  await until(() => answered.size >= 20)
  await engine.kill('SIGKILL')
  await first
  const acknowledged = new Map(answered)
  expect(acknowledged.size).toBeGreaterThanOrEqual(20)
  expect(acknowledged.size).toBeLessThan(BATCHES)
  await client.dispose()

  await engine.start()
  client = clientOf({ port: esdbPort })
  const own = async () => (await collect(client.readAll())).filter(({ type }) => type === 'thing.done')
  const kept = new Map(
    (await own()).map(({ id, revision, position }) => [id, { revision, position: position?.commit }]),
  )
  for (const [batch, place] of acknowledged)
    expect(kept.get(batches[batch]?.events[2]?.id ?? '')).toEqual(place)
  // All of a batch or none.
  expect(kept.size % 3).toBe(0)

  await sendAll()
  expect(answered.size).toBe(BATCHES)
  const ids = (await own()).map(({ id }) => id)
  expect(ids).toHaveLength(3 * BATCHES)
  expect(new Set(ids)).toEqual(new Set(batches.flatMap(({ events }) => events.map(({ id }) => id))))

  const data = { userId: 'u17', traits: { email: 'jane@example.com', name: 'Jane' } }
  const done = await client.appendToStream('visit-1', jsonEvent({ type: 'cdp.identify', data }))
  const profile = await engine.get<object>(`/v1/profiles/user:u17?after=${done.position?.commit}`)
  expect(JSON.stringify(profile)).toContain('jane@example.com')
  await client.dispose()
  expect(await engine.kill('SIGTERM')).toBe(0)
}, 60_000)
