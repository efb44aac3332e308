import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../engine/clock.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { opened, unsyncedFiles } from '../log/support.ts'
import { EngineProcess, freePort, READ_TOKEN } from '../support/engine-process.ts'
import { identify, send, WITHOUT_NATS } from './engine-world.ts'
import { History, numberedEvent } from './history.ts'

// Theorem: a sealed segment that rots takes nothing but its own positions: who reads those over HTTP is told which, other
// positions are read and events are taken as before; views that would have to be folded from it stop, which /readyz
// says, and the engine starts all the same.

const EVENTS = 120

let directory: string
let engine: EngineProcess
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-rot-'))
  // Else the segment may be exchanged for its compressed copy while it rots.
  const env = { ...WITHOUT_NATS, HEADWATER_LOG_COMPRESSION: 'off' }
  engine = new EngineProcess(await freePort(), directory, env)
  await fill()
})
afterEach(async () => {
  await engine.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

/** A data directory whose log has several sealed segments, indexed. */
async function fill(): Promise<void> {
  const keys = join(directory, 'keys')
  mkdirSync(keys)
  await openKeyStore(keys, { clock: systemClock, masterKey: undefined, create: true }).close()
  const log = await opened(join(directory, 'log'), {
    ...{ segmentBytes: 4096, chunkBytes: 1024, files: unsyncedFiles },
  })
  const shape = { stream: 1, identity: 1, sizeBytes: 60 }
  for (let n = 0; n < EVENTS; n++)
    await new History().append(log, [{ event: numberedEvent(n, shape) }], false)
  await log.close()
}

/** Flips a bit in the second block of the second segment. Answers the segment's name and first position. */
function rot(): { readonly name: string; readonly first: number } {
  const [, name = ''] = readdirSync(join(directory, 'log')).filter((each) => each.endsWith('.hwl'))
  const path = join(directory, 'log', name)
  const bytes = readFileSync(path)
  const at = Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
  return { name, first: Number(name.slice(0, 20)) }
}

async function read(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch(`${engine.url}${path}`, { headers: { authorization: `Bearer ${READ_TOKEN}` } })
  return { status: answer.status, body: await answer.json() }
}

/** Reads every position: those that can't be read are told, all of them and no others. */
async function checkReads({ name, first }: ReturnType<typeof rot>): Promise<void> {
  const lost: number[] = []
  const told: unknown[] = []
  for (let position = 1; position <= EVENTS; position++) {
    const { status, body } = await read(`/v1/events?after=${position - 1}&limit=1`)
    if (status === 200) expect(body).toMatchObject({ data: [{ position }] })
    else {
      lost.push(position)
      told.push(body)
    }
  }
  const [fromPosition = 0] = lost
  expect(fromPosition).toBeGreaterThan(first)
  const damage = { segment: name, fromPosition, untilPosition: fromPosition + lost.length }
  for (const each of told)
    expect(each).toMatchObject({ ...damage, status: 500, type: expect.stringMatching(/:log_damaged$/) })
}

it('found while it runs: only its own positions are missing', async () => {
  await engine.start()
  await engine.get(`/v1/projections?after=${EVENTS}`)
  await checkReads(rot())
  expect(await send(engine, identify('p1'))).toMatchObject({ status: 'appended' })
  expect(await read('/readyz')).toMatchObject({ status: 200, body: { ready: true, viewsStopped: false } })
}, 60_000)

it('found by views that are folded anew: they stop and say so, the engine starts, takes events and reads', async () => {
  const place = rot()
  await engine.start()
  await expect
    .poll(() => read('/readyz'), { timeout: 20_000 })
    .toMatchObject({ body: { viewsStopped: true } })
  const { status, body } = await read('/readyz')
  expect(status).toBe(503)
  expect(body).toMatchObject({
    reasons: [expect.stringContaining('the views have stopped')],
    writer: 'running',
  })
  expect(engine.output).toContain(place.name)
  await checkReads(place)
  expect(await send(engine, identify('p1'))).toMatchObject({ status: 'appended' })
  expect(await engine.kill('SIGTERM')).toBe(0)
}, 60_000)
