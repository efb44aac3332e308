import { billedTo, customerNumber } from './behaviour.ts'
import type { Product } from './company.ts'
import { SUPPLIES } from './company.ts'
import type { Calendar } from './journal.ts'
import { DAY, dayOf, HOUR, type Journal } from './journal.ts'
import type { Company, Person } from './people.ts'
import type { Random } from './random.ts'

/** What a company that has bought orders, is billed and pays. */

interface Customer {
  readonly person: Person
  readonly company: Company
  readonly contactId: string
  readonly owner: string
}

interface Sold {
  /** When the deal was won, ms UTC. */
  readonly at: number
  readonly product: Product
  readonly quantity: number
  readonly random: Random
  readonly calendar: Calendar
}

interface Line {
  readonly product: Product
  readonly quantity: number
}

/** The machines of the deal, then coffee and parts every few weeks. */
export function orderedByCompany(journal: Journal, customer: Customer, sold: Sold): void {
  const { random, calendar, product, quantity } = sold
  delivered(journal, customer, { at: sold.at, number: 0, lines: [{ product, quantity }], random })
  const every = random.between(20 * DAY, 40 * DAY)
  for (let number = 1, at = sold.at + every; at < calendar.end && number <= 10; number++, at += every) {
    const lines = [random.pick(SUPPLIES), random.pick(SUPPLIES)].map((each) => ({
      product: each,
      quantity: random.integer(2, 12),
    }))
    delivered(journal, customer, { at, number, lines, random })
  }
}

interface Delivered {
  readonly at: number
  readonly number: number
  readonly lines: readonly Line[]
  readonly random: Random
}

function delivered(journal: Journal, customer: Customer, { at, number, lines, random }: Delivered): void {
  const { person, company, contactId, owner } = customer
  const { currency, country } = person
  const orderId = `B-${person.key.slice(1)}-${number}`
  const priced = lines.map(({ product, quantity }) => ({
    product_id: product.id,
    quantity,
    unit_price: product.price,
  }))
  journal.add('crm', at + HOUR, 'order.placed', {
    order_id: orderId,
    contact_id: contactId,
    account_id: company.accountId,
    email: person.email,
    owner,
    currency,
    country,
    lines: priced,
  })
  journal.add('erp', at + DAY, 'erp.invoice_issued', {
    ...billedTo(person),
    account_id: company.accountId,
    invoice_id: `I-${orderId}`,
    order_id: orderId,
    currency,
    country,
    issued_on: dayOf(at + DAY),
    due_on: dayOf(at + 31 * DAY),
    lines: priced,
  })
  journal.add('erp', at + 2 * DAY, 'erp.shipment_sent', {
    customer_id: customerNumber(person),
    shipment_id: `S-${orderId}`,
    order_id: orderId,
    carrier: 'Parcel Pigeon',
    country,
    lines: priced.map(({ product_id, quantity }) => ({ product_id, quantity })),
  })
  const total = lines.reduce((sum, { product, quantity }) => sum + product.price * quantity, 0)
  journal.add('erp', at + random.between(8 * DAY, 40 * DAY), 'erp.payment_received', {
    customer_id: customerNumber(person),
    payment_id: `Z-${orderId}`,
    invoice_id: `I-${orderId}`,
    amount: total.toFixed(2),
    currency,
    method: random.pick(['bank transfer', 'direct debit', 'card']),
  })
}
