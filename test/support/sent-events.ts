import * as fc from 'fast-check'

/** Few people, addresses and deals, so that events meet. */
const PERSON = fc.integer({ min: 1, max: 6 }).map((n) => `u${n}`)
const EMAIL = fc.integer({ min: 1, max: 5 }).map((n) => `p${n}@example.com`)
const SOURCE = fc.constantFrom('web', 'crm', 'erp')
const TIME = fc.integer({ min: 0, max: 40 }).map((n) => new Date(Date.UTC(2026, 0, 1 + n)).toISOString())

/** What an intake is sent, but for its `id`: merges, cuts and new configuration included. */
export const SENT = fc.oneof(
  fc.record({
    type: fc.constant('cdp.identify'),
    source: SOURCE,
    time: TIME,
    data: fc.record({
      userId: PERSON,
      traits: fc.record({ email: EMAIL, name: fc.constantFrom('Ann', 'Bob', '') }, { requiredKeys: [] }),
    }),
  }),
  fc.record({
    type: fc.constant('cdp.page'),
    source: SOURCE,
    time: TIME,
    data: fc.record({ userId: PERSON, name: fc.constant('Home') }),
  }),
  fc.record({
    type: fc.constant('Order Completed'),
    source: SOURCE,
    time: TIME,
    data: fc.record({
      order_id: fc.constantFrom('o1', 'o2', 'o3'),
      userId: PERSON,
      total: fc.constantFrom(5, '7.25'),
      currency: fc.constant('EUR'),
    }),
  }),
  fc.record({
    type: fc.constantFrom('opportunity.created', 'opportunity.won', 'opportunity.lost'),
    source: SOURCE,
    time: TIME,
    data: fc.record({
      opportunity_id: fc.constantFrom('d1', 'd2'),
      owner: fc.constantFrom('Zane', 'Moses'),
      stage: fc.constantFrom('prospecting', 'closed_won'),
      amount: fc.constantFrom(10, 20),
      currency: fc.constant('EUR'),
    }),
  }),
  fc.record({
    type: fc.constantFrom('identity.linked', 'identity.cut', 'identity.cut_lifted'),
    source: fc.constant('crm'),
    time: TIME,
    data: fc.constant({ steward: 'kim', reason: 'test' }),
    identities: fc.tuple(PERSON, EMAIL).map(([user, email]) => [`user:${user}`, `email:${email}`]),
  }),
  fc.record({
    type: fc.constant('source.registered'),
    source: fc.constant('crm'),
    time: TIME,
    data: fc.record({ source: SOURCE, name: fc.constant('x'), priority: fc.integer({ min: 1, max: 9 }) }),
  }),
)
