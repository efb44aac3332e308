/**
 * Theorem: a lead's row says who works it, how far it came and whether it was answered in time, in whatever order its
 * events were imported; accounts and contacts are the newest writes of their fields.
 */
import { describe, expect, test } from 'vitest'
import { account } from '../../projections/crm/account.ts'
import { contact } from '../../projections/crm/contact.ts'
import { lead } from '../../projections/crm/lead.ts'
import { quarantine } from '../../projections/governance/quarantine.ts'
import { event, idOf, ms, NO_CONFIGURATION, onlyRow, rows, type Stated } from './given.ts'

const T = (day: number, time = '10:00:00'): Stated => ({ at: `2026-03-0${day}T${time}Z` })
const about = (type: string, data: Record<string, unknown>, stated?: Stated) =>
  event(`lead.${type}`, { lead_id: 'L1', ...data }, stated)

const created = about(
  'created',
  { name: 'Ann', email: ' Ann@Example.COM ', origin: 'organic_search', landing_page: 'p1' },
  T(1),
)
const assigned = about('assigned', { owner: 'moses', respond_by: '2026-03-02T12:00:00Z' }, T(2))

describe('lead', () => {
  test('from creation to conversion; the conversion may have been imported first', () => {
    const converted = about(
      'converted',
      { account_id: 'A1', contact_id: 'C1', opportunity_id: 'O1', business_segment: 'pet' },
      T(4),
    )
    const expected = {
      lead_id: 'L1',
      name: 'Ann',
      email: 'ann@example.com',
      origin: 'organic_search',
      landing_page: 'p1',
      status: 'converted',
      lifecycle: 'opportunity',
      opportunity_id: 'O1',
      account: idOf({ namespace: 'account', value: 'A1' }),
      contact: idOf({ namespace: 'contact', value: 'C1' }),
      business_segment: 'pet',
      created_at: ms('2026-03-01T10:00:00Z'),
      converted_at: ms('2026-03-04T10:00:00Z'),
      updated_at: ms('2026-03-04T10:00:00Z'),
    }
    expect(onlyRow(lead, [created, converted])).toEqual(expected)
    expect(onlyRow(lead, [converted, created])).toEqual(expected)
  })

  test('its row is that of the lead, though a contact leads the event', () => {
    const converted = about('converted', { contact_id: 'C1' }, T(4))
    expect(converted.identities[0]?.namespace).toBe('contact')
    expect(lead.keys(converted as never)).toEqual([idOf({ namespace: 'lead', value: 'L1' })])
    expect(lead.keys(event('lead.updated', { email: 'a@b.example' }) as never)).toEqual([])
  })

  test('status follows the newest step; at one instant the step further down', () => {
    const accepted = about('accepted', {}, T(3))
    expect(onlyRow(lead, [created])).toMatchObject({ status: 'new', lifecycle: 'lead' })
    expect(onlyRow(lead, [assigned, created])).toMatchObject({ status: 'assigned', owner: 'moses' })
    expect(onlyRow(lead, [accepted, assigned, created])).toMatchObject({ status: 'working', owner: 'moses' })
    const sameInstant = about('disqualified', { reason: 'student' }, { ...T(3), id: 'a' })
    expect(onlyRow(lead, [created, sameInstant, accepted])).toMatchObject({
      status: 'disqualified',
      reason: 'student',
    })
    const nurtured = about('updated', { status: 'nurture' }, T(4))
    expect(onlyRow(lead, [created, assigned, nurtured])).toMatchObject({ status: 'nurture' })
  })

  test('a lead given back has no owner; a second system that creates it resets nothing', () => {
    const rejected = about('rejected', { reason: 'not ours' }, T(3))
    const row = onlyRow(lead, [created, assigned, rejected])
    expect(row).toMatchObject({ status: 'recycled', reason: 'not ours' })
    expect(row).not.toHaveProperty('owner')
    const recalled = about('recalled', {}, T(3))
    expect(onlyRow(lead, [created, assigned, recalled])).toMatchObject({ status: 'new' })
    const again = about('created', { name: 'Ann B.' }, { ...T(4), source: 'webinar' })
    expect(onlyRow(lead, [created, assigned, again])).toMatchObject({ status: 'assigned', name: 'Ann B.' })
  })

  test('the lifecycle goes forward, and back only by a regress', () => {
    const mql = about('qualified', {}, T(2))
    const sql = about('lifecycle_changed', { to: 'SQL' }, T(3))
    const back = about('lifecycle_changed', { to: 'lead' }, T(4))
    expect(onlyRow(lead, [created, mql])).toMatchObject({ lifecycle: 'marketing_qualified' })
    expect(onlyRow(lead, [back, sql, mql, created])).toMatchObject({ lifecycle: 'sales_qualified' })
    const regressed = about('lifecycle_regressed', { to: 'marketing_qualified' }, T(4))
    expect(onlyRow(lead, [created, sql, regressed])).toMatchObject({ lifecycle: 'marketing_qualified' })
  })

  describe('first response', () => {
    const fold = (...events: readonly ReturnType<typeof about>[]) =>
      events.reduce(
        (state, each) => lead.reduce(state, each as never, NO_CONFIGURATION, 'k'),
        lead.initial('k'),
      )
    const slaOf = (state: ReturnType<typeof fold>) =>
      [...lead.table.rows(state, NO_CONFIGURATION, 'k').values()][0]?.sla
    const due = ms('2026-03-02T12:00:00Z')

    test('is due until the clock passes the deadline', () => {
      const waiting = fold(created, assigned)
      expect(lead.due?.(waiting)).toBe(due)
      expect(slaOf(waiting)).toBe('first_response_due')
      const late = lead.tick?.(waiting, { type: 'tick', at: due }) ?? waiting
      expect(slaOf(late)).toBe('failed')
      expect(lead.due?.(late)).toBeUndefined()
    })

    test('in time fulfils, even if it is heard of after the deadline; late or bounced fails', () => {
      const inTime = about('first_responded', { outcome: 'connected' }, T(2, '12:00:00'))
      const tooLate = about('first_responded', { outcome: 'connected' }, T(2, '12:00:01'))
      const bounced = about('first_responded', { outcome: 'bounced' }, T(2, '11:00:00'))
      const failed = lead.tick?.(fold(created, assigned), { type: 'tick', at: due }) ?? fold()
      expect(slaOf(lead.reduce(failed, inTime as never, NO_CONFIGURATION, 'k'))).toBe('fulfilled')
      expect(slaOf(fold(tooLate, assigned))).toBe('failed')
      expect(slaOf(fold(bounced, assigned))).toBe('first_response_due')
      expect(lead.due?.(fold(inTime, assigned))).toBeUndefined()
      expect(slaOf(fold(inTime))).toBeNull()
    })

    test('a new assignment sets a new deadline', () => {
      const failed = lead.tick?.(fold(created, assigned), { type: 'tick', at: due }) ?? fold()
      const again = about('assigned', { owner: 'darcel', respond_by: '2026-03-05' }, T(3))
      const next = lead.reduce(failed, again as never, NO_CONFIGURATION, 'k')
      expect(slaOf(next)).toBe('first_response_due')
      expect(lead.due?.(next)).toBe(ms('2026-03-05T00:00:00Z'))
    })
  })
})

