/**
 * Theorem: what a key store has flushed survives the process; what it has destroyed is in none of its files; a store
 * that can't be trusted (another master key, none, newer, damaged, taken over) is refused with its own error.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { manualClock } from '../../engine/clock.ts'
import type { KeyStoreFailure } from '../../engine/privacy/failure.ts'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import { freshParts } from '../../engine/privacy/fresh-parts.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { decodeMasterKey } from '../../engine/privacy/master-key.ts'
import { createMemoryKeyStore } from '../../engine/privacy/memory-key-store.ts'
import { openOpener } from '../../engine/privacy/opener.ts'
import type { ErasingKeyStore } from '../../engine/privacy/privacy.ts'
import { WORKSPACE_OWNER } from '../../engine/privacy/privacy.ts'
import { keyStoreContract } from './key-store-contract.ts'
import { againstAModel } from './key-store-model.ts'

let directory: string
const made: string[] = []
const clock = manualClock(1_767_225_600_000)
const context = { source: 'web', id: 'e-1', type: 'cdp.identify' }
const ann = { namespace: 'email', value: 'ann.unmistakable@example.com' }

function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'headwater-keys-'))
  made.push(path)
  return path
}

beforeEach(() => {
  directory = temporary()
})
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true })
})

function open(
  options: { masterKey?: Uint8Array; create?: boolean; cacheEntries?: number } = {},
): ErasingKeyStore {
  return openKeyStore(directory, { clock, ...options })
}

/** Runs a piece of work that must fail. */
function failureOf(work: () => unknown): KeyStoreFailure {
  try {
    work()
  } catch (error) {
    if (error instanceof KeyStoreError) return error.failure
    throw error
  }
  throw new Error('it should have failed')
}

async function failureOfPromise(promise: Promise<unknown>): Promise<KeyStoreFailure> {
  const error: unknown = await promise.then(
    () => new Error('it should have failed'),
    (reason: unknown) => reason,
  )
  if (error instanceof KeyStoreError) return error.failure
  throw error
}

function allBytes(): Buffer {
  return Buffer.concat(readdirSync(directory).map((name) => readFileSync(join(directory, name))))
}

function alter(sql: string): void {
  const database = new DatabaseSync(join(directory, 'keys.sqlite'))
  database.exec(sql)
  database.close()
}

keyStoreContract('memory', (cacheEntries) => createMemoryKeyStore({ cacheEntries }))
keyStoreContract('keys.sqlite', (cacheEntries) => openKeyStore(temporary(), { clock, cacheEntries }))

const written = () => undefined
againstAModel(
  'keys.sqlite',
  (cacheEntries) => ({ store: openKeyStore(temporary(), { clock, cacheEntries }), pass: written }),
  15,
)

/** A store with Ann, closed; a part that is sealed for her. */
async function filled(masterKey?: Uint8Array) {
  const store = masterKey === undefined ? open() : open({ masterKey })
  const id = store.identify(ann)
  const part = store.seal(id, 'profile', Buffer.from('secret text'), context)
  await store.close()
  return { id, part }
}

againstAModel(
  'what was sealed lately',
  (cacheEntries) => ({ store: createMemoryKeyStore({ cacheEntries, fresh: freshParts() }), pass: written }),
  15,
)

