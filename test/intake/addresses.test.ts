/**
 * Theorem: however much of a text looks like telephone numbers, it is taken apart as often as its budget says and no more, and
 * beyond that whatever begins like a number counts as one: nothing gets by for being last.
 */
import { expect, test } from 'vitest'
import { addressesIn } from '../../engine/intake/addresses.ts'

const NUMBER = '+1 202 555 0123'

test('numbers are found while the budget lasts, and beyond it', () => {
  const budget = { left: 50 }
  const found = addressesIn(`${NUMBER}; `.repeat(500), budget)
  expect(budget.left).toBe(0)
  expect(found).toHaveLength(500)
  expect(new Set(found.map(({ value }) => value))).toEqual(new Set(['+12025550123']))
})

test('one budget serves many texts', () => {
  const budget = { left: 3 }
  const texts = Array.from({ length: 20 }, (_, i) => `call +1 202 555 01${10 + i}`)
  expect(texts.every((text) => addressesIn(text, budget).length === 1)).toBe(true)
  expect(budget.left).toBe(0)
})

test('beyond it, digits behind a sign that no country has are still no number', () => {
  expect(addressesIn('+999 1234567', { left: 0 })).toEqual([])
  expect(addressesIn(`x ${NUMBER}`, { left: 0 })).toEqual([{ namespace: 'phone', value: '+12025550123' }])
})
