import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'
import { amount, day, id, instant, longText, orBlank, orNull, shape, text } from '../fields.ts'
import {
  currency,
  money,
  otherPeople,
  PERSON_IDENTITIES,
  PERSON_NORMALISE,
  person,
  postalAddress,
} from './shared.ts'

const account = {
  schema: 1,
  category: 'account',
  streamNamespace: 'account',
  retention: 'profile',
  identities: [
    ['account', 'account_id'],
    ['domain', 'domain'],
  ],
  normalise: { revenue: 'money', currency: 'currency', country: 'country' },
  codec: t.partial({
    account_id: personal(id),
    name: personal(orNull(text)),
    domain: personal(orNull(text)),
    phone: personal(orNull(text)),
    address: postalAddress,
    industry: orNull(text),
    country: orNull(text),
    owner: orNull(text),
    revenue: money,
    currency,
    employees: orBlank(amount),
    parent: personal(orNull(text)),
    type: orNull(text),
    reason: orNull(text),
  }),
} as const

const contact = {
  schema: 1,
  category: 'contact',
  streamNamespace: 'contact',
  retention: 'profile',
  identities: [
    ['contact', 'contact_id'],
    ['email', 'email'],
    ['phone', 'phone'],
    ['account', 'account_id'],
  ],
  normalise: { email: 'email', phone: 'phone', country: 'country' },
  codec: t.partial({
    contact_id: personal(id),
    account_id: personal(orNull(id)),
    name: personal(orNull(text)),
    first_name: personal(orNull(text)),
    last_name: personal(orNull(text)),
    email: personal(orNull(text)),
    phone: personal(orNull(text)),
    title: personal(orNull(text)),
    address: postalAddress,
    country: orNull(text),
    owner: orNull(text),
    reason: orNull(text),
  }),
} as const

/** The company and person that a deal, quote or order is with. */
const customer = {
  account_id: personal(orNull(id)),
  contact_id: personal(orNull(id)),
}

const CUSTOMER_IDENTITIES = [
  ['contact', 'contact_id'],
  ['account', 'account_id'],
] as const

const opportunity = {
  ...customer,
  name: personal(orNull(text)),
  owner: orNull(text),
  product: orNull(text),
  stage: orNull(text),
  amount: money,
  currency,
  close_date: orBlank(day),
  probability: orBlank(amount),
  forecast_category: orNull(text),
  reason: orNull(text),
  type: orNull(text),
  origin: orNull(text),
}

const deal = {
  schema: 1,
  category: 'opportunity',
  record: 'opportunity_id',
  retention: 'transaction',
  identities: CUSTOMER_IDENTITIES,
  normalise: { amount: 'money', currency: 'currency' },
  codec: shape({ opportunity_id: id }, { ...opportunity, from: orNull(text), to: orNull(text) }),
} as const

const product = {
  schema: 1,
  category: 'product',
  record: 'product_id',
  retention: 'transaction',
  identities: [],
  normalise: { price: 'money', currency: 'currency' },
  codec: shape(
    { product_id: id },
    {
      name: orNull(text),
      sku: orNull(text),
      family: orNull(text),
      category: orNull(text),
      description: orNull(longText),
      price: money,
      currency,
      active: t.boolean,
      reason: orNull(text),
    },
  ),
} as const

const priceBook = {
  schema: 1,
  category: 'price_book',
  record: 'price_book_id',
  retention: 'transaction',
  identities: [],
  normalise: {
    currency: 'currency',
    'prices.*.price': 'money',
    valid_from: 'instant',
    valid_until: 'instant',
  },
  codec: shape(
    { price_book_id: id },
    {
      name: orNull(text),
      currency,
      prices: t.array(shape({ product_id: id, price: amount }, {})),
      valid_from: orBlank(instant),
      valid_until: orBlank(instant),
      reason: orNull(text),
    },
  ),
} as const

const lines = t.array(
  shape(
    { product_id: id, quantity: amount },
    { line_id: orNull(id), description: orNull(text), unit_price: money, discount: money },
  ),
)

const quoted = {
  ...customer,
  opportunity_id: orNull(id),
  owner: orNull(text),
  status: orNull(text),
  total: money,
  currency,
  lines,
}

