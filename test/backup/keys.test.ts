/**
 * Theorem: after a new master key, or a new key for look-ups, everything in the log opens as before, everybody is found
 * by their values as before, erased people stay suppressed, and no byte of the log has changed; killed at any step the
 * store opens under the old key or the new one, and says the same.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../engine/clock.ts'
import { registry } from '../../engine/events/registry.ts'
import { checkKeyStore } from '../../engine/privacy/check-key-store.ts'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { masterKeyFor } from '../../engine/privacy/master-key.ts'
import { openOpener } from '../../engine/privacy/opener.ts'
import { rekey } from '../../engine/privacy/rekey.ts'
import { rotateKeptKey } from '../../engine/privacy/rotate-master.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { contents, digests, eventsOf, openInstallation, run, temporary } from './support.ts'

const root = temporary()
const base = root.path('base')
const PERSON = { namespace: 'user', value: 'k1' }
const ERASED = { namespace: 'user', value: 'k2' }
let before: Awaited<ReturnType<typeof readable>>
let data = ''
let number = 0

beforeAll(async () => {
  mkdirSync(base)
  const installed = await openInstallation(base)
  await installed.add(60, 'k')
  const erased = installed.keyStore.find(ERASED.namespace, ERASED.value)
  await installed.keyStore.destroyOwner(erased === undefined ? [] : [erased])
  await installed.close()
  before = await readable(base)
  expect(before).toMatchObject({ stated: PERSON, suppressed: [false, true] })
})
afterAll(() => root.remove())

beforeEach(() => {
  number += 1
  data = root.path(String(number))
  cpSync(base, data, { recursive: true })
})

const keysOf = (directory: string): string => join(directory, 'keys')
const silently = (): void => undefined

/** All that a key store makes of an installation. */
async function readable(directory: string, masterKey?: Uint8Array) {
  const keys = openOpener(keysOf(directory), { masterKey })
  const events = (await eventsOf(directory)).map((event) => openEvent(event, keys, registry))
  const found = keys.find(PERSON.namespace, PERSON.value)
  const stated = found === undefined ? undefined : keys.reveal(found)
  keys.close()
  const store = openKeyStore(keysOf(directory), { clock: systemClock, masterKey, create: false })
  const suppressed = [PERSON, ERASED].map((person) => store.suppressed(person))
  await store.close()
  return { events, found, stated, suppressed }
}

const command = (...args: string[]) => run(['keys', ...args, '--data', data])

describe('the commands', () => {
  test('rotate-master: everything opens under the new key, nothing under the old; the log is untouched', async () => {
    const log = digests(join(data, 'log'))
    const old = masterKeyFor(keysOf(data), undefined)
    expect(await command('rotate-master')).toMatchObject({ code: 0, err: '' })
    expect(await readable(data)).toEqual(before)
    expect(digests(join(data, 'log'))).toEqual(log)
    expect(() => openOpener(keysOf(data), { masterKey: old })).toThrow('not the master key')
    const kept = readdirSync(keysOf(data)).filter((name) => /^master\.key\.[0-9a-f]{8}$/.test(name))
    expect(kept.map((name) => readFileSync(join(keysOf(data), name)))).toEqual([Buffer.from(old)])
    // Nothing that was wrapped by the old key is left anywhere.
    const wrapped = blobs(base)
    const left = Object.values(contents(keysOf(data))).join()
    expect(wrapped.length).toBeGreaterThan(20)
    expect(wrapped.filter((blob) => left.includes(blob))).toEqual([])
    expect(await command('rotate-master')).toMatchObject({ code: 0 })
    expect(await readable(data)).toEqual(before)
  })

  test('rotate-master --new-key-file: the key is made there, or taken from there, and handed in from then on', async () => {
    const file = root.path(`new-key-${number}`)
    expect(await command('rotate-master', '--new-key-file', file)).toMatchObject({ code: 0, err: '' })
    const first = readFileSync(file, 'utf8').trim()
    expect(await readable(data, Buffer.from(first, 'base64'))).toEqual(before)
    expect(() => openOpener(keysOf(data))).toThrow('is missing')
    const hex = Buffer.alloc(32, 5).toString('hex')
    writeFileSync(root.path('hex'), hex)
    const env = { HEADWATER_MASTER_KEY: first }
    const args = ['keys', 'rotate-master', '--data', data]
    expect((await run(args, env)).code).toBe(2)
    expect((await run([...args, '--new-key-file', file], env)).code).toBe(2)
    expect(await run([...args, '--new-key-file', root.path('hex')], env)).toMatchObject({ code: 0 })
    expect(await readable(data, Buffer.from(hex, 'hex'))).toEqual(before)
    expect((await run(args.concat('--new-key-file', file), env)).err).toContain('not the master key')
  })

  test('rekey: new look-up hashes, the same ids; marks stay; the log is untouched', async () => {
    const log = digests(join(data, 'log'))
    const macs = column(data, 'SELECT mac FROM identity')
    expect(await command('rekey')).toMatchObject({ code: 0, out: 'identities are looked up by key 2 now' })
    expect(await readable(data)).toEqual(before)
    expect(digests(join(data, 'log'))).toEqual(log)
    const left = Object.values(contents(keysOf(data))).join()
    expect(macs.filter((mac) => left.includes(mac))).toEqual([])
    expect(await command('rekey')).toMatchObject({ code: 0, out: 'identities are looked up by key 3 now' })
    expect(await readable(data)).toEqual(before)
    const check = checkKeyStore(keysOf(data), masterKeyFor(keysOf(data), undefined), silently)
    expect(check).toMatchObject({ brokenIdentities: [], brokenKeys: [], marks: 1 })
  })

  test('what was there before is gone from the write-ahead log too, though somebody has the store open', () => {
    const path = join(keysOf(data), 'keys.sqlite')
    const reader = new DatabaseSync(path, { readOnly: true })
    reader.prepare('SELECT count(*) FROM identity').get()
    const macs = column(data, 'SELECT mac FROM identity')
    rekey({ directory: keysOf(data), masterKey: masterKeyFor(keysOf(data), undefined), onRows: silently })
    const left = Object.values(contents(keysOf(data))).join()
    expect(macs.filter((mac) => left.includes(mac))).toEqual([])
    expect(existsSync(`${path}-wal`)).toBe(true)
    reader.close()
  })

  test('both refuse while the store is open elsewhere, and stop a writer that was not', async () => {
    const installed = await openInstallation(data)
    await installed.add(1, 'new')
    rekey({ directory: keysOf(data), masterKey: masterKeyFor(keysOf(data), undefined), onRows: silently })
    installed.keyStore.identify({ namespace: 'user', value: 'somebody new' })
    await expect(installed.keyStore.flush()).rejects.toThrow('another process has opened it')
    await installed.close().catch((error: unknown) => expect(error).toBeInstanceOf(KeyStoreError))
    const holder = new DatabaseSync(join(data, 'log', 'lock.sqlite'))
    holder.exec('BEGIN EXCLUSIVE')
    for (const action of ['rekey', 'rotate-master'])
      expect(await command(action)).toMatchObject({ code: 1, err: expect.stringContaining('stop it first') })
    holder.close()
    expect((await command('sing')).code).toBe(2)
  })
})

