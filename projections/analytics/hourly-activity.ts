import type { EventOf } from '../../engine/events/catalogue.ts'
import type { Projection } from '../../engine/projector/projection.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import { utcDay } from '../values.ts'

const HANDLES = [
  'cdp.page',
  'cdp.screen',
  'cdp.track',
  'Product Viewed',
  'Product Added',
  'Checkout Started',
  'Order Completed',
] as const

type Handled = EventOf<(typeof HANDLES)[number]>

interface State {
  readonly page_views: number
  readonly product_views: number
  readonly cart_adds: number
  readonly favourites: number
  readonly checkouts: number
  readonly purchases: number
}

const columns = {
  hour: { type: 'instant', about: 'Beginning of the hour (UTC) in which it happened.' },
  day: { type: 'day', about: 'UTC day of the hour.' },
  source: { type: 'text', about: 'Source that sent the events.' },
  page_views: { type: 'integer', about: 'Pages and screens looked at.' },
  product_views: { type: 'integer', about: 'Products looked at.' },
  cart_adds: { type: 'integer', about: 'Products put into a cart.' },
  favourites: { type: 'integer', about: 'Products put on a wish list.' },
  checkouts: { type: 'integer', about: 'Checkouts begun.' },
  purchases: { type: 'integer', about: 'Orders completed.' },
} as const satisfies Readonly<Record<string, Column>>

const HOUR_MS = 3_600_000

/** What visitors did in each hour (UTC, by event time): one row for an hour and source, whatever the traffic. */
export const hourlyActivity: Projection<State, (typeof HANDLES)[number]> = {
  name: 'hourly_activity',
  version: 1,
  handles: HANDLES,
  configuredBy: [],
  keys: (event) =>
    figureOf(event) === undefined ? [] : [`${Math.floor(event.time / HOUR_MS)} ${event.source}`],
  initial: () => NOTHING,
  reduce(state, event) {
    const figure = figureOf(event)
    return figure === undefined ? state : { ...state, [figure]: state[figure] + 1 }
  },
  join: (a, b) => ({
    page_views: a.page_views + b.page_views,
    product_views: a.product_views + b.product_views,
    cart_adds: a.cart_adds + b.cart_adds,
    favourites: a.favourites + b.favourites,
    checkouts: a.checkouts + b.checkouts,
    purchases: a.purchases + b.purchases,
  }),
  table: {
    grain: 'bucket',
    columns,
    indexes: [['hour'], ['day']],
    rows(state, _config, key) {
      if (Object.values(state).every((count) => count === 0)) return oneRow(undefined)
      const space = key.indexOf(' ')
      const hour = Number(key.slice(0, space)) * HOUR_MS
      return oneRow({ hour, day: utcDay(hour), source: key.slice(space + 1), ...state })
    },
  },
}

const NOTHING: State = {
  page_views: 0,
  product_views: 0,
  cart_adds: 0,
  favourites: 0,
  checkouts: 0,
  purchases: 0,
}

function figureOf(event: Handled): keyof State | undefined {
  switch (event.type) {
    case 'cdp.page':
    case 'cdp.screen':
      return 'page_views'
    case 'cdp.track':
      // The name that Segment's specification gives it; it has no type of its own here.
      return event.data.event === 'Product Added to Wishlist' ? 'favourites' : undefined
    case 'Product Viewed':
      return 'product_views'
    case 'Product Added':
      return 'cart_adds'
    case 'Checkout Started':
      return 'checkouts'
    case 'Order Completed':
      return 'purchases'
  }
}
