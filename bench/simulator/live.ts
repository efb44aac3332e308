import { browserOf } from './behaviour.ts'
import { PRODUCTS } from './company.ts'
import { type DataOf, type SimulatedEvent, toJson } from './journal.ts'
import type { Delivery } from './noise.ts'
import type { Person } from './people.ts'
import type { Random } from './random.ts'

/** What people do right now, on and on: mostly browsing, an order now and then. */
export interface Live {
  /** The next event; it happens at `now` (ms UTC). */
  next(now: number): Delivery
}

/** `run` tells one run's ids from another's. */
export function createLive(people: readonly Person[], random: Random, run: string): Live {
  let count = 0
  return {
    next(now) {
      count += 1
      const event = happening(random.pick(people), random, { id: `live-${run}-${count}`, time: now })
      return { source: event.source, id: event.id, json: toJson(event), kind: 'event' }
    },
  }
}

type Placed = Pick<SimulatedEvent, 'id' | 'time'>

function happening(person: Person, random: Random, placed: Placed): SimulatedEvent {
  const product = random.pick(PRODUCTS)
  const browser = browserOf(person, person.kind === 'shopper')
  const kind = random.weighted([
    ['page', 70],
    ['product', 24],
    ['order', 6],
  ] as const)
  switch (kind) {
    case 'page': {
      const data: DataOf<'cdp.page'> = { ...browser, name: product.name, properties: { path: '/coffee' } }
      return { ...placed, source: 'web', type: 'cdp.page', data }
    }
    case 'product': {
      const data: DataOf<'Product Viewed'> = { ...browser, product_id: product.id, price: product.price }
      return { ...placed, source: 'web', type: 'Product Viewed', data }
    }
    case 'order': {
      const data: DataOf<'Order Completed'> = {
        ...browser,
        order_id: `order-${placed.id}`,
        total: product.price,
        currency: 'GBP',
        country: 'GB',
        products: [{ product_id: product.id, price: product.price, quantity: 1 }],
      }
      return { ...placed, source: 'web', type: 'Order Completed', data }
    }
  }
}
