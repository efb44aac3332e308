/**
 * Theorem: with the log alone an engine runs again: every event is there and takes part in counts and sums as before,
 * everything personal reads as erased, nobody is known, and new events are taken; and none of that happens by accident.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EngineProcess, freePort, READ_TOKEN } from '../support/engine-process.ts'
import { eventsOf, personEvents, run, send, storedRows, temporary, WITHOUT_NATS } from './support.ts'

const place = temporary()
const data = place.path('data')
const restored = place.path('restored')
let engine: EngineProcess | undefined
let head = 0

async function startOn(directory: string): Promise<EngineProcess> {
  engine = new EngineProcess(await freePort(), directory, WITHOUT_NATS)
  await engine.start()
  return engine
}

beforeAll(async () => {
  const running = await startOn(data)
  head = (await send(running, personEvents(120, 'drill'))).position
  await running.get(`/v1/projections?after=${head}`)
  await running.kill('SIGTERM')
  expect((await run(['backup', '--log', place.path('log')], { HEADWATER_DATA: data })).code).toBe(0)
})

afterAll(async () => {
  await engine?.kill('SIGKILL')
  place.remove()
})

/** Sums and counts that hold whoever the people are. */
async function totals(directory: string) {
  const rows = await storedRows(directory)
  const summed = (name: string) => (rows[name] ?? []).map(({ row }) => row)
  return { daily: summed('daily_events'), revenue: summed('revenue'), pipeline: summed('pipeline') }
}

test('the drill of a lost key store', async () => {
  const args = ['restore', '--log', place.path('log'), '--without-keys', '--to', restored]
  const asked = await run(args)
  expect(asked).toMatchObject({ code: 1, err: expect.stringContaining('say --yes if this is meant') })
  expect(asked.err).toContain('everybody in this log is forgotten, for ever')
  expect((await run([...args, '--yes', '--keys', place.path('keys')])).code).toBe(2)
  expect(await run([...args, '--yes'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('under a new key store'),
  })
  expect(readFileSync(join(restored, 'keys', 'master.key'))).not.toEqual(
    readFileSync(join(data, 'keys', 'master.key')),
  )
  expect(await eventsOf(restored)).toEqual(await eventsOf(data))

  const running = await startOn(restored)
  await running.get(`/v1/projections?after=${head}`)
  const answer = await fetch(`${running.url}/v1/profiles/email:drill1@mail.example`, {
    headers: { authorization: `Bearer ${READ_TOKEN}` },
  })
  expect(answer.status).toBe(404)
  await running.kill('SIGTERM')
  const after = await totals(restored)
  expect(after).toEqual(await totals(data))
  for (const rows of Object.values(after)) expect(rows.length).toBeGreaterThan(0)
  const said = JSON.stringify(await storedRows(restored))
  expect(JSON.stringify(await storedRows(data))).toContain('@mail.example')
  for (const personal of ['@mail.example', 'Name-drill']) expect(said).not.toContain(personal)

  const again = await startOn(restored)
  const sent = await send(again, personEvents(4, 'drill'))
  expect(sent.results.map(({ status }) => status)).toEqual(['appended', 'appended', 'appended', 'appended'])
  await again.kill('SIGTERM')
  const verified = await run(['verify', '--data', restored, '--json'])
  expect(JSON.parse(verified.out)).toMatchObject({ status: 'ok' })
}, 60_000)
