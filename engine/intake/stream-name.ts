import { catalogue } from '../events/catalogue.ts'
import type { EventDefinition } from '../events/codec.ts'
import type { Identity, StatedIdentity } from '../events/identity.ts'
import type { KeyStore } from '../privacy/privacy.ts'
import { addressesIn, plain, withoutAddresses } from './addresses.ts'
import { isNamed, isWrittenOut } from './clear-text.ts'
import type { StatedEnvelope } from './envelope.ts'
import { normaliseIdentity, type SourceDefaults } from './normalise.ts'

/** What stands for the record where an event names neither a record nor a person. */
const NOBODY = 'none'

const NO_TEXTS: readonly string[] = []
const NO_ADDRESSES: readonly StatedIdentity[] = []

/** Where a subject begins with one of these, what follows is the record. */
const CATEGORIES: ReadonlySet<string> = new Set(Object.values(catalogue).map(({ category }) => category))

/** What naming a stream needs to know of an event. */
export interface Nameable {
  readonly envelope: Pick<StatedEnvelope, 'subject' | 'type' | 'data'>
  readonly definition: EventDefinition | undefined
  readonly stated: readonly StatedIdentity[]
  /** Of the stated ones, in their order. */
  readonly identities: readonly Identity[]
  readonly defaults: SourceDefaults
}

/**
 * The event's stream, `category-id`: as `nameOf` has it, and an address or number within a longer name is replaced by its
 * identity's id too.
 */
export function streamName(event: Nameable, directory: Pick<KeyStore, 'find' | 'identify'>): string {
  return named(nameOf(event, directory), directory)
}

/** A text of the envelope with identity ids in place of addresses, numbers and what the event states as an identity. */
export function namedText(
  text: string | undefined,
  event: Pick<Nameable, 'stated' | 'identities'>,
  directory: Pick<KeyStore, 'find' | 'identify'>,
): string | undefined {
  if (text === undefined) return undefined
  const { stated, identities } = event
  const at = stated.findIndex((identity) => isNamed(identity, text))
  const written = named(text, directory)
  return written === text ? (identities[at]?.id ?? text) : written
}

function named(text: string, directory: Pick<KeyStore, 'find' | 'identify'>): string {
  return withoutAddresses(
    text,
    (identity) => directory.find(identity.namespace, identity.value) ?? directory.identify(identity),
  )
}

/**
 * The event's stream, `category-id`: the sender's `subject`, else the record that the definition names, else the
 * identity of its `streamNamespace`, else the leading one. Where the id is the value of an identity of the event, or a mail
 * address, the identity's id stands in its place: names of streams last for ever.
 */
function nameOf(event: Nameable, directory: Pick<KeyStore, 'find' | 'identify'>): string {
  const { envelope, definition, identities } = event
  const category = definition?.category ?? categoryOf(envelope.type)
  if (envelope.subject !== undefined && envelope.subject !== '') {
    return subjectName(envelope.subject, category, event, directory)
  }
  const record = definition?.record === undefined ? undefined : recordId(envelope.data, definition.record)
  if (record !== undefined)
    return `${category}-${identityOf(record, event) ?? addressId([record], directory) ?? record}`
  const at = Math.max(
    0,
    identities.findIndex(({ namespace }) => namespace === definition?.streamNamespace),
  )
  const identity = identities[at]
  return `${category}-${identity?.id ?? NOBODY}`
}

function subjectName(
  subject: string,
  category: string,
  event: Nameable,
  directory: Pick<KeyStore, 'find' | 'identify'>,
): string {
  const { head, rest } = split(subject)
  const whole = identityOf(subject, event)
  if (head === undefined) return `${category}-${whole ?? addressId([subject], directory) ?? subject}`
  const named = identityOf(rest, event)
  // Part of a number's digits may stand before the dash.
  const severed = whole !== undefined && /\d/.test(head)
  if (named !== undefined && !severed && identityOf(head, event) === undefined) return `${head}-${named}`
  // A value may hold a dash itself.
  if (whole !== undefined) return `${category}-${whole}`
  const addresses = head === category || CATEGORIES.has(head) ? [rest, subject] : [subject, rest]
  const found = addressId(addresses, directory)
  if (found === undefined) return subject
  return `${plain(head).includes('@') ? category : head}-${found}`
}

/** Of the streams that hold what EventStoreDB's clients say of others: who could write there could hide those. */
export const METADATA_CATEGORY = 'esdb_metadata'
/** Begins what these clients call such a stream. */
export const METASTREAM_PREFIX = '$$'

/** Whether its type or subject would name the event's stream so, or as those clients do. */
export function isMetadata(
  { subject, type }: Pick<StatedEnvelope, 'subject' | 'type'>,
  definition: EventDefinition | undefined,
): boolean {
  if (subject?.startsWith(`${METADATA_CATEGORY}-`) || subject?.startsWith(METASTREAM_PREFIX)) return true
  return definition === undefined && categoryOf(type) === METADATA_CATEGORY
}

