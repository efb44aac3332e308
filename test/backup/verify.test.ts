/**
 * Theorem: `headwater verify` ends with 0 on a sound installation, beside a running engine too, and with 1 on any damage
 * that loses something, naming what and where; it changes no file, and shows no personal data and no secret.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Finding } from '../../api/doctor/finding.ts'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import {
  digests,
  flip,
  masterKeyText,
  openInstallation,
  personEvents,
  run,
  send,
  temporary,
  WITHOUT_NATS,
} from './support.ts'

const root = temporary()
const base = root.path('base')
let data = ''
let number = 0
let engine: EngineProcess | undefined

beforeAll(async () => {
  mkdirSync(base)
  const installed = await openInstallation(base)
  await installed.add(150, 'verified')
  await installed.send({ source: 'web', id: 'bad', type: 'cdp.identify', data: { userId: {} } })
  const erased = ['verified1', 'verified2'].map(
    (user) => installed.keyStore.find('user', user) ?? expect.fail(),
  )
  await installed.sayErased(erased)
  await installed.keyStore.destroyOwner(erased)
  await installed.close()
})
afterAll(() => root.remove())

beforeEach(() => {
  number += 1
  data = root.path(String(number))
  cpSync(base, data, { recursive: true })
})
afterEach(async () => {
  await engine?.kill('SIGKILL')
  engine = undefined
})

interface Verified {
  readonly code: number
  readonly status: string
  readonly checks: readonly Finding[]
}

async function verify(env: Readonly<Record<string, string>> = {}): Promise<Verified> {
  const ran = await run(['verify', '--json', '--data', data], env)
  for (const secret of [
    '@mail.example',
    'Name-verified',
    ...(existsSync(join(data, 'keys/master.key')) ? [masterKeyText(data)] : []),
  ])
    expect(ran.out + ran.err).not.toContain(secret)
  return { code: ran.code, ...JSON.parse(ran.out) }
}

async function expectFailure(check: string, message: RegExp): Promise<void> {
  const before = digests(data)
  const found = await verify()
  expect(found.checks.filter(({ status }) => status === 'fail')).toContainEqual(
    expect.objectContaining({
      check,
      message: expect.stringMatching(message),
      advice: expect.stringMatching(/\w/),
    }),
  )
  expect(found.code).toBe(1)
  expect(digests(data)).toEqual(before)
}

const segments = (): readonly string[] =>
  readdirSync(join(data, 'log'))
    .filter((name) => name.endsWith('.hwl'))
    .map((name) => join(data, 'log', name))

const segment = (at: number): string => segments().at(at) ?? expect.fail()

function onKeys(sql: string): void {
  const database = new DatabaseSync(join(data, 'keys/keys.sqlite'))
  database.exec(sql)
  database.close()
}

function freshKeys(): void {
  rmSync(join(data, 'keys'), { recursive: true })
  cpSync(join(base, 'keys'), join(data, 'keys'), { recursive: true })
}

test('a sound installation: everything is ok, and nothing is changed', async () => {
  const before = digests(data)
  const found = await verify()
  expect(found.checks.filter(({ status }) => status === 'fail')).toEqual([])
  const said = Object.fromEntries(found.checks.map(({ check, message }) => [check, message]))
  expect(said['log']).toMatch(/every block of \d+ segments is whole: 152 events, last position 152/)
  expect(said['key store']).toMatch(/\d+ identity rows and \d+ data keys open, 2 marks/)
  expect(said['keys and log']).toMatch(/of \d+ sealed parts \d+ open, [1-9]\d* are of erased people/)
  expect(found.code).toBe(0)
  expect(digests(data)).toEqual(before)
  expect((await run(['verify', '--data', data])).out).toMatch(/0 failed$/)
  expect((await run(['verify', 'something'])).code).toBe(2)
})

test.skipIf(process.env['HEADWATER_TEST_LONG'] === undefined)(
  'beside a running engine, events streaming in',
  async () => {
    engine = new EngineProcess(await freePort(), data, WITHOUT_NATS)
    await engine.start()
    const running = engine
    let sending = true
    const sender = (async () => {
      while (sending) await send(running, personEvents(10, 'live'))
    })()
    const found = await verify()
    sending = false
    await sender
    expect(found.checks.filter(({ status }) => status === 'fail')).toEqual([])
  },
)

test('the log: a flipped bit in each segment, with its place; a missing and a repeated segment', async () => {
  for (const [at, path] of segments().entries()) {
    const offset = Math.floor(statSync(path).size / 3)
    if (at === segments().length - 1) continue
    flip(path, offset)
    await expectFailure('log', new RegExp(`${path.slice(path.lastIndexOf('/') + 1)} is damaged at byte \\d+`))
    flip(path, offset)
  }
  cpSync(segment(1), root.path('kept'))
  rmSync(segment(1))
  await expectFailure('log', /positions after \d+ up to \d+ are missing before/)
  cpSync(segment(0), join(data, 'log', '00000000000000000030.hwl'))
  await expectFailure('log', /00000000000000000030.hwl repeats positions after 0/)
})

test('what mends itself fails nothing: a torn end, a damaged index', async () => {
  const torn = readFileSync(segment(-1))
  torn.fill(0x5a, torn.findLastIndex((byte) => byte !== 0) + 1)
  writeFileSync(segment(-1), Buffer.concat([torn, Buffer.alloc(100, 0x5a)]))
  const [index] = readdirSync(join(data, 'log/index')).filter((name) => name.endsWith('.hwi'))
  flip(join(data, 'log/index', index ?? ''), 200)
  const found = await verify()
  const warned = found.checks.filter(({ status }) => status === 'warn').map(({ check }) => check)
  expect(warned).toEqual(expect.arrayContaining(['torn tail', 'index']))
  expect(found.code).toBe(0)
})

test('the key store: rows that don’t open or are gone, a damaged page, another master key, none', async () => {
  onKeys('UPDATE identity SET namespace = namespace || 1 WHERE id = (SELECT min(id) FROM identity)')
  await expectFailure('key store', /1 identity row.* don't open/)
  freshKeys()
  onKeys('UPDATE data_key SET wrapped = zeroblob(60) WHERE key_id = (SELECT min(key_id) FROM data_key)')
  await expectFailure('key store', /1 data key.* don't open: [0-9a-f]{32}/)
  freshKeys()
  onKeys('DELETE FROM data_key WHERE owner <> zeroblob(16)')
  await expectFailure(
    'keys and log',
    /the keys of \d+ sealed parts .* are gone, though nobody there was erased/,
  )
  freshKeys()
  const path = join(data, 'keys/keys.sqlite')
  const bytes = readFileSync(path)
  bytes.fill(0x5a, 4096 * 3, 4096 * 4)
  writeFileSync(path, bytes)
  await expectFailure('key store', /damaged/)
  rmSync(join(data, 'keys/master.key'))
  await expectFailure('key store', /master key .* is missing/)
  const other = await verify({ HEADWATER_MASTER_KEY: Buffer.alloc(32, 1).toString('base64') })
  expect(other).toMatchObject({ code: 1 })
})

test('key stores of other times: an older one, one that was made anew', async () => {
  const installed = await openInstallation(data)
  await installed.add(40, 'later')
  await installed.close()
  freshKeys()
  const older = await verify()
  expect(older.checks).toContainEqual(
    expect.objectContaining({
      check: 'keys and log',
      status: 'warn',
      message: expect.stringMatching(/between positions 15\d and \d+/),
    }),
  )
})

test('quarantine and ops: a damaged page', async () => {
  for (const [name, path] of [
    ['quarantine', 'quarantine/quarantine.sqlite'],
    ['ops', 'ops.sqlite'],
  ] as const) {
    const file = join(data, path)
    const database = new DatabaseSync(file)
    if (name === 'ops')
      database.exec('CREATE TABLE t(a BLOB) STRICT; INSERT INTO t VALUES (randomblob(90000))')
    else database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    database.close()
    const bytes = readFileSync(file)
    bytes.fill(0x5a, 4096, 4096 * 2)
    writeFileSync(file, bytes)
    await expectFailure(name, /damaged|malformed/)
  }
})