const QUOTED_NORMALISE = {
  total: 'money',
  currency: 'currency',
  'lines.*.unit_price': 'money',
  'lines.*.discount': 'money',
} as const

const quote = {
  schema: 1,
  category: 'quote',
  record: 'quote_id',
  retention: 'transaction',
  identities: CUSTOMER_IDENTITIES,
  normalise: { ...QUOTED_NORMALISE, expires_at: 'instant' },
  codec: shape({ quote_id: id }, { ...quoted, expires_at: orBlank(instant) }),
} as const

const PARTY_IDENTITIES = [...PERSON_IDENTITIES, ['account', 'account_id']] as const

const about = { ...person, account_id: personal(orNull(id)), opportunity_id: orNull(id), owner: orNull(text) }

const activity = {
  ...about,
  direction: orNull(text),
  outcome: orNull(text),
  subject: personal(orNull(text)),
  notes: personal(orNull(longText)),
  participants: otherPeople,
  started_at: orBlank(instant),
  ended_at: orBlank(instant),
}

const ACTIVITY_NORMALISE = { ...PERSON_NORMALISE, started_at: 'instant', ended_at: 'instant' } as const

const call = {
  schema: 1,
  category: 'call',
  record: 'call_id',
  retention: 'service',
  identities: PARTY_IDENTITIES,
  normalise: ACTIVITY_NORMALISE,
  codec: shape(
    { call_id: id },
    { ...activity, recording_url: personal(orNull(text)), duration_s: orBlank(amount) },
  ),
} as const

const task = {
  schema: 1,
  category: 'task',
  record: 'task_id',
  retention: 'service',
  identities: PARTY_IDENTITIES,
  normalise: { ...PERSON_NORMALISE, due_at: 'instant' },
  codec: shape(
    { task_id: id },
    {
      ...about,
      case_id: orNull(id),
      title: personal(orNull(text)),
      description: personal(orNull(longText)),
      kind: orNull(text),
      priority: orNull(text),
      status: orNull(text),
      due_at: orBlank(instant),
      outcome: orNull(text),
      reason: orNull(text),
    },
  ),
} as const

/** What sales people work with. A contact is one source's record; the profile is the golden one. */
export const sales = {
  'account.created': account,
  'account.updated': account,
  'account.archived': account,
  'contact.created': contact,
  'contact.updated': contact,
  'contact.archived': contact,
  'opportunity.created': deal,
  'opportunity.updated': deal,
  'opportunity.archived': deal,
  'opportunity.stage_changed': {
    ...deal,
    codec: shape({ opportunity_id: id, to: text }, { ...opportunity, from: orNull(text) }),
  },
  'opportunity.forecast_overridden': {
    ...deal,
    codec: shape(
      { opportunity_id: id },
      { ...opportunity, from: orNull(text), to: orNull(text), by: orNull(text) },
    ),
  },
  'opportunity.won': deal,
  'opportunity.lost': deal,
  'product.created': product,
  'product.updated': product,
  'product.archived': product,
  'price_book.created': priceBook,
  'price_book.updated': priceBook,
  'price_book.archived': priceBook,
  'quote.created': quote,
  'quote.sent': quote,
  'quote.accepted': quote,
  'order.placed': {
    schema: 1,
    category: 'order',
    record: 'order_id',
    retention: 'transaction',
    identities: PARTY_IDENTITIES,
    normalise: { ...PERSON_NORMALISE, ...QUOTED_NORMALISE, country: 'country' },
    codec: shape(
      { order_id: id },
      { ...person, ...quoted, quote_id: orNull(id), country: orNull(text), shipping_address: postalAddress },
    ),
  },
  'activity.logged': {
    schema: 1,
    category: 'activity',
    record: 'activity_id',
    retention: 'service',
    identities: PARTY_IDENTITIES,
    normalise: ACTIVITY_NORMALISE,
    codec: shape({ activity_id: id, kind: text }, { ...activity, case_id: orNull(id) }),
  },
  'call.started': call,
  'call.ended': call,
  'task.created': task,
  'task.completed': task,
  'task.cancelled': task,
} as const satisfies Readonly<Record<string, EventDefinition>>
