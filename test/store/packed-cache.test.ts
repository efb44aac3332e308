/**
 * Theorem: whatever a packed cache answers is what was set last under that key; it may forget, never mix up; and what
 * was set last is there as long as less than half of its capacity was set since.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { CacheBudget, PackedCache } from '../../engine/store/packed-cache.ts'

const STEP = fc.record({
  key: fc.constantFrom('', 'a', 'b', 'c', '😀', '__proto__'),
  kind: fc.constantFrom('set', 'set', 'set', 'delete', 'clear'),
  number: fc.integer({ min: -1, max: 2 ** 40 }),
  bytes: fc.uint8Array({ maxLength: 200 }),
})

test('an answer is what was set last, whatever was forgotten', () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 120 }), (steps) => {
      const cache = new PackedCache(new CacheBudget(4_000))
      const model = new Map<string, { number: number; bytes: Uint8Array }>()
      for (const { key, kind, number, bytes } of steps) {
        if (kind === 'set') {
          cache.set(key, number, bytes)
          model.set(key, { number, bytes })
        } else if (kind === 'delete') {
          cache.delete(key)
          model.delete(key)
        } else {
          cache.clear()
          model.clear()
        }
        for (const each of ['', 'a', 'b', 'c', '😀', '__proto__', 'never']) {
          const found = cache.get(each)
          if (found !== undefined) expect(found).toEqual(model.get(each))
          if (found !== undefined) expect(cache.numberOf(each)).toBe(found.number)
        }
        // 312 bytes at most: what was just set fits into a generation of 2,000, unless it is too large for the cache.
        if (kind === 'set') expect(cache.get(key)).toEqual({ number, bytes })
      }
    }),
    { numRuns: 200 },
  )
})

test('it forgets what was long unused, keeps what is used, and refuses what is too large', () => {
  const cache = new PackedCache(new CacheBudget(2 * 1024 * 1024))
  const bytes = new Uint8Array(1_000).fill(7)
  cache.set('used', 1, bytes)
  cache.set('unused', 2, bytes)
  for (let i = 0; i < 3_000; i++) {
    cache.set(`k${i}`, i, bytes)
    expect(cache.get('used')).toEqual({ number: 1, bytes })
  }
  expect(cache.get('unused')).toBeUndefined()
  cache.set('used', 3, new Uint8Array(1024 * 1024))
  expect(cache.get('used')).toBeUndefined()
})

test('bytes that were handed out stay as they are', () => {
  const cache = new PackedCache(new CacheBudget(4_000))
  cache.set('a', 1, new Uint8Array([1, 2, 3]))
  const held = cache.get('a')
  for (let i = 0; i < 1_000; i++) cache.set(`k${i}`, i, new Uint8Array(100).fill(9))
  expect(held?.bytes).toEqual(new Uint8Array([1, 2, 3]))
})

test('caches share a budget: one that is used takes what another leaves, and a closed one gives its share back', () => {
  const budget = new CacheBudget(200_000)
  const [idle, busy] = [new PackedCache(budget), new PackedCache(budget)]
  const bytes = new Uint8Array(400)
  const held = () => Array.from({ length: 150 }, (_, i) => busy.get(`k${i}`)).filter(Boolean).length
  for (let i = 0; i < 150; i++) busy.set(`k${i}`, i, bytes)
  expect(held()).toBe(150)
  // 512 bytes an entry: these are more than half of the budget, twice.
  for (let i = 0; i < 400; i++) idle.set(`other${i}`, i, bytes)
  expect(held()).toBe(0)
  idle.close()
  for (let i = 0; i < 150; i++) busy.set(`k${i}`, i, bytes)
  expect(held()).toBe(150)
})
