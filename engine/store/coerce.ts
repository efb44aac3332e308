import * as E from 'fp-ts/lib/Either.js'
import { isDay } from './cells.ts'
import type { ColumnType } from './table.ts'

/**
 * A filter's value as its column compares it: typed, or as text from a URL. Left: why it isn't one. Never null.
 */
export function coerce(type: ColumnType, value: unknown): E.Either<string, string | number> {
  switch (type) {
    case 'text':
    case 'identity':
      return text(value)
    case 'day':
      return typeof value === 'string' && isDay(value)
        ? E.right(value)
        : E.left('expected a day as YYYY-MM-DD')
    case 'integer':
      return integer(value)
    case 'real':
      return real(value)
    case 'money':
      return typeof value === 'string' ? decimalMoney(value) : integer(value)
    case 'instant':
      return typeof value === 'string' && value.includes('T') ? rfc3339(value) : integer(value)
    case 'boolean': {
      const known = coerceBoolean(value)
      return known === undefined ? E.left('expected true or false') : E.right(known ? 1 : 0)
    }
    case 'json':
      return E.left('a json column can only be asked whether it is null')
  }
}

export function coerceBoolean(value: unknown): boolean | undefined {
  if (value === true || value === 'true') return true
  return value === false || value === 'false' ? false : undefined
}

function text(value: unknown): E.Either<string, string> {
  if (typeof value !== 'string') return E.left('expected a text')
  return value.isWellFormed() ? E.right(value) : E.left('the text holds a lone surrogate')
}

function integer(value: unknown): E.Either<string, number> {
  const number = typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number)
    ? E.right(number + 0)
    : E.left('expected an integer below 2^53')
}

function real(value: unknown): E.Either<string, number> {
  const decimal = typeof value === 'string' && /^-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?$/.test(value)
  const number = decimal ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number)
    ? E.right(number + 0)
    : E.left('expected a finite number')
}

/** `-12.5` → -125000 ten-thousandths. */
function decimalMoney(value: string): E.Either<string, number> {
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,4}))?$/.exec(value)
  if (match === null) return E.left('expected an amount with at most four decimals')
  const [, sign, units = '', decimals = ''] = match
  return integer(`${sign}${units}${decimals.padEnd(4, '0')}`)
}

function rfc3339(value: string): E.Either<string, number> {
  const form = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/.exec(value)
  const ms = form !== null && isDay(form[1] ?? '') ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? E.left('expected an instant in RFC 3339') : E.right(ms)
}
