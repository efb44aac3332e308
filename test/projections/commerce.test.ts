/**
 * Theorem: money adds up exactly. An order or invoice counts once however many events tell of it, refunds and credit
 * notes are taken off, adjustments keep their sign, what was ordered never mixes with what was invoiced, and no total
 * however large is ever wrong.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { revenue } from '../../projections/analytics/revenue.ts'
import { customerOrders } from '../../projections/commerce/customer-orders.ts'
import { addExact, exactCell, negated } from '../../projections/exact.ts'
import { event, profileRows, rows, type Stated } from './given.ts'

const T1 = { at: '2010-12-01T08:26:00Z' }
const T2 = { at: '2010-12-02T23:59:59Z' }

type Line = readonly [product: string, quantity: number | string, price: number | string]

function invoice(
  id: string,
  lines: readonly Line[],
  more: Record<string, unknown> = {},
  stated: Stated = T1,
) {
  return event(
    'erp.invoice_issued',
    {
      invoice_id: id,
      customer_id: '17850',
      currency: 'GBP',
      country: 'gb',
      lines: lines.map(([product_id, quantity, unit_price]) => ({ product_id, quantity, unit_price })),
      ...more,
    },
    stated,
  )
}

const order = (type: string, data: Record<string, unknown>, stated: Stated = T1) =>
  event(`Order ${type}`, { order_id: 1, userId: 'u1', currency: 'EUR', ...data }, stated)

describe('customer_orders', () => {
  test('an invoice in several line events counts once; credit notes are returns, adjustments neither', () => {
    const events = [
      invoice('536365', [['85123A', 6, 2.55]]),
      invoice('536365', [['71053', 6, '3.390']]),
      invoice('536365', [['71053', 6, '3.390']]),
      invoice('536366', [['22633', 1, 1.855]], {}, T2),
      invoice('C536379', [['D', -1, 27.5]], { kind: 'credit_note' }, T2),
      invoice('A563185', [['B', 1, '-11.06']], { kind: 'adjustment' }, T2),
    ]
    expect(profileRows(customerOrders, events)).toEqual({
      'invoiced:GBP': {
        basis: 'invoiced',
        currency: 'GBP',
        orders: 2,
        returns: 1,
        cancelled: 0,
        gross: 153_000 + 203_400 + 203_400 + 18_550,
        refunded: 275_000,
        adjusted: -110_600,
        net: 153_000 + 203_400 + 203_400 + 18_550 - 275_000 - 110_600,
        first_order_on: '2010-12-01',
        last_order_on: '2010-12-02',
      },
    })
  })

  test('one order told of twice or restated counts once, by its newest total', () => {
    const events = [
      order('Updated', { total: 80 }, T2),
      order('Completed', { total: '99.99' }),
      order('Completed', { order_id: '1', total: '99.99' }),
      order('Completed', { order_id: 2, products: [{ price: 2.5, quantity: 3 }, { price: 1 }] }),
    ]
    expect(profileRows(customerOrders, events)).toEqual({
      'ordered:EUR': {
        basis: 'ordered',
        currency: 'EUR',
        orders: 2,
        returns: 0,
        cancelled: 0,
        gross: 800_000 + 85_000,
        refunded: 0,
        adjusted: 0,
        net: 885_000,
        first_order_on: '2010-12-01',
        last_order_on: '2010-12-01',
      },
    })
  })

  test('refunds add up, one without an amount is of the whole order, a cancelled order comes to nothing', () => {
    const partly = [
      order('Completed', { total: 100 }),
      order('Refunded', { total: 30 }),
      order('Refunded', { products: [{ price: 5, quantity: 2 }] }),
    ]
    expect(profileRows(customerOrders, partly)['ordered:EUR']).toMatchObject({
      orders: 1,
      returns: 2,
      refunded: 400_000,
      net: 600_000,
    })
    const wholly = [order('Completed', { total: 100 }), order('Refunded', {})]
    expect(profileRows(customerOrders, wholly)['ordered:EUR']).toMatchObject({ refunded: 1_000_000, net: 0 })
    const cancelled = [order('Cancelled', {}), order('Completed', { total: 100 })]
    expect(profileRows(customerOrders, cancelled)['ordered:EUR']).toMatchObject({
      orders: 0,
      cancelled: 1,
      gross: 0,
      net: 0,
    })
  })

  test('orders and invoices of one customer stand apart, as do currencies; the shop’s and ERP’s atoms join', () => {
    const events = [
      order('Completed', { total: 100 }),
      order('Completed', { order_id: 2, total: 10, currency: 'USD' }),
      invoice('I1', [['p', 1, 100]], { currency: 'EUR' }),
      event('order.placed', { order_id: '3', customer_id: '17850', total: 7, currency: 'EUR' }, T2),
    ]
    const found = profileRows(customerOrders, events)
    expect(Object.keys(found).sort()).toEqual(['invoiced:EUR', 'ordered:EUR', 'ordered:USD'])
    expect(found['ordered:EUR']).toMatchObject({ orders: 2, net: 1_070_000 })
    expect(found['invoiced:EUR']).toMatchObject({ orders: 1, net: 1_000_000 })
  })

  test('an invoice that names nobody is nobody’s', () => {
    expect(customerOrders.keys(invoice('I1', [], { customer_id: null }) as never)).toEqual([])
  })

  test('a total beyond the safe integers stays empty, and comes back into reach by a credit note', () => {
    const huge = [1, 2].map((n) => invoice(`I${n}`, [['p', 1, '900000000000']]))
    expect(profileRows(customerOrders, huge)['invoiced:GBP']).not.toHaveProperty('gross')
    const credit = invoice('C1', [['p', -1, '900000000000']], { kind: 'credit_note' })
    expect(profileRows(customerOrders, [...huge, credit])['invoiced:GBP']).toMatchObject({
      refunded: 9e15,
      net: 9e15,
    })
  })
})

describe('revenue', () => {
  test('adds equal lines up, by day of issue, product, country and currency', () => {
    const events = [
      invoice('I1', [
        ['85123A', 6, 2.55],
        ['85123A', 6, 2.55],
        ['22633', '2.5', '1.855'],
      ]),
      invoice('C1', [['85123A', -1, 2.55]], { kind: 'credit_note', issued_on: '2010-12-01' }, T2),
      invoice('I2', [['85123A', 1, 2.55]], { country: 'Unspecified' }),
    ]
    const base = { day: '2010-12-01', basis: 'invoiced', currency: 'GBP' }
    expect(rows(revenue, events)).toEqual([
      { ...base, product: '85123A', country: 'GB', amount: 280_500, quantity: 11, lines: 3 },
      { ...base, product: '22633', country: 'GB', amount: 46_375, quantity: 2.5, lines: 1 },
      { ...base, product: '85123A', country: 'Unspecified', amount: 25_500, quantity: 1, lines: 1 },
    ])
  })

  test('orders count by their products, or by a total of their own; refunds are taken off', () => {
    const events = [
      order('Completed', { total: 99, products: [{ product_id: 7, price: 2.5, quantity: 2 }, { sku: 's' }] }),
      order('Refunded', { products: [{ product_id: '7', price: 2.5 }] }),
      order('Completed', { order_id: 2, total: 20 }, T2),
      order('Updated', { order_id: 2, total: 30 }, T2),
    ]
    const base = { day: '2010-12-01', basis: 'ordered', country: null, currency: 'EUR' }
    expect(rows(revenue, events)).toEqual([
      { ...base, product: '7', amount: 25_000, quantity: 1, lines: 2 },
      { ...base, product: 's', amount: 0, quantity: 1, lines: 1 },
      { ...base, day: '2010-12-02', product: null, amount: 200_000, quantity: 0, lines: 1 },
    ])
  })

  test('keys tell dimensions apart and name nobody', () => {
    const sold = invoice('I1', [
      ['a","b', 1, 1],
      ['a', 1, 1],
    ])
    const keys = revenue.keys(sold as never)
    expect(new Set(keys).size).toBe(2)
    expect(keys.join()).not.toContain('17850')
  })

  test('a line beyond the safe integers makes the event unfoldable, whatever came before', () => {
    expect(() => rows(revenue, [invoice('I1', [['p', 900_000_000, 900_000_000]])])).toThrow(RangeError)
  })

  test('an invoice of very many lines is folded in one pass', () => {
    const lines = Array.from({ length: 20_000 }, (_, i): Line => [`p${i}`, 1, 1])
    expect(rows(revenue, [invoice('I1', lines)])).toHaveLength(20_000)
  })
})

describe('exact sums', () => {
  const amount = fc.oneof(
    fc.maxSafeInteger(),
    fc.constantFrom(0, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
  )

  test('are associative and commutative beyond the safe integers, and agree with BigInt', () => {
    fc.assert(
      fc.property(fc.array(amount, { maxLength: 8 }), (amounts) => {
        const expected = amounts.reduce((total, each) => total + BigInt(each), 0n)
        const left = amounts.reduce<number | string>(addExact, 0)
        const right = amounts.reduceRight<number | string>((total, each) => addExact(each, total), 0)
        expect(left).toBe(right)
        expect(BigInt(left)).toBe(expected)
        expect(BigInt(negated(left))).toBe(-expected)
        expect(exactCell(left) === null).toBe(!Number.isSafeInteger(Number(expected)))
        expect(Object.is(left, -0)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })
})
