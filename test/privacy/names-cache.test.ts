/**
 * Theorem: whatever a names cache answers is what was set last under that namespace and value; it forgets, never mixes up,
 * and holds no more entries than its capacity, however many namespaces there are.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LONGEST_CACHED_VALUE, NamesCache } from '../../engine/privacy/names-cache.ts'

const NAMESPACES = ['email', 'user', '__proto__', ''] as const
const VALUES = ['a', 'b', 'c', '__proto__', ''] as const

const STEP = fc.record({
  kind: fc.constantFrom('set', 'set', 'set', 'get', 'drop', 'clear'),
  namespace: fc.constantFrom(...NAMESPACES),
  value: fc.constantFrom(...VALUES),
  found: fc.integer({ min: 0, max: 5 }),
})

function held(cache: NamesCache<number>): number {
  return NAMESPACES.flatMap((namespace) => VALUES.map((value) => cache.get(namespace, value))).filter(
    (found) => found !== undefined,
  ).length
}

test('an answer is what was set last, and what was dropped is gone', () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 80 }), fc.integer({ min: 1, max: 12 }), (steps, capacity) => {
      const cache = new NamesCache<number>(capacity)
      const model = new Map<string, number>()
      for (const { kind, namespace, value, found } of steps) {
        const name = JSON.stringify([namespace, value])
        if (kind === 'set') {
          cache.set(namespace, value, found)
          model.set(name, found)
          expect(cache.get(namespace, value)).toBe(found)
        } else if (kind === 'drop') {
          cache.drop((each) => each === found)
          for (const [each, of] of model) if (of === found) model.delete(each)
        } else if (kind === 'clear') {
          cache.clear()
          model.clear()
        }
        const answer = cache.get(namespace, value)
        if (answer !== undefined) expect(answer).toBe(model.get(name))
      }
    }),
    { numRuns: 300 },
  )
})

test('its capacity is of all namespaces together', () => {
  const cache = new NamesCache<number>(6)
  for (const namespace of NAMESPACES) for (const value of VALUES) cache.set(namespace, value, 1)
  expect(held(cache)).toBeLessThanOrEqual(6)
  expect(held(cache)).toBeGreaterThan(0)
})

test('long values are not kept', () => {
  const cache = new NamesCache<number>(6)
  cache.set('email', 'x'.repeat(LONGEST_CACHED_VALUE + 1), 1)
  expect(cache.get('email', 'x'.repeat(LONGEST_CACHED_VALUE + 1))).toBeUndefined()
})
