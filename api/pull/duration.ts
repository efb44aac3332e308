import * as t from 'io-ts'

const SECOND_MS = 1_000
const DURATION = /^P(?=\d|T\d)(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?$/

/** ms of a number of seconds or an ISO 8601 duration of days, hours, minutes and seconds; undefined for anything else. */
export function durationMs(value: number | string): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.round(value * SECOND_MS) : undefined
  const match = DURATION.exec(value)
  if (match === null) return undefined
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0))
  return ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * SECOND_MS
}

/** A duration as people write it, within bounds. */
export function duration(leastMs: number, mostMs: number): t.Type<number | string> {
  const meaning =
    `expected seconds, or an ISO 8601 duration such as PT5M, ` +
    `from ${leastMs / SECOND_MS} to ${mostMs / SECOND_MS} seconds`
  const is = (value: unknown): value is number | string => {
    if (typeof value !== 'number' && typeof value !== 'string') return false
    const ms = durationMs(value)
    return ms !== undefined && ms >= leastMs && ms <= mostMs
  }
  return new t.Type(
    'Duration',
    is,
    (value, context) => (is(value) ? t.success(value) : t.failure(value, context, meaning)),
    t.identity,
  )
}
