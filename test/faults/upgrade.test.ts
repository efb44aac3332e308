import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { manualClock } from '../../engine/clock.ts'
import { openQuarantine } from '../../engine/intake/quarantine.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { send, sendAll, WITHOUT_NATS } from './engine-world.ts'

// Theorem: a data directory written by the release that made data format 1 (log of two segments, keys, quarantine, read
// models) opens with this one, unchanged by anybody, and gets its index: everything that was asked of it then has the
// same answer now, what was sent is known as a duplicate, and it goes on. One of a newer format is refused with what to do.

const FIXTURE = join(import.meta.dirname, 'fixtures', 'data-format-1.tar.gz')

interface Expected {
  readonly masterKey: string
  /** When it was written. */
  readonly clockMs: number
  /** Its last position. */
  readonly head: number
  readonly sent: readonly unknown[]
  readonly results: readonly { readonly id: string; readonly status: string; readonly position: number }[]
  readonly quarantined: { readonly quarantineId: string; readonly body: unknown }
  /** Path of the request → `data` of the answer. */
  readonly answers: Readonly<Record<string, unknown>>
}

let directory: string
let expected: Expected
let engine: EngineProcess
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-upgrade-'))
  execFileSync('tar', ['-xzf', FIXTURE, '-C', directory])
  expected = JSON.parse(readFileSync(join(directory, 'expected.json'), 'utf8'))
  const env = { ...WITHOUT_NATS, HEADWATER_MASTER_KEY: expected.masterKey }
  engine = new EngineProcess(await freePort(), join(directory, 'data'), env)
})
afterEach(async () => {
  await engine.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

it('opens, answers everything as before, knows what was sent, goes on', async () => {
  await engine.start()
  expect(existsSync(join(directory, 'data', 'log', 'index', '00000000000000000001.hwi'))).toBe(true)
  for (const [path, data] of Object.entries(expected.answers)) {
    const after = path === '/v1/events' ? 0 : expected.head
    const answer = await engine.get<{ readonly data: unknown }>(`${path}?after=${after}`)
    // Later releases know more columns; what this one told stands.
    expect(answer.data, path).toMatchObject(data as object)
  }
  expect(Object.keys(expected.answers).length).toBeGreaterThan(20)
  const again = (await sendAll(engine, JSON.stringify(expected.sent))) ?? []
  expect(again).toHaveLength(expected.results.length)
  for (const [i, { status, position }] of again.entries()) {
    const before = expected.results[i]
    // A refusal that is repeated on another day is kept once more.
    if (before?.status === 'quarantined') expect(status).toBe('quarantined')
    else expect({ status, position }).toEqual({ status: 'duplicate', position: before?.position })
  }
  const next = JSON.stringify({ id: 'next', source: 'web', type: 'cdp.page', data: { userId: 'u-1' } })
  expect(await send(engine, next)).toMatchObject({ status: 'appended' })
  expect(await engine.kill('SIGTERM')).toBe(0)
  await engine.start()
  expect(await send(engine, next)).toMatchObject({ status: 'duplicate' })
})

it('its quarantined bodies open', async () => {
  const clock = manualClock(expected.clockMs)
  const masterKey = Buffer.from(expected.masterKey, 'base64')
  const keyStore = openKeyStore(join(directory, 'data', 'keys'), { clock, masterKey, create: false })
  const quarantine = openQuarantine(join(directory, 'data', 'quarantine'), keyStore, clock)
  const { quarantineId, body } = expected.quarantined
  const kept = quarantine.get(quarantineId)
  expect(JSON.parse(Buffer.from(kept?.body ?? []).toString())).toEqual(body)
  await quarantine.close()
  await keyStore.close()
})

it('a newer format is refused, and the sentence says what to do', async () => {
  writeFileSync(join(directory, 'data', 'FORMAT'), '999\n')
  await expect(engine.start()).rejects.toThrow(
    /ended with 1:[\s\S]*has data format 999, this release reads \d+: use the release that wrote it, or a newer one/,
  )
})
