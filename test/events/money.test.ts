// Money is exact: parsing, printing and multiplying agree with BigInt arithmetic on the decimal digits, rounding half
// to even once; whatever isn't representable is refused, never bent.

import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { formatMoney, isMoney, multiplyExact, parseMoney } from '../../engine/events/money.ts'
import { decimalText } from '../support/arbitrary.ts'

/** numerator / 10^places, rounded half to even, by the schoolbook. */
function roundHalfEven(numerator: bigint, places: number): bigint {
  const divisor = 10n ** BigInt(places)
  const negative = numerator < 0n
  const magnitude = negative ? -numerator : numerator
  let quotient = magnitude / divisor
  const twice = (magnitude % divisor) * 2n
  if (twice > divisor || (twice === divisor && quotient % 2n === 1n)) quotient += 1n
  return negative ? -quotient : quotient
}

/** Digits and places of a plain or exponent decimal. */
function digitsOf(text: string): { readonly digits: bigint; readonly places: number } {
  const [mantissa = '', exponent = '0'] = text.split('e')
  const [whole = '', fraction = ''] = mantissa.replace('+', '').split('.')
  const places = fraction.length - Number(exponent)
  const digits = BigInt(`${whole}${fraction}`)
  return places >= 0 ? { digits, places } : { digits: digits * 10n ** BigInt(-places), places: 0 }
}

function modelOf(text: string): bigint {
  const { digits, places } = digitsOf(text)
  return roundHalfEven(digits * 10_000n, places)
}

const MAX = BigInt(Number.MAX_SAFE_INTEGER)

function expectModel(parsed: E.Either<string, number>, model: bigint): void {
  const fits = model <= MAX && model >= -MAX
  expect(parsed).toEqual(fits ? E.right(Number(model)) : E.left('out_of_range'))
  if (E.isRight(parsed)) expect(Object.is(parsed.right, -0)).toBe(false)
}

describe('parseMoney', () => {
  test('equals the model for decimal strings', () => {
    fc.assert(fc.property(decimalText, (text) => expectModel(parseMoney(text), modelOf(text))))
    const long = fc.stringMatching(/^-?[0-9]{1,20}\.[0-9]{0,20}$/)
    fc.assert(fc.property(long, (text) => expectModel(parseMoney(text), modelOf(text))))
  })

  test('equals the model for numbers, through their shortest decimal form', () => {
    const numbers = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ min: -1e13, max: 1e13, noNaN: true }),
      fc.maxSafeInteger(),
      fc.integer().map((n) => n / 100_000),
    )
    fc.assert(fc.property(numbers, (value) => expectModel(parseMoney(value), modelOf(String(value)))))
  })

  test.each([
    ['12.50', 125_000],
    ['.5', 5_000],
    ['5.', 50_000],
    ['+3', 30_000],
    ['-0.00', 0],
    [-0, 0],
    [0.1, 1_000],
    [1e-7, 0],
    [2.5e-4, 2],
    ['0.00025', 2],
    ['0.00035', 4],
    ['-0.00025', -2],
    ['0.000250000001', 3],
    ['900719925474.0991', Number.MAX_SAFE_INTEGER],
    ['000000000000001.5', 15_000],
  ])('%s is %d ten-thousandths', (value, scaled) => {
    expect(parseMoney(value)).toEqual(E.right(scaled))
  })

  test.each([
    ['900719925474.0992', 'out_of_range'],
    [1e21, 'out_of_range'],
    [Number.MAX_VALUE, 'out_of_range'],
    ['', 'not_decimal'],
    ['.', 'not_decimal'],
    ['-', 'not_decimal'],
    ['1e3', 'not_decimal'],
    ['0x10', 'not_decimal'],
    [' 1', 'not_decimal'],
    ['1,5', 'not_decimal'],
    ['١', 'not_decimal'],
    ['1\n', 'not_decimal'],
    ['Infinity', 'not_decimal'],
    ['9'.repeat(65), 'not_decimal'],
    [Number.NaN, 'not_a_number'],
    [Number.POSITIVE_INFINITY, 'not_a_number'],
    [null, 'not_a_number'],
    [undefined, 'not_a_number'],
    [true, 'not_a_number'],
    [10n, 'not_a_number'],
    [['1'], 'not_a_number'],
    [{ valueOf: () => 1 }, 'not_a_number'],
  ])('%s is refused: %s', (value, reason) => {
    expect(parseMoney(value)).toEqual(E.left(reason))
    expect(isMoney(value)).toBe(false)
  })
})

describe('formatMoney', () => {
  test('is undone by parseMoney, with at least two decimals and no idle zero', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (scaled) => {
        const text = formatMoney(scaled)
        expect(parseMoney(text)).toEqual(E.right(scaled + 0))
        expect(text).toMatch(/^-?\d+\.(\d\d|\d\d\d?[1-9])$/)
      }),
    )
  })

  test.each([
    [125_000, '12.50'],
    [0, '0.00'],
    [-0, '0.00'],
    [-1, '-0.0001'],
    [1_250, '0.125'],
    [12_345, '1.2345'],
    [-10_000, '-1.00'],
    [Number.MAX_SAFE_INTEGER, '900719925474.0991'],
  ])('%d is %s', (scaled, text) => {
    expect(formatMoney(scaled)).toBe(text)
  })

  test('asserts a safe integer', () => {
    for (const bad of [0.5, 2 ** 53, Number.NaN]) expect(() => formatMoney(bad)).toThrow()
  })
})

describe('multiplyExact', () => {
  const price = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -1_000_000, max: 1_000_000 }))
  const model = (quantity: string, scaled: number): number | undefined => {
    const { digits, places } = digitsOf(quantity)
    const product = roundHalfEven(digits * BigInt(scaled), places)
    return product <= MAX && product >= -MAX ? Number(product) : undefined
  }

  test('equals the model for whole, fractional and written quantities', () => {
    const numbers = fc.oneof(
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    )
    fc.assert(
      fc.property(numbers, price, (quantity, scaled) => {
        const product = multiplyExact(quantity, scaled)
        expect(product).toBe(model(String(quantity), scaled))
      }),
    )
    fc.assert(
      fc.property(decimalText, price, (quantity, scaled) => {
        expect(multiplyExact(quantity, scaled)).toBe(model(quantity, scaled))
      }),
    )
  })

  test.each([
    [3, 25_500, 76_500],
    [-1, 25_500, -25_500],
    [0, -25_500, 0],
    [0.1, 5, 0],
    ['0.3', 5, 2],
    ['0.5', 3, 2],
    ['2.5', 1, 2],
    ['3.5', 1, 4],
    ['-2.5', 1, -2],
    [1e-9, 1_000_000_000, 1],
  ])('%s × %d is %d', (quantity, scaled, product) => {
    expect(multiplyExact(quantity, scaled)).toBe(product)
  })

  test('what isn’t representable or no decimal gives nothing', () => {
    const bad = [1e300, Number.NaN, Number.POSITIVE_INFINITY, 'x', '', '1e3']
    for (const quantity of bad) expect(multiplyExact(quantity, 10_000)).toBeUndefined()
    expect(multiplyExact(2, Number.MAX_SAFE_INTEGER)).toBeUndefined()
    expect(() => multiplyExact(1, 0.5)).toThrow()
  })
})
