/**
 * Theorem: a text of a format names one instant, or none: the one that the zone's clocks showed it at, also across
 * changes of the clock, and never another day's or another format's.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isTimeZone, rfc3339, type TimeFormat, timeParser } from '../../api/import/time.ts'

function at(format: TimeFormat, zone: string, text: string): string | undefined {
  const parsed = timeParser(format, zone)(text)
  return parsed === undefined ? undefined : rfc3339(parsed.instant)
}

describe('across changes of the clock', () => {
  const cases: readonly (readonly [zone: string, text: string, instant: string])[] = [
    ['Europe/London', '2010-12-01 08:26:00', '2010-12-01T08:26:00.000Z'],
    ['Europe/London', '2011-06-01 08:26:00', '2011-06-01T07:26:00.000Z'],
    // Skipped by the clocks: moved forward by the gap.
    ['Europe/London', '2011-03-27 01:30:00', '2011-03-27T01:30:00.000Z'],
    // Shown twice: the earlier one.
    ['Europe/London', '2011-10-30 01:30:00', '2011-10-30T00:30:00.000Z'],
    ['Europe/London', '2011-10-30 02:00:00', '2011-10-30T02:00:00.000Z'],
    ['America/Sao_Paulo', '2018-02-17 22:30:00', '2018-02-18T00:30:00.000Z'],
    ['America/Sao_Paulo', '2018-02-18 12:00:00', '2018-02-18T15:00:00.000Z'],
    ['America/New_York', '2017-07-04 00:00:00', '2017-07-04T04:00:00.000Z'],
    ['UTC', '2016-02-29 23:59:59', '2016-02-29T23:59:59.000Z'],
  ]
  test.each(cases)('%s %s', (zone, text, instant) => {
    expect(at('YYYY-MM-DD HH:MM:SS', zone, text)).toBe(instant)
  })

  test('a day begins when its first instant does, even where midnight was skipped', () => {
    expect(at('YYYY-MM-DD', 'America/Sao_Paulo', '2017-10-15')).toBe('2017-10-15T03:00:00.000Z')
    expect(at('YYYY-MM-DD', 'America/Sao_Paulo', '2017-10-16')).toBe('2017-10-16T02:00:00.000Z')
  })
})

describe('formats', () => {
  const cases: readonly (readonly [format: TimeFormat, text: string, instant: string | undefined])[] = [
    ['YYYY-MM-DD', '2017-03-01', '2017-03-01T00:00:00.000Z'],
    ['YYYY-MM-DD', '2017-3-1', undefined],
    ['YYYY-MM-DD', '2017-03-01 10:00', undefined],
    ['YYYY-MM-DD HH:MM', '2017-03-01 09:05', '2017-03-01T09:05:00.000Z'],
    ['YYYY-MM-DDTHH:MM:SS', '2017-03-01T09:05:06', '2017-03-01T09:05:06.000Z'],
    ['YYYYMMDD', '20170301', '2017-03-01T00:00:00.000Z'],
    ['D/M/YYYY HH:MM', '29/2/2016 01:16', '2016-02-29T01:16:00.000Z'],
    ['D/M/YYYY HH:MM', '2/29/2016 01:16', undefined],
    ['D/M/YYYY', '5/3/2016', '2016-03-05T00:00:00.000Z'],
    ['M/D/YYYY', '5/3/2016', '2016-05-03T00:00:00.000Z'],
    ['M/D/YYYY HH:MM:SS', '12/31/2016 23:59:58', '2016-12-31T23:59:58.000Z'],
    ['D/M/YYYY HH:MM:SS', '31/12/2016 23:59:58', '2016-12-31T23:59:58.000Z'],
    ['M/D/YYYY HH:MM', '1/2/2016 3:04', '2016-01-02T03:04:00.000Z'],
    ['D.M.YYYY', '1.2.2016', '2016-02-01T00:00:00.000Z'],
    ['D.M.YYYY HH:MM', '1.2.2016 10:00', '2016-02-01T10:00:00.000Z'],
    ['unix seconds', '1511658000', '2017-11-26T01:00:00.000Z'],
    ['unix seconds', '1511658000.25', '2017-11-26T01:00:00.250Z'],
    ['unix seconds', '1e9', undefined],
    ['unix seconds', '9999999999999', undefined],
    ['unix milliseconds', '1511658000000', '2017-11-26T01:00:00.000Z'],
    ['RFC 3339', '2017-11-26T01:00:00.5+01:00', '2017-11-26T00:00:00.500Z'],
    ['RFC 3339', '2017-11-26t01:00:00z', '2017-11-26T01:00:00.000Z'],
    ['RFC 3339', '2017-11-26T01:00:00', undefined],
    ['RFC 3339', '2017-11-31T01:00:00Z', undefined],
    ['YYYY-MM-DD HH:MM:SS', '2017-11-26 24:00:00', undefined],
    ['YYYY-MM-DD HH:MM:SS', '2016-12-31 23:59:60', undefined],
    ['YYYY-MM-DD', '2017-02-29', undefined],
    ['YYYY-MM-DD', '0000-01-01', undefined],
  ]
  test.each(cases)('%s: %s', (format, text, instant) => {
    expect(at(format, 'UTC', text)).toBe(instant)
  })

  test('what is written in UTC is read back', () => {
    const instants = fc.date({
      min: new Date('0001-01-02'),
      max: new Date('9999-12-30'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(instants, (date) => at('RFC 3339', 'UTC', date.toISOString()) === date.toISOString()),
      { numRuns: 200 },
    )
  })

  test('the day is that of the zone', () => {
    expect(timeParser('RFC 3339', 'America/Sao_Paulo')('2018-01-01T01:00:00Z')?.date).toBe('2017-12-31')
    expect(timeParser('D/M/YYYY HH:MM', 'Europe/London')('1/6/2016 00:10')?.date).toBe('2016-06-01')
  })
})

test('zones', () => {
  expect(['UTC', 'Europe/London', 'America/Sao_Paulo'].filter(isTimeZone)).toHaveLength(3)
  expect(['', 'Mars', 'Europe/Londn', 'local'].filter(isTimeZone)).toEqual([])
})
