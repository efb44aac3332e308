/**
 * Theorem: while read models are made from the beginning of a log, the way in is open, every view answers that it isn't built
 * yet and when to ask again, and readiness tells how far the log is read.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { tellingReads } from '../../api/reading-progress.ts'
import { manualClock } from '../../engine/clock.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { PROJECTIONS } from './projections.ts'
import { AS_READER, AS_WRITER, createWorld, type World } from './world.ts'

let world: World
afterEach(() => world.close())

/** Views whose builds are made, and none of which serves. */
function nothingServed() {
  const { writer, reader } = createMemoryStore()
  for (const { name, table } of PROJECTIONS)
    writer.createBuild({ projection: name, build: `${name}__v1_0`, version: 1, configuration: '0', table })
  return reader(PROJECTIONS.map(({ name, table }) => ({ projection: name, table })))
}

describe('before anything serves', () => {
  it('events are taken, views say when to ask again, readiness how far it is', async () => {
    world = await createWorld({ store: nothingServed() })
    world.status = { ...world.status, caughtUp: false, head: 60_000, projected: 0, reading: 42_000 }
    const ready = await world.app.inject({ url: '/readyz' })
    expect(ready.statusCode).toBe(503)
    expect(ready.json()).toMatchObject({ ready: false, head: 60_000, projected: 0, reading: 42_000 })
    expect(ready.json().reasons).toEqual([expect.stringContaining('read up to position 42000 of 60000')])
    for (const url of [
      '/v1/profiles',
      '/v1/profiles?q=jane',
      '/v1/profiles/0123456789abcdef0123456789abcdef',
    ]) {
      const answer = await world.app.inject({ url, headers: AS_READER })
      expect([url, answer.statusCode, answer.headers['retry-after']]).toEqual([url, 503, '2'])
      expect(answer.json().type).toBe('urn:headwater:problem:projection_unavailable')
    }
    const awaited = await world.app.inject({ url: '/v1/profiles?after=7', headers: AS_READER })
    expect([awaited.statusCode, awaited.headers['retry-after']]).toEqual([504, '1'])
    const payload = { id: '1', source: 'web', type: 'cdp.page', data: {} }
    const sent = await world.app.inject({ method: 'POST', url: '/v1/events', headers: AS_WRITER, payload })
    expect(sent.statusCode).toBe(200)
  })

  it('the reason names no progress where there is none to tell', async () => {
    world = await createWorld()
    world.status = { ...world.status, caughtUp: false, head: 3 }
    const { reasons } = (await world.app.inject({ url: '/readyz' })).json()
    expect(reasons).toEqual(["the views haven't caught up with the log yet"])
  })
})

describe('a log that tells how far it is read', () => {
  it('gives what the log gives, and tells at most twice a second', async () => {
    world = await createWorld()
    const own = intakeWorld()
    const page = (n: number) => ({ id: `e${n}`, source: 'web', type: 'cdp.page', data: { userId: 'u' } })
    for (let n = 0; n < 6; n++) await own.send(page(n))
    const told: number[] = []
    const clock = manualClock(0)
    const log = tellingReads(oneByOne(own.log), clock, (position) => told.push(position))
    const read: number[] = []
    for await (const batch of log.read()) {
      read.push(...batch.map(({ position }) => position))
      clock.advance(250)
    }
    expect(read).toEqual([1, 2, 3, 4, 5, 6])
    expect(told).toEqual([1, 3, 5])
    expect(log.head()).toEqual(own.log.head())
    expect((await log.at(2))?.id).toBe('e1')
    await own.close()
  })
})

function oneByOne(log: ReturnType<typeof intakeWorld>['log']): typeof log {
  const read: typeof log.read = async function* (options) {
    for await (const batch of log.read(options)) for (const event of batch) yield [event]
  }
  return new Proxy(log, {
    get: (target, name) => {
      const found: unknown = name === 'read' ? read : Reflect.get(target, name)
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
}
