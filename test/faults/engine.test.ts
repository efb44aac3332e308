import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { checkAcknowledged, identify, malformed, send, WITHOUT_NATS } from './engine-world.ts'
import { CALLS, injecting, type Place, placesIn, straceWorks } from './strace.ts'
import { generator } from './survival.ts'

// Theorem: the whole engine, killed by the kernel in a call on any of its files or refused it, starts again on what is
// left and has every event that it acknowledged over HTTP, once, at its position, with its person and its quarantined
// neighbours. After a failed fsync of the log nothing is acknowledged any more, /readyz says so, and reads go on.

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const EVENTS = 6

let directory: string
let engine: EngineProcess
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-engine-'))
  engine = new EngineProcess(await freePort(), join(directory, 'data'), WITHOUT_NATS)
})
afterEach(async () => {
  await engine.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

interface Ready {
  readonly ready: boolean
  readonly writer: string
  readonly reasons: readonly string[]
}

async function readiness(): Promise<Ready> {
  return (await (await fetch(`${engine.url}/readyz`)).json()) as Ready
}

/** Starts under injection and sends a few events and a malformed one. Answers what was acknowledged. */
async function lived(under: readonly string[]) {
  const acknowledged = new Map<string, number>()
  const kept: { readonly id: string; readonly position: number }[] = []
  engine.under = under
  const up = await engine.start().then(
    () => true,
    () => false,
  )
  engine.under = []
  for (let i = 0; up && i < EVENTS; i++) {
    const result = await send(engine, identify(`p${i}`))
    if (result?.status === 'appended') acknowledged.set(`p${i}`, result.position ?? 0)
    if (i % 3 !== 1) continue
    const quarantined = await send(engine, malformed(`m${i}`))
    if (quarantined?.status === 'quarantined') {
      const { quarantineId = '', position = 0 } = quarantined
      kept.push({ id: quarantineId, position })
    }
  }
  return { up, acknowledged, kept }
}

async function checkStartsAgain({ acknowledged, kept }: Awaited<ReturnType<typeof lived>>): Promise<void> {
  await engine.start()
  await checkAcknowledged(engine, acknowledged)
  for (const { id, position } of kept) {
    await engine.get(`/v1/projections?after=${position}`)
    const { data } = await engine.get<{ readonly data: { readonly body: unknown } }>(`/v1/quarantine/${id}`)
    expect(data.body).toMatchObject({ value: { type: 'cdp.identify', data: { userId: {} } } })
  }
  expect(await send(engine, identify('afterwards'))).toMatchObject({ status: 'appended' })
  expect(await engine.kill('SIGTERM')).toBe(0)
}

describe.skipIf(!straceWorks())('the engine (skipped where strace is missing or may not trace)', () => {
  it('EIO on fsync of the log: no acknowledgement, the writer stops for good, /readyz says so, reads go on', async () => {
    const segment = join(directory, 'data', 'log', '00000000000000000001.hwl')
    const { up, acknowledged } = await lived(
      injecting({ call: 'fdatasync', path: segment, when: 2, effect: 'error=EIO' }),
    )
    expect(up).toBe(true)
    // The first is synced under the segment's unfinished name.
    expect([...acknowledged.keys()]).toEqual(['p0', 'p1'])
    for (const id of ['late', 'later']) {
      const refused = { status: 'refused', refusal: { code: 'stopped' } }
      expect(await send(engine, identify(id))).toMatchObject(refused)
    }
    const ready = await readiness()
    expect(ready).toMatchObject({ ready: false, writer: 'stopped' })
    expect(ready.reasons).toContain("the log's writer has stopped")
    const path = `/v1/profiles/user:p1?after=${acknowledged.get('p1')}`
    const profile = await engine.get<{ readonly data: { readonly email: string } }>(path)
    expect(profile.data.email).toBe('p1@example.com')
    await engine.kill('SIGKILL')
    await checkStartsAgain({ up, acknowledged, kept: [] })
  }, 60_000)

  it(
    'SIGKILL',
    async () => {
      for (const { call, path, times } of LONG ? sampled(await counted()) : SOME) {
        const at = { call, path, when: times, effect: 'signal=SIGKILL' }
        const left = await lived(injecting({ ...at, path: join(directory, path) }))
        // Those of the last calls die while they stop.
        if (!LONG) expect(left.up && left.acknowledged.size === EVENTS, path).toBe(false)
        await engine.kill('SIGKILL')
        await checkStartsAgain(left).catch((error: unknown) => {
          throw new Error(`${JSON.stringify(at)}: ${error}`, { cause: error })
        })
        rmSync(join(directory, 'data'), { recursive: true, force: true })
      }
    },
    LONG ? 1_200_000 : 120_000,
  )
})

/** The makings of a data directory, and a commit of keys. */
const SOME: readonly Place[] = [
  { call: 'rename', path: '/data/FORMAT.new', times: 1 },
  { call: 'fsync', path: '/data/keys/keys.sqlite-wal', times: 3 },
]

/**
 * Of the calls of each kind on each kind of file one. Those on log, keys and quarantine are all made where that costs less
 * than two starts of an engine: by themselves.
 */
function sampled(places: readonly Place[]): readonly Place[] {
  const below = generator(20_240_607)
  const others = places.filter(({ path }) => !/^.data.(?:log|keys|quarantine)|-shm$/.test(path))
  const kinds = Map.groupBy(others, ({ call, path }) => `${call} ${path.replaceAll(/[\dx/]{3,}/g, '#')}`)
  return [...kinds.values()].flatMap((kind) => {
    const calls = kind.flatMap((place) =>
      Array.from({ length: place.times }, (_, i): Place => ({ ...place, times: i + 1 })),
    )
    const chosen = calls[below(calls.length)]
    return chosen === undefined ? [] : [chosen]
  })
}

/** The calls of a life in which nothing fails, on files of the data directory, which is removed afterwards. */
async function counted(): Promise<readonly Place[]> {
  const file = join(directory, 'calls')
  const left = await lived(['strace', '-D', '-f', '-qq', '-y', '-o', file, '-e', `trace=${CALLS.join()}`])
  expect(left).toMatchObject({ up: true, acknowledged: { size: EVENTS } })
  expect(await engine.kill('SIGTERM')).toBe(0)
  const places = placesIn(readFileSync(file, 'utf8'), join(directory, 'data'))
  rmSync(join(directory, 'data'), { recursive: true })
  return places.map((place) => ({ ...place, path: place.path.slice(directory.length) }))
}
