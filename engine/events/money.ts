import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'

/**
 * Exact decimal arithmetic on money. Inside, an amount is an integer of ten-thousandths of the currency's unit
 * (`scaled`), always a safe integer and never -0; outside it is a decimal string. Rounding is half to even
 * (IEEE 754-2019, 4.3.1 roundTiesToEven), applied once, to the exact decimal value.
 */

/** Decimal places kept. */
const SCALE = 4
const UNIT = 10 ** SCALE
/** Whole units that may be scaled by plain numbers without leaving the safe integers. */
const FAST_LIMIT = Math.floor(Number.MAX_SAFE_INTEGER / UNIT) - 1
/** Longer text is no amount that anybody wrote; the bound keeps parsing linear and small. */
const MAX_LENGTH = 64
const PLAIN = /^([+-]?)(\d+)(?:\.(\d*))?$|^([+-]?)\.(\d+)$/

assert(FAST_LIMIT * UNIT + UNIT <= Number.MAX_SAFE_INTEGER)

type MoneyFailure = 'not_a_number' | 'not_decimal' | 'out_of_range'

/** coefficient × 10^-places, exactly. */
interface Decimal {
  readonly coefficient: bigint
  readonly places: number
}

/**
 * The scaled integer of a JSON number (through its shortest decimal form, so that 0.1 is one tenth) or of a plain
 * decimal string (`12`, `-12.5`, `.5`; no exponent, no grouping, no blanks). Both signs of zero give 0.
 */
export function parseMoney(value: unknown): E.Either<MoneyFailure, number> {
  if (typeof value === 'number') return parseNumber(value)
  if (typeof value === 'string') return parseText(value)
  return E.left('not_a_number')
}

/** True exactly where `parseMoney` succeeds. */
export function isMoney(value: unknown): value is number | string {
  if (typeof value === 'string' && usualAmount(value) !== undefined) return true
  return parseMoney(value)._tag === 'Right'
}

/** `12.50`: at least two decimals, none beyond the last that isn't zero. */
export function formatMoney(scaled: number): string {
  assert(Number.isSafeInteger(scaled), 'an amount is a safe integer of ten-thousandths')
  const magnitude = Math.abs(scaled)
  const units = Math.floor(magnitude / UNIT)
  const digits = String(magnitude % UNIT).padStart(SCALE, '0')
  const fraction = digits.endsWith('00')
    ? digits.slice(0, 2)
    : digits.endsWith('0')
      ? digits.slice(0, 3)
      : digits
  return `${scaled < 0 ? '-' : ''}${units}.${fraction}`
}

/**
 * quantity × scaled unit price, exact until one rounding at the end; the quantity may be fractional, a JSON number
 * or a plain decimal string. undefined where the quantity is no decimal or the product is no safe integer.
 */
export function multiplyExact(quantity: number | string, scaledUnitPrice: number): number | undefined {
  assert(Number.isSafeInteger(scaledUnitPrice), 'a unit price is a safe integer of ten-thousandths')
  if (Number.isInteger(quantity)) {
    const product = Number(quantity) * scaledUnitPrice
    if (Number.isSafeInteger(product)) return product + 0
  }
  const decimal = typeof quantity === 'number' ? decimalOfNumber(quantity) : decimalOfText(quantity)
  if (decimal === undefined) return undefined
  return safe(round({ coefficient: decimal.coefficient * BigInt(scaledUnitPrice), places: decimal.places }))
}

function parseNumber(value: number): E.Either<MoneyFailure, number> {
  if (!Number.isFinite(value)) return E.left('not_a_number')
  if (Number.isInteger(value) && Math.abs(value) <= FAST_LIMIT) return E.right(value * UNIT + 0)
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return E.left('out_of_range')
  const text = String(value)
  return text.includes('e') ? scaledOf(decimalOfNumber(value)) : parseText(text)
}

const DIGIT_0 = 0x30
const POINT = 0x2e
/** So many scaled digits are a safe integer. */
const USUAL_DIGITS = 11
/** By how many decimal places an amount states. */
const UNIT_OF_PLACES = [UNIT, UNIT / 10, UNIT / 100, UNIT / 1_000, 1] as const

assert(10 ** USUAL_DIGITS * UNIT <= Number.MAX_SAFE_INTEGER)
assert.equal(UNIT_OF_PLACES.length, SCALE + 1)

/** The scaled integer of digits, or of digits, a point and one to four digits; undefined: `parseText` knows. */
function usualAmount(text: string): number | undefined {
  const { length } = text
  if (length === 0 || length > USUAL_DIGITS) return undefined
  let point = -1
  let digits = 0
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= DIGIT_0 && unit <= DIGIT_0 + 9) digits = digits * 10 + (unit - DIGIT_0)
    else if (unit === POINT && point < 0 && i > 0) point = i
    else return undefined
  }
  const places = point < 0 ? 0 : length - 1 - point
  if (point >= 0 && places === 0) return undefined
  const unit = UNIT_OF_PLACES[places]
  return unit === undefined ? undefined : digits * unit
}

function parseText(text: string): E.Either<MoneyFailure, number> {
  const usual = usualAmount(text)
  if (usual !== undefined) return E.right(usual)
  if (text.length > MAX_LENGTH) return E.left('not_decimal')
  const match = PLAIN.exec(text)
  if (match === null) return E.left('not_decimal')
  const whole = match[2] ?? '0'
  const fraction = match[3] ?? match[5] ?? ''
  if (whole.length <= 11 && fraction.length <= SCALE) {
    const magnitude = Number(whole) * UNIT + Number(fraction.padEnd(SCALE, '0'))
    return E.right((match[1] ?? match[4]) === '-' ? 0 - magnitude : magnitude)
  }
  return scaledOf(decimalOfText(text))
}

function scaledOf(decimal: Decimal | undefined): E.Either<MoneyFailure, number> {
  if (decimal === undefined) return E.left('not_decimal')
  const scaled = safe(round({ coefficient: decimal.coefficient * BigInt(UNIT), places: decimal.places }))
  return scaled === undefined ? E.left('out_of_range') : E.right(scaled)
}

function decimalOfText(text: string): Decimal | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const match = PLAIN.exec(text)
  if (match === null) return undefined
  const fraction = match[3] ?? match[5] ?? ''
  const coefficient = BigInt(`${match[2] ?? ''}${fraction}`)
  const negative = (match[1] ?? match[4]) === '-'
  return { coefficient: negative ? -coefficient : coefficient, places: fraction.length }
}

/** Shortest decimal form, exponent included: `1.5e-7` is 15 × 10^-8. */
function decimalOfNumber(value: number): Decimal | undefined {
  if (!Number.isFinite(value)) return undefined
  const [mantissa = '', exponent = '0'] = String(value).split('e')
  const decimal = decimalOfText(mantissa)
  if (decimal === undefined) return undefined
  const places = decimal.places - Number(exponent)
  if (places >= 0) return { coefficient: decimal.coefficient, places }
  return { coefficient: decimal.coefficient * 10n ** BigInt(-places), places: 0 }
}

function round({ coefficient, places }: Decimal): bigint {
  const divisor = 10n ** BigInt(places)
  const quotient = coefficient / divisor
  const remainder = coefficient % divisor
  const twice = (remainder < 0n ? -remainder : remainder) * 2n
  if (twice < divisor || (twice === divisor && quotient % 2n === 0n)) return quotient
  return coefficient < 0n ? quotient - 1n : quotient + 1n
}

function safe(value: bigint): number | undefined {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : undefined
}
