/**
 * Theorem: the command line shows whom an erasure would take, and who shares a device with them, before it asks for
 * anything; it asks, waits, cancels and verifies as told, and its exit codes say how that went.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Terminal } from '../../api/cli/command.ts'
import { main } from '../../api/cli.ts'
import type { Engine } from '../../api/engine.ts'
import { systemClock } from '../../engine/clock.ts'
import { projections } from '../../projections/catalog.ts'
import { createWorld, READ_TOKEN, type World, WRITE_KEY } from '../api/world.ts'
import { caughtUp, openAt, send, temporaryDirectory } from './support.ts'

let directory: ReturnType<typeof temporaryDirectory>
let engine: Engine
let world: World
let url = ''

const base = { source: 'web', type: 'cdp.identify' }
const shared = (id: string, email: string) => ({
  ...base,
  id,
  data: { anonymousId: 'tablet', traits: { email } },
})

beforeAll(async () => {
  directory = temporaryDirectory()
  engine = (await openAt(join(directory.path, 'data'))).engine
  const { erasures, log, keyStore, store, liveRows } = engine
  const named = new Map(projections.map((projection) => [projection.name, projection]))
  world = await createWorld({ erasures, log, store, liveRows, directory: keyStore, projections: named })
  await world.app.listen({ host: '127.0.0.1', port: 0 })
  url = `http://127.0.0.1:${(world.app.server.address() as AddressInfo).port}`
  await send(
    engine,
    {
      ...base,
      id: '1',
      data: { userId: 'mara-4711', traits: { email: 'mara@example.com', phone: '+442079460987' } },
    },
    { ...base, id: '2', data: { anonymousId: 'ottos-phone', traits: { email: 'otto@example.com' } } },
    shared('3', 'mara@example.com'),
    shared('4', 'otto@example.com'),
    { ...base, id: '5', data: { userId: 'kim', traits: { email: 'kim@example.com' } } },
  )
  await caughtUp(engine)
}, 180_000)
afterAll(async () => {
  await world.close()
  await engine.stop()
  directory.remove()
})

let out = ''
let err = ''
beforeEach(() => {
  out = ''
  err = ''
})

const plain = (text: string): string => text
function run(...args: readonly string[]) {
  const terminal: Terminal = {
    env: { HEADWATER_URL: url, HEADWATER_READ_TOKEN: READ_TOKEN, HEADWATER_WRITE_KEY: WRITE_KEY },
    clock: systemClock,
    out: (line) => {
      out += `${line}\n`
    },
    err: (line) => {
      err += `${line}\n`
    },
    style: { bold: plain, dim: plain, warn: plain },
    interactive: false,
    stdin: async () => Buffer.alloc(0),
    interruptible: (work) => work(new AbortController().signal),
  }
  return main(args, terminal)
}

test('a dry run shows everybody whom a shared device holds together, and asks for nothing', async () => {
  expect(await run('erase', 'mara@example.com', '--dry-run')).toBe(0)
  expect(out).toContain('To be erased: 6 identities, the whole profile')
  for (const line of ['user: mara-4711', 'phone: +442079460987', 'anonymous: ', 'otto@example.com'])
    expect(out).toContain(line)
  expect(out).toMatch(/anonymous:tablet alone holds 2 parts of it together: these may be different people/)
  expect(out).toMatch(/headwater why-merged anonymous:tablet/)
  expect(await run('erasures')).toBe(0)
  expect(out).toContain('Nobody was erased')
  expect(engine.erasures.list()).toEqual([])
})

test('asked for, listed, and taken back by whom it is about', async () => {
  expect(await run('erase', 'kim@example.com', '--wait', '2', '--reason', 'ticket 9')).toBe(0)
  const [erasure] = engine.erasures.list()
  expect(out).toContain(`Erasure ${erasure?.number} waits until`)
  expect(out).toContain(`headwater erase --cancel ${erasure?.number}`)
  out = ''
  expect(await run('erasures')).toBe(0)
  expect(out).toMatch(/waits until .*ticket 9/)
  expect(out).not.toContain('kim')
  out = ''
  expect(await run('erase', '--cancel', 'user:kim')).toBe(0)
  expect(out).toBe(`Erasure ${erasure?.number} is cancelled.\n`)
  expect(await run('erase', '--cancel', 'user:kim')).toBe(1)
  expect(err).toContain('no erasure of user:kim is waiting')
})

test('at once: the certificate is written, holds, and is told from one that does not', async () => {
  const file = join(directory.path, 'certificate.json')
  expect(await run('erase', 'kim@example.com', '--now', '--out', file)).toBe(0)
  expect(out).toContain(`headwater erase --verify ${file}`)
  expect(engine.keyStore.find('user', 'kim')).toBeUndefined()
  expect(readFileSync(file, 'utf8')).not.toContain('kim')
  out = ''
  expect(await run('erase', '--verify', file)).toBe(0)
  expect(out).toContain('The certificate holds.')
  const forged = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...forged, number: '2026-01-01-000000000000' }))
  out = ''
  expect(await run('erase', '--verify', file)).toBe(1)
  expect(out).toContain('The certificate does not hold.')
  expect(await run('erase', 'kim@example.com')).toBe(1)
  expect(err).toContain('nobody is known as email:kim@example.com')
})

test.each([
  [['erase']],
  [['erase', 'a@b.example', 'c@d.example']],
  [['erase', 'a@b.example', '--now', '--wait', '1']],
  [['erase', 'a@b.example', '--wait', '721']],
  [['erase', 'a@b.example', '--wait', 'soon']],
  [['erase', 'a@b.example', '--out', 'x']],
  [['erase', 'nobody at all']],
  [['erase', 'a@b.example', '--verify', 'x']],
  [['erase', '--verify', '/nowhere/certificate.json']],
  [['erasures', 'all']],
])('%j is a wrong command line', async (args) => {
  expect(await run(...args)).toBe(2)
  expect(err).toContain('See headwater')
  expect(existsSync('x')).toBe(false)
})
