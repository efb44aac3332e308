/**
 * Theorem: a running engine that forgets somebody keeps nothing of them anywhere: not in its data directory, not among
 * temporary files, not in what it prints at its most talkative.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EngineProcess, freePort, READ_TOKEN, WRITE_KEY } from '../support/engine-process.ts'
import { found, temporaryDirectory } from './support.ts'

const EMAIL = 'zephyrine.quandary@mail.example'
const NAME = 'Zephyrine Quandary'
const USER = 'zq-48151623'

let directory: ReturnType<typeof temporaryDirectory>
let engine: EngineProcess
beforeEach(async () => {
  directory = temporaryDirectory()
  const temporary = join(directory.path, 'tmp')
  mkdirSync(temporary)
  const env = { LOG_LEVEL: 'trace', HEADWATER_NATS_PORT: '0', TMPDIR: temporary }
  engine = new EngineProcess(await freePort(), join(directory.path, 'data'), env)
  await engine.start()
}, 180_000)
afterEach(async () => {
  await engine.kill('SIGTERM')
  directory.remove()
})

test('asked for over HTTP while it runs', { timeout: 180_000 }, async () => {
  const base = { source: 'web', type: 'cdp.identify' }
  const traits = { email: EMAIL, name: NAME }
  const events = [
    { ...base, id: '1', data: { userId: USER, traits } },
    { ...base, id: '2', time: 'never', data: { userId: USER, traits } },
  ]
  const { position } = (await (await engine.post('/v1/events', JSON.stringify(events))).json()) as {
    position: number
  }
  await engine.get(`/v1/profiles?after=${position}`)
  expect(found(directory.path, [EMAIL, NAME]).join()).toMatch(/read-models/)
  const asked = await engine.post('/v1/erasures', JSON.stringify({ identity: `email:${EMAIL}`, wait: 0 }), {
    authorization: `Bearer ${READ_TOKEN}`,
    'headwater-write-key': WRITE_KEY,
  })
  const { data } = (await asked.json()) as { data: { number: string } }
  type Answer = { data: { state: string } }
  const state = async () => (await engine.get<Answer>(`/v1/erasures/${data.number}`)).data.state
  await expect.poll(state, { timeout: 60_000, interval: 100 }).toBe('done')
  expect(found(directory.path, [EMAIL, NAME, USER])).toEqual([])
  expect(engine.output).toContain(data.number)
  expect(engine.output).not.toMatch(/zephyrine|quandary|48151623/i)
  await engine.kill('SIGTERM')
  expect(found(directory.path, [EMAIL, NAME, USER])).toEqual([])
  expect(engine.output).not.toMatch(/zephyrine|quandary|48151623/i)
})