describe('killed after each step', () => {
  const CHILD = join(import.meta.dirname, 'key-change-child.ts')
  const NEW_KEY = 'a5'.repeat(32)
  // Each kill costs a process.
  const STEPS =
    process.env['HEADWATER_TEST_LONG'] === undefined
      ? { kept: ['rewrapped', 'committed', 'old_kept'], 'handed-in': ['committed'], rekey: ['rekeyed'] }
      : {
          kept: ['key_durable', 'rewrapped', 'committed', 'old_kept', 'named'],
          'handed-in': ['rewrapped', 'committed', 'old_kept', 'named'],
          rekey: ['rekeyed', 'committed'],
        }

  for (const [change, steps] of Object.entries(STEPS)) {
    for (const step of steps) {
      test(`${change}: ${step}`, async () => {
        const ended = spawnSync(process.execPath, [CHILD, change, keysOf(data), step, NEW_KEY])
        expect(ended.signal, ended.stderr.toString()).toBe('SIGKILL')
        const isNew = change === 'handed-in' && step !== 'rewrapped'
        const masterKey = isNew ? Buffer.from(NEW_KEY, 'hex') : undefined
        expect(await readable(data, masterKey)).toEqual(before)
        // The start has settled which key it is, and changing goes on from there.
        if (isNew) return
        expect(existsSync(join(keysOf(data), 'master.key.new'))).toBe(false)
        rotateKeptKey({
          directory: keysOf(data),
          oldKey: masterKeyFor(keysOf(data), undefined),
          onRows: silently,
        })
        expect(await readable(data)).toEqual(before)
      })
    }
  }

  test('a next key that is torn, or of another store, is taken for none', async () => {
    for (const content of [Buffer.alloc(7), Buffer.alloc(32, 1)]) {
      writeFileSync(join(keysOf(data), 'master.key.new'), content)
      expect(await readable(data)).toEqual(before)
      rmSync(join(keysOf(data), 'master.key.new'), { force: true })
    }
  })
})

function column(directory: string, sql: string): readonly string[] {
  const database = new DatabaseSync(join(keysOf(directory), 'keys.sqlite'), { readOnly: true })
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  const found = statement
    .all()
    .map((row) => Buffer.from(Object.values(row)[0] as Uint8Array).toString('latin1'))
  database.close()
  return found
}

function blobs(directory: string): readonly string[] {
  const queries = [
    'SELECT wrapped FROM mac_key',
    'SELECT wrapped FROM data_key',
    'SELECT sealed_value FROM identity',
  ]
  return queries.flatMap((sql) => column(directory, sql))
}
