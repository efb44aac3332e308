/**
 * Theorem: through a network that drops, delays, throttles and cuts, EventStoreDB's client loses nothing and gets nothing twice: what it
 * sends again until it is answered stands once, and a subscription that begins again at its checkpoint goes on behind it.
 */
import { setTimeout as timer } from 'node:timers/promises'
import { type EventStoreDBClient, jsonEvent, type Position, streamNameFilter } from '@eventstore/db-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { headwaterBackend } from '../../api/esdb/headwater-backend.ts'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { CuttingProxy } from '../log/cutting-proxy.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'
import { clientOf, collect, serve, until } from './client.ts'
import { seeded } from './seeded.ts'

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const SEEDS = LONG ? Array.from({ length: 20 }, (_, i) => i + 1) : [1]
const LANES = 6
const APPENDS = LONG ? 120 : 25

let world: IntakeWorld
let server: EsdbServer
let proxy: CuttingProxy

beforeEach(async () => {
  world = intakeWorld()
  const { log, intake, keyStore } = world
  server = await serve(headwaterBackend({ log, intake, opener: keyStore }))
  proxy = await new CuttingProxy(server.port).open()
})

afterEach(async () => {
  await proxy.close()
  await server.stop()
  await world.close()
})

interface Subscriber {
  readonly heard: string[]
  readonly dropped: () => number
  stop(): Promise<void>
}

/** Begins again at its checkpoint whenever it is dropped; half of the streams aren't its own. */
function subscriber(client: EventStoreDBClient): Subscriber {
  const heard: string[] = []
  let checkpoint: Position | 'start' = 'start'
  let dropped = 0
  let current: ReturnType<EventStoreDBClient['subscribeToAll']> | undefined
  let stopped = false
  const follow = (): void => {
    if (stopped) return
    const filter = streamNameFilter({
      regex: '^thing-[024]$',
      checkpointInterval: 1,
      checkpointReached: (_, position) => {
        checkpoint = position
      },
    })
    const subscription = client.subscribeToAll({ fromPosition: checkpoint, filter })
    current = subscription
    let over = false
    const again = (): void => {
      if (over) return
      over = true
      dropped += 1
      // What it has read already and not handed out is not heard.
      subscription.removeAllListeners('data')
      void timer(5).then(follow)
    }
    subscription.on('data', ({ event }) => {
      if (event === undefined || over) return
      heard.push(event.id)
      if (event.position !== undefined) checkpoint = event.position
    })
    subscription.on('error', again)
    subscription.on('end', again)
  }
  follow()
  return {
    heard,
    dropped: () => dropped,
    async stop() {
      stopped = true
      await current?.unsubscribe()
    },
  }
}

/** Every append again until it is answered. */
async function writeAll(client: EventStoreDBClient, stream: string): Promise<readonly string[]> {
  const ids: string[] = []
  for (let n = 0; n < APPENDS; n++) {
    const events = [0, 1].map(() => jsonEvent({ type: 'thing.done', data: { n, text: 'x'.repeat(300) } }))
    const expectedRevision = ids.length === 0 ? ('no_stream' as const) : BigInt(ids.length - 1)
    for (;;) {
      const done = await client
        .appendToStream(stream, events, { expectedRevision })
        .catch((error: unknown) => {
          // Cut, dropped, too late: anything but a contradiction.
          expect(String(error)).not.toMatch(/WrongExpected/i)
          return undefined
        })
      if (done !== undefined) break
      await timer(5)
    }
    ids.push(...events.map(({ id }) => id))
  }
  return ids
}

test.each(SEEDS)(
  'nothing is lost and nothing comes twice in storm %i',
  async (seed) => {
    // All clients of a process note their appends in one table, so there is one that appends.
    const [writer, reader] = [clientOf(proxy, { isAlone: true }), clientOf(proxy, { isAlone: true })]
    const followed = subscriber(reader)
    const over = new AbortController()
    const storm = proxy.storm(seeded(seed), over.signal)
    const lanes = Array.from({ length: LANES }, (_, n) => writeAll(writer, `thing-${n}`))
    const sent = await Promise.all(lanes)
    over.abort()
    await storm
    const direct = clientOf(server, { isAlone: true })
    for (const [n, ids] of sent.entries()) {
      const stored = await collect(direct.readStream(`thing-${n}`))
      expect(stored.map(({ id }) => id)).toEqual(ids)
      expect(stored.map(({ revision }) => Number(revision))).toEqual(ids.map((_, i) => i))
    }
    const all = (await collect(direct.readAll())).filter(({ streamId }) => /^thing-[024]$/.test(streamId))
    await until(() => followed.heard.length >= all.length, 15_000)
    expect(followed.heard).toEqual(all.map(({ id }) => id))
    expect(followed.dropped()).toBeGreaterThan(0)
    await followed.stop()
    for (const client of [writer, reader, direct]) await client.dispose()
  },
  60_000,
)
