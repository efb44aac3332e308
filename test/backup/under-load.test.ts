/**
 * Theorem: a backup that is taken while events stream in holds every event that was acknowledged before it began and
 * nothing that was never sent; an engine on what is restored from it serves exactly the fold of that prefix; and who was
 * erased between backup and restore is not brought back.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { EngineProcess, freePort, READ_TOKEN, WRITE_KEY } from '../support/engine-process.ts'
import {
  eventsOf,
  foldedRows,
  personEvents,
  run,
  send,
  storedRows,
  temporary,
  WITHOUT_NATS,
} from './support.ts'

const place = temporary()
const running: EngineProcess[] = []
afterAll(async () => {
  for (const engine of running) await engine.kill('SIGKILL')
  place.remove()
})

async function engineOn(data: string): Promise<EngineProcess> {
  const engine = new EngineProcess(await freePort(), data, WITHOUT_NATS)
  running.push(engine)
  await engine.start()
  return engine
}

test('midway through a stream of events', async () => {
  const data = place.path('data')
  const restored = place.path('restored')
  const engine = await engineOn(data)
  const acknowledged = new Set<number>()
  let sending = true
  const senders = [0, 1, 2].map(async (sender) => {
    while (sending) {
      const { results } = await send(engine, personEvents(20, `s${sender}-`))
      for (const { status, position } of results)
        if (status === 'appended' && position !== undefined) acknowledged.add(position)
      await sleep(20)
    }
  })
  await expect.poll(() => acknowledged.size, { timeout: 20_000, interval: 20 }).toBeGreaterThan(200)

  const before = new Set(acknowledged)
  const backedUp = await run(['backup', '--log', place.path('log'), '--keys', place.path('keys'), '--json'], {
    HEADWATER_DATA: data,
  })
  expect(backedUp).toMatchObject({ code: 0, err: '' })
  const head: number = JSON.parse(backedUp.out).log.head.position
  await sleep(50)
  sending = false
  await Promise.all(senders)
  const client = {
    HEADWATER_URL: engine.url,
    HEADWATER_READ_TOKEN: READ_TOKEN,
    HEADWATER_WRITE_KEY: WRITE_KEY,
  }
  const gone = 's1-4@mail.example'
  const certificate = place.path('certificate.json')
  expect(await run(['erase', gone, '--now', '--out', certificate], client)).toMatchObject({ code: 0 })
  await engine.kill('SIGTERM')

  const options = ['restore', '--log', place.path('log'), '--keys', place.path('keys'), '--to', restored]
  expect(await run(options)).toMatchObject({ code: 1, err: expect.stringContaining('--master-key-file') })
  const done = await run([
    ...options,
    ...['--master-key-file', place.path('data', 'keys', 'master.key'), '--erasures', certificate],
  ])
  expect(done).toMatchObject({ code: 0, err: '' })

  const original = await eventsOf(data)
  const prefix = original.filter(({ position }) => position <= head)
  expect(Math.max(...before)).toBeLessThanOrEqual(head)
  expect(original.length).toBeGreaterThan(head)
  expect(await eventsOf(restored)).toEqual(prefix)

  const again = await engineOn(restored)
  await again.get(`/v1/projections?after=${head}`)
  expect(await again.get('/v1/profiles/email:s1-5@mail.example')).toMatchObject({
    data: { email: 's1-5@mail.example' },
  })
  await expect(again.get(`/v1/profiles/email:${gone}`)).rejects.toThrow('404')
  await again.kill('SIGTERM')
  expect(await eventsOf(restored)).toEqual(prefix)
  const rows = await storedRows(restored)
  expect(rows).toEqual(await foldedRows(prefix, place.path('data', 'keys')))
  expect(rows['profile']?.length).toBeGreaterThan(10)
  expect(JSON.stringify(rows)).not.toContain(gone)
}, 60_000)
