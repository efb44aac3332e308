import type { EventOf } from '../../engine/events/catalogue.ts'
import { candidate } from '../../engine/reducers/candidate.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import { type FieldStates, fields } from '../../engine/reducers/fields.ts'
import { latest } from '../../engine/reducers/latest.ts'
import { type MapState, mapOf } from '../../engine/reducers/map-of.ts'
import type { Candidate, Ranking, Rule } from '../../engine/reducers/rule.ts'
import { addExact, type Exact } from '../exact.ts'
import { currencyOf, orderTotal } from '../lines.ts'
import { utcDay } from '../values.ts'

/** A customer's orders in a shop. An order restates its total; its refunds add up. */

type OrderEvent = EventOf<
  'Order Completed' | 'Order Updated' | 'Order Refunded' | 'Order Cancelled' | 'order.placed'
>

const stated = fields({
  total: latest<number>(),
  currency: latest<string>(),
  placed_on: min<string>(),
  cancelled_at: max(),
})

interface OrderState {
  readonly stated: FieldStates<typeof stated.rules>
  readonly refunds: number
  readonly refunded: Exact
  /** A refund that states no amount is one of the whole order. */
  readonly whole: boolean
}

const order: Rule<OrderState, OrderEvent, OrderState> = {
  name: 'order',
  kind: 'counting',
  initial: Object.freeze({ stated: stated.initial, refunds: 0, refunded: 0, whole: false }),
  write: (state, [event]) => reduceOrder(state, event),
  join: (a, b) => ({
    stated: stated.join(a.stated, b.stated),
    refunds: a.refunds + b.refunds,
    refunded: addExact(a.refunded, b.refunded),
    whole: a.whole || b.whole,
  }),
  value: (state) => state,
  explain: (value) => ({ value, rule: 'order', winners: [] as Candidate<unknown>[], overruled: [] }),
}

/** By order id. */
export const orders = mapOf(order)
export type Orders = MapState<OrderState>

/** Throws RangeError where an amount is beyond the safe integers. */
export function withOrder(state: Orders, event: OrderEvent): Orders {
  return orders.write(state, String(event.data.order_id), candidate(event, event))
}

function reduceOrder(state: OrderState, event: OrderEvent): OrderState {
  const total = orderTotal(event)
  const currency = currencyOf(event) ?? undefined
  switch (event.type) {
    case 'Order Completed':
    case 'Order Updated':
    case 'order.placed': {
      const writes = { total, currency, placed_on: utcDay(event.time) }
      return { ...state, stated: stated.writeAll(state.stated, event, writes) }
    }
    case 'Order Refunded': {
      const next = stated.writeAll(state.stated, event, { currency })
      const refunded = addExact(state.refunded, Math.abs(total ?? 0))
      return { stated: next, refunds: state.refunds + 1, refunded, whole: state.whole || total === undefined }
    }
    case 'Order Cancelled':
      return {
        ...state,
        stated: stated.writeAll(state.stated, event, { currency, cancelled_at: event.time }),
      }
  }
}

interface OrderFigures {
  readonly currency: string | null
  readonly placed_on: string | undefined
  readonly cancelled: boolean
  readonly gross: Exact
  readonly refunds: number
  readonly refunded: Exact
}

/** A cancelled order comes to nothing; one of which only a refund is known was never placed as far as we know. */
export function orderFigures(state: OrderState, ranking: Ranking): OrderFigures {
  const { total, currency, placed_on, cancelled_at } = stated.values(state.stated, ranking)
  const cancelled = typeof cancelled_at === 'number'
  const gross = cancelled ? 0 : (total ?? 0)
  return {
    currency: currency ?? null,
    placed_on: placed_on ?? undefined,
    cancelled,
    gross,
    refunds: state.refunds,
    refunded: cancelled ? 0 : state.whole ? gross : state.refunded,
  }
}
