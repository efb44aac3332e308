/**
 * Theorem: through a network that drops, delays, throttles and cuts, a log in an EventStoreDB acknowledges what it holds, holds it
 * once and in order, and hands it to its subscribers once and in order.
 */
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { systemClock } from '../../engine/clock.ts'
import { openEventStoreLog } from '../../engine/log/eventstore/event-store-log.ts'
import { connectionOf } from '../../engine/log/eventstore.ts'
import type { Log } from '../../engine/log/log.ts'
import { clientOf, serve, until } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { seeded } from '../esdb/seeded.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import { anEvent, appends, collect } from './events.ts'
import { type TemporaryDirectory, temporaryDirectory } from './support.ts'

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const SEEDS = LONG ? Array.from({ length: 20 }, (_, i) => i + 1) : [1]
const APPENDS = LONG ? 1_000 : 100

let directory: TemporaryDirectory
let server: EsdbServer
let proxy: CuttingProxy

beforeEach(async () => {
  directory = temporaryDirectory()
  server = await serve(memoryBackend(), { maxAppendBytes: 4 * 1024 * 1024 })
  proxy = await new CuttingProxy(server.port).open()
})

afterEach(async () => {
  await proxy.close()
  await server.stop()
  directory.remove()
})

async function open(): Promise<Log> {
  const connection = connectionOf(clientOf(proxy, { isAlone: true }), '', clientOf(proxy, { isAlone: true }))
  const indexPath = join(directory.path, 'log-index.sqlite')
  const log = await openEventStoreLog(connection, { indexPath, clock: systemClock, patienceMs: 30_000 })
  if (E.isLeft(log)) throw new Error(JSON.stringify(log.left))
  return log.right
}

it.each(SEEDS)(
  'has everything once in storm %i',
  async (seed) => {
    const log = await open()
    const random = seeded(seed)
    const over = new AbortController()
    const heard: string[] = []
    const subscribed = (async () => {
      for await (const batch of log.subscribe({ signal: over.signal }))
        for (const { id } of batch) heard.push(id)
    })()
    const storm = proxy.storm(seeded(seed + 1_000), over.signal)
    const acknowledged: string[] = []
    const underWay = new Set<Promise<void>>()
    for (let n = 0; n < APPENDS; n++) {
      const events = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
        anEvent({ stream: `deal-${Math.floor(random() * 7)}`, data: { text: 'x'.repeat(200) } }),
      )
      const appended = log.append(appends(...events), { atomic: random() < 0.3 }).then((results) => {
        expect(results.map((result) => (E.isLeft(result) ? result.left : 'appended'))).toEqual(
          events.map(() => 'appended'),
        )
        acknowledged.push(...events.map(({ id }) => id))
        underWay.delete(appended)
      })
      underWay.add(appended)
      if (underWay.size >= 40) await Promise.race(underWay)
    }
    await Promise.all(underWay)
    await until(() => heard.length >= acknowledged.length, 10_000)
    over.abort()
    await storm
    await subscribed
    const all = await collect(log.read())
    expect(all.map(({ id }) => id).sort()).toEqual(acknowledged.toSorted())
    expect(all.map(({ position }) => position)).toEqual(all.map((_, i) => i + 1))
    expect(heard).toEqual(all.map(({ id }) => id))
    await log.close()
  },
  60_000,
)
