/**
 * Theorem: the golden record takes each field by its survivorship rule from whatever atoms a profile consists of, keeps
 * absent, removed and blank apart, and says for each value which write won.
 */
import { describe, expect, test } from 'vitest'
import type { DecodedEvent } from '../../engine/projector/projection.ts'
import { profile } from '../../projections/cdp/profile.ts'
import {
  configuration,
  event,
  fold,
  ms,
  NO_CONFIGURATION,
  onlyRow,
  profileRows,
  type Stated,
} from './given.ts'

const T1 = { at: '2026-03-01T10:00:00Z' }
const T2 = { at: '2026-03-02T10:00:00Z' }
const T3 = { at: '2026-03-03T10:00:00Z' }
const web = (traits: Record<string, unknown> | null, stated: Stated = T1) =>
  event('cdp.identify', { userId: 'u1', traits }, { source: 'web', ...stated })
const golden = (events: readonly DecodedEvent[], config = NO_CONFIGURATION) =>
  profileRows(profile, events, config)['']

const TRUSTED = configuration(
  event('source.registered', { source: 'crm', priority: 1 }),
  event('source.registered', { source: 'web', priority: 2 }),
)

describe('a person', () => {
  test('reserved traits become fields, the others stay traits', () => {
    const address = { street: '1 High St', city: 'York', postalCode: 'YO1', country: 'GB', planet: 'Earth' }
    const identified = web({
      firstName: 'Ann',
      lastName: 'Smith',
      email: 'Ann@Example.com',
      company: { name: 'Acme', employee_count: 4 },
      address,
      plan: 'gold',
      logins: 3,
      nick: '',
      gone: null,
      phone: { not: 'a phone' },
    })
    expect(onlyRow(profile, [identified])).toEqual({
      kind: 'person',
      name: 'Ann Smith',
      first_name: 'Ann',
      last_name: 'Smith',
      email: 'ann@example.com',
      company: 'Acme',
      company_domain: 'example.com',
      address: { street: '1 High St', city: 'York', postal_code: 'YO1', country: 'GB' },
      country: 'GB',
      traits: { plan: 'gold', logins: 3, nick: '', phone: { not: 'a phone' } },
      sources: ['web'],
      first_seen: ms(T1.at),
      last_seen: ms(T1.at),
    })
  })

  test('null removes, a blank stays blank, absent changes nothing', () => {
    const before = web({ name: 'Ann', title: 'CTO', plan: 'gold', city: 'York' })
    const after = golden([web({ name: '', title: null, plan: null }, T2), before])
    expect(after).toMatchObject({ name: '', traits: { city: 'York' } })
    expect(after).not.toHaveProperty('title')
    expect(golden([before, web(null, T2)])).toMatchObject({ name: 'Ann' })
  })

  test('e-mail is taken from the most trusted source unless it is blank there; a name from the newest', () => {
    const record = (email: string) =>
      event('contact.created', { contact_id: 'C1', email, name: 'Ann (CRM)' }, { ...T1, source: 'crm' })
    const own = web({ email: 'new@example.com', name: 'Annie' }, T2)
    expect(golden([record('ann@corp.example'), own], TRUSTED)).toMatchObject({
      email: 'ann@corp.example',
      name: 'Annie',
      sources: ['crm', 'web'],
    })
    expect(golden([record(''), own], TRUSTED)).toMatchObject({ email: 'new@example.com' })
    expect(golden([record('ann@corp.example'), own])).toMatchObject({ email: 'new@example.com' })
  })

  test('an address comes whole from one writer', () => {
    const long = web({ address: { street: '1 High St', city: 'York' } })
    const short = web({ address: { city: 'Leeds' } }, T2)
    expect(golden([long, short])?.address).toEqual({ city: 'Leeds' })
    expect(golden([long, web({ address: '2 Low St\nHull' }, T2)])?.address).toEqual({
      text: '2 Low St\nHull',
    })
    expect(golden([long, web({ address: null }, T2)])).not.toHaveProperty('address')
  })

  test('lifecycle: a lead, then a customer, never back; seen from first to last event', () => {
    const created = event('lead.created', { lead_id: 'L1', email: 'a@b.example' }, T2)
    const ordered = event('Order Completed', { order_id: 1, userId: 'u1', email: 'A@b.example' }, T1)
    const changed = event('lead.lifecycle_changed', { lead_id: 'L1', to: 'MQL' }, T3)
    expect(golden([created])).toMatchObject({ lifecycle: 'lead' })
    expect(golden([created, changed])).toMatchObject({ lifecycle: 'marketing_qualified' })
    expect(golden([created, changed, ordered])).toMatchObject({
      lifecycle: 'customer',
      email: 'a@b.example',
      first_seen: ms(T1.at),
      last_seen: ms(T3.at),
    })
  })

  test('an invoice makes a customer with a country; a page view a visitor', () => {
    const lines = [{ product_id: 'p', quantity: 1, unit_price: 1 }]
    const invoiced = event('erp.invoice_issued', {
      invoice_id: '536365',
      customer_id: '17850',
      country: 'gb',
      lines,
    })
    expect(onlyRow(profile, [invoiced])).toMatchObject({
      kind: 'person',
      lifecycle: 'customer',
      country: 'GB',
    })
    expect(onlyRow(profile, [event('cdp.page', { anonymousId: 'a1' }, T1)])).toEqual({
      kind: 'person',
      traits: {},
      sources: ['crm'],
      first_seen: ms(T1.at),
      last_seen: ms(T1.at),
    })
  })

  test('a group names the company of its member, and describes itself only where it leads', () => {
    const traits = { name: 'Acme', industry: 'Tools', plan: 'team' }
    expect(onlyRow(profile, [event('cdp.group', { userId: 'u1', groupId: 'A1', traits })])).toMatchObject({
      kind: 'person',
      company: 'Acme',
      traits: {},
    })
    expect(onlyRow(profile, [event('cdp.group', { groupId: 'A1', traits })])).toMatchObject({
      kind: 'company',
      name: 'Acme',
      industry: 'Tools',
      traits: { plan: 'team' },
    })
  })
})