describe('durability', () => {
  test('identities, keys and marks survive closing', async () => {
    const { id, part } = await filled()
    const again = open()
    expect(again.find(ann.namespace, ann.value)).toBe(id)
    expect(again.reveal(id)).toEqual(ann)
    expect(String(again.open(part, context))).toBe('secret text')
    await again.destroyOwner([id])
    await again.close()
    const third = open()
    expect(third.suppressed(ann)).toBe(true)
    expect(third.open(part, context)).toBeUndefined()
    await third.close()
  })

  test('what was flushed survives SIGKILL', async () => {
    const engine = new URL('../../engine/', import.meta.url).href
    const script = `
      const { openKeyStore } = await import('${engine}privacy/key-store.ts')
      const { systemClock } = await import('${engine}clock.ts')
      const store = openKeyStore(process.argv[1], { clock: systemClock })
      const id = store.identify(${JSON.stringify(ann)})
      const part = store.seal(id, 'profile', Buffer.from('secret text'), ${JSON.stringify(context)})
      await store.flush()
      process.stdout.write(JSON.stringify({ id, keyId: part.keyId, blob: part.blob.toString('hex') }))
      setInterval(() => undefined, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory])
    child.stderr.pipe(process.stderr)
    const exited = once(child, 'exit')
    const [output] = await Promise.race([once(child.stdout, 'data'), exited])
    child.kill('SIGKILL')
    await exited
    const said = JSON.parse(String(output))
    const store = open()
    expect(store.find(ann.namespace, ann.value)).toBe(said.id)
    const part = { keyId: said.keyId, blob: Buffer.from(said.blob, 'hex') }
    expect(String(store.open(part, context))).toBe('secret text')
    await store.close()
  })

  test('an identity is in the file after its flush and not before', async () => {
    const store = open()
    const reader = openOpener(directory)
    const id = store.identify(ann)
    expect(reader.find(ann.namespace, ann.value)).toBeUndefined()
    await store.flush()
    expect(reader.find(ann.namespace, ann.value)).toBe(id)
    expect(reader.reveal(id)).toEqual(ann)
    reader.close()
    await store.close()
  })

  test('a second writer stops the first, which then seals nothing but still opens', async () => {
    const first = open()
    const id = first.identify(ann)
    const part = first.seal(id, 'profile', Buffer.from('x'), context)
    await first.flush()
    const second = open()
    second.identify({ namespace: 'user', value: 'second' })
    await second.flush()
    first.identify({ namespace: 'user', value: 'first' })
    expect((await failureOfPromise(first.flush()))._tag).toBe('Stopped')
    expect(failureOf(() => first.seal(id, 'service', Buffer.from('x'), context))._tag).toBe('Stopped')
    expect(failureOf(() => first.identify({ namespace: 'user', value: 'new' }))._tag).toBe('Stopped')
    expect(first.open(part, context)).toBeDefined()
    expect(second.find('user', 'first')).toBeUndefined()
    await first.close()
    await second.close()
  })
})

describe('privacy of the files', () => {
  test('values and keys are nowhere in the clear', async () => {
    const store = open()
    store.identify(ann)
    await store.flush()
    expect(allBytes().includes('ann.unmistakable')).toBe(false)
    await store.close()
    expect(allBytes().includes('ann.unmistakable')).toBe(false)
  })

  test('a destroyed key, and a destroyed name, leave no trace in database or write-ahead log', async () => {
    const store = open()
    const id = store.identify(ann)
    store.seal(id, 'profile', Buffer.from('x'), context)
    store.seal(WORKSPACE_OWNER, 'quarantine:2026-01-01', Buffer.from('x'), context)
    await store.flush()
    const database = new DatabaseSync(join(directory, 'keys.sqlite'), { readOnly: true })
    const traces = [
      ...database.prepare('SELECT wrapped AS blob FROM data_key').all(),
      ...database.prepare('SELECT sealed_value AS blob FROM identity').all(),
    ].map(({ blob }) => Buffer.from(blob instanceof Uint8Array ? blob : 'missing'))
    database.close()
    expect(traces.map((trace) => allBytes().includes(trace))).toEqual([true, true, true])
    await store.destroyOwner([id])
    await store.destroyKey(WORKSPACE_OWNER, 'quarantine:2026-01-01')
    expect(traces.map((trace) => allBytes().includes(trace))).toEqual([false, false, false])
    await store.close()
  })

  test('the master key is readable by its owner alone, and not made where one is handed in', async () => {
    await filled()
    expect(statSync(join(directory, 'master.key')).mode & 0o777).toBe(0o600)
    directory = temporary()
    await filled(Buffer.alloc(32, 7))
    expect(readdirSync(directory)).not.toContain('master.key')
  })
})

describe('a store that can not be trusted is refused', () => {
  test('under another master key', async () => {
    const { id } = await filled(Buffer.alloc(32, 7))
    expect(failureOf(() => open({ masterKey: Buffer.alloc(32, 8) }))).toEqual({ _tag: 'WrongMasterKey' })
    expect(failureOf(() => openOpener(directory, { masterKey: Buffer.alloc(32, 8) }))).toEqual({
      _tag: 'WrongMasterKey',
    })
    const store = open({ masterKey: Buffer.alloc(32, 7) })
    expect(store.reveal(id)).toEqual(ann)
    await store.close()
  })

  test('without its master key, and no new one is made', async () => {
    await filled()
    const path = join(directory, 'master.key')
    rmSync(path)
    expect(failureOf(() => open())).toEqual({ _tag: 'MasterKeyMissing', path })
    expect(failureOf(() => openOpener(directory))).toEqual({ _tag: 'MasterKeyMissing', path })
    expect(readdirSync(directory)).not.toContain('master.key')
    writeFileSync(path, Buffer.alloc(31))
    expect(failureOf(() => open())._tag).toBe('MasterKeyMalformed')
  })

  test('a master key torn on the very first start is made anew', async () => {
    writeFileSync(join(directory, 'master.key'), Buffer.alloc(5))
    const { id } = await filled()
    const store = open()
    expect(store.reveal(id)).toEqual(ann)
    await store.close()
  })

  test('missing, where the caller allows no new one', () => {
    expect(failureOf(() => open({ create: false }))._tag).toBe('KeyStoreMissing')
    expect(failureOf(() => openOpener(directory))._tag).toBe('KeyStoreMissing')
    expect(readdirSync(directory)).toEqual([])
  })

  test('of a newer format, untouched', async () => {
    await filled()
    alter(`UPDATE meta SET value = x'02' WHERE name = 'format'`)
    const before = readFileSync(join(directory, 'keys.sqlite'))
    expect(failureOf(() => open())).toEqual({ _tag: 'FormatNewer', found: 2, known: 1 })
    expect(readFileSync(join(directory, 'keys.sqlite'))).toEqual(before)
  })

  test('no database, another database, a torn one', async () => {
    await filled()
    const path = join(directory, 'keys.sqlite')
    const whole = readFileSync(path)
    writeFileSync(path, Buffer.alloc(whole.length, 'garbage'))
    expect(failureOf(() => open())._tag).toBe('Damaged')
    writeFileSync(path, whole.subarray(0, 4_096))
    expect(failureOf(() => open())._tag).toBe('Damaged')
    rmSync(path)
    alter('CREATE TABLE other(a)')
    expect(failureOf(() => open())._tag).toBe('Damaged')
  })

  test('a wrapped key that was moved to another owner does not unwrap', async () => {
    const store = open()
    const bob = store.identify({ namespace: 'email', value: 'bob@example.com' })
    const part = store.seal(bob, 'profile', Buffer.from('x'), context)
    store.seal(store.identify(ann), 'profile', Buffer.from('x'), context)
    await store.close()
    alter(`UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key AS other WHERE other.owner <> x'${bob}')
      WHERE owner = x'${bob}'`)
    const again = open()
    expect(failureOf(() => again.open(part, context))._tag).toBe('Damaged')
    expect(failureOf(() => again.seal(bob, 'profile', Buffer.from('x'), context))._tag).toBe('Damaged')
    await again.close()
  })

  test('nor does one whose row was given another owner or class', async () => {
    for (const change of [`owner = x'${'ab'.repeat(16)}'`, `retention = 'service'`]) {
      directory = temporary()
      const { part } = await filled()
      alter(`UPDATE data_key SET ${change}`)
      const again = open()
      expect(failureOf(() => again.open(part, context))._tag).toBe('Damaged')
      await again.close()
    }
  })

  test.each(['', 'short', `${'A'.repeat(43)}!`, 'A'.repeat(88)])('a master key written as %j', (text) => {
    expect(failureOf(() => decodeMasterKey(text))._tag).toBe('MasterKeyMalformed')
  })

  test('base64 and base64url of 32 bytes are master keys', () => {
    const key = Buffer.alloc(32, 0xfb)
    expect(decodeMasterKey(key.toString('base64'))).toEqual(key)
    expect(decodeMasterKey(` ${key.toString('base64url')}\n`)).toEqual(key)
  })
})

test('a reader goes on opening what it has cached until it is told to forget', async () => {
  const { id, part } = await filled()
  const store = open()
  const reader = openOpener(directory)
  expect(reader.open(part, context)).toBeDefined()
  expect(reader.find(ann.namespace, ann.value)).toBe(id)
  await store.destroyOwner([id])
  expect(reader.open(part, context)).toBeDefined()
  reader.forget(id)
  expect(reader.open(part, context)).toBeUndefined()
  expect(reader.find(ann.namespace, ann.value)).toBeUndefined()
  expect(reader.reveal(id)).toBeUndefined()
  reader.close()
  await store.close()
})
