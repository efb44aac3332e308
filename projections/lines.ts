import type { EventOf } from '../engine/events/catalogue.ts'
import { multiplyExact } from '../engine/events/money.ts'
import { type Amount, amountAt, type Fields, scaled, textAt } from './values.ts'

/** Sales events that state amounts, read alike. */

export interface Line {
  readonly product: string | null
  /** Ten-thousandths of a piece. */
  readonly quantity: number
  /** Ten-thousandths of the currency's unit; undefined where the sender states no price. */
  readonly amount: number | undefined
}

type Order = EventOf<
  'Order Completed' | 'Order Updated' | 'Order Refunded' | 'Order Cancelled' | 'order.placed'
>

const ONE_PIECE = 10_000

/** Throws RangeError where quantity × price is beyond the safe integers: such a line can't be booked. */
export function invoiceLines(event: EventOf<'erp.invoice_issued'>): readonly Line[] {
  return event.data.lines.map((line, i) => {
    const stated = 'total' in line ? numeric(amountAt(event, `lines.${i}.total`)) : undefined
    const price = stated === undefined ? numeric(amountAt(event, `lines.${i}.unit_price`)) : undefined
    const { product, quantity, amount } = lineOf(line.product_id, line.quantity, price)
    return { product, quantity, amount: stated ?? amount }
  })
}

/** Throws RangeError as `invoiceLines`. */
export function orderLines(event: Order): readonly Line[] {
  if (event.type === 'order.placed') {
    return (event.data.lines ?? []).map((line, i) =>
      lineOf(line.product_id, line.quantity, numeric(amountAt(event, `lines.${i}.unit_price`))),
    )
  }
  return (event.data.products ?? []).map((product, i) => {
    const name = product.product_id ?? product.sku
    const price = numeric(amountAt(event, `products.${i}.price`))
    return lineOf(name === undefined || name === null ? null : String(name), product.quantity, price)
  })
}

/** What the order, or the refund, comes to: its stated total, else its lines; undefined where it states neither. */
export function orderTotal(event: Order): number | undefined {
  for (const path of ['total', 'revenue', 'value']) {
    const stated = numeric(amountAt(event, path))
    if (stated !== undefined) return stated
  }
  let total: number | undefined
  for (const { amount } of orderLines(event)) {
    if (amount !== undefined) total = bookable((total ?? 0) + amount)
  }
  return total
}

/** ISO 4217 where it could be told. */
export function currencyOf(event: Fields): string | null {
  return textAt(event, 'currency') || null
}

/** ISO 3166-1 alpha-2 where it could be told, else as sent. */
export function countryOf(event: Fields): string | null {
  return textAt(event, 'country') || null
}

function lineOf(product: string | null, sent: unknown, price: number | undefined): Line {
  const quantity = sent === undefined || sent === null || sent === '' ? 1 : sent
  const pieces = quantity === 1 ? ONE_PIECE : scaled(quantity)
  if (pieces === undefined || (typeof quantity !== 'number' && typeof quantity !== 'string')) {
    throw new RangeError('a quantity is no decimal number')
  }
  const amount = price === undefined ? undefined : bookable(multiplyExact(quantity, price))
  return { product, quantity: pieces, amount }
}

function bookable(amount: number | undefined): number {
  if (amount === undefined || !Number.isSafeInteger(amount)) {
    throw new RangeError('an amount is beyond the safe integers')
  }
  return amount
}

function numeric(amount: Amount): number | undefined {
  return typeof amount === 'number' ? amount : undefined
}
