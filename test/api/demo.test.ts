/**
 * Theorem: the demo company is loaded on request with the write key, once, into an empty log only, and whoever asks is told how
 * far it is; where there is no simulator the answer says so. The loader sends the whole year over HTTP with the keys handed on
 * unseen; one that is ended midway, or whose engine is, begins again with the same events.
 */
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DemoLoader, DemoStatus } from '../../api/demo-loader.ts'
import { createDemoLoader } from '../../api/demo-loader.ts'
import { manualClock } from '../../engine/clock.ts'
import { FakeEngine, type Files, temporaryFiles } from '../import/support.ts'
import { AS_READER, AS_WRITER, createWorld, READ_TOKEN, type World, WRITE_KEY } from './world.ts'

let worlds: World[] = []
afterEach(async () => {
  for (const world of worlds) await world.close()
  worlds = []
})

/** A loader that a test moves by hand. */
function scripted(): DemoLoader & { state: DemoStatus; starts: number } {
  const loader = {
    state: { state: 'absent', sent: 0, total: 0 } as DemoStatus,
    starts: 0,
    status: () => loader.state,
    start: () => {
      loader.starts += 1
      loader.state = { state: 'loading', sent: 0, total: 0 }
    },
    stop: async () => undefined,
  }
  return loader
}

async function worldWith(demo?: DemoLoader, head = 0): Promise<World> {
  const world = await createWorld(demo === undefined ? {} : { demo })
  if (head > 0) Object.assign(world.log, { head: () => ({ position: head, received: 1 }) })
  worlds.push(world)
  return world
}

const post = async ({ app }: World, headers: Readonly<Record<string, string>> = AS_WRITER) =>
  app.inject({ method: 'POST', url: '/v1/demo', headers })

const get = async ({ app }: World, headers: Readonly<Record<string, string>> = AS_READER) =>
  app.inject({ method: 'GET', url: '/v1/demo', headers })

describe('/v1/demo', () => {
  it('begins on an empty log, and tells how far it is', async () => {
    const demo = scripted()
    const world = await worldWith(demo)
    expect((await get(world)).json()).toEqual({ state: 'absent', sent: 0, total: 0 })
    const begun = await post(world)
    expect(begun.statusCode).toBe(202)
    expect(begun.headers['location']).toBe('/v1/demo')
    expect(begun.json()).toEqual({ state: 'loading', sent: 0, total: 0 })
    demo.state = { state: 'loading', sent: 500, total: 30_000 }
    expect((await get(world)).json()).toEqual(demo.state)
  })

  it('asked again while it is under way or after it failed goes on, though the log holds its events by now', async () => {
    for (const state of ['loading', 'failed'] as const) {
      const demo = scripted()
      demo.state = { state, sent: 1, total: 2 }
      const world = await worldWith(demo, 17)
      expect((await post(world)).statusCode, state).toBe(202)
      expect(demo.starts).toBe(1)
    }
  })

  it('refuses a log that holds events, and a second time', async () => {
    const used = scripted()
    const refused = await post(await worldWith(used, 1))
    expect(refused.statusCode).toBe(409)
    expect(refused.json()).toMatchObject({ type: 'urn:headwater:problem:log_not_empty', status: 409 })
    const loaded = scripted()
    loaded.state = { state: 'loaded', sent: 2, total: 2 }
    expect((await post(await worldWith(loaded, 2))).statusCode).toBe(409)
    expect(used.starts + loaded.starts).toBe(0)
  })

  it('needs the write key to load, the read token to ask, and no parameters', async () => {
    const demo = scripted()
    const world = await worldWith(demo)
    expect((await post(world, AS_READER)).statusCode).toBe(403)
    expect((await post(world, {})).statusCode).toBe(401)
    expect((await get(world, {})).statusCode).toBe(401)
    const more = await world.app.inject({ method: 'POST', url: '/v1/demo?people=9', headers: AS_WRITER })
    expect(more.statusCode).toBe(400)
    expect(demo.starts).toBe(0)
  })

  it('says that there is none where the simulator is not shipped', async () => {
    const world = await worldWith()
    for (const answer of [await post(world), await get(world)]) {
      expect(answer.statusCode).toBe(501)
      expect(answer.json()).toMatchObject({ type: 'urn:headwater:problem:demo_unavailable' })
    }
  })
})

