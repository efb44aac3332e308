/**
 * Theorem: a replay beside a running engine gives the rows that it serves at that position, twice the same digests, and
 * others at another position; it claims nothing of versions that aren't there, and changes nothing.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { main } from '../../api/cli.ts'
import type { Engine } from '../../api/engine.ts'
import { digestOf } from '../../engine/store/digest.ts'
import { openSqliteReader } from '../../engine/store/sqlite-reader.ts'
import { openSqliteSnapshot } from '../../engine/store/sqlite-snapshot.ts'
import { projections } from '../../projections/catalog.ts'
import { caughtUp, eraseNow, openAt, send, temporaryDirectory } from '../erasure/support.ts'
import { captured } from './captured-terminal.ts'
import { allRows, SPECS } from './past-world.ts'

const directory = temporaryDirectory()
const data = join(directory.path, 'data')
const EMAIL = 'ann@mail.example'
let engine: Engine

beforeAll(async () => {
  engine = (await openAt(data)).engine
  const who = (id: string, email: string, name: string) => ({ userId: id, traits: { email, name } })
  await send(
    engine,
    { id: '1', source: 'web', type: 'cdp.identify', data: who('a', EMAIL, 'Ann') },
    { id: '2', source: 'web', type: 'cdp.identify', data: who('b', 'bob@mail.example', 'Bob') },
    { id: '3', source: 'web', type: 'cdp.identify', data: who('a', EMAIL, 'Anna') },
  )
  await caughtUp(engine)
})
afterAll(async () => {
  await engine.stop()
  directory.remove()
})

let number = 0

async function replayed(...args: readonly string[]) {
  number += 1
  const out = join(directory.path, `out-${number}`)
  const terminal = captured({ HEADWATER_DATA: data })
  const code = await main(['replay', '--out', out, '--json', ...args], terminal)
  const [line = ''] = terminal.outLines
  return {
    code,
    out,
    said: terminal.errLines.join('\n'),
    manifest: line === '' ? undefined : JSON.parse(line),
  }
}

test('the rows that are served, and their digests', async () => {
  const { code, out, manifest } = await replayed('--until', '3')
  expect(code).toBe(0)
  expect(manifest).toMatchObject({ until: '3', by: 'received', position: 3, poison: 0, erasedSince: 0 })
  expect(JSON.parse(readFileSync(join(out, 'replay.json'), 'utf8'))).toEqual(manifest)
  const reader = openSqliteReader(join(out, 'read-models.sqlite'), { specs: SPECS, threads: 1 })
  for (const { name } of projections)
    expect(await allRows(reader, name), name).toEqual(await allRows(engine.store, name))
  await reader.close()
  const served = openSqliteSnapshot(join(data, 'read-models.sqlite'))
  for (const { build, digest, rows } of manifest.builds)
    expect(digestOf(served, build), build).toMatchObject({ digest, rows })
  served.close()
})

test('digests are the same again, and others at another position', async () => {
  const names = ['--projections', 'profile, daily_events']
  const [first, again, earlier] = [
    await replayed('--until', '3', ...names),
    await replayed('--until', '3', ...names),
    await replayed('--until', '2', ...names),
  ]
  expect(first.manifest.builds.map(({ projection }: { projection: string }) => projection)).toEqual([
    'profile',
    'daily_events',
  ])
  expect(again.manifest).toEqual(first.manifest)
  for (const [at, { digest }] of earlier.manifest.builds.entries())
    expect(digest).not.toBe(first.manifest.builds[at].digest)
})

test('of a moment before everything it says that there is nothing, and how else to ask', async () => {
  const { code, said, manifest } = await replayed('--until', '2000-01-01', '--projections', 'profile')
  expect(code).toBe(0)
  expect(manifest).toMatchObject({ position: 0, builds: [{ rows: 0 }] })
  expect(said).toContain('--by occurred')
  expect((await replayed('--until', '3', '--projections', 'profile')).said).toBe('')
})

test('what it refuses', async () => {
  const { version } = projections.find(({ name }) => name === 'profile') ?? { version: 0 }
  expect(await replayed('--until', '3', '--projections', `profile@${version}`)).toMatchObject({ code: 0 })
  for (const [args, said] of [
    [['--until', '3', '--projections', `profile@${version + 1}`], 'nothing can be claimed'],
    [['--until', '3', '--projections', 'nothing'], 'there is no read model nothing'],
    [['--until', 'soon'], 'soon is no position'],
    [['--until', '3', '--by', 'occurred'], 'takes a day or an instant'],
    [['--until', '99'], 'the log ends at position'],
  ] as const) {
    const refused = await replayed(...args)
    expect(refused.code, said).not.toBe(0)
    expect(refused.said).toContain(said)
    expect(existsSync(join(refused.out, 'read-models.sqlite'))).toBe(false)
  }
  const full = join(directory.path, 'full')
  mkdirSync(full)
  writeFileSync(join(full, 'mine'), '')
  const terminal = captured({ HEADWATER_DATA: data })
  expect(await main(['replay', '--until', '3', '--out', full], terminal)).toBe(1)
  expect(terminal.errLines.join()).toContain("isn't empty")
})

test('erasures behind the moment are told', async () => {
  await eraseNow(engine, engine.keyStore.find('email', EMAIL) ?? '')
  const { manifest, out } = await replayed('--until', '3', '--projections', 'profile')
  expect(manifest.erasedSince).toBeGreaterThan(0)
  expect(readFileSync(join(out, 'read-models.sqlite')).includes(EMAIL)).toBe(false)
})
