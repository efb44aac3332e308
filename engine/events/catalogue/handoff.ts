import * as t from 'io-ts'
import type { EventDefinition } from '../codec.ts'
import { personal } from '../codec.ts'
import { amount, id, instant, longText, orBlank, orNull, shape, text } from '../fields.ts'

const lead = {
  lead_id: personal(id),
  account_id: personal(orNull(id)),
  name: personal(orNull(text)),
  email: personal(orNull(text)),
  phone: personal(orNull(text)),
  company: personal(orNull(text)),
}

const base = {
  schema: 1,
  category: 'lead',
  streamNamespace: 'lead',
  retention: 'profile',
  identities: [
    ['lead', 'lead_id'],
    ['email', 'email'],
    ['phone', 'phone'],
    ['account', 'account_id'],
  ],
  normalise: { email: 'email', phone: 'phone' },
} as const

const description = {
  ...lead,
  first_name: personal(orNull(text)),
  last_name: personal(orNull(text)),
  title: personal(orNull(text)),
  notes: personal(orNull(longText)),
  origin: orNull(text),
  landing_page: orNull(text),
  campaign_id: orNull(id),
  owner: orNull(text),
  status: orNull(text),
  industry: orNull(text),
  country: orNull(text),
}

const described = { ...base, normalise: { ...base.normalise, country: 'country' } } as const

const reasoned = { ...lead, reason: orNull(text), by: orNull(text) }

/** What a lead turned out to be, as the one who won it noted it. */
const business = {
  business_segment: orNull(text),
  business_type: orNull(text),
  lead_type: orNull(text),
  lead_behaviour_profile: orNull(text),
  has_company: t.union([t.boolean, text, t.null]),
  has_gtin: t.union([t.boolean, text, t.null]),
  average_stock: orNull(text),
  declared_product_catalog_size: orBlank(amount),
  declared_monthly_revenue: orBlank(amount),
  seller_id: orNull(id),
  sdr_id: orNull(id),
  sr_id: orNull(id),
}

/** From marketing to sales: leads, who works them, and how soon. */
export const handoff = {
  'lead.created': { ...described, codec: t.partial(description) },
  'lead.updated': { ...described, codec: t.partial(description) },
  'lead.lifecycle_changed': { ...base, codec: shape({ to: text }, { ...reasoned, from: orNull(text) }) },
  'lead.lifecycle_regressed': { ...base, codec: shape({ to: text }, { ...reasoned, from: orNull(text) }) },
  'lead.qualified': {
    ...base,
    codec: t.partial({
      ...reasoned,
      qualification: orNull(text),
      origin: orNull(text),
      landing_page: orNull(text),
    }),
  },
  'lead.assigned': {
    ...base,
    codec: shape({ owner: text }, { ...lead, rule: orNull(text), respond_by: orBlank(instant) }),
    normalise: { ...base.normalise, respond_by: 'instant' },
  },
  'lead.accepted': { ...base, codec: t.partial({ ...reasoned, owner: orNull(text) }) },
  'lead.rejected': { ...base, codec: t.partial({ ...reasoned, owner: orNull(text) }) },
  'lead.first_responded': {
    ...base,
    codec: shape({ outcome: text }, { ...lead, owner: orNull(text), channel: orNull(text) }),
  },
  'lead.escalated': { ...base, codec: t.partial({ ...reasoned, from: orNull(text), to: orNull(text) }) },
  'lead.recalled': { ...base, codec: t.partial({ ...reasoned, owner: orNull(text) }) },
  'lead.recycled': { ...base, codec: t.partial(reasoned) },
  'lead.disqualified': { ...base, codec: t.partial(reasoned) },
  'lead.converted': {
    ...base,
    codec: t.partial({
      ...lead,
      ...business,
      contact_id: personal(orNull(id)),
      opportunity_id: orNull(id),
      owner: orNull(text),
    }),
    identities: [...base.identities, ['contact', 'contact_id']],
    normalise: { ...base.normalise, declared_monthly_revenue: 'money' },
  },
} as const satisfies Readonly<Record<string, EventDefinition>>