test('a company has a profile of its own; a lead that only names it says nothing about it', () => {
  const born = event('account.created', {
    account_id: 'A1',
    name: 'Acme',
    domain: 'acme.example',
    country: 'DE',
  })
  const stray = event('lead.created', { account_id: 'A1', name: 'Ann', company: 'ACME Ltd' })
  expect(onlyRow(profile, [born, stray])).toMatchObject({
    kind: 'company',
    name: 'Acme',
    domain: 'acme.example',
    country: 'DE',
  })
})

test('trait names that objects treat specially are names like any other', () => {
  const traits: Record<string, unknown> = JSON.parse('{"__proto__": 1, "constructor": 2, "toString": null}')
  const row = onlyRow(profile, [web(traits)])
  expect(Object.entries(row.traits as object)).toEqual([
    ['__proto__', 1],
    ['constructor', 2],
  ])
})

test('explains the winner and what it overruled, of traits and derived names too', () => {
  const record = event(
    'contact.created',
    { contact_id: 'C1', email: 'ann@corp.example', first_name: 'Ann', last_name: 'Lee' },
    { ...T1, source: 'crm', id: 'from-crm' },
  )
  const own = web({ email: 'new@example.com', plan: 'gold' }, { ...T2, id: 'from-web' })
  const states = [...fold(profile, [record, own]).values()] as ReturnType<typeof profile.initial>[]
  const joined = states.reduce((a, b) => profile.join(a, b, NO_CONFIGURATION))
  const explained = profile.explain?.(joined, TRUSTED)
  expect(explained?.email).toMatchObject({
    value: 'ann@corp.example',
    rule: 'rankedUnlessBlank',
    winners: [{ 0: 'ann@corp.example', 4: 'from-crm' }],
    overruled: [{ 0: 'new@example.com', 4: 'from-web' }],
  })
  expect(explained?.['traits.plan']).toMatchObject({ value: 'gold', winners: [{ 4: 'from-web' }] })
  expect(explained?.name).toMatchObject({ value: 'Ann Lee', winners: [{ 0: 'Ann' }, { 0: 'Lee' }] })
})
