import type { EventOf } from '../../engine/events/catalogue.ts'
import { byText, candidate } from '../../engine/reducers/candidate.ts'
import { type MapState, mapOf } from '../../engine/reducers/map-of.ts'
import type { Rule } from '../../engine/reducers/rule.ts'
import { addExact, type Exact } from '../exact.ts'
import { currencyOf, invoiceLines } from '../lines.ts'
import { dayOf } from '../values.ts'

/** A customer's invoices, each of which may come in several events: they add up. */

type InvoiceKind = 'invoice' | 'credit_note' | 'adjustment'

/** Days are `YYYY-MM-DD`, '' before the first event; the amount has the sign that its lines have. */
interface InvoiceFigures {
  readonly amount: Exact
  readonly first: string
  readonly last: string
}

const figures: Rule<InvoiceFigures, InvoiceFigures> = {
  name: 'invoice',
  kind: 'counting',
  initial: Object.freeze({ amount: 0, first: '', last: '' }),
  write: (state, [written]) => added(state, written),
  join: added,
  value: (state) => state,
  explain: (value) => ({ value, rule: 'invoice', winners: [], overruled: [] }),
}

/** By kind, number and currency, as a JSON array. */
export const invoices = mapOf(figures)
export type Invoices = MapState<InvoiceFigures>

interface InvoiceKey {
  readonly kind: InvoiceKind
  readonly id: string
  readonly currency: string | null
}

/** Throws RangeError where a line is beyond the safe integers. */
export function withInvoice(state: Invoices, event: EventOf<'erp.invoice_issued'>): Invoices {
  const { kind, invoice_id, issued_on } = event.data
  let amount: Exact = 0
  for (const line of invoiceLines(event)) amount = addExact(amount, line.amount ?? 0)
  const day = dayOf(issued_on, event.time)
  const key = JSON.stringify([kind ?? 'invoice', invoice_id, currencyOf(event)])
  return invoices.write(state, key, candidate(event, { amount, first: day, last: day }))
}

export function invoiceKey(name: string): InvoiceKey {
  const [kind, id, currency]: [InvoiceKind, string, string | null] = JSON.parse(name)
  return { kind, id, currency }
}

function added(a: InvoiceFigures, b: InvoiceFigures): InvoiceFigures {
  if (a.first === '') return b
  if (b.first === '') return a
  return {
    amount: addExact(a.amount, b.amount),
    first: byText(a.first, b.first) < 0 ? a.first : b.first,
    last: byText(a.last, b.last) > 0 ? a.last : b.last,
  }
}
