import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'
import { amount, day, id, instant, looseId, orBlank, orNull, shape, text } from '../fields.ts'
import {
  currency,
  money,
  otherPeople,
  PERSON_IDENTITIES,
  PERSON_NORMALISE,
  person,
  postalAddress,
  SPEC_IDENTITIES,
  SPEC_NORMALISE,
  specPerson,
} from './shared.ts'

/** A product as Segment's commerce spec has it. */
const productFields = {
  product_id: orNull(looseId),
  sku: orNull(looseId),
  name: orNull(text),
  category: orNull(text),
  brand: orNull(text),
  variant: orNull(text),
  price: money,
  quantity: orBlank(amount),
  coupon: orNull(text),
  position: orBlank(amount),
  url: orNull(text),
  image_url: orNull(text),
}

const cartFields = {
  cart_id: orNull(looseId),
  products: t.array(t.partial(productFields)),
  value: money,
  revenue: money,
  total: money,
  subtotal: money,
  shipping: money,
  tax: money,
  discount: money,
  currency,
  coupon: orNull(text),
  affiliation: orNull(text),
}

const CART_NORMALISE = {
  ...SPEC_NORMALISE,
  'products.*.price': 'money',
  value: 'money',
  revenue: 'money',
  total: 'money',
  subtotal: 'money',
  shipping: 'money',
  tax: 'money',
  discount: 'money',
  currency: 'currency',
  country: 'country',
} as const

const browsing = {
  schema: 1,
  category: 'profile',
  retention: 'behaviour',
  identities: SPEC_IDENTITIES,
  normalise: { ...SPEC_NORMALISE, price: 'money', value: 'money', currency: 'currency' },
  codec: t.partial({ ...specPerson, ...productFields, cart_id: orNull(looseId), value: money, currency }),
} as const

const cart = {
  ...browsing,
  normalise: CART_NORMALISE,
  codec: t.partial({
    ...specPerson,
    ...cartFields,
    checkout_id: orNull(looseId),
    order_id: orNull(looseId),
    country: orNull(text),
  }),
} as const

const order = {
  schema: 1,
  category: 'order',
  record: 'order_id',
  retention: 'transaction',
  identities: SPEC_IDENTITIES,
  normalise: CART_NORMALISE,
  codec: shape(
    { order_id: looseId },
    {
      ...specPerson,
      ...cartFields,
      checkout_id: orNull(looseId),
      country: orNull(text),
      shipping_address: postalAddress,
      billing_address: postalAddress,
      recipients: otherPeople,
      reason: orNull(text),
    },
  ),
} as const

const invoiceLine = { line_id: orNull(id), description: orNull(text) }

/** The customer of an ERP record: its number there, and the company that it stands for. */
const erpCustomer = { ...person, account_id: personal(orNull(id)), company_id: personal(orNull(id)) }

const ERP_IDENTITIES = [
  ...PERSON_IDENTITIES,
  ['account', 'account_id'],
  ['erp_company', 'company_id'],
] as const

const erp = {
  schema: 1,
  retention: 'transaction',
  identities: ERP_IDENTITIES,
} as const

/** What shops and ERP systems report. */
export const commerce = {
  'Product Viewed': browsing,
  'Product Added': browsing,
  'Cart Viewed': cart,
  'Checkout Started': cart,
  'Order Completed': order,
  'Order Updated': order,
  'Order Refunded': order,
  'Order Cancelled': order,
  'erp.invoice_issued': {
    ...erp,
    category: 'invoice',
    record: 'invoice_id',
    normalise: {
      ...PERSON_NORMALISE,
      currency: 'currency',
      country: 'country',
      'lines.*.unit_price': 'money',
      'lines.*.total': 'money',
    },
    codec: shape(
      {
        invoice_id: id,
        lines: t.array(
          t.union([
            shape({ product_id: id, quantity: amount, unit_price: amount }, { ...invoiceLine, total: money }),
            /** What the line comes to, from senders that state it instead of a price. */
            shape({ product_id: id, quantity: amount, total: amount }, invoiceLine),
          ]),
        ),
      },
      {
        ...erpCustomer,
        /** Absent: an invoice. A credit note's quantities are negative. */
        kind: t.keyof({ invoice: null, credit_note: null, adjustment: null }),
        currency,
        country: orNull(text),
        issued_on: orBlank(day),
        due_on: orBlank(day),
        order_id: orNull(id),
        opportunity_id: orNull(id),
      },
    ),
  },
  'erp.payment_received': {
    ...erp,
    category: 'payment',
    record: 'payment_id',
    normalise: { ...PERSON_NORMALISE, amount: 'money', currency: 'currency' },
    codec: shape(
      { payment_id: id, amount },
      {
        ...erpCustomer,
        invoice_id: orNull(id),
        order_id: orNull(id),
        currency,
        method: orNull(text),
        received_on: orBlank(day),
      },
    ),
  },
  'erp.shipment_sent': {
    ...erp,
    category: 'shipment',
    record: 'shipment_id',
    normalise: { ...PERSON_NORMALISE, country: 'country', sent_at: 'instant' },
    codec: shape(
      { shipment_id: id },
      {
        ...erpCustomer,
        order_id: orNull(id),
        invoice_id: orNull(id),
        carrier: orNull(text),
        tracking_number: personal(orNull(text)),
        shipping_address: postalAddress,
        country: orNull(text),
        sent_at: orBlank(instant),
        lines: t.array(shape({ product_id: id, quantity: amount }, { line_id: orNull(id) })),
      },
    ),
  },
  'subscription.changed': {
    ...erp,
    category: 'subscription',
    record: 'subscription_id',
    normalise: { ...PERSON_NORMALISE, amount: 'money', currency: 'currency', effective_at: 'instant' },
    codec: shape(
      { subscription_id: id },
      {
        ...erpCustomer,
        plan: orNull(text),
        status: orNull(text),
        from: orNull(text),
        to: orNull(text),
        amount: money,
        currency,
        interval: orNull(text),
        quantity: orBlank(amount),
        effective_at: orBlank(instant),
        reason: orNull(text),
      },
    ),
  },
} as const satisfies Readonly<Record<string, EventDefinition>>
