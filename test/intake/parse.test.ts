// Theorem: a message whose JSON has sixteen digits in a row anywhere is read with care for integers that a double would
// change, and no other is; so integers come out exact or as big ones, whatever stands around them.

import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { hasWideNumber, parseValue } from '../../engine/intake/parse.ts'

const piece = fc.oneof(
  fc.stringMatching(/^\d{1,20}$/),
  fc.constantFrom('/', ':', '9', '0', 'é', '１', '🙂', ' '),
  fc.string({ maxLength: 18 }),
)

test('wide numbers are found wherever they stand', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('')
      expect(hasWideNumber(text)).toBe(/\d{16}/.test(text))
    }),
    { numRuns: 2_000 },
  )
})

test('a run of digits counts from sixteen on, at every offset', () => {
  for (let offset = 0; offset < 40; offset++) {
    const before = 'x'.repeat(offset)
    expect(hasWideNumber(`${before}${'7'.repeat(15)}`)).toBe(false)
    expect(hasWideNumber(`${before}${'7'.repeat(15)}x7`)).toBe(false)
    expect(hasWideNumber(`${before}${'7'.repeat(16)}`)).toBe(true)
    expect(hasWideNumber(`${before}${'7'.repeat(16)}x`)).toBe(true)
  }
})

test('an integer that a double would change becomes a big one', () => {
  const read = (text: string): unknown => {
    const parsed = parseValue(Buffer.from(text))
    return E.isRight(parsed) ? parsed.right : undefined
  }
  expect(read('{"a":9007199254740993,"b":12}')).toEqual({ a: 9007199254740993n, b: 12 })
  expect(read('{"a":9007199254740991,"b":"12345678901234567890"}')).toEqual({
    a: 9007199254740991,
    b: '12345678901234567890',
  })
})
