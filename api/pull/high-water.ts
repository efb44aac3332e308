import { parseInstant } from '../../engine/events/instant.ts'
import type { HighWaterColumn } from './pull.ts'

/** The largest value of a column that was seen. */

/** Longer values are no marks; they would not fit an address either. */
const MAX_LENGTH = 256

type Compare = (a: string, b: string) => number

const COMPARE: Readonly<Record<HighWaterColumn['as'], Compare>> = {
  text: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
  number: compareDecimals,
  instant: (a, b) => (parseInstant(a) ?? Number.NaN) - (parseInstant(b) ?? Number.NaN),
}

const VALID: Readonly<Record<HighWaterColumn['as'], (text: string) => boolean>> = {
  text: () => true,
  number: (text) => DECIMAL.test(text),
  instant: (text) => parseInstant(text) !== undefined,
}

/** The greater of a mark and a cell; a cell that is blank, or not what the column should hold, is passed over. */
export function raised({ as }: HighWaterColumn, mark: string | undefined, cell: string): string | undefined {
  const text = cell.trim()
  if (text === '' || text.length > MAX_LENGTH || !VALID[as](text)) return mark
  return mark === undefined || !VALID[as](mark) || COMPARE[as](text, mark) > 0 ? text : mark
}

const DECIMAL = /^[+-]?\d+(?:\.\d+)?$/

/** By digits: ids may have more of them than a double holds. */
export function compareDecimals(a: string, b: string): number {
  const [x, y] = [decimalOf(a), decimalOf(b)]
  if (x.sign !== y.sign) return x.sign - y.sign
  const length = x.whole.length - y.whole.length
  if (length !== 0) return x.sign * length
  const [left, right] = [x.whole + x.fraction, y.whole + y.fraction]
  return left === right ? 0 : left < right ? -x.sign : x.sign
}

function decimalOf(text: string) {
  const [, minus, digits = '0', decimals = ''] = /^(-)?\+?(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  const whole = digits.replace(/^0+(?=\d)/, '')
  const fraction = decimals.replace(/0+$/, '')
  const zero = whole === '0' && fraction === ''
  return { sign: zero ? 0 : minus === undefined ? 1 : -1, whole, fraction }
}
