import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatInstant } from '../../api/routes/cells.ts'

// Theorem: an instant is written as `Date.toISOString` writes it, whichever days were written before.

/** What a `Date` holds (ECMA-262, 21.4.1.1). */
const MAX_MS = 8.64e15
const DAY_MS = 86_400_000

test('an instant is written in RFC 3339', () => {
  expect(formatInstant(Date.UTC(2026, 2, 1, 9, 5, 3, 7))).toBe('2026-03-01T09:05:03.007Z')
})

test('instants are written as dates write them', () => {
  const near = fc.integer({ min: -200_000_000_000, max: 4_000_000_000_000 })
  const any = fc.integer({ min: -MAX_MS, max: MAX_MS })
  const around = fc
    .tuple(fc.integer({ min: -100, max: 20_000 }), fc.integer({ min: -2, max: 2 }))
    .map(([day, ms]) => day * DAY_MS + ms)
  fc.assert(
    fc.property(fc.oneof(near, any, around), (ms) => {
      expect(formatInstant(ms)).toBe(new Date(ms).toISOString())
      expect(formatInstant(ms)).toBe(new Date(ms).toISOString())
    }),
    { numRuns: 2_000 },
  )
})

test('what is no instant is refused', () => {
  for (const ms of [Number.NaN, MAX_MS + DAY_MS, -MAX_MS - DAY_MS])
    expect(() => formatInstant(ms)).toThrow(RangeError)
})
