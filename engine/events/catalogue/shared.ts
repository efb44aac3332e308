import * as t from 'io-ts'
import { people, personal } from '../codec.ts'
import { amount, id, longText, looseId, orBlank, orNull, text } from '../fields.ts'

/** Groups of properties that several domains share. */

const personalText = personal(orNull(text))

/** What Segment's clients send with every call. */
export const segmentPerson = {
  // Clients send a blank for somebody they don't know yet; it names nobody.
  userId: personal(orBlank(looseId)),
  anonymousId: personal(orBlank(looseId)),
  context: personal(orNull(t.UnknownRecord)),
}

export const SEGMENT_IDENTITIES = [
  ['user', 'userId'],
  ['email', 'context.traits.email'],
  ['phone', 'context.traits.phone'],
  ['anonymous', 'anonymousId'],
] as const

export const SEGMENT_NORMALISE = { 'context.traits.email': 'email', 'context.traits.phone': 'phone' } as const

/** A Segment spec event, unwrapped: its properties, with the person beside them. */
export const specPerson = {
  ...segmentPerson,
  email: personalText,
  phone: personalText,
}

export const SPEC_IDENTITIES = [
  ['user', 'userId'],
  ['email', 'email'],
  ['email', 'context.traits.email'],
  ['phone', 'phone'],
  ['phone', 'context.traits.phone'],
  ['anonymous', 'anonymousId'],
] as const

export const SPEC_NORMALISE = { ...SEGMENT_NORMALISE, email: 'email', phone: 'phone' } as const

/** The person whom an event of ours is about, by whatever the sender knows. */
export const person = {
  user_id: personal(orNull(id)),
  contact_id: personal(orNull(id)),
  customer_id: personal(orNull(id)),
  lead_id: personal(orNull(id)),
  anonymous_id: personal(orNull(id)),
  email: personalText,
  phone: personalText,
  name: personalText,
}

export const PERSON_IDENTITIES = [
  ['user', 'user_id'],
  ['contact', 'contact_id'],
  ['erp', 'customer_id'],
  ['lead', 'lead_id'],
  ['email', 'email'],
  ['phone', 'phone'],
  ['anonymous', 'anonymous_id'],
] as const

export const PERSON_NORMALISE = { email: 'email', phone: 'phone' } as const

/** People who took part beside the one that the event is about; each is sealed under a key of their own. */
export const otherPeople = people(
  t.partial({ name: orNull(text), email: orNull(text), phone: orNull(text), role: orNull(text) }),
  ['email', 'email'],
)

/** `null` or `''` where a postal address is removed or left blank; the layout is the sender's. */
export const postalAddress = personal(t.union([t.UnknownRecord, longText, t.null]))

/** An amount of money that an update may remove (`null`) or leave blank (`''`). */
export const money = orBlank(amount)
export const currency = orNull(text)
