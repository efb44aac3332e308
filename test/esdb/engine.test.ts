/**
 * Theorem: an engine whose log lies in an EventStoreDB has every acknowledged event once, there and in its replica, whatever is killed and
 * whichever files of the replica are removed, with the same proofs. Shown with another engine of ours in the place of EventStoreDB, over the official client.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { EngineProcess, freePort, READ_TOKEN } from '../support/engine-process.ts'
import { clientOf, collect, until } from './client.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-esdb-engine-'))
const engines: EngineProcess[] = []

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const NO_NATS = { NATS_URL: 'nats://127.0.0.1:1', HEADWATER_DUPLICATES: 'off' }
const LANES = 6
const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const MORE = LONG ? 500 : 8

interface Answer {
  readonly results?: readonly { readonly status: string; readonly position?: number }[]
  readonly position?: number
}

test('nothing acknowledged is lost or doubled when either is killed, or the replica removed', async () => {
  const [port, esdbPort, ownPort] = [await freePort(), await freePort(), await freePort()]
  const store = new EngineProcess(port, join(directory, 'a'), {
    ...NO_NATS,
    HEADWATER_ESDB_PORT: String(esdbPort),
    HEADWATER_ESDB_ANONYMOUS: 'loopback',
  })
  const data = join(directory, 'b')
  const engine = new EngineProcess(ownPort, data, {
    ...NO_NATS,
    HEADWATER_LOG: `esdb://127.0.0.1:${esdbPort}?tls=false`,
  })
  engines.push(engine, store)
  await store.start()
  await engine.start()

  const acknowledged = new Map<string, number>()
  let next = 0
  let isSending = true
  const lane = async (): Promise<void> => {
    while (isSending) {
      const id = `e${next++}`
      const position = await send(engine, id)
      if (position === undefined) await new Promise((resolve) => setTimeout(resolve, 50))
      else acknowledged.set(id, position)
    }
  }
  const lanes = Array.from({ length: LANES }, lane)
  const more = async (count: number): Promise<void> => {
    const wanted = acknowledged.size + count
    await until(() => acknowledged.size >= wanted, 30_000)
  }
  await more(MORE)
  // Signed before it is killed, so that what is made anew is held against it.
  expect(await rootOf(engine, 1)).not.toEqual([])
  await engine.kill('SIGKILL')
  removeReplica(data)
  await engine.start()
  await more(MORE)
  await store.kill('SIGKILL')
  await store.start()
  await more(MORE)
  isSending = false
  await Promise.all(lanes)

  const { head, audit } = await engine.get<{ readonly head: number; readonly audit: string }>('/readyz')
  const root = await rootOf(engine, head)
  expect(audit).toBe('signing')
  if (LONG) {
    expect(await engine.kill('SIGTERM'), engine.output).toBe(0)
    removeReplica(data)
    await engine.start()
    expect(await rootOf(engine, head)).toEqual(root)
  }
  const profile = await engine.get<object>('/v1/profiles/user:u1')
  expect(JSON.stringify(profile)).toContain('u1@example.com')

  const client = clientOf({ port: esdbPort })
  const theirs = (await collect(client.readAll())).filter(({ type }) => type === 'cdp.identify')
  await client.dispose()
  const there = theirs.map(({ metadata }) => (metadata as { id: string; position: number }).id)
  expect(new Set(there).size).toBe(there.length)
  for (const [id, position] of acknowledged) {
    expect(there.filter((found) => found === id)).toEqual([id])
    // Sent again it is known, at the place that was answered.
    expect([id, await send(engine, id, 'duplicate')]).toEqual([id, position])
  }
}, 120_000)

/** Its position, undefined where it wasn't taken. */
async function send(engine: EngineProcess, id: string, status = 'appended'): Promise<number | undefined> {
  const traits = { email: `u${id.length - 1}@example.com` }
  const event = { id, source: 'web', type: 'cdp.identify', data: { userId: `u${id.length - 1}`, traits } }
  try {
    const answer = await engine.post('/v1/events', JSON.stringify(event))
    if (!answer.ok) return undefined
    const body = (await answer.json()) as Answer
    const result = body.results?.[0]
    return result?.status === status ? result.position : undefined
  } catch {
    return undefined
  }
}

/** With the tiles of its tree, which are then hashed anew from the log. */
function removeReplica(data: string): void {
  for (const part of ['log', join('audit', 'tile')])
    rmSync(join(data, part), { recursive: true, force: true })
}

/** Size and root of the newest signed tree head, once it covers the position. */
async function rootOf(engine: EngineProcess, position: number): Promise<readonly string[]> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await fetch(`${engine.url}/v1/audit/checkpoint`, {
      headers: { authorization: `Bearer ${READ_TOKEN}` },
    })
    const [, size = '', root = ''] = (await answer.text()).split('\n')
    if (answer.ok && Number(size) >= position) return [size, root]
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('no tree head covers the log')
}
