import type { Product } from './company.ts'
import { PRODUCTS, SUPPLIES } from './company.ts'
import type { Calendar, DataOf } from './journal.ts'
import { DAY, HOUR, type Journal, MINUTE, SECOND } from './journal.ts'
import type { Person } from './people.ts'
import { typedPhone } from './people.ts'
import type { Random } from './random.ts'

/** What people do on the website and in the shop. */

const PAGES = [
  ['/', 'Home'],
  ['/machines', 'Espresso machines'],
  ['/coffee', 'Coffee'],
  ['/guides/water', 'Guide: water and espresso'],
  ['/about', 'About us'],
  ['/support', 'Help'],
] as const

const REFERRERS = [
  ['', 45],
  ['https://search.example/', 35],
  ['https://news.example/coffee', 12],
  ['https://social.example/feed', 8],
] as const

/** Who the web knows to be browsing. */
interface Browser {
  readonly anonymousId: string
  readonly userId?: string
}

function userIdOf(person: Person): string {
  return `u-${person.key.slice(1)}`
}

export function browserOf(person: Person, signedIn: boolean): Browser {
  const { anonymousId } = person
  return signedIn ? { anonymousId, userId: userIdOf(person) } : { anonymousId }
}

/** Pages and products in one sitting; answers when it ended. */
export function visit(journal: Journal, browser: Browser, random: Random, from: number): number {
  let at = from
  const pages = random.integer(1, 4)
  const referrer = random.weighted(REFERRERS)
  for (let page = 0; page < pages; page++) {
    const [path, name] = random.pick(PAGES)
    const properties = { path, ...(page === 0 && referrer !== '' ? { referrer } : {}) }
    journal.add('web', at, 'cdp.page', { ...browser, name, properties })
    at += random.between(8 * SECOND, 3 * MINUTE)
    if (random.chance(0.35)) {
      journal.add('web', at, 'Product Viewed', { ...browser, ...viewed(random.pick(PRODUCTS)) })
      at += random.between(10 * SECOND, 2 * MINUTE)
    }
  }
  return at
}

function viewed({ id, name, category, price }: Product): DataOf<'Product Viewed'> {
  return { product_id: id, name, category, price, currency: 'GBP' }
}

/** An account in the shop: from here on the web knows who this is, and what was browsed before belongs to them. */
function signUp(journal: Journal, person: Person, at: number): void {
  const { firstName, lastName, email, phone, country } = person
  journal.add('web', at, 'cdp.identify', {
    ...browserOf(person, true),
    traits: {
      first_name: firstName,
      last_name: lastName,
      email,
      country,
      ...(phone === undefined ? {} : { phone: typedPhone(phone) }),
    },
  })
}

/** How often this one comes back, and where life takes them. */
export function browsing(journal: Journal, person: Person, random: Random, calendar: Calendar): void {
  const visits = { visitor: 2, subscriber: 3, shopper: 5, business: 4 }[person.kind]
  let at = person.firstSeen
  for (let i = random.integer(1, visits); i > 0 && at < calendar.end; i--) {
    visit(journal, browserOf(person, false), random, at)
    at += random.between(HOUR, 30 * DAY)
  }
}

/** A private customer: signs up, then orders now and then, with the shop's and the biller's events of each order. */
export function shopping(journal: Journal, person: Person, random: Random, calendar: Calendar): void {
  let at = person.firstSeen + random.between(HOUR, 14 * DAY)
  signUp(journal, person, at)
  const every = random.between(12 * DAY, 70 * DAY)
  for (let number = 1; at < calendar.end && number <= 9; number++) {
    order(journal, person, random, { at: at + HOUR / 2, number })
    at += every * random.between(0.7, 1.4)
  }
}

interface Basket {
  readonly product: Product
  readonly quantity: number
}

function order(
  journal: Journal,
  person: Person,
  random: Random,
  { at, number }: { readonly at: number; readonly number: number },
): void {
  const browser = browserOf(person, true)
  const baskets = Array.from({ length: random.integer(1, 3) }, () => basket(random))
  const end = visit(journal, browser, random, at)
  for (const { product, quantity } of baskets) {
    const added = { ...browser, ...viewed(product), quantity }
    journal.add('web', end + random.between(SECOND, MINUTE), 'Product Added', added)
  }
  journal.add('web', end + 2 * MINUTE, 'Checkout Started', { ...browser, ...cartOf(baskets, person) })
  if (random.chance(0.2)) return
  const orderId = `W-${person.key.slice(1)}-${number}`
  const placed = end + 4 * MINUTE
  const completed = { ...browser, ...cartOf(baskets, person), order_id: orderId, email: person.email }
  journal.add('web', placed, 'Order Completed', { ...completed, country: person.country })
  bill(journal, person, { at: placed, orderId, baskets })
  if (!random.chance(0.04)) return
  journal.add('web', placed + 6 * DAY, 'Order Refunded', {
    ...browser,
    order_id: orderId,
    total: String(baskets[0]?.product.price ?? 0),
    currency: person.currency,
    reason: 'damaged on arrival',
  })
}

/** Mostly coffee and parts; a machine for the kitchen now and then. */
function basket(random: Random): Basket {
  const machine = random.chance(0.06)
  const product = machine ? (PRODUCTS[3] ?? random.pick(PRODUCTS)) : random.pick(SUPPLIES)
  return { product, quantity: machine ? 1 : random.integer(1, 3) }
}

function cartOf(baskets: readonly Basket[], person: Person): DataOf<'Checkout Started'> {
  const total = baskets.reduce((sum, { product, quantity }) => sum + product.price * quantity, 0)
  return {
    products: baskets.map(({ product: { id, name, price }, quantity }) => ({
      product_id: id,
      name,
      price,
      quantity,
    })),
    total: total.toFixed(2),
    currency: person.currency,
  }
}

export function customerNumber(person: Person): string {
  return `K-${person.key.slice(1)}`
}

/** What billing knows of the customer; its phone number may be another one than the web's. */
export function billedTo(person: Person): {
  readonly customer_id: string
  readonly email: string
  readonly name: string
  readonly phone?: string
} {
  const { firstName, lastName, email, billingPhone } = person
  const named = { customer_id: customerNumber(person), email, name: `${firstName} ${lastName}` }
  return billingPhone === undefined ? named : { ...named, phone: billingPhone }
}

function bill(
  journal: Journal,
  person: Person,
  sold: { readonly at: number; readonly orderId: string; readonly baskets: readonly Basket[] },
): void {
  const { at, orderId, baskets } = sold
  journal.add('erp', at + 3 * HOUR, 'erp.invoice_issued', {
    ...billedTo(person),
    invoice_id: `I-${orderId}`,
    order_id: orderId,
    currency: person.currency,
    country: person.country,
    lines: baskets.map(({ product, quantity }) => ({
      product_id: product.id,
      quantity,
      unit_price: product.price,
    })),
  })
  journal.add('erp', at + DAY, 'erp.shipment_sent', {
    customer_id: customerNumber(person),
    shipment_id: `S-${orderId}`,
    order_id: orderId,
    carrier: 'Parcel Pigeon',
    country: person.country,
    lines: baskets.map(({ product, quantity }) => ({ product_id: product.id, quantity })),
  })
}
