import type { Random } from './random.ts'
import { createRandom } from './random.ts'
import type { SourceEvent } from './source-event.ts'

/**
 * A steady mix for load tests: what a shop with a sales team and a help desk sends on an ordinary day. Two thirds are
 * page and product views, most of them by visitors who are known by a cookie only; some people come often, most
 * seldom. One in a hundred of the population is on a visit at any moment, and visits interleave. Under half of the
 * events carry personal fields, which the intake seals; all of them name a person or company.
 *
 * Of 12,330 visits to a web shop the quarter with the fewest pages has at most 8, half have at most 20, and the mean is
 * 34.6; 13.7 % are by new visitors (Sakar and Kastro, Online Shoppers Purchasing Intention, UCI 468). Visits here
 * have 8 views in the mean, so that new ones are rather too many than too few.
 */
export interface Traffic {
  /** `timeMs` is when it happened, ms UTC. Ids count up, so two traffics of different `seed` never collide. */
  next(timeMs: number): SourceEvent
}

export interface TrafficOptions {
  readonly seed: number
  /** Size of the population that keeps coming back. */
  readonly people: number
}

interface Draw {
  readonly random: Random
  readonly options: TrafficOptions
  readonly number: number
  readonly person: number
  /** Who makes the view, of those who are on a visit. */
  visitor(): string
}

type Body = Pick<SourceEvent, 'source' | 'type' | 'identities' | 'data'>

/** Of a thousand events, so many are of each kind. */
const MIX: readonly (readonly [number, (draw: Draw) => Body])[] = [
  [310, pageViewed],
  [310, productViewed],
  [70, productAdded],
  [25, checkoutStarted],
  [25, orderCompleted],
  [25, invoiceIssued],
  [60, mailed],
  [35, identified],
  [15, assetDownloaded],
  [25, leadMoved],
  [30, dealMoved],
  [15, contactUpdated],
  [30, caseMoved],
  [15, activityLogged],
  [10, consentGiven],
]

const PER_MILLE: readonly ((draw: Draw) => Body)[] = MIX.flatMap(([share, make]) => Array(share).fill(make))

const SHARE_ON_A_VISIT = 0.01
const VIEWS_A_VISIT = 8
const NEW_VISITORS = 0.137

export function createTraffic(options: TrafficOptions): Traffic {
  const random = createRandom(`traffic ${options.seed}`)
  const visits: string[] = Array(Math.ceil(options.people * SHARE_ON_A_VISIT)).fill('')
  let number = 0
  // Squaring makes a quarter of the people account for half of the visits.
  const somebody = () => Math.floor(random.next() ** 2 * options.people)
  const newVisit = (): string => {
    if (random.chance(NEW_VISITORS)) return `anonymous:n${options.seed}-${number}`
    const person = somebody()
    return random.chance(0.3) ? user(person) : `anonymous:a${person}`
  }
  const visitor = (): string => {
    const place = random.integer(0, visits.length - 1)
    const under = visits[place] ?? ''
    if (under !== '' && !random.chance(1 / VIEWS_A_VISIT)) return under
    const begun = newVisit()
    visits[place] = begun
    return begun
  }
  return {
    next(timeMs) {
      number += 1
      const make = random.pick(PER_MILLE)
      const body = make({ random, options, number, person: somebody(), visitor })
      return { id: `t${options.seed}-${number}`, time: new Date(timeMs).toISOString(), ...body }
    },
  }
}

const user = (person: number): string => `user:u${person}`
const mail = (person: number): string => `p${person}@example.com`
const phone = (person: number): string => `+4420${String(70_000_000 + person)}`

const PAGES = ['home', 'pricing', 'catalogue', 'about', 'help', 'blog', 'contact', 'returns'] as const
const CATEGORIES = ['lamps', 'mugs', 'chairs', 'desks', 'shelves'] as const

function pageViewed(draw: Draw): Body {
  const page = draw.random.pick(PAGES)
  const properties = {
    path: `/${page}`,
    url: `https://shop.example.com/${page}?ref=${draw.random.integer(0, 999)}`,
    title: page,
    referrer: 'https://search.example.net/',
  }
  return { source: 'web', type: 'cdp.page', identities: [draw.visitor()], data: { name: page, properties } }
}

function product({ random }: Draw): Record<string, unknown> {
  const item = random.integer(0, 1_999)
  return {
    product_id: `sku-${item}`,
    name: `Product ${item}`,
    category: random.pick(CATEGORIES),
    price: `${5 + (item % 90)}.95`,
  }
}

function productViewed(draw: Draw): Body {
  const data = { ...product(draw), currency: 'EUR', url: 'https://shop.example.com/p' }
  return { source: 'web', type: 'Product Viewed', identities: [draw.visitor()], data }
}

function productAdded(draw: Draw): Body {
  const data = {
    ...product(draw),
    quantity: 1 + draw.random.integer(0, 2),
    currency: 'EUR',
    cart_id: `c${draw.person}`,
  }
  return { source: 'web', type: 'Product Added', identities: [draw.visitor()], data }
}

function products(draw: Draw): readonly Record<string, unknown>[] {
  return Array.from({ length: 1 + draw.random.integer(0, 2) }, () => ({ ...product(draw), quantity: 1 }))
}

