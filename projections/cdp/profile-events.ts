import type { EventOf } from '../../engine/events/catalogue.ts'
import { namespaceOf } from '../../engine/events/identity.ts'
import { DECISIONS, type DecisionType } from '../governed.ts'
import { leadingOf, textAt } from '../values.ts'
import { ACTS, lifecycleOf, qualifiedStage } from '../vocabulary.ts'
import type { GoldenWrites } from './profile-fields.ts'
import { customerWrites, recordWrites } from './profile-writes.ts'

/** Which events the golden record hears of, and what each writes to its fields. */

export const PROFILE_EVENTS = [
  ...ACTS,
  'lead.created',
  'lead.updated',
  'lead.lifecycle_changed',
  'lead.lifecycle_regressed',
  'lead.qualified',
  'lead.assigned',
  'lead.converted',
  'contact.created',
  'contact.updated',
  'account.created',
  'account.updated',
  'opportunity.won',
  ...DECISIONS,
] as const

/** Whatever isn't a steward's decision. */
export type ProfileEvent = Exclude<EventOf<(typeof PROFILE_EVENTS)[number]>, EventOf<DecisionType>>

/** '' where nobody is named. */
export type ProfileKind = '' | 'company' | 'person'

export function kindOf(event: Pick<ProfileEvent, 'identities'>): ProfileKind {
  const leading = leadingOf(event)
  return leading === undefined ? '' : namespaceOf(leading.namespace).kind
}

/** The traits of a group are the company's; on a person's event they only name it. */
export function describesTraits(event: ProfileEvent): boolean {
  return event.type === 'cdp.group' && kindOf(event) === 'company'
}

/** An event of a record whose fields are the profile's. */
export function statesRecord(event: ProfileEvent): boolean {
  return OF_COMPANIES.has(event.type) || (OF_PEOPLE.has(event.type) && kindOf(event) === 'person')
}

const OF_COMPANIES: ReadonlySet<string> = new Set<ProfileEvent['type']>([
  'account.created',
  'account.updated',
])
const OF_PEOPLE: ReadonlySet<string> = new Set<ProfileEvent['type']>([
  'lead.created',
  'lead.updated',
  'contact.created',
  'contact.updated',
])

export function writesOf(event: Exclude<ProfileEvent, { type: 'cdp.identify' }>): GoldenWrites {
  switch (event.type) {
    case 'cdp.group':
      return { company: textAt(event, 'traits.name') }
    case 'lead.created':
      return { ...aboutPerson(event), lifecycle: { stage: 'lead' } }
    case 'lead.updated':
    case 'contact.created':
    case 'contact.updated':
      return aboutPerson(event)
    case 'account.created':
    case 'account.updated':
      return recordWrites(event)
    case 'lead.lifecycle_changed':
      return { lifecycle: { stage: lifecycleOf(event.data.to) } }
    case 'lead.lifecycle_regressed':
      return { lifecycle: { regress: lifecycleOf(event.data.to) } }
    case 'lead.qualified':
      return { lifecycle: { stage: qualifiedStage(event.data.qualification) } }
    case 'lead.assigned':
      return { owner: event.data.owner }
    case 'lead.converted':
      return { lifecycle: { stage: 'opportunity' } }
    case 'opportunity.won':
      return { lifecycle: { stage: 'customer' } }
    case 'Order Completed':
    case 'order.placed':
    case 'erp.invoice_issued':
      return customerWrites(event)
    case 'cdp.track':
    case 'cdp.page':
    case 'cdp.screen':
    case 'cdp.alias':
    case 'social.interacted':
    case 'Email Opened':
    case 'Email Link Clicked':
    case 'Unsubscribed':
    case 'marketing.form_submitted':
    case 'marketing.asset_downloaded':
    case 'marketing.webinar_attended':
    case 'Live Chat Conversation Started':
    case 'csat.submitted':
    case 'article.viewed':
    case 'Product Viewed':
    case 'Product Added':
    case 'Cart Viewed':
    case 'Checkout Started':
      return NOTHING
  }
}

const NOTHING: GoldenWrites = {}

/** A lead or contact that only its company is known of says nothing about the company itself. */
function aboutPerson(
  event: EventOf<'lead.created' | 'lead.updated' | 'contact.created' | 'contact.updated'>,
): GoldenWrites {
  return kindOf(event) === 'person' ? recordWrites(event) : NOTHING
}
