import fc from 'fast-check'
import { catalogue, type EventType } from '../../engine/events/catalogue.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import type { Sample } from '../laws/projection-laws.ts'
import { arbitraryData } from '../support/arbitrary.ts'
import { definitions, statedFields, VISITS } from './defined.ts'
import { event, idOf } from './given.ts'

/** Events of the catalogue with few ids, instants and sources, so that they meet in the same keys and tie. */

const POOLS: Readonly<Record<string, readonly unknown[]>> = {
  userId: ['u1', 'u2'],
  user_id: ['u1', 'u2'],
  anonymousId: ['a1', 'a3'],
  previousId: ['a1', 'a2'],
  lead_id: ['L1', 'L2'],
  contact_id: ['C1', 'C2'],
  customer_id: ['12345', '12346'],
  account_id: ['A1', 'A2'],
  company_id: ['A1'],
  groupId: ['A1'],
  opportunity_id: ['O1', 'O2'],
  order_id: ['536365', '__proto__'],
  invoice_id: ['I1', '__proto__'],
  quarantine_id: ['Q1', 'Q2'],
  product_id: ['85123A', '__proto__', '22423'],
  email: ['Ann@Example.com', 'bob@example.com', ''],
  phone: ['+44 20 7946 0018', 'none', ''],
  stage: ['prospecting', 'Closed Won', 'closed_lost', 'elsewhere', ''],
  to: ['negotiation', 'closed_won', 'MQL', 'customer', 'other'],
  status: ['working', 'nurture'],
  outcome: ['connected', 'bounced'],
  probability: [0, 33.3, '70', ''],
  forecast_category: ['commit', ''],
  amount: [0, '12.5', 1e9, ''],
  total: [100, '99.99', -5],
  price: [9.99, '0.001', 9e11],
  unit_price: [2.55, '-11062.06', 9e11],
  quantity: [1, -1, '2.5', 1000, 900_000_000],
  currency: ['GBP', 'eur'],
  country: ['United Kingdom', 'DE', 'Unspecified'],
  case_id: ['K1', 'K2'],
  campaign_id: ['M1', '__proto__'],
  coupon: ['c1', ''],
  expires_at: ['2026-03-01T12:00:00Z', '2026-03-01T12:00:01Z', '2026-03-02'],
  respond_by: ['2026-03-01T12:00:00Z', '2026-03-01T12:00:01Z', '2026-03-02'],
}

/** What else stewards' decisions are about. */
const DECIDED: Readonly<Record<string, readonly unknown[]>> = {
  ...POOLS,
  field: [
    'phone',
    'name',
    'owner',
    'amount',
    'country',
    'address',
    'lifecycle',
    'traits.x',
    'due_at',
    'elsewhere',
    'd_text',
    'd_money',
    'd_day',
    'traits.d_text',
  ],
  value: ['x', '', '12.5', 7, true, '2026-03-01T12:00:00Z', 'gold'],
}

/** What they are about: a record by its own id, or by that of the identity that it is. */
const ABOUT: readonly Readonly<Record<string, unknown>>[] = [
  {},
  { view: 'profile' },
  { view: 'opportunity', key: 'O1' },
  { view: 'case', key: 'K1' },
  { view: 'campaign', key: 'M1' },
  { view: 'visit', key: 'visit:V1' },
  ...[
    { namespace: 'account', value: 'A1' },
    { namespace: 'contact', value: 'C1' },
    { namespace: 'lead', value: 'L1' },
  ].map((identity) => ({ view: identity.namespace, key: idOf(identity) })),
]

/** The same data with values of the pools, at any depth, where something stood there. */
function pooled(data: unknown, pick: (size: number) => number, pools = POOLS): unknown {
  if (Array.isArray(data)) return data.map((each) => pooled(each, pick, pools))
  if (typeof data !== 'object' || data === null) return data
  const entries = Object.entries(data).map(([name, value]) => {
    const pool = Object.hasOwn(pools, name) ? pools[name] : undefined
    if (pool === undefined || typeof value === 'object') return [name, pooled(value, pick, pools)] as const
    return [name, pool[pick(pool.length)]] as const
  })
  return Object.fromEntries(entries)
}

/** Hardly more than who and what it is about, where the codec allows it. */
function sparse(type: EventType, data: Record<string, unknown>): Record<string, unknown> {
  const ids = Object.fromEntries(Object.entries(data).filter(([name]) => /(_id|Id)$/.test(name)))
  return catalogue[type].codec.is(ids) ? ids : data
}

const times = fc.constantFrom(
  '2026-02-28T23:59:59.999Z',
  '2026-03-01T00:00:00Z',
  '2026-03-01T12:00:00Z',
  '2026-03-01T12:00:01Z',
  '2026-03-02T00:00:00Z',
)
const sources = fc.constantFrom('crm', 'web', 'erp')
const origins = fc.constantFrom(undefined, undefined, 'erp', 'headwater', 'somewhere')

export function arbitraryEvent(type: string): fc.Arbitrary<DecodedEvent> {
  if (!Object.hasOwn(catalogue, type)) {
    return fc
      .tuple(times, sources, statedFields, fc.constantFrom(...VISITS), origins)
      .map(([at, source, fields, of, origin]) => event(type, { ...fields, ...of }, { at, source, origin }))
  }
  const known = type as EventType
  return fc
    .tuple(arbitraryData(catalogue[known]), times, sources, fc.nat({ max: 2 }), fc.nat(), origins)
    .map(([data, at, source, sequence, seed, origin]) => {
      let state = seed
      const pick = (size: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
        return (state >>> 8) % size
      }
      const stated = { at, source, origin, sequence: sequence === 0 ? undefined : sequence }
      const decides = 'steward' in data
      const about = decides ? ABOUT[pick(ABOUT.length)] : undefined
      const full = { ...(pooled(data, pick, decides ? DECIDED : POOLS) as Record<string, unknown>), ...about }
      return event(known, pick(4) === 0 ? sparse(known, full) : full, stated)
    })
}

