/// <reference lib="esnext.temporal" />

/**
 * Points in time as files write them. Wall-clock formats need a zone; where clocks go back, the earlier of the two
 * instants is meant, and a wall-clock time that the clocks skip is moved forward by the gap (`compatible` in
 * https://tc39.es/proposal-temporal/docs/ambiguity.html, as RFC 5545 has it). Month before minute: `MM` is either,
 * by its place.
 */
export const TIME_FORMATS = {
  'YYYY-MM-DD': null,
  'YYYY-MM-DD HH:MM': null,
  'YYYY-MM-DD HH:MM:SS': null,
  'YYYY-MM-DDTHH:MM:SS': null,
  YYYYMMDD: null,
  'D/M/YYYY': null,
  'D/M/YYYY HH:MM': null,
  'D/M/YYYY HH:MM:SS': null,
  'M/D/YYYY': null,
  'M/D/YYYY HH:MM': null,
  'M/D/YYYY HH:MM:SS': null,
  'D.M.YYYY': null,
  'D.M.YYYY HH:MM': null,
  'RFC 3339': null,
  'unix seconds': null,
  'unix milliseconds': null,
} as const

export type TimeFormat = keyof typeof TIME_FORMATS

/** What a text stands for, in one zone. */
interface ParsedTime {
  /** ms since 1970 UTC. */
  readonly instant: number
  /** `YYYY-MM-DD` on the zone's calendar. */
  readonly date: string
}

/** undefined: the text isn't of the format, or names a day or time that doesn't exist. */
export type TimeParser = (text: string) => ParsedTime | undefined

type WallFormat = Exclude<TimeFormat, 'RFC 3339' | 'unix seconds' | 'unix milliseconds'>

const YEAR = '(?<year>\\d{4})'
const CLOCK = '(?<hour>\\d{1,2}):(?<minute>\\d{2})'
const SECOND = ':(?<second>\\d{2})'
const ISO_DATE = `${YEAR}-(?<month>\\d{2})-(?<day>\\d{2})`
const DAY_FIRST = `(?<day>\\d{1,2})/(?<month>\\d{1,2})/${YEAR}`
const MONTH_FIRST = `(?<month>\\d{1,2})/(?<day>\\d{1,2})/${YEAR}`
const DOTTED = `(?<day>\\d{1,2})\\.(?<month>\\d{1,2})\\.${YEAR}`

const WALL_PATTERNS: Readonly<Record<WallFormat, string>> = {
  'YYYY-MM-DD': ISO_DATE,
  'YYYY-MM-DD HH:MM': `${ISO_DATE} ${CLOCK}`,
  'YYYY-MM-DD HH:MM:SS': `${ISO_DATE} ${CLOCK}${SECOND}`,
  'YYYY-MM-DDTHH:MM:SS': `${ISO_DATE}T${CLOCK}${SECOND}`,
  YYYYMMDD: `${YEAR}(?<month>\\d{2})(?<day>\\d{2})`,
  'D/M/YYYY': DAY_FIRST,
  'D/M/YYYY HH:MM': `${DAY_FIRST} ${CLOCK}`,
  'D/M/YYYY HH:MM:SS': `${DAY_FIRST} ${CLOCK}${SECOND}`,
  'M/D/YYYY': MONTH_FIRST,
  'M/D/YYYY HH:MM': `${MONTH_FIRST} ${CLOCK}`,
  'M/D/YYYY HH:MM:SS': `${MONTH_FIRST} ${CLOCK}${SECOND}`,
  'D.M.YYYY': DOTTED,
  'D.M.YYYY HH:MM': `${DOTTED} ${CLOCK}`,
}

export function isTimeZone(zone: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone)
    return true
  } catch {
    return false
  }
}

/** `zone` must be one that `isTimeZone` knows. */
export function timeParser(format: TimeFormat, zone: string): TimeParser {
  switch (format) {
    case 'RFC 3339':
      return remembering((text) => instantParts(parseRfc3339(text), zone))
    case 'unix seconds':
      return remembering((text) => instantParts(parseUnix(text, 1000), zone))
    case 'unix milliseconds':
      return remembering((text) => instantParts(parseUnix(text, 1), zone))
    default:
      return remembering(wallClockParser(WALL_PATTERNS[format], zone))
  }
}

/** Rows come in order of time, so that the next row's time is often the last one's. */
function remembering(parse: TimeParser): TimeParser {
  let last: string | undefined
  let result: ParsedTime | undefined
  return (text) => {
    if (text !== last) {
      result = parse(text)
      last = text
    }
    return result
  }
}

function wallClockParser(source: string, zone: string): TimeParser {
  const pattern = new RegExp(`^${source}$`)
  return (text) => {
    const groups = pattern.exec(text)?.groups
    if (groups === undefined) return undefined
    const number = (name: string): number => Number(groups[name] ?? '0')
    const fields = {
      year: number('year'),
      month: number('month'),
      day: number('day'),
      hour: number('hour'),
      minute: number('minute'),
      second: number('second'),
    }
    // Temporal reads a leap second as :59; a file that has one is more likely wrong.
    if (fields.second > 59) return undefined
    try {
      const wall = Temporal.PlainDateTime.from(fields, { overflow: 'reject' })
      const instant = wall.toZonedDateTime(zone).epochMilliseconds
      return inRange(instant) ? { instant, date: wall.toPlainDate().toString() } : undefined
    } catch {
      return undefined
    }
  }
}

const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/

export function parseRfc3339(text: string): number | undefined {
  if (!RFC_3339.test(text)) return undefined
  try {
    return Temporal.Instant.from(text.toUpperCase()).epochMilliseconds
  } catch {
    return undefined
  }
}

function parseUnix(text: string, scale: 1 | 1000): number | undefined {
  if (!/^-?\d{1,13}(?:\.\d{1,9})?$/.test(text)) return undefined
  return Math.round(Number(text) * scale)
}

/** Instants outside the years 0001 to 9999 have no RFC 3339 form. */
const EARLIEST = -62_135_596_800_000
const LATEST = 253_402_300_799_999

function inRange(instant: number): boolean {
  return instant >= EARLIEST && instant <= LATEST
}

function instantParts(instant: number | undefined, zone: string): ParsedTime | undefined {
  if (instant === undefined || !inRange(instant)) return undefined
  const local = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone)
  return { instant, date: local.toPlainDate().toString() }
}

export function rfc3339(instant: number): string {
  return new Date(instant).toISOString()
}
