import type { Configuration, Projection } from '../../engine/projector/projection.ts'
import type { Column, Row } from '../../engine/store/table.ts'
import { concernsOf } from '../defined.ts'
import { addExact, type Exact, exactCell, negated } from '../exact.ts'
import { RANKED_BY, rankingFrom } from '../ranking.ts'
import { leadingOf } from '../values.ts'
import { type Invoices, invoiceKey, invoices, withInvoice } from './invoice.ts'
import { type Orders, orderFigures, orders, withOrder } from './order.ts'

interface State {
  readonly invoices: Invoices
  readonly orders: Orders
}

const HANDLES = [
  'erp.invoice_issued',
  'order.placed',
  'Order Completed',
  'Order Updated',
  'Order Refunded',
  'Order Cancelled',
] as const

const columns = {
  basis: { type: 'text', about: '`ordered` (what a shop reports) or `invoiced` (what the ERP reports).' },
  currency: { type: 'text', about: 'ISO 4217 code.' },
  orders: {
    type: 'integer',
    about: 'Distinct orders or invoices; cancelled ones, credit notes and adjustments not.',
  },
  returns: { type: 'integer', about: 'Distinct credit notes, or refunds.' },
  cancelled: { type: 'integer', about: 'Cancelled orders.' },
  gross: { type: 'money', about: 'What was ordered or invoiced.' },
  refunded: { type: 'money', about: 'What was given back.' },
  adjusted: { type: 'money', about: 'Adjustments, with their sign.' },
  net: { type: 'money', about: 'Gross − refunded + adjusted.' },
  first_order_on: { type: 'day', about: 'Day of the first order or invoice.' },
  last_order_on: { type: 'day', about: 'Day of the last order or invoice.' },
} as const satisfies Readonly<Record<string, Column>>

/**
 * What a person or company bought: a row for each basis and currency. Orders and invoices stand apart, so that a
 * company that reports both counts nothing twice.
 */
export const customerOrders: Projection<State, (typeof HANDLES)[number]> = {
  name: 'customer_orders',
  version: 1,
  handles: HANDLES,
  configuredBy: RANKED_BY,
  concerns: concernsOf(() => false),
  keys(event) {
    const leading = leadingOf(event)
    return leading === undefined ? [] : [leading.id]
  },
  initial: () => NOTHING,
  reduce(state, event) {
    if (event.type === 'erp.invoice_issued') {
      return { invoices: withInvoice(state.invoices, event), orders: state.orders }
    }
    return { invoices: state.invoices, orders: withOrder(state.orders, event) }
  },
  join: (a, b) => ({
    invoices: invoices.join(a.invoices, b.invoices),
    orders: orders.join(a.orders, b.orders),
  }),
  table: {
    grain: 'profile',
    columns,
    indexes: [['currency', 'net'], ['last_order_on'], ['orders']],
    rows(state, config) {
      const parts = new Map<string, Totals>()
      addInvoices(state, parts)
      addOrders(state, config, parts)
      return new Map([...parts].map(([part, totals]) => [part, rowOfTotals(totals)]))
    },
  },
}

const NOTHING: State = { invoices: invoices.initial, orders: orders.initial }

/** Built up within one call of `rows`. */
interface Totals {
  readonly basis: 'ordered' | 'invoiced'
  readonly currency: string | null
  orders: number
  returns: number
  cancelled: number
  gross: Exact
  refunded: Exact
  adjusted: Exact
  first: string | null
  last: string | null
}

function totalsOf(parts: Map<string, Totals>, basis: Totals['basis'], currency: string | null): Totals {
  const part = `${basis}:${currency ?? ''}`
  const known = parts.get(part)
  if (known !== undefined) return known
  const counts = { orders: 0, returns: 0, cancelled: 0 }
  const amounts = { gross: 0, refunded: 0, adjusted: 0 }
  const totals: Totals = { basis, currency, ...counts, ...amounts, first: null, last: null }
  parts.set(part, totals)
  return totals
}

function addInvoices(state: State, parts: Map<string, Totals>): void {
  for (const [name, { amount, first, last }] of state.invoices) {
    const { kind, currency } = invoiceKey(name)
    const totals = totalsOf(parts, 'invoiced', currency)
    switch (kind) {
      case 'invoice':
        totals.orders += 1
        totals.gross = addExact(totals.gross, amount)
        extend(totals, first, last)
        break
      case 'credit_note':
        totals.returns += 1
        totals.refunded = addExact(totals.refunded, negated(amount))
        break
      case 'adjustment':
        totals.adjusted = addExact(totals.adjusted, amount)
        break
    }
  }
}

function addOrders(state: State, config: Configuration, parts: Map<string, Totals>): void {
  const ranking = rankingFrom(config)
  for (const [, each] of state.orders) {
    const order = orderFigures(each, ranking)
    const totals = totalsOf(parts, 'ordered', order.currency)
    totals.returns += order.refunds
    totals.refunded = addExact(totals.refunded, order.refunded)
    totals.gross = addExact(totals.gross, order.gross)
    if (order.cancelled) totals.cancelled += 1
    else if (order.placed_on !== undefined) {
      totals.orders += 1
      extend(totals, order.placed_on, order.placed_on)
    }
  }
}

function extend(totals: Totals, first: string, last: string): void {
  if (totals.first === null || first < totals.first) totals.first = first
  if (totals.last === null || last > totals.last) totals.last = last
}

function rowOfTotals(totals: Totals): Row {
  const { basis, currency, orders, returns, cancelled, gross, refunded, adjusted, first, last } = totals
  const net = addExact(addExact(gross, negated(refunded)), adjusted)
  return {
    ...{ basis, currency, orders, returns, cancelled },
    ...{ gross: exactCell(gross), refunded: exactCell(refunded), adjusted: exactCell(adjusted) },
    ...{ net: exactCell(net), first_order_on: first, last_order_on: last },
  }
}