describe('the loader', () => {
  let engine: FakeEngine
  let server: Server
  let taken: { readonly id: string; readonly time: string }[]
  let keys: Set<string | undefined>
  let data: Files
  let loader: DemoLoader | undefined
  /** Answers no more requests than these. */
  let most: number

  beforeEach(async () => {
    engine = new FakeEngine()
    taken = []
    keys = new Set()
    most = Number.POSITIVE_INFINITY
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        keys.add(request.headers.authorization).add(String(request.headers['headwater-write-key']))
        if (engine.batches.length >= most) return
        const events: { id: string; time: string }[] = JSON.parse(Buffer.concat(chunks).toString())
        taken.push(...events)
        response.end(JSON.stringify({ position: 1, results: engine.take(events) }))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    data = temporaryFiles()
    loader = loaderAt(Date.UTC(2026, 10, 21))
  })
  const loaderAt = (nowMs: number) =>
    createDemoLoader({
      url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      writeKey: WRITE_KEY,
      readToken: READ_TOKEN,
      directory: data.directory,
      clock: manualClock(nowMs),
      onNotice: () => undefined,
    })
  afterEach(async () => {
    await loader?.stop()
    server.closeAllConnections()
    server.close()
    data.remove()
  })

  const commandLines = (): readonly string[] =>
    globSync('/proc/[0-9]*/cmdline').flatMap((path) => {
      try {
        return [readFileSync(path, 'utf8')]
      } catch {
        return []
      }
    })

  it('sends the whole year and says so; the key stands on no command line', async () => {
    loader?.start()
    loader?.start()
    expect(loader?.status().state).toBe('loading')
    await expect.poll(() => engine.received, { timeout: 20_000 }).toBeGreaterThan(0)
    const lines = commandLines()
    expect(lines.some((line) => line.includes('simulator/send.'))).toBe(process.platform === 'linux')
    expect(lines.some((line) => line.includes(WRITE_KEY))).toBe(false)
    await expect.poll(() => loader?.status().state, { timeout: 20_000 }).toBe('loaded')
    const { sent, total } = loader?.status() ?? { sent: 0, total: 0 }
    expect(sent).toBe(total)
    expect(engine.received).toBe(total)
    expect(total).toBeGreaterThan(25_000)
    expect([...keys]).toEqual([`Bearer ${READ_TOKEN}`, WRITE_KEY])
    expect(taken.every(({ time }) => time === 'yesterday' || Date.parse(time) < Date.UTC(2026, 10, 21))).toBe(
      true,
    )
    loader?.start()
    expect(loader?.status().state).toBe('loaded')
    expect(readdirSync(data.directory)).toEqual([])
  })

  it.each([
    ['begun again', false],
    ['after a restart days later', true],
  ])('ended midway it has failed; %s it sends the same events', async (_, isAnother) => {
    most = 5
    loader?.start()
    await expect.poll(() => engine.batches.length, { timeout: 20_000 }).toBe(5)
    await loader?.stop()
    expect(loader?.status().state).toBe('failed')
    const before = [...taken]
    most = 10
    if (isAnother) loader = loaderAt(Date.UTC(2026, 10, 27))
    expect(loader?.status().state).toBe('failed')
    loader?.start()
    await expect.poll(() => engine.batches.length, { timeout: 20_000 }).toBe(10)
    await loader?.stop()
    const again = new Map(taken.slice(before.length).map((event) => [event.id, JSON.stringify(event)]))
    const common = before.filter(({ id }) => again.has(id))
    expect(common.length).toBeGreaterThan(500)
    for (const event of common) expect(again.get(event.id)).toBe(JSON.stringify(event))
  })
})