/** An event that states defined fields too, as its type states fields. */
function definedEvent(type: string): fc.Arbitrary<DecodedEvent> {
  return fc.tuple(arbitraryEvent(type), statedFields).map(([each, fields]) => {
    const { data } = each
    if ('steward' in data) return each
    const isByTraits = type === 'cdp.identify' || type === 'cdp.group'
    const stated = isByTraits ? { traits: { ...Object(data['traits']), ...fields } } : fields
    return { ...each, data: { ...data, ...stated } }
  })
}

export function arbitraryEvents(projection: AnyProjection, maxLength = 12): fc.Arbitrary<DecodedEvent[]> {
  return eventsOf(projection, maxLength, arbitraryEvent)
}

/** Events that state defined fields too; `projection` is under their definitions. */
export function definedEvents(projection: AnyProjection, maxLength = 12): fc.Arbitrary<DecodedEvent[]> {
  return eventsOf(projection, maxLength, definedEvent)
}

function eventsOf(
  projection: AnyProjection,
  maxLength: number,
  eventOf: (type: string) => fc.Arbitrary<DecodedEvent>,
): fc.Arbitrary<DecodedEvent[]> {
  const types = projection.handles === 'every' ? ['cdp.page', 'acme.custom', '__proto__'] : projection.handles
  if (types.length === 0) return fc.constant([])
  return fc.array(fc.oneof(...types.map(eventOf)), { minLength: 1, maxLength })
}

const fieldRules = fc.constantFrom(
  { rule: 'first' },
  { rule: 'ranked', sources: ['erp', 'web'] },
  { rule: 'rankedUnlessBlank' },
  { rule: 'max' },
  { rule: 'review', window: '1s' },
  { rule: 'mostRestrictive', values: ['x', 'none'] },
  { rule: 'nonsense' },
)
const RULED = [
  'profile.phone',
  'profile.name',
  'account.owner',
  'opportunity.amount',
  'lead.phone',
  'case.owner',
]

const survivorship = fc.option(fc.dictionary(fc.constantFrom(...RULED), fieldRules, { maxKeys: 4 }), {
  nil: undefined,
})

/** Nothing published, or source priorities, stages and rules of the workspace's own. */
export const arbitraryPublished: fc.Arbitrary<readonly DecodedEvent[]> = fc
  .tuple(fc.constantFrom(...permutations(['crm', 'web', 'erp'])), fc.boolean(), fc.boolean(), survivorship)
  .map(([order, ranked, staged, rules]) => {
    const registered = order.map((source, priority) => event('source.registered', { source, priority }))
    const stages = [
      { id: 'elsewhere', label: 'Elsewhere', probability: 5, forecast_category: 'pipeline' },
      { id: 'negotiation', label: 'Talks', probability: 80, forecast_category: 'commit' },
      { id: 'signed', label: 'Closed Won', probability: 100, forecast_category: 'closed', closed: 'won' },
    ]
    const published = event('stages.published', { stages })
    const ruled = rules === undefined ? [] : [event('rules.published', { kind: 'survivorship', rules })]
    return [...(ranked ? registered : []), ...(staged ? [published] : []), ...ruled]
  })

/** Mostly of one type, so that they are about the same, with some of any other; often few. */
function relatedEvents(
  projection: AnyProjection,
  arbitraryEvent: (type: string) => fc.Arbitrary<DecodedEvent>,
): fc.Arbitrary<DecodedEvent[]> {
  const types = projection.handles === 'every' ? ['cdp.page', 'acme.custom', '__proto__'] : projection.handles
  const ofTypes = types.map(arbitraryEvent)
  const any = fc.oneof(...ofTypes)
  const histories = ofTypes.map((ofOne) => {
    const one = fc.oneof({ arbitrary: ofOne, weight: 3 }, { arbitrary: any, weight: 1 })
    const upTo = (maxLength: number) => fc.array(one, { minLength: 1, maxLength })
    return fc.oneof(upTo(6), upTo(12))
  })
  return fc.oneof(...histories)
}

/** Enough for the events. */
const chances = fc.array(fc.nat({ max: 1_000 }), { minLength: 12, maxLength: 12 })

export function arbitrarySample(projection: AnyProjection): fc.Arbitrary<Sample> {
  return fc.record({
    events: relatedEvents(projection, arbitraryEvent),
    published: arbitraryPublished,
    chances,
  })
}

/** The same under definitions; `projection` is what they make of it. */
export function definedSample(projection: AnyProjection): fc.Arbitrary<Sample> {
  const ruled = fc.option(fc.dictionary(fc.constantFrom(...RULED_DEFINED), fieldRules, { maxKeys: 3 }), {
    nil: undefined,
  })
  const published = fc
    .tuple(arbitraryPublished, ruled)
    .map(([others, rules]) => [
      ...others.filter(({ type }) => rules === undefined || type !== 'rules.published'),
      ...(rules === undefined ? [] : [event('rules.published', { kind: 'survivorship', rules })]),
      ...definitions,
    ])
  return fc.record({
    events: relatedEvents(projection, definedEvent),
    published,
    chances,
  })
}

const RULED_DEFINED = [
  ...['profile.d_text', 'account.d_money', 'case.d_day', 'lead.d_text', 'visit.d_text', 'visit.d_money'],
  'opportunity.d_text',
]

function permutations(names: readonly string[]): string[][] {
  if (names.length === 0) return [[]]
  return names.flatMap((name) =>
    permutations(names.filter((each) => each !== name)).map((rest) => [name, ...rest]),
  )
}
