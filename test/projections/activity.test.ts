/**
 * Theorem: every event is counted on its UTC day under its type and source, known or not; a person acted on a day if
 * any of their atoms did, and only by what people do themselves.
 */
import { describe, expect, test } from 'vitest'
import { activePeople } from '../../projections/analytics/active-people.ts'
import { dailyEvents } from '../../projections/analytics/daily-events.ts'
import { event, profileRows, rows } from './given.ts'

test('daily_events counts by UTC day, type and source, custom types too', () => {
  const events = [
    event('cdp.page', { userId: 'u1' }, { at: '2026-03-01T23:59:59.999Z', source: 'web' }),
    event('cdp.page', { userId: 'u2' }, { at: '2026-03-01T00:00:00Z', source: 'web' }),
    event('cdp.page', { userId: 'u1' }, { at: '2026-03-02T00:00:00Z', source: 'web' }),
    event('acme.tea_brewed', { cups: 2 }, { at: '2026-03-01T09:00:00Z', source: 'a","b' }),
  ]
  expect(rows(dailyEvents, events)).toEqual([
    { day: '2026-03-01', type: 'cdp.page', source: 'web', events: 2 },
    { day: '2026-03-02', type: 'cdp.page', source: 'web', events: 1 },
    { day: '2026-03-01', type: 'acme.tea_brewed', source: 'a","b', events: 1 },
  ])
})

describe('active_people', () => {
  const page = (who: Record<string, string>, at: string) => event('cdp.page', who, { at })

  test('a person’s atoms are active together, a day once', () => {
    const events = [
      page({ userId: 'u1' }, '2026-03-03T10:00:00Z'),
      page({ anonymousId: 'a1' }, '2026-03-01T10:00:00Z'),
      page({ userId: 'u1' }, '2026-03-01T23:00:00Z'),
      event('cdp.track', { userId: 'u1', event: 'Tea Brewed' }, { at: '1969-12-31T23:00:00Z' }),
    ]
    expect(profileRows(activePeople, events)).toEqual({
      '1969-12-31': { day: '1969-12-31' },
      '2026-03-01': { day: '2026-03-01' },
      '2026-03-03': { day: '2026-03-03' },
    })
  })

  test('companies, records about people and adjusted bills aren’t acts', () => {
    const lines = [{ product_id: 'p', quantity: 1, unit_price: 1 }]
    const bill = { invoice_id: 'I', lines }
    const keys = (type: string, data: Record<string, unknown>) =>
      activePeople.keys(event(type, data) as never)
    expect(keys('erp.invoice_issued', { ...bill, customer_id: '1' })).toHaveLength(1)
    expect(keys('erp.invoice_issued', { ...bill, customer_id: '1', kind: 'adjustment' })).toEqual([])
    expect(keys('erp.invoice_issued', { ...bill, company_id: '1' })).toEqual([])
    expect(keys('cdp.group', { groupId: 'A1' })).toEqual([])
    expect(keys('cdp.page', {})).toEqual([])
    const handled: readonly string[] = activePeople.handles
    for (const type of ['lead.assigned', 'contact.created', 'Email Delivered', 'marketing.message_sent']) {
      expect(handled).not.toContain(type)
    }
  })
})
