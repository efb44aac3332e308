/**
 * Theorem: a copy that is killed -9, wherever and however often, goes on when the same command is given again, and in the end the
 * target is the source: every event once, at its position, with one digest.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { EsdbBackend } from '../../api/esdb/backend.ts'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { serve } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { seeded } from '../esdb/seeded.ts'
import { anEvent, appends, collect, identityId, T0 } from '../log/events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory } from '../log/support.ts'

const LAUNCHER = join(import.meta.dirname, '..', '..', 'api', 'headwater.mjs')
const COMPILED = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'compiled')
const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const EVENTS = LONG ? 60_000 : 2_000
const KILLS = LONG ? 8 : 1

let directory: TemporaryDirectory
let backend: EsdbBackend
let server: EsdbServer
let child: ChildProcess | undefined

beforeEach(async () => {
  directory = temporaryDirectory()
  backend = memoryBackend()
  server = await serve(backend, { maxAppendBytes: 4 * 1024 * 1024 })
  const log = await opened(at('source'))
  for (let from = 0; from < EVENTS; from += 1_000) {
    const events = Array.from({ length: 1_000 }, (_, i) =>
      anEvent({
        stream: `deal-${(from + i) % 23}`,
        received: T0 + from + i,
        identities: [{ id: identityId(i % 5), namespace: 'user' }],
        data: { amount: i / 7, note: i % 3 === 0 ? null : 'x'.repeat(i % 200) },
        sealed: i % 4 === 0 ? [{ keyId: identityId(i % 5), blob: new Uint8Array([i % 256, 2]) }] : [],
      }),
    )
    await log.append(appends(...events))
  }
  await log.close()
})

afterEach(async () => {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  await server.stop()
  directory.remove()
})

const at = (name: string): string => join(directory.path, name)

/** What it printed, when it has come to its end; `until`: where it is killed instead. */
async function copy(from: string, to: string, until: () => boolean): Promise<string | undefined> {
  const env = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILED }
  const own = spawn(process.execPath, [LAUNCHER, 'copy', '--from', from, '--to', to, '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child = own
  let [out, err] = ['', '']
  own.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  own.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  const ended = once(own, 'exit')
  while (own.exitCode === null && own.signalCode === null) {
    if (until()) own.kill('SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await ended
  if (own.signalCode === 'SIGKILL') return undefined
  // Where it takes long it says how far it is.
  expect(err.replaceAll(/^(comparing|copying|verifying): \d+ %\n/gm, '')).toBe('')
  expect(own.exitCode).toBe(0)
  return out
}

async function eventsIn(name: string) {
  const reader = openEmbeddedReader(at(name))
  try {
    return await collect(reader.read())
  } finally {
    await reader.close()
  }
}

it('goes on after each kill, to an EventStoreDB and from there to a directory', async () => {
  const random = seeded(6)
  const esdb = `esdb://127.0.0.1:${server.port}?tls=false`
  let killed = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const before = backend.head()
    const enough = before + 1 + random() * (EVENTS / (KILLS + 1))
    if ((await copy(at('source'), esdb, () => backend.head() > enough)) === undefined) killed += 1
    expect(backend.head()).toBeGreaterThan(before)
  }
  expect(killed).toBe(KILLS)
  const there = JSON.parse((await copy(at('source'), esdb, () => false)) ?? '{}')
  expect(there).toMatchObject({ position: EVENTS, target: there.source })
  expect(there.copied).toBeGreaterThan(0)
  expect(there.copied).toBeLessThan(EVENTS)

  // The first moment that the target has events, and later ones.
  for (const afterMs of LONG ? [0, 60, 200] : [0]) {
    let since: number | undefined
    await copy(esdb, at('target'), () => {
      if (since === undefined && hasEvents('target')) since = Date.now()
      return since !== undefined && Date.now() - since >= afterMs
    })
  }
  const back = JSON.parse((await copy(esdb, at('target'), () => false)) ?? '{}')
  expect(back).toMatchObject({ position: EVENTS, source: there.source, target: there.source })
  expect(await eventsIn('target')).toStrictEqual(await eventsIn('source'))
}, 120_000)

function hasEvents(name: string): boolean {
  try {
    const reader = openEmbeddedReader(at(name))
    const { position } = reader.head()
    void reader.close()
    return position > 0
  } catch {
    return false
  }
}
