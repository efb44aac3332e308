/** How values look: in the reader's own language and time zone. */

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })
const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' })
const dayAndMonth = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' })
const dayInUtc = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
})
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** @param {number} value */
export function count(value) {
  return whole.format(value)
}

/**
 * @param {number} value
 * @param {string} one
 * @param {string} many
 */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** @param {number} perSecond */
export function rate(perSecond) {
  return perSecond >= 10_000 ? short.format(perSecond) : count(Math.round(perSecond))
}

/**
 * An amount as the engine says it (a decimal string), with its currency.
 * @param {string | null} amount
 * @param {string | null} currency
 */
export function money(amount, currency) {
  if (amount === null) return 'too large to show'
  // Number formats take decimal strings as they are; a double would round large ones.
  const text = /** @type {Intl.StringNumericLiteral} */ (amount)
  const digits = /\.\d*[1-9]/.test(amount) ? 2 : 0
  const fraction = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  if (currency !== null && /^[A-Z]{3}$/.test(currency)) {
    return new Intl.NumberFormat(undefined, { style: 'currency', currency, ...fraction }).format(text)
  }
  const number = new Intl.NumberFormat(undefined, fraction).format(text)
  return currency === null ? number : `${number} ${currency}`
}

/** @param {string} instant */
export function longDate(instant) {
  return isInstant(instant) ? date.format(new Date(instant)) : instant
}

/** @param {string} instant */
export function shortDate(instant) {
  return isInstant(instant) ? dayAndMonth.format(new Date(instant)) : instant
}

/**
 * A calendar day is the same everywhere.
 * @param {string} day `YYYY-MM-DD`
 */
export function calendarDay(day) {
  return isInstant(day) ? dayInUtc.format(new Date(day)) : day
}

/** @param {string} instant */
export function timeOfDay(instant) {
  return isInstant(instant) ? clock.format(new Date(instant)) : ''
}

/** @param {string} instant */
export function dateAndTime(instant) {
  return isInstant(instant) ? moment.format(new Date(instant)) : instant
}

/** @param {string} text */
function isInstant(text) {
  return !Number.isNaN(Date.parse(text))
}

const ACRONYMS = new Set(['crm', 'erp', 'id', 'sms', 'url'])

/** @param {string} name as a column or property is named */
export function label(name) {
  if (ACRONYMS.has(name)) return name.toUpperCase()
  const words = name.replaceAll(/[_-]+/g, ' ').replaceAll(/([a-z])([A-Z])/g, '$1 $2')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/

/**
 * A value of a field, in one line.
 * @param {unknown} value
 * @returns {string}
 */
export function fieldValue(value) {
  if (value === null || value === undefined) return 'removed'
  if (value === '') return 'blank'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return INSTANT.test(value) ? dateAndTime(value) : value
  if (Array.isArray(value)) return value.map(fieldValue).join(', ')
  const members = Object.values(value)
  return members.every((member) => typeof member !== 'object')
    ? members.map(fieldValue).join(', ')
    : JSON.stringify(value)
}

/**
 * A column's value, in one line.
 * @param {string} name
 * @param {unknown} value
 */
export function columnValue(name, value) {
  const text = fieldValue(value)
  return name === 'lifecycle' ? lifecycleLabel(text) : text
}

const STAGES = new Map([
  ['marketing_qualified', 'Marketing qualified'],
  ['sales_qualified', 'Sales qualified'],
])

/** @param {string} lifecycle */
export function lifecycleLabel(lifecycle) {
  return STAGES.get(lifecycle) ?? label(lifecycle)
}

const TONES = 6
/** The usual systems look different from each other; any other takes what its name comes to. */
const OWN_TONES = new Map([
  ['erp', 0],
  ['support', 1],
  ['marketing', 2],
  ['crm', 3],
  ['web', 4],
  ['shop', 5],
])

/**
 * A source's tone: the same everywhere, whatever sources there are.
 * @param {string} source
 */
export function toneOf(source) {
  const own = OWN_TONES.get(source)
  if (own !== undefined) return `tone-${own}`
  let sum = 0
  for (const character of source) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 1009
  return `tone-${sum % TONES}`
}
