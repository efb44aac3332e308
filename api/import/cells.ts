import type { Reading } from './mapping-codec.ts'

/**
 * What a cell's text is read as. A cell is what a file holds; nothing here guesses: `1,234.56`, `12%` and `1e3` are
 * refused, because each means something else to somebody.
 */

type CellReading =
  | { readonly _tag: 'Value'; readonly value: unknown }
  | { readonly _tag: 'Unreadable'; readonly reason: string; readonly message: string }

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?$/
const MAX_DIGITS = 64
const MAX_JSON_DEPTH = 32

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['0', false],
])

export function readCell(text: string, as: Reading): CellReading {
  switch (as) {
    case 'string':
      return value(text)
    case 'decimal': {
      const decimal = canonicalDecimal(text.trim())
      return decimal === undefined ? unreadable('not_a_decimal', 'is not a decimal number') : value(decimal)
    }
    case 'scientific': {
      const decimal = plainDecimal(text.trim())
      return decimal === undefined ? unreadable('not_a_decimal', 'is not a decimal number') : value(decimal)
    }
    case 'number':
      return readNumber(text.trim())
    case 'integer': {
      const number = Number(canonicalDecimal(text.trim()) ?? Number.NaN)
      return Number.isSafeInteger(number) && !text.includes('.')
        ? value(Object.is(number, -0) ? 0 : number)
        : unreadable('not_an_integer', 'is not a whole number in the safe range')
    }
    case 'boolean': {
      const truth = BOOLEANS.get(text.trim().toLowerCase())
      return truth === undefined
        ? unreadable('not_a_boolean', 'is not true, false, yes, no, 1 or 0')
        : value(truth)
    }
    case 'json':
      return readJson(text)
  }
}

/**
 * The same number in its plainest form, digit for digit: `+.50` is `0.50`; a fraction's zeros stay because they
 * state precision. undefined: not a decimal number.
 */
function canonicalDecimal(text: string): string | undefined {
  const match = text.length <= MAX_DIGITS ? DECIMAL.exec(text) : null
  const whole = match?.[2] ?? ''
  const fraction = match?.[3] ?? ''
  if (match === null || whole.length + fraction.length === 0) return undefined
  const digits = whole.replace(/^0+(?=\d)/, '') || '0'
  const zero = /^0*$/.test(digits + fraction)
  return `${match[1] === '-' && !zero ? '-' : ''}${digits}${fraction === '' ? '' : `.${fraction}`}`
}

const SCIENTIFIC = /^([+-]?)(\d*)(?:\.(\d*))?[eE]([+-]?\d{1,3})$/

/** A decimal, or one with an exponent as statistics packages print them, written out: `4.4e-3` is `0.0044`. */
function plainDecimal(text: string): string | undefined {
  const match = text.length <= MAX_DIGITS ? SCIENTIFIC.exec(text) : null
  if (match === null) return canonicalDecimal(text)
  const [, sign = '', whole = '', fraction = '', exponent = ''] = match
  if (whole.length + fraction.length === 0) return undefined
  const point = whole.length + Number(exponent)
  if (point < -MAX_DIGITS || point > MAX_DIGITS) return undefined
  const digits = whole + fraction
  const padded = digits.padEnd(point, '0').padStart(digits.length + Math.max(0, -point), '0')
  const at = Math.max(0, point)
  return canonicalDecimal(`${sign}${padded.slice(0, at)}${at < padded.length ? `.${padded.slice(at)}` : ''}`)
}

/** A JSON number carries 15 significant digits for certain; more would come out as another number. */
function readNumber(text: string): CellReading {
  const decimal = canonicalDecimal(text)
  if (decimal === undefined) return unreadable('not_a_number', 'is not a number')
  const significant = decimal.replace('-', '').replace('.', '').replace(/^0+/, '')
  if (significant.length > 15) {
    return unreadable('inexact_number', 'has more digits than a JSON number keeps; read it as decimal')
  }
  return value(Number(decimal))
}

function readJson(text: string): CellReading {
  if (bracketDepth(text) > MAX_JSON_DEPTH) return unreadable('too_deep', 'is nested too deeply')
  try {
    return value(JSON.parse(text))
  } catch {
    return unreadable('not_json', 'is not JSON')
  }
}

/** Depth of nesting, from the text alone: parsing it first is what deep nesting attacks. */
export function bracketDepth(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (inString) {
      if (char === 0x5c) i++
      else if (char === 0x22) inString = false
    } else if (char === 0x22) inString = true
    else if (char === 0x5b || char === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (char === 0x5d || char === 0x7d) depth--
  }
  return deepest
}

function value(of: unknown): CellReading {
  return { _tag: 'Value', value: of }
}

function unreadable(reason: string, message: string): CellReading {
  return { _tag: 'Unreadable', reason, message }
}