/** Categories of which the catalogue names streams after people. */
const PERSONAL_CATEGORIES: ReadonlySet<string> = personalCategories()
const IDENTITY_ID = /^[0-9a-f]{32}$/

function personalCategories(): ReadonlySet<string> {
  const definitions: readonly EventDefinition[] = Object.values(catalogue)
  const ofRecords = new Set(
    definitions.filter(({ record }) => record !== undefined).map(({ category }) => category),
  )
  return new Set(definitions.map(({ category }) => category).filter((category) => !ofRecords.has(category)))
}

/** Why a stream may not have this very name; undefined where it may. The reason doesn't repeat it. */
export function personalName(name: string, event: Pick<Nameable, 'stated' | 'defaults'>): string | undefined {
  const identities = event.stated.map(({ namespace }): Identity => ({ id: namespace, namespace }))
  const { head, rest } = split(name)
  const texts = head === undefined ? [name] : [name, head, rest]
  const nameable = { ...event, identities }
  if (texts.some((text) => identityOf(text, nameable) !== undefined))
    return "the stream's name holds an identity of the event: names last for ever, so they must name nobody"
  if (addressesOf(texts).length > 0 || addressesIn(name).length > 0)
    return "the stream's name holds an address: names last for ever, so they must name nobody"
  if (head !== undefined && PERSONAL_CATEGORIES.has(head) && rest !== NOBODY && !IDENTITY_ID.test(rest))
    return `streams of the category ${head} are people's: they are named by identity ids alone`
  return undefined
}

function split(subject: string): { readonly head: string | undefined; readonly rest: string } {
  const dash = subject.indexOf('-')
  return dash < 1
    ? { head: undefined, rest: subject }
    : { head: subject.slice(0, dash), rest: subject.slice(dash + 1) }
}

/** Fewer digits than this name no phone. */
const LEAST_PHONE_DIGITS = 7

/** Whether the digits are those of the E.164 number, or its end: without country code, with trunk or exit prefix. */
function sameNumber(text: string, e164: string): boolean {
  const digits = text.replaceAll(/\D/g, '').replace(/^0+/, '')
  return digits.length >= LEAST_PHONE_DIGITS && e164.slice(1).endsWith(digits)
}

/** The id of the event's identity that this text names, in whatever way it is written. */
function identityOf(
  text: string,
  { stated, identities, defaults }: Pick<Nameable, 'stated' | 'identities' | 'defaults'>,
): string | undefined {
  const meant = plain(text)
  const at = stated.findIndex(
    ({ namespace, value }) =>
      normaliseIdentity(namespace, meant, defaults) === value ||
      meant === value ||
      isWrittenOut({ namespace, value }, meant) ||
      (namespace === 'phone' && sameNumber(meant, value)),
  )
  return identities[at]?.id
}

/** The identity of the first text that is a known address or number, else of the first that may be one. */
function addressId(
  texts: readonly string[],
  directory: Pick<KeyStore, 'find' | 'identify'>,
): string | undefined {
  const addresses = addressesOf(texts)
  const [first] = addresses
  if (first === undefined) return undefined
  const known = addresses.map(({ namespace, value }) => directory.find(namespace, value))
  return known.find((id) => id !== undefined) ?? directory.identify(first)
}

/** No address is written without one of these; most ids have none of them. */
const ADDRESS_SIGN = /[^!-$&-*,-?A-~]/

/** A mail address, or a phone number in E.164, that nobody stated as an identity. */
function address(text: string): StatedIdentity | undefined {
  if (!ADDRESS_SIGN.test(text)) return undefined
  const meant = plain(text)
  if (meant.includes('@')) return { namespace: 'email', value: meant.toLowerCase() }
  return /^\+\d{7,15}$/.test(meant) ? { namespace: 'phone', value: meant } : undefined
}

/**
 * The addresses that naming the stream may turn into identities: whoever was erased may not be collected by that way
 * either.
 */
export function streamAddresses({
  envelope: { subject, data },
  definition,
}: Pick<Nameable, 'envelope' | 'definition'>): readonly StatedIdentity[] {
  const record = definition?.record === undefined ? undefined : recordId(data, definition.record)
  const texts = subject ? [subject, split(subject).rest] : record === undefined ? NO_TEXTS : [record]
  const found = addressesOf(texts)
  const within = subject ? addressesIn(subject) : NO_ADDRESSES
  return within.length === 0 ? found : [...found, ...within]
}

function addressesOf(texts: readonly string[]): readonly StatedIdentity[] {
  let found: StatedIdentity[] | undefined
  for (const text of texts) {
    const one = address(text)
    if (one === undefined) continue
    found ??= []
    found.push(one)
  }
  return found ?? NO_ADDRESSES
}

function categoryOf(type: string): string {
  const head =
    type
      .split('.')[0]
      ?.toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '_') ?? ''
  return head === '' ? 'custom' : head
}

function recordId(data: Readonly<Record<string, unknown>>, property: string): string | undefined {
  const value = Object.hasOwn(data, property) ? data[property] : undefined
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : undefined
}