describe('account and contact', () => {
  test('an account is keyed by its identity and holds each newest field', () => {
    const born = event(
      'account.created',
      {
        account_id: 'A1',
        name: 'Acme',
        domain: 'acme.example',
        revenue: '1100.04',
        employees: 2822,
        parent: 'X',
      },
      T(1),
    )
    const moved = event('account.updated', { account_id: 'A1', industry: 'retail', parent: null }, T(2))
    expect(account.keys(moved as never)).toEqual([idOf({ namespace: 'account', value: 'A1' })])
    expect(onlyRow(account, [moved, born])).toEqual({
      account_id: 'A1',
      name: 'Acme',
      domain: 'acme.example',
      industry: 'retail',
      revenue: 11_000_400,
      employees: 2822,
      archived: false,
      created_at: ms('2026-03-01T10:00:00Z'),
      updated_at: ms('2026-03-02T10:00:00Z'),
    })
    expect(rows(account, [event('account.updated', { name: 'Nobody' })])).toEqual([])
  })

  test('a contact names its account by identity, and keeps a phone that is no phone as sent', () => {
    const born = event(
      'contact.created',
      { contact_id: 'C1', account_id: 'A1', phone: '+44 20 7946 0018', title: '' },
      T(1),
    )
    expect(onlyRow(contact, [born])).toMatchObject({
      account: idOf({ namespace: 'account', value: 'A1' }),
      phone: '+442079460018',
      title: '',
    })
    const later = event('contact.updated', { contact_id: 'C1', phone: 'ask Bob', account_id: null }, T(2))
    const row = onlyRow(contact, [born, later, event('contact.archived', { contact_id: 'C1' }, T(3))])
    expect(row).toMatchObject({ phone: 'ask Bob', archived: true })
    expect(row).not.toHaveProperty('account')
  })
})

describe('quarantine', () => {
  const refused = event(
    'event.quarantined',
    {
      quarantine_id: 'Q1',
      hash: 'ab',
      reason: 'invalid_data',
      source: 'web',
      size_bytes: 120,
      event_type: 'cdp.track',
      message: 'event: expected text',
    },
    T(1),
  )

  test('is open until resubmitted', () => {
    const open = {
      quarantine_id: 'Q1',
      reason: 'invalid_data',
      message: 'event: expected text',
      source: 'web',
      event_type: 'cdp.track',
      hash: 'ab',
      size_bytes: 120,
      received: ms('2026-03-01T10:00:00Z'),
      status: 'open',
    }
    expect(onlyRow(quarantine, [refused])).toEqual(open)
    const again = event('event.resubmitted', { quarantine_id: 'Q1', position: 77 }, T(2))
    expect(onlyRow(quarantine, [again, refused])).toEqual({
      ...open,
      status: 'resubmitted',
      resubmitted_position: 77,
    })
  })
})
