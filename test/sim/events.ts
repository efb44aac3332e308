import fc from 'fast-check'
import { catalogue } from '../../engine/events/catalogue.ts'
import { arbitraryEvent } from '../projections/generate.ts'
import { aboutObject, anyDefinition, definedValues } from './defined.ts'
import { anyDecision, anyRegistration, anyRules, type Made } from './published.ts'
import type { Random } from './random.ts'
import { START_MS } from './timeline.ts'

/** What senders send: an envelope in CloudEvents JSON form. */
export type Sent = Readonly<Record<string, unknown>> & { readonly id: string; readonly source: string }

type Data = Readonly<Record<string, unknown>>

const SOURCES = ['web', 'crm', 'erp', 'support'] as const
const SAMPLES = 5
const SAMPLE_SEED = 20_260_301

/** A few events of every type of the catalogue, valid ones: the same in every run. */
const wild: readonly { readonly type: string; readonly data: Data }[] = Object.keys(catalogue).flatMap(
  (type) => sampled(type).map(({ data }) => ({ type, data })),
)

function sampled(type: string) {
  try {
    return fc.sample(arbitraryEvent(type), { seed: SAMPLE_SEED, numRuns: SAMPLES })
  } catch {
    // Of a few types the generator makes data that the codec doesn't take; they come by hand.
    return []
  }
}

/** An event of any kind; `number` makes its id. */
export function anyEvent(random: Random, number: number): Sent {
  const { type, data, ...rest } = random.pick(random.percent(55) ? FREQUENT : RARE)(random)
  const source = random.pick(SOURCES)
  const event = { id: `e-${number}`, source, type, data, ...stated(random), ...rest }
  return random.percent(3) ? malformed(random, event) : event
}

/** Facts of the envelope that matter to folds. */
function stated(random: Random): Data {
  const late = random.percent(25) ? random.pick([60_000, 3_600_000, 86_400_000, 90 * 86_400_000]) : 0
  // Few instants, so that some tie.
  const time = random.percent(80)
    ? new Date(START_MS - late + random.below(10) * 1_000).toISOString()
    : undefined
  return {
    ...(time === undefined ? {} : { time }),
    ...(random.percent(20) ? { sequence: random.below(3) } : {}),
    ...(random.percent(5) ? { origin: random.pick(SOURCES) } : {}),
    ...(random.percent(10) ? { basedon: random.below(40) } : {}),
    ...(random.percent(4) ? { expectedrevision: random.between(-1, 2) } : {}),
  }
}

function malformed(random: Random, event: Sent): Sent {
  switch (random.below(4)) {
    case 0:
      return { ...event, type: 'cdp.identify', data: { userId: {} } }
    case 1:
      return { ...event, schema: 99, type: 'cdp.identify' }
    case 2:
      return { ...event, type: 'person.erased', data: { certificate: 'forged', erased: [] } }
    default:
      return { ...event, time: 'yesterday' }
  }
}

type Maker = (random: Random) => Made

const user = (random: Random): string => `u${random.between(1, 5)}`
const anonymous = (random: Random): string => `a${random.between(1, 7)}`
const email = (random: Random): string => `p${random.between(1, 6)}@example.com`

/** Somebody by a stated identity. */
function somebody(random: Random): string {
  switch (random.below(3)) {
    case 0:
      return `user:${user(random)}`
    case 1:
      return `email:${email(random)}`
    default:
      return `anonymous:${anonymous(random)}`
  }
}

function identify(random: Random): Made {
  const who = {
    ...(random.percent(60) ? { userId: user(random) } : {}),
    ...(random.percent(60) ? { anonymousId: anonymous(random) } : {}),
  }
  const traits = {
    ...(random.percent(50) ? { email: email(random) } : {}),
    ...(random.percent(40) ? { first_name: random.pick(['Ann', 'Bob', '', null]) } : {}),
    ...(random.percent(30) ? { phone: random.pick(['+44 20 7946 0018', 'none', '']) } : {}),
    ...(random.percent(15) ? definedValues(random) : {}),
  }
  return { type: 'cdp.identify', data: { ...who, traits } }
}

function page(random: Random): Made {
  const data = { anonymousId: anonymous(random), name: random.pick(['home', 'prices', 'boom']) }
  return { type: 'cdp.page', data: random.percent(20) ? { ...data, userId: user(random) } : data }
}

function track(random: Random): Made {
  const event = random.pick(['Looked', 'boom', 'Clicked'])
  return { type: 'cdp.track', data: { userId: user(random), event, properties: { n: random.below(9) } } }
}

function order(random: Random): Made {
  const products = [
    { product_id: random.pick(['mug', 'cup']), price: '4.95', quantity: random.between(1, 3) },
  ]
  const data = { order_id: `o${random.below(6)}`, total: random.between(5, 50), currency: 'GBP', products }
  return {
    type: 'Order Completed',
    data: { ...data, [random.pick(['userId', 'anonymousId'])]: user(random) },
  }
}

function lead(random: Random): Made {
  const more = random.percent(15) ? definedValues(random) : {}
  const about = { lead_id: `L${random.between(1, 3)}`, email: email(random), ...more }
  const soon = new Date(START_MS + random.between(1, 120) * 1_000).toISOString()
  return random.percent(60)
    ? { type: 'lead.assigned', data: { ...about, owner: 'Ines', respond_by: soon } }
    : { type: random.pick(['lead.created', 'lead.first_responded', 'lead.accepted']), data: about }
}

function decision(random: Random): Made {
  const type = random.pick([
    'identity.linked',
    'identity.cut',
    'identity.cut',
    'identity.cut_lifted',
    'identity.kept_apart',
  ])
  return { type, data: { steward: 'sue' }, identities: [somebody(random), somebody(random)] }
}

function consent(random: Random): Made {
  const type = random.pick(['consent.granted', 'consent.granted', 'consent.revoked'])
  return { type, data: { purpose: 'newsletter', user_id: user(random), email: email(random) } }
}

function custom(random: Random): Made {
  const data = { user_id: user(random), n: random.below(5) }
  return { type: 'acme.custom', data, identities: [somebody(random)] }
}

const FREQUENT: readonly Maker[] = [identify, identify, page, page, track, order, lead, decision]
const RARE: readonly Maker[] = [
  consent,
  custom,
  anyRegistration,
  anyRules,
  anyDefinition,
  aboutObject,
  anyDecision,
  anyDecision,
  decision,
  ...Array.from({ length: 12 }, (): Maker => (random) => random.pick(wild)),
]
