import type { EventOf } from '../../engine/events/catalogue.ts'
import type { Scalar } from '../../engine/reducers/choice.ts'
import type { Group } from '../../engine/reducers/together.ts'
import { type Fields, isRecord, type Text, textAt, textOf, valueAt } from '../values.ts'
import { type Address, addressOf } from './address.ts'
import type { GoldenWrites } from './profile-fields.ts'

/** What events say of the person or company that they are about. */

/** Segment's reserved traits in both spellings, and the field of the golden record that each is. */
const RESERVED: ReadonlyMap<
  string,
  'name' | 'first_name' | 'last_name' | 'email' | 'phone' | 'title' | 'industry'
> = new Map([
  ['name', 'name'],
  ['firstName', 'first_name'],
  ['first_name', 'first_name'],
  ['lastName', 'last_name'],
  ['last_name', 'last_name'],
  ['email', 'email'],
  ['phone', 'phone'],
  ['title', 'title'],
  ['industry', 'industry'],
])

interface TraitWrites {
  readonly golden: GoldenWrites
  /** Name and value of the traits that have no field of their own. */
  readonly others: readonly (readonly [string, unknown])[]
}

/** A reserved trait that doesn't hold what it should is kept as any other trait. */
export function traitWrites(event: Fields): TraitWrites {
  const golden: Record<string, Scalar | null | Address> = {}
  const others: [string, unknown][] = []
  const traits = valueAt(event, 'traits')
  if (typeof traits !== 'object' || traits === null) return { golden, others }
  for (const [name, sent] of Object.entries(traits)) {
    if (sent === undefined) continue
    const field =
      RESERVED.get(name) ??
      (name === 'company' || name === 'address' || name === 'country' ? name : undefined)
    const value = field === undefined ? undefined : reserved(field, name, sent, event)
    if (field === undefined || value === undefined) others.push([name, sent])
    else golden[field] ??= value
  }
  const country = golden.country ?? countryIn(golden.address)
  return { golden: country === undefined ? golden : { ...golden, country: textOf(country) }, others }
}

function reserved(field: string, name: string, sent: unknown, event: Fields): Text | Address | undefined {
  if (field === 'address') return addressOf(sent)
  if (field === 'company') return textOf(isRecord(sent) ? sent.name : sent)
  return textOf(valueAt(event, `traits.${name}`) ?? sent)
}

function countryIn(address: Scalar | null | Address | undefined): Scalar | null | undefined {
  return isRecord(address) ? (address as Group<'country'>).country : undefined
}

/** What a lead, contact or account record states. */
export function recordWrites(
  event: EventOf<
    | 'lead.created'
    | 'lead.updated'
    | 'contact.created'
    | 'contact.updated'
    | 'account.created'
    | 'account.updated'
  >,
): GoldenWrites {
  return {
    name: textAt(event, 'name'),
    first_name: textAt(event, 'first_name'),
    last_name: textAt(event, 'last_name'),
    email: textAt(event, 'email'),
    phone: textAt(event, 'phone'),
    company: textAt(event, 'company'),
    domain: textAt(event, 'domain'),
    title: textAt(event, 'title'),
    address: addressOf(valueAt(event, 'address')),
    country: textAt(event, 'country'),
    industry: textAt(event, 'industry'),
    owner: textAt(event, 'owner'),
  }
}

/** Where to reach a customer, as an order or invoice says. */
export function customerWrites(event: Fields): GoldenWrites {
  return {
    name: textAt(event, 'name'),
    email: textAt(event, 'email'),
    phone: textAt(event, 'phone'),
    country: textAt(event, 'country'),
    lifecycle: { stage: 'customer' },
  }
}
