import fc from 'fast-check'
import { NOON } from '../support/intake-world.ts'

/** Events as senders state them, about few people, so that they merge, conflict, come late and are cut apart again. */

const DAY_MS = 86_400_000

const people = fc.record(
  {
    userId: fc.constantFrom('u1', 'u2', 'u3'),
    anonymousId: fc.constantFrom('a1', 'a2', 'tablet'),
    email: fc.constantFrom('ann@example.com', 'bob@example.com', 'cleo@example.com'),
    phone: fc.constantFrom('+442079460018', '+442079460999', ''),
    plan: fc.constantFrom('free', 'gold', null),
  },
  { requiredKeys: [] },
)

const identity = fc.constantFrom(
  { namespace: 'user', value: 'u1' },
  { namespace: 'user', value: 'u2' },
  { namespace: 'anonymous', value: 'tablet' },
  { namespace: 'anonymous', value: 'a1' },
  { namespace: 'email', value: 'ann@example.com' },
  { namespace: 'email', value: 'bob@example.com' },
)

type Content = { readonly type: string; readonly data: Readonly<Record<string, unknown>> }

const identify = people.map(
  ({ userId, anonymousId, ...traits }): Content => ({
    type: 'cdp.identify',
    data: { userId: userId ?? anonymousId ?? 'u1', anonymousId, traits },
  }),
)
const page = people.map(
  ({ userId, anonymousId }): Content => ({
    type: 'cdp.page',
    data: { userId, anonymousId: anonymousId ?? 'a1', name: 'Home' },
  }),
)
const lead = fc.tuple(fc.constantFrom('L1', 'L2'), people).map(
  ([lead_id, { email, phone }]): Content => ({
    type: 'lead.created',
    data: { lead_id, email, phone },
  }),
)
const assigned = fc.tuple(fc.constantFrom('L1', 'L2'), fc.integer({ min: 0, max: 9 })).map(
  ([lead_id, day]): Content => ({
    type: 'lead.assigned',
    data: { lead_id, owner: 'sam', respond_by: new Date(NOON + day * DAY_MS).toISOString() },
  }),
)
const order = fc.tuple(fc.constantFrom('o1', 'o2', 'o3'), people).map(
  ([order_id, { userId, email }]): Content => ({
    type: 'Order Completed',
    data: { order_id, userId: userId ?? 'u1', email, total: '12.50', currency: 'EUR' },
  }),
)
const source = fc
  .tuple(fc.constantFrom('web', 'erp', 'crm'), fc.constantFrom(1, 2))
  .map(([name, priority]): Content => ({ type: 'source.registered', data: { source: name, priority } }))
const decision = fc
  .tuple(
    fc.constantFrom('identity.linked', 'identity.cut', 'identity.cut_lifted', 'identity.kept_apart'),
    fc.uniqueArray(identity, { minLength: 2, maxLength: 2, selector: ({ value }) => value }),
  )
  .map(([type, identities]): Content => ({ type, data: { steward: 'sam', identities } }))

const content = fc.oneof(
  { arbitrary: identify, weight: 5 },
  { arbitrary: page, weight: 2 },
  { arbitrary: lead, weight: 2 },
  { arbitrary: assigned, weight: 1 },
  { arbitrary: order, weight: 2 },
  { arbitrary: source, weight: 1 },
  { arbitrary: decision, weight: 2 },
)

export interface Told {
  /** The envelope, in CloudEvents' form. */
  readonly event: Readonly<Record<string, unknown>>
  /** The clock moves on so much before it arrives. */
  readonly afterMs: number
}

const told: fc.Arbitrary<Told> = fc
  .tuple(
    content,
    fc.constantFrom('web', 'erp', 'crm'),
    fc.integer({ min: -9, max: 0 }),
    fc.integer({ min: 0, max: 2 }),
  )
  .map(([{ type, data }, from, day, days]) => ({
    event: { type, source: from, time: new Date(NOON + day * DAY_MS).toISOString(), data },
    afterMs: days * DAY_MS,
  }))

/** Ids are those of the places, so that shrinking keeps them apart. */
export const story: fc.Arbitrary<readonly Told[]> = fc
  .array(told, { minLength: 1, maxLength: 14 })
  .map((all) => all.map((each, i) => ({ ...each, event: { id: `e${i}`, ...each.event } })))