function checkoutStarted(draw: Draw): Body {
  const data = { cart_id: `c${draw.person}`, products: products(draw), currency: 'EUR' }
  return { source: 'web', type: 'Checkout Started', identities: [user(draw.person)], data }
}

function orderCompleted(draw: Draw): Body {
  const lines = products(draw)
  const data = {
    order_id: `o${draw.options.seed}-${draw.number}`,
    products: lines,
    total: `${lines.length * 30}.95`,
    currency: 'EUR',
    country: 'DE',
  }
  return { source: 'web', type: 'Order Completed', identities: [user(draw.person)], data }
}

function invoiceIssued(draw: Draw): Body {
  const lines = products(draw).map(({ product_id, price }) => ({
    product_id,
    quantity: 1,
    unit_price: price,
  }))
  const data = { invoice_id: `i${draw.options.seed}-${draw.number}`, currency: 'EUR', country: 'DE', lines }
  return {
    source: 'erp',
    type: 'erp.invoice_issued',
    identities: [`erp:e${draw.person}`, user(draw.person)],
    data,
  }
}

const MAIL_TYPES = ['Email Delivered', 'Email Delivered', 'Email Opened', 'Email Link Clicked'] as const

function mailed(draw: Draw): Body {
  const campaign = draw.random.integer(0, 49)
  const data = {
    email_id: `m${draw.number}`,
    campaign_id: `camp-${campaign}`,
    campaign_name: `Campaign ${campaign}`,
  }
  const identities = [`email:${mail(draw.person)}`]
  return { source: 'marketing', type: draw.random.pick(MAIL_TYPES), identities, data }
}

function identified(draw: Draw): Body {
  const { person, random } = draw
  const traits = {
    email: mail(person),
    phone: phone(person),
    firstName: `First${person}`,
    lastName: `Last${person}`,
    plan: random.pick(['free', 'basic', 'pro']),
    city: random.pick(['Berlin', 'Paris', 'Oslo', 'Porto']),
  }
  const identities = [user(person), `anonymous:a${person}`]
  return { source: 'web', type: 'cdp.identify', identities, data: { traits } }
}

function assetDownloaded(draw: Draw): Body {
  const asset = draw.random.integer(0, 19)
  const data = {
    asset_id: `wp-${asset}`,
    asset_name: `Whitepaper ${asset}`,
    asset_type: 'pdf',
    channel: 'web',
  }
  return { source: 'marketing', type: 'marketing.asset_downloaded', identities: [draw.visitor()], data }
}

const LIFECYCLE = ['lead', 'marketing_qualified', 'sales_qualified', 'opportunity', 'customer'] as const

function leadMoved(draw: Draw): Body {
  const { person, random } = draw
  const data = { lead_id: `l${person}`, email: mail(person), origin: 'web' }
  if (random.next() < 0.5) return { source: 'crm', type: 'lead.created', data: { ...data, status: 'new' } }
  return {
    source: 'crm',
    type: 'lead.lifecycle_changed',
    data: { lead_id: `l${person}`, to: random.pick(LIFECYCLE) },
  }
}

const STAGES = [
  'Prospecting',
  'Qualification',
  'Needs Analysis',
  'Proposal/Price Quote',
  'Closed Won',
] as const

function dealMoved({ person, random }: Draw): Body {
  const data = {
    opportunity_id: `d${person}`,
    account_id: `acc${person % 5_000}`,
    to: random.pick(STAGES),
    amount: `${1_000 + random.integer(0, 89_999)}`,
    currency: 'EUR',
    owner: `rep-${person % 40}`,
  }
  return { source: 'crm', type: 'opportunity.stage_changed', data }
}

function contactUpdated({ person, random }: Draw): Body {
  const data = {
    contact_id: `k${person}`,
    email: mail(person),
    phone: phone(person),
    title: random.pick(['Buyer', 'Director', 'Engineer']),
    country: 'DE',
  }
  return { source: 'crm', type: 'contact.updated', data }
}

const CASE_TYPES = ['case.opened', 'case.updated', 'case.assigned', 'case.resolved'] as const

function caseMoved({ person, random }: Draw): Body {
  const data = {
    case_id: `s${person}`,
    subject: 'It does not arrive',
    priority: random.pick(['low', 'medium', 'high']),
    status: random.pick(['open', 'waiting', 'resolved']),
    channel: 'mail',
    owner: `agent-${person % 30}`,
  }
  return { source: 'support', type: random.pick(CASE_TYPES), identities: [`email:${mail(person)}`], data }
}

function activityLogged({ person, random }: Draw): Body {
  const data = {
    activity_id: `v${random.integer(0, 2 ** 31 - 1)}`,
    kind: random.pick(['call', 'meeting', 'note', 'mail']),
    direction: 'outbound',
    outcome: 'connected',
    owner: `rep-${person % 40}`,
  }
  return { source: 'crm', type: 'activity.logged', identities: [`contact:k${person}`], data }
}

function consentGiven({ person, random }: Draw): Body {
  const data = {
    purpose: random.pick(['newsletter', 'analytics', 'profiling']),
    basis: 'consent',
    channel: 'web',
  }
  return { source: 'web', type: 'consent.granted', identities: [user(person)], data }
}
