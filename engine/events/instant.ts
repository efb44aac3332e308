/// <reference lib="esnext.temporal" />

/** Reading of instants and days as senders write them. Results are ms since 1970-01-01T00:00:00Z. */

const DAY_MS = 86_400_000
const MAX_LENGTH = 64
const DAY = /^(\d{4})-(\d{2})-(\d{2})$/
const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/
const LOCAL = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?)?$/

/**
 * Strict RFC 3339 (section 5.6) with an offset; undefined for anything else. Digits beyond the millisecond are cut. A
 * leap second is allowed where it can be one, at 23:59:60 UTC, and gives the midnight that follows.
 */
export function parseInstant(text: string): number | undefined {
  return usualInstant(text) ?? instantOf(text)
}

/** Without and with milliseconds. */
const USUAL_LENGTHS = [20, 24] as const
const DIGIT_0 = 0x30

/** What nearly all senders write, `2026-03-01T09:30:00Z` or with milliseconds; undefined: `instantOf` knows. */
function usualInstant(text: string): number | undefined {
  const { length } = text
  if (length !== USUAL_LENGTHS[0] && length !== USUAL_LENGTHS[1]) return undefined
  if (text[4] !== '-' || text[7] !== '-' || text[10] !== 'T' || text[13] !== ':' || text[16] !== ':')
    return undefined
  if (text[length - 1] !== 'Z' || (length === USUAL_LENGTHS[1] && text[19] !== '.')) return undefined
  const days = daysFromCivil(digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2))
  const hour = digits(text, 11, 2)
  const minute = digits(text, 14, 2)
  const second = digits(text, 17, 2)
  const ms = length === USUAL_LENGTHS[1] ? digits(text, 20, 3) : 0
  if (days === undefined || !(hour <= 23 && minute <= 59 && second <= 59)) return undefined
  const instant = days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms
  return Number.isNaN(instant) ? undefined : instant
}

/** NaN where something else than digits stands there. */
function digits(text: string, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const digit = text.charCodeAt(i) - DIGIT_0
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN
  }
  return value
}

function instantOf(text: string): number | undefined {
  const match = text.length <= MAX_LENGTH ? RFC3339.exec(text) : null
  if (match === null) return undefined
  const offsetHours = Number(match[9] ?? 0)
  const offsetMinutes = Number(match[10] ?? 0)
  if (offsetHours > 23 || offsetMinutes > 59) return undefined
  const offsetMs = (match[8] === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * 60_000
  const leap = match[6] === '60'
  const local = wallTime(match, leap ? 59 : Number(match[6]), leap ? undefined : match[7])
  if (local === undefined) return undefined
  const instant = local - offsetMs
  if (!leap) return instant
  return (instant + 1000) % DAY_MS === 0 ? instant + 1000 : undefined
}

/**
 * The instant of a wall-clock time (`2011-03-27T01:30:00`, a space for the T, seconds and fraction optional) or of a
 * day's midnight (`2011-03-27`) in an IANA time zone; undefined for anything else.
 *
 * Where clocks are set forward a skipped time is read with the offset before the change (01:30 becomes 02:30), where
 * they are set back a repeated time is its first occurrence; both as RFC 5545, section 3.3.5. Throws RangeError if
 * the zone is unknown: see `isTimeZone`.
 */
export function localInstant(text: string, timeZone: string): number | undefined {
  const match = text.length <= MAX_LENGTH ? LOCAL.exec(text) : null
  if (match === null) return undefined
  if (wallTime(match, Number(match[6] ?? 0), match[7]) === undefined) return undefined
  const field = (group: number): number => Number(match[group] ?? 0)
  const ms = milliseconds(match[7])
  const wall = new Temporal.PlainDateTime(field(1), field(2), field(3), field(4), field(5), field(6), ms)
  return wall.toZonedDateTime(timeZone, { disambiguation: 'compatible' }).epochMilliseconds
}

/** True for `2011-03-27`, a day of the calendar. */
export function isDay(text: string): boolean {
  const match = DAY.exec(text)
  return match !== null && wallTime(match, 0, undefined) !== undefined
}

/** True for everything that `parseInstant` or `localInstant` reads. */
export function isInstantText(text: string): boolean {
  if (parseInstant(text) !== undefined) return true
  const match = text.length <= MAX_LENGTH ? LOCAL.exec(text) : null
  return match !== null && wallTime(match, Number(match[6] ?? 0), match[7]) !== undefined
}

/** True for an IANA time zone that this machine knows. */
export function isTimeZone(name: string): boolean {
  if (name.length > MAX_LENGTH) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Wall-clock fields read as if they were UTC; undefined where the calendar or the clock has no such time. */
function wallTime(match: RegExpExecArray, second: number, fraction: string | undefined): number | undefined {
  const [, year, month, day, hour, minute] = match
  const days = daysFromCivil(Number(year), Number(month), Number(day))
  const hours = Number(hour ?? 0)
  const minutes = Number(minute ?? 0)
  if (days === undefined || hours > 23 || minutes > 59 || second > 59) return undefined
  return days * DAY_MS + ((hours * 60 + minutes) * 60 + second) * 1000 + milliseconds(fraction)
}

function milliseconds(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, '0'))
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar, by H. Hinnant's `days_from_civil`. */
function daysFromCivil(year: number, month: number, day: number): number | undefined {
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return undefined
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
