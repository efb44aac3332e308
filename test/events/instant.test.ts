// An instant is read as RFC 3339 says and in no other form; a local time is read in its zone as the zone's clocks ran,
// skipped and repeated times included.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDay, isInstantText, isTimeZone, localInstant, parseInstant } from '../../engine/events/instant.ts'

const date = fc.date({
  min: new Date('0000-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})

function utc(text: string): number {
  return new Date(text).getTime()
}

describe('parseInstant', () => {
  test('reads every instant of the years 0 to 9999, at any offset', () => {
    fc.assert(
      fc.property(date, fc.integer({ min: -1439, max: 1439 }), (at, offsetMinutes) => {
        expect(parseInstant(at.toISOString())).toBe(at.getTime())
        const local = new Date(at.getTime() + offsetMinutes * 60_000)
        if (!/^\d{4}-/.test(local.toISOString())) return
        const magnitude = Math.abs(offsetMinutes)
        const offset = [Math.floor(magnitude / 60), magnitude % 60]
          .map((n) => String(n).padStart(2, '0'))
          .join(':')
        const text = `${local.toISOString().slice(0, -1)}${offsetMinutes < 0 ? '-' : '+'}${offset}`
        expect(parseInstant(text)).toBe(at.getTime())
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    ['2026-03-01t09:30:00z', '2026-03-01T09:30:00Z'],
    ['2026-03-01T09:30:00.5Z', '2026-03-01T09:30:00.500Z'],
    ['2026-03-01T09:30:00.123999999Z', '2026-03-01T09:30:00.123Z'],
    ['2024-02-29T00:00:00-00:00', '2024-02-29T00:00:00Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00Z'],
    ['2016-12-31T18:59:60.5-05:00', '2017-01-01T00:00:00Z'],
  ])('%s', (text, same) => {
    expect(parseInstant(text)).toBe(utc(same))
  })

  test.each([
    '2026-03-01',
    '2026-03-01T09:30:00',
    '2026-03-01 09:30:00Z',
    '2026-03-01T09:30Z',
    '2026-3-1T09:30:00Z',
    '2023-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-03-01T24:00:00Z',
    '2026-03-01T09:60:00Z',
    '2026-03-01T09:30:61Z',
    '2026-03-01T09:30:60Z',
    '2026-03-01T09:30:00.Z',
    '2026-03-01T09:30:00+24:00',
    '2026-03-01T09:30:00+0100',
    '+12026-03-01T09:30:00Z',
    ' 2026-03-01T09:30:00Z',
    '2026-03-01T09:30:00Z\n',
    `2026-03-01T09:30:00.${'0'.repeat(100)}Z`,
    '1767225600000',
    'now',
    '',
  ])('refuses %j', (text) => {
    expect(parseInstant(text)).toBeUndefined()
  })
})

describe('localInstant', () => {
  test('undoes what the zone’s clocks show, wherever they show a time once', () => {
    const zones = [
      'Europe/London',
      'America/New_York',
      'Australia/Lord_Howe',
      'Asia/Kathmandu',
      'Pacific/Apia',
    ]
    const at = fc.date({ min: new Date('1971-01-01'), max: new Date('2037-01-01'), noInvalidDate: true })
    fc.assert(
      fc.property(at, fc.constantFrom(...zones), (instant, zone) => {
        const wall = shownIn(instant, zone)
        const read = localInstant(wall, zone)
        // A repeated time is its first occurrence, at most one change of clocks earlier.
        if (read !== instant.getTime()) expect(shownIn(new Date(read ?? 0), zone)).toBe(wall)
        expect(instant.getTime() - (read ?? 0)).toBeGreaterThanOrEqual(0)
        expect(instant.getTime() - (read ?? 0)).toBeLessThanOrEqual(3_600_000)
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    ['2010-12-01 08:26:00', 'Europe/London', '2010-12-01T08:26:00Z'],
    ['2011-07-01T08:26', 'Europe/London', '2011-07-01T07:26:00Z'],
    ['2011-07-01', 'Europe/London', '2011-06-30T23:00:00Z'],
    ['2011-07-01', 'UTC', '2011-07-01T00:00:00Z'],
    ['2011-07-01 00:00:00.25', 'UTC', '2011-07-01T00:00:00.250Z'],
    // Clocks skip 01:00 to 02:00.
    ['2011-03-27 00:59:59', 'Europe/London', '2011-03-27T00:59:59Z'],
    ['2011-03-27 01:30:00', 'Europe/London', '2011-03-27T01:30:00Z'],
    ['2011-03-27 02:00:00', 'Europe/London', '2011-03-27T01:00:00Z'],
    // Clocks show 01:00 to 02:00 twice.
    ['2011-10-30 01:30:00', 'Europe/London', '2011-10-30T00:30:00Z'],
    ['2011-10-30 02:00:00', 'Europe/London', '2011-10-30T02:00:00Z'],
    // A change of half an hour, and a whole day that was skipped.
    ['2026-10-04 02:15:00', 'Australia/Lord_Howe', '2026-10-03T15:45:00Z'],
    ['2011-12-30 12:00:00', 'Pacific/Apia', '2011-12-30T22:00:00Z'],
    // Midnight itself is skipped.
    ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00Z'],
  ])('%s in %s is %s', (text, zone, same) => {
    expect(localInstant(text, zone)).toBe(utc(same))
  })

  test('refuses what is no local time', () => {
    const bad = [
      '2011-02-30',
      '2011-07-01T08:26:00Z',
      '2011-07-01T25:00',
      '01/07/2011',
      '2011-07-01T08:26:60',
      '',
    ]
    for (const text of bad) expect(localInstant(text, 'UTC')).toBeUndefined()
    expect(() => localInstant('2011-07-01', 'Mars/Olympus')).toThrow(RangeError)
  })
})

test('days, instants and zones are told by their form', () => {
  expect(['2024-02-29', '0000-01-01', '9999-12-31'].every(isDay)).toBe(true)
  expect(['2023-02-29', '2024-2-9', '2024-02-29T00:00', '', '2024-02-29 '].some(isDay)).toBe(false)
  expect(['2024-02-29', '2024-02-29 10:00', '2024-02-29T10:00:00+01:00'].every(isInstantText)).toBe(true)
  expect(['tomorrow', '2024-02-30', '10:00'].some(isInstantText)).toBe(false)
  expect(isTimeZone('Europe/London')).toBe(true)
  expect(['', 'Mars/Olympus', 'x'.repeat(1000)].some(isTimeZone)).toBe(false)
})

/** `YYYY-MM-DDTHH:MM:SS.mmm` as clocks in the zone show it. */
function shownIn(instant: Date, timeZone: string): string {
  const shown = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(instant)
  return `${shown.replace(' ', 'T')}.${String(instant.getTime() % 1000).padStart(3, '0')}`
}
