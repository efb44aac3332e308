import type { EventOf } from '../../engine/events/catalogue.ts'
import type { Projection } from '../../engine/projector/projection.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import { addExact, type Exact, exactCell } from '../exact.ts'
import { countryOf, currencyOf, invoiceLines, type Line, orderLines, orderTotal } from '../lines.ts'
import { dayOf } from '../values.ts'

const SALES = [
  'erp.invoice_issued',
  'order.placed',
  'Order Completed',
  'Order Refunded',
  'Order Cancelled',
] as const

type Sale = EventOf<(typeof SALES)[number]>

type Dimensions = readonly [
  day: string,
  basis: 'ordered' | 'invoiced',
  product: string | null,
  country: string | null,
  currency: string | null,
]

/** Amount and quantity in ten-thousandths. */
interface Figures {
  readonly amount: Exact
  readonly quantity: Exact
  readonly lines: number
}

interface State extends Figures {
  readonly dimensions: Dimensions
}

const columns = {
  day: { type: 'day', about: 'Day of issue where the invoice states one, else the UTC day of the event.' },
  basis: { type: 'text', about: '`ordered` or `invoiced`.' },
  product: { type: 'text', about: 'Product id; none where only a total is known.' },
  country: { type: 'text', about: 'ISO 3166-1 code, or the country as sent.' },
  currency: { type: 'text', about: 'ISO 4217 code.' },
  amount: { type: 'money', about: 'Revenue, refunds and credit notes taken off.' },
  quantity: { type: 'real', about: 'Pieces, returned ones taken off.' },
  lines: { type: 'integer', about: 'How many lines the figures come from.' },
} as const satisfies Readonly<Record<string, Column>>

/**
 * Revenue by day, product, country and currency: of a line, quantity × unit price. What was ordered and what was
 * invoiced stand apart by `basis`, so that a company that reports both counts nothing twice. Credit notes and
 * adjustments count with the sign that they were sent with; refunds and cancellations are taken off on their own day, as
 * far as they state amounts. `Order Updated` restates an order that counts already.
 */
export const revenue: Projection<State, (typeof SALES)[number]> = {
  name: 'revenue',
  version: 1,
  handles: SALES,
  configuredBy: [],
  keys: (event) => [...figuresOf(event).keys()],
  initial: (key) => ({ dimensions: JSON.parse(key), amount: 0, quantity: 0, lines: 0 }),
  reduce(state, event, _config, key) {
    const figures = figuresOf(event).get(key)
    return figures === undefined ? state : { dimensions: state.dimensions, ...added(state, figures) }
  },
  join: (a, b) => ({ dimensions: a.dimensions, ...added(a, b) }),
  table: {
    grain: 'bucket',
    columns,
    indexes: [['day'], ['product', 'day'], ['country', 'day']],
    rows(state) {
      if (state.lines === 0) return oneRow(undefined)
      const [day, basis, product, country, currency] = state.dimensions
      const quantity = Number(state.quantity) / 10_000
      const row = { day, basis, product, country, currency, amount: exactCell(state.amount), quantity }
      return oneRow({ ...row, lines: state.lines })
    },
  },
}

/** Every key of an event asks for the same figures: they are worked out once. */
const cache = new WeakMap<Sale, ReadonlyMap<string, Figures>>()

/** Throws RangeError where a line is beyond the safe integers. */
function figuresOf(event: Sale): ReadonlyMap<string, Figures> {
  const known = cache.get(event)
  if (known !== undefined) return known
  const invoiced = event.type === 'erp.invoice_issued'
  const day = dayOf(invoiced ? event.data.issued_on : undefined, event.time)
  const basis = invoiced ? 'invoiced' : 'ordered'
  const country = countryOf(event)
  const currency = currencyOf(event)
  const figures = new Map<string, Figures>()
  for (const line of linesOf(event)) {
    const key = JSON.stringify([day, basis, line.product, country, currency] satisfies Dimensions)
    const one = { amount: line.amount ?? 0, quantity: line.quantity, lines: 1 }
    const before = figures.get(key)
    figures.set(key, before === undefined ? one : added(before, one))
  }
  cache.set(event, figures)
  return figures
}

function linesOf(event: Sale): readonly Line[] {
  switch (event.type) {
    case 'erp.invoice_issued':
      return invoiceLines(event)
    case 'order.placed':
    case 'Order Completed':
      return pricedLines(event)
    case 'Order Refunded':
    case 'Order Cancelled':
      return pricedLines(event).map(takenOff)
  }
}

/** An order's lines, or its total as a line of its own where no line has a price. */
function pricedLines(event: Exclude<Sale, { type: 'erp.invoice_issued' }>): readonly Line[] {
  const lines = orderLines(event)
  if (lines.some((line) => line.amount !== undefined)) return lines
  const total = orderTotal(event)
  return total === undefined ? lines : [...lines, { product: null, quantity: 0, amount: total }]
}

function takenOff(line: Line): Line {
  const amount = line.amount === undefined ? undefined : 0 - Math.abs(line.amount)
  return { product: line.product, quantity: 0 - Math.abs(line.quantity), amount }
}

function added(a: Figures, b: Figures): Figures {
  return {
    amount: addExact(a.amount, b.amount),
    quantity: addExact(a.quantity, b.quantity),
    lines: a.lines + b.lines,
  }
}
