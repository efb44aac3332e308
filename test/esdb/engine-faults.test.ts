/**
 * Theorem: an engine whose log lies in an EventStoreDB says within seconds that this doesn't answer, ends as soon without it, and leaves a
 * log alone whose keys it doesn't have, were it that it was restored from an older backup. Shown with another engine of ours in the place of EventStoreDB.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { run } from '../backup/support.ts'
import { CuttingProxy } from '../log/cutting-proxy.ts'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { until } from './client.ts'

const directory = mkdtempSync(join(tmpdir(), 'headwater-esdb-faults-'))
const data = (name: string): string => join(directory, name)
const engines: EngineProcess[] = []
const NO_NATS = { NATS_URL: 'nats://127.0.0.1:1', HEADWATER_DUPLICATES: 'off' }

let between: CuttingProxy
let address: string

async function engineOn(name: string, env: Readonly<Record<string, string>>): Promise<EngineProcess> {
  const engine = new EngineProcess(await freePort(), data(name), { ...NO_NATS, ...env })
  engines.push(engine)
  return engine
}

/** An engine in the place of EventStoreDB: its port. */
async function storeOn(name: string): Promise<number> {
  const esdbPort = await freePort()
  const env = { HEADWATER_ESDB_PORT: String(esdbPort), HEADWATER_ESDB_ANONYMOUS: 'loopback' }
  await (await engineOn(name, env)).start()
  return esdbPort
}

beforeAll(async () => {
  between = await new CuttingProxy(await storeOn('store')).open()
  address = `esdb://127.0.0.1:${between.port}?tls=false`
}, 120_000)

beforeEach(() => {
  between.weather = { kind: 'clear' }
})

afterAll(async () => {
  for (const engine of engines.toReversed()) await engine.kill('SIGKILL')
  await between.close()
  rmSync(directory, { recursive: true, force: true })
})

interface Ready {
  readonly head: number
  readonly eventstore: { readonly state: string }
}
const ready = (engine: EngineProcess) => engine.get<Ready>('/readyz')

/** What becomes of an event about a person: its status, or what it was refused with. */
async function send(engine: EngineProcess, id: string): Promise<string> {
  const traits = { email: `${id}@example.com` }
  const event = { id, source: 'web', type: 'cdp.identify', data: { userId: id, traits } }
  const answer = await engine.post('/v1/events', JSON.stringify(event))
  const text = await answer.text()
  return /"status":"(appended|duplicate)"/.exec(text)?.[1] ?? text
}

const refusal = (engine: EngineProcess) =>
  engine.start().then(
    () => 'it started',
    (error: Error) => error.message,
  )

test('a second engine without the keys of the log leaves it to the first', async () => {
  const first = await engineOn('first', { HEADWATER_LOG: address })
  await first.start()
  expect(await send(first, 'u1')).toBe('appended')
  const empty = await engineOn('empty', { HEADWATER_LOG: address })
  expect(await refusal(empty)).toMatch(
    /whose keys .*empty doesn't have: .*HEADWATER_DATA .*nothing was changed/,
  )
  // Its keys are another's: it was an engine of its own, which nobody had sent anything.
  const own = await engineOn('own', {})
  await own.start()
  expect(await own.kill('SIGTERM')).toBe(0)
  const other = new EngineProcess(await freePort(), data('own'), { ...NO_NATS, HEADWATER_LOG: address })
  engines.push(other)
  expect(await refusal(other)).toMatch(/open nothing of the log in EventStoreDB: it is another engine's/)
  expect((await ready(first)).eventstore.state).toBe('writing')
  expect(await send(first, 'u2')).toBe('appended')
  expect(await first.kill('SIGTERM')).toBe(0)
}, 120_000)

test('a server that hangs is told of, and refuses nothing for longer than the engine needs to stop', async () => {
  const engine = await engineOn('first', { HEADWATER_LOG: address })
  await engine.start()
  expect((await ready(engine)).eventstore.state).toBe('writing')
  between.weather = { kind: 'swallowed' }
  const sent = send(engine, 'u3')
  let state = ''
  const watching = setInterval(async () => {
    state = (await ready(engine).catch(() => undefined))?.eventstore.state ?? state
  }, 100)
  await until(() => state === 'away', 10_000)
  clearInterval(watching)
  const ended = engine.kill('SIGTERM')
  // Not that the log can't be reached, as would be said after the patience with a server.
  expect(await sent).toContain('the engine is stopping')
  expect(await ended).toBe(0)
}, 120_000)

test('a restored backup works, and one that knows too little says what to do', async () => {
  const env = { HEADWATER_LOG: address }
  const engine = await engineOn('first', env)
  await engine.start()
  expect(await send(engine, 'u4')).toBe('appended')
  const cli = async (args: readonly string[], of: string): Promise<string> => {
    const { code, out, err } = await run(args, { HEADWATER_DATA: data(of), ...env })
    expect([args, code, err]).toEqual([args, 0, err])
    return out
  }
  await cli(['backup', data('backup'), '--with-master-key'], 'first')
  expect(await engine.kill('SIGTERM')).toBe(0)
  const log = join(data('backup'), 'log')
  const keys = join(data('backup'), 'keys')
  await cli(['restore', '--log', log, '--keys', keys, '--to', data('restored')], 'restored')
  const restored = await engineOn('restored', env)
  await restored.start()
  expect(await send(restored, 'u4')).toBe('duplicate')
  expect(await send(restored, 'u5')).toBe('appended')
  expect(JSON.stringify(await restored.get('/v1/profiles/user:u4'))).toContain('u4@example.com')
  const { head } = await ready(restored)
  await cli(['backup', '--keys', data('newer-keys'), '--with-master-key'], 'restored')
  expect(await restored.kill('SIGTERM')).toBe(0)

  // The same backup once more is older than EventStoreDB now.
  await cli(['restore', '--log', log, '--keys', keys, '--to', data('older')], 'older')
  const older = await engineOn('older', env)
  expect(await refusal(older)).toMatch(/restored from an older backup, it seems.*nothing was changed/)
  await cli(['copy', '--from', address, '--to', data('copy')], 'older')
  const parts = ['--log', log, '--keys', data('newer-keys')]
  await cli(['restore', ...parts, '--to', data('advised'), '--erasures', data('copy')], 'advised')
  writeFileSync(join(data('advised'), 'log.replica'), `${address}\n`)
  const advised = await engineOn('advised', env)
  await advised.start()
  expect((await ready(advised)).head).toBe(head)
  expect(JSON.stringify(await advised.get('/v1/profiles/user:u5'))).toContain('u5@example.com')
  expect(await advised.kill('SIGTERM')).toBe(0)

  // And newer than another EventStoreDB, as one that has lost its end.
  const lost = `esdb://127.0.0.1:${await storeOn('lost')}?tls=false`
  const newer = new EngineProcess(await freePort(), data('advised'), { ...NO_NATS, HEADWATER_LOG: lost })
  engines.push(newer)
  expect(await refusal(newer)).toMatch(/ends at position 0, log\/ at \d+: check HEADWATER_LOG/)
}, 240_000)
