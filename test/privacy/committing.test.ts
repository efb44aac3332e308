/**
 * Theorem: a flush resolves only after everything made before it is written, flushes coalesce, a full disk loses
 * nothing and a failed write ends all sealing.
 */
import { expect, test } from 'vitest'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import type { KeyOperation, KeyWriter } from '../../engine/privacy/key-tables.ts'
import { createMemoryKeyStore } from '../../engine/privacy/memory-key-store.ts'
import { againstAModel } from './key-store-model.ts'

const context = { source: 'web', id: 'e-1', type: 'cdp.identify' }
const user = (value: string) => ({ namespace: 'user', value })

/** A writer whose every write waits for the test to let it pass, or fail. */
class GatedWriter implements KeyWriter {
  readonly writes: (readonly KeyOperation[])[] = []
  readonly #inner: KeyWriter
  readonly #gates: PromiseWithResolvers<void>[] = []

  constructor(inner: KeyWriter) {
    this.#inner = inner
  }

  async write(operations: readonly KeyOperation[]) {
    this.writes.push(operations)
    const gate = Promise.withResolvers<void>()
    this.#gates.push(gate)
    await gate.promise
    return this.#inner.write(operations)
  }

  pass(): void {
    this.#gates.shift()?.resolve()
  }

  fail(error: Error): void {
    this.#gates.shift()?.reject(error)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}

function gated(cacheEntries = 2) {
  let writer: GatedWriter | undefined
  const store = createMemoryKeyStore({
    cacheEntries,
    writer: (inner) => {
      writer = new GatedWriter(inner)
      return writer
    },
  })
  if (writer === undefined) throw new Error('the store takes its writer at once')
  return { store, writer }
}

againstAModel(
  'a store with writes held back',
  (cacheEntries) => {
    const { store, writer } = gated(cacheEntries)
    return { store, pass: () => writer.pass() }
  },
  300,
)

/** Lets everything that can go on go on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

const full = new KeyStoreError({ _tag: 'DiskFull' })

test('a flush waits for what was made before it, also while an earlier write is under way', async () => {
  const { store, writer } = gated()
  const done: string[] = []
  store.identify(user('1'))
  store.flush().then(() => done.push('first'))
  await settle()
  store.identify(user('2'))
  store.flush().then(() => done.push('second'))
  await settle()
  writer.pass()
  await settle()
  expect(done).toEqual(['first'])
  writer.pass()
  await settle()
  expect(done).toEqual(['first', 'second'])
})

test('a flush of what is already under way waits for it, and writes nothing more', async () => {
  const { store, writer } = gated()
  store.identify(user('1'))
  void store.flush()
  await settle()
  let resolved = false
  store.flush().then(() => {
    resolved = true
  })
  await settle()
  expect(resolved).toBe(false)
  writer.pass()
  await settle()
  expect(resolved).toBe(true)
  expect(writer.writes.length).toBe(1)
})

test('a thousand flushes while one write is under way are one more write', async () => {
  const { store, writer } = gated()
  const flushes: Promise<void>[] = []
  for (let i = 0; i < 1_000; i++) {
    store.identify(user(String(i)))
    flushes.push(store.flush())
    if (i === 0) await settle()
  }
  writer.pass()
  await settle()
  writer.pass()
  await Promise.all(flushes)
  expect(writer.writes.map((write) => write.length)).toEqual([1, 999])
})

test('after a full disk the next flush writes the same again, in order', async () => {
  const { store, writer } = gated()
  const id = store.identify(user('1'))
  const part = store.seal(id, 'profile', Buffer.from('x'), context)
  const first = store.flush()
  await settle()
  store.identify(user('2'))
  const second = store.flush()
  writer.fail(full)
  await expect(first).rejects.toThrow('no room')
  await settle()
  writer.fail(full)
  await expect(second).rejects.toThrow('no room')
  expect(store.find('user', '1')).toBe(id)
  expect(store.open(part, context)).toBeDefined()
  const third = store.flush()
  await settle()
  writer.pass()
  await third
  expect(writer.writes.map((write) => write.map(({ kind }) => kind))).toEqual([
    ['identity', 'data_key'],
    ['identity', 'data_key', 'identity'],
    ['identity', 'data_key', 'identity'],
  ])
  expect(store.find('user', '1')).toBe(id)
})

test('after a failed write nothing is made, sealed or flushed, also by those who were waiting', async () => {
  const { store, writer } = gated()
  const id = store.identify(user('1'))
  const part = store.seal(id, 'profile', Buffer.from('x'), context)
  const first = store.flush()
  await settle()
  store.identify(user('2'))
  const waiting = store.flush()
  writer.fail(new Error('fsync failed'))
  await expect(first).rejects.toThrow('fsync failed')
  await expect(waiting).rejects.toThrow('fsync failed')
  await expect(store.flush()).rejects.toThrow('fsync failed')
  await expect(store.destroyOwner([id])).rejects.toThrow('fsync failed')
  expect(() => store.seal(id, 'profile', Buffer.from('x'), context)).toThrow(KeyStoreError)
  expect(() => store.mac(id, 'profile', Buffer.from('x'))).toThrow(KeyStoreError)
  expect(() => store.identify(user('3'))).toThrow(KeyStoreError)
  expect(store.identify(user('1'))).toBe(id)
  expect(String(store.open(part, context))).toBe('x')
  expect(writer.writes.length).toBe(1)
})

test('destroying says when traces are still there', async () => {
  const store = createMemoryKeyStore({
    writer: (inner) => ({
      close: () => inner.close(),
      write: async (operations) => {
        await inner.write(operations)
        return { purged: false }
      },
    }),
  })
  const id = store.identify(user('1'))
  await store.flush()
  await expect(store.destroyOwner([id])).rejects.toThrow('traces')
  expect(store.find('user', '1')).toBeUndefined()
})
