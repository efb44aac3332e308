import { isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js'
import type { EventDefinition, Normalisation } from '../events/codec.ts'
import { normalDomain } from '../events/company-domain.ts'
import type { StatedIdentity } from '../events/identity.ts'
import { namespaceOf } from '../events/identity.ts'
import { localInstant, parseInstant } from '../events/instant.ts'
import { COUNTRIES, CURRENCIES } from '../events/iso-codes.ts'
import { parseMoney } from '../events/money.ts'

/** Raise it when the same data would be normalised otherwise; it is stored beside what it made. */
export const NORMALISER_VERSION = 2

/** What a registered source says of data that doesn't say it itself. */
export interface SourceDefaults {
  /** ISO 3166-1 alpha-2: of phone numbers without a country code. */
  readonly country?: string | undefined
  /** ISO 4217: of amounts without a currency. */
  readonly currency?: string | undefined
  /** IANA: of instants without an offset; default UTC. */
  readonly timeZone?: string | undefined
}

type Data = Readonly<Record<string, unknown>>

/**
 * Path (`products.0.price`) → normalised value, for the paths that the definition names and whose value makes sense:
 * email: trimmed, lower case. phone: E.164. money: integer ten-thousandths. currency: ISO 4217. instant: ms UTC.
 * country: ISO 3166-1 alpha-2. What can't be normalised has no entry.
 *
 * Where an event states an amount and leaves its `currency` out (not null, not blank), the source's own stands there.
 */
export function normalise(
  definition: EventDefinition | undefined,
  data: Data,
  defaults: SourceDefaults,
): Data {
  if (definition === undefined) return NOTHING
  const { rules, currencyDefault } = compiledOf(definition)
  if (rules.length === 0) return NOTHING
  const found: Found = { values: undefined, money: false, defaults }
  for (const rule of rules) follow(rule, data, 0, '', found)
  if (currencyDefault && found.money && own(data, 'currency') === undefined) {
    record('currency', 'currency', defaults.currency, found)
  }
  return found.values ?? NOTHING
}

/**
 * Who the data names: each identity once, ordered by the priority of its namespace, then as the definition lists
 * them. Emails and phones count in normalised form only; others are trimmed, numbers are written out, domains in lower
 * case and ASCII, without what else an address of a page has. Blank, over-long and ill-formed values name nobody.
 */
export function statedIdentities(
  definition: EventDefinition | undefined,
  data: Data,
  normalised: Data,
  defaults: SourceDefaults = {},
): readonly StatedIdentity[] {
  if (definition === undefined) return NOBODY
  const { identities, listed } = compiledOf(definition)
  const found: StatedIdentity[] = []
  for (const { namespace, path, segments, fromNormalised } of identities) {
    const value = fromNormalised ? own(normalised, path) : reach(data, segments)
    if (value !== undefined) add(namespace, identityText(namespace, value), found)
  }
  if (listed.length === 0) return found
  for (const segments of listed) addListed(reach(data, segments), defaults, found)
  return found.sort((a, b) => namespaceOf(a.namespace).priority - namespaceOf(b.namespace).priority)
}

/** An identity as somebody wrote it, in the form that the key store knows it by; trimmed where it has no such form. */
export function normaliseIdentity(namespace: string, value: string, defaults: SourceDefaults = {}): string {
  return normalIdentity(namespace, value, defaults) ?? value.trim()
}

const NOTHING: Data = Object.freeze({})
const NOBODY: readonly StatedIdentity[] = []
const MAX_IDENTITY_LENGTH = 512
/** RFC 5321, 4.5.3.1.3, less the angle brackets. */
const MAX_EMAIL_LENGTH = 254
const EMAIL = /^[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+$/
const MAX_PHONE_LENGTH = 64

interface Rule {
  readonly segments: readonly string[]
  readonly how: Normalisation
  /** The whole path, where no `*` stands in it. */
  readonly path: string | undefined
}

interface IdentityRule {
  readonly namespace: string
  readonly path: string
  readonly segments: readonly string[]
  readonly fromNormalised: boolean
}

/** A definition's paths, split and ordered once. */
interface Compiled {
  readonly rules: readonly Rule[]
  readonly currencyDefault: boolean
  readonly identities: readonly IdentityRule[]
  /** Paths of arrays of `{namespace, value}`. */
  readonly listed: readonly (readonly string[])[]
}

const memo = new WeakMap<EventDefinition, Compiled>()

function compiledOf(definition: EventDefinition): Compiled {
  const known = memo.get(definition)
  if (known !== undefined) return known
  const compiled = compile(definition)
  memo.set(definition, compiled)
  return compiled
}

function compile({ normalise: paths, identities }: EventDefinition): Compiled {
  const rules = Object.entries(paths).map(([path, how]) => {
    const segments = path.split('.')
    return { segments, how, path: segments.includes('*') ? undefined : path }
  })
  const single = identities.filter(([namespace]) => namespace !== '*')
  single.sort(([a], [b]) => namespaceOf(a).priority - namespaceOf(b).priority)
  return {
    rules,
    currencyDefault: paths.currency === 'currency',
    identities: single.map(([namespace, path]) => ({
      namespace,
      path,
      segments: path.split('.'),
      fromNormalised: paths[path] !== undefined,
    })),
    listed: identities.filter(([namespace]) => namespace === '*').map(([, path]) => path.split('.')),
  }
}

interface Found {
  values: Record<string, unknown> | undefined
  money: boolean
  readonly defaults: SourceDefaults
}

/** Walks own properties only: a sender's key never reaches a prototype. */
function follow(rule: Rule, start: unknown, from: number, prefix: string, found: Found): void {
  let value = start
  for (let i = from; i < rule.segments.length; i++) {
    const segment = rule.segments[i] ?? ''
    if (segment === '*') {
      if (Array.isArray(value)) followEach(rule, value, i, prefix, found)
      return
    }
    value = own(value, segment)
    if (value === undefined) return
    if (rule.path === undefined) prefix = prefix === '' ? segment : `${prefix}.${segment}`
  }
  record(rule.path ?? prefix, rule.how, value, found)
}

function followEach(
  rule: Rule,
  values: readonly unknown[],
  star: number,
  prefix: string,
  found: Found,
): void {
  for (let index = 0; index < values.length; index++) {
    follow(rule, values[index], star + 1, `${prefix}.${index}`, found)
  }
}

function record(path: string, how: Normalisation, value: unknown, found: Found): void {
  const normal = normalValue(how, value, found)
  if (normal === undefined) return
  found.values ??= {}
  found.values[path] = normal
  if (how === 'money') found.money = true
}

function reach(data: unknown, segments: readonly string[]): unknown {
  let value = data
  for (const segment of segments) {
    value = own(value, segment)
    if (value === undefined) return undefined
  }
  return value
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, name) ? (value as Data)[name] : undefined
}

function normalValue(how: Normalisation, value: unknown, { defaults }: Found): string | number | undefined {
  switch (how) {
    case 'email':
      return typeof value === 'string' ? normalEmail(value) : undefined
    case 'phone':
      return normalPhone(value, defaults.country)
    case 'money': {
      const parsed = parseMoney(value)
      return parsed._tag === 'Right' ? parsed.right : undefined
    }
    case 'currency':
      return typeof value === 'string' ? knownCode(value, CURRENCIES) : undefined
    case 'country':
      return typeof value === 'string' ? knownCode(value, COUNTRIES) : undefined
    case 'instant':
      return typeof value === 'string' ? normalInstant(value, defaults.timeZone) : undefined
    default:
      return unreachable(how)
  }
}

function normalEmail(value: string): string | undefined {
  if (value.length > MAX_IDENTITY_LENGTH) return undefined
  const email = value.trim().toLowerCase()
  return email.length <= MAX_EMAIL_LENGTH && EMAIL.test(email) && email.isWellFormed() ? email : undefined
}

function normalPhone(value: unknown, country: string | undefined): string | undefined {
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value
  if (typeof text !== 'string' || text.length > MAX_PHONE_LENGTH) return undefined
  const known = country !== undefined && isSupportedCountry(country) ? { defaultCountry: country } : {}
  const phone = parsePhoneNumberFromString(text, { ...known, extract: false })
  return phone?.isValid() === true ? phone.number : undefined
}

function knownCode(value: string, codes: ReadonlySet<string>): string | undefined {
  if (value.length > 16) return undefined
  // As it should be, and nearly always is.
  if (codes.has(value)) return value
  const code = value.trim().toUpperCase()
  return codes.has(code) ? code : undefined
}

function normalInstant(value: string, timeZone: string | undefined): number | undefined {
  return parseInstant(value) ?? localInstant(value, timeZone ?? 'UTC')
}

/** undefined where an email or phone has no normal form. */
function normalIdentity(namespace: string, value: string, defaults: SourceDefaults): string | undefined {
  if (namespace === 'email') return normalEmail(value)
  if (namespace === 'phone') return normalPhone(value, defaults.country)
  return identityText(namespace, value)
}

function identityText(namespace: string, value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined
  if (typeof value !== 'string' || value.length > MAX_IDENTITY_LENGTH) return undefined
  const text = value.trim()
  return namespace === 'domain' ? normalDomain(text) : text
}

/** A lone surrogate would be hashed as U+FFFD and make one person of several. */
function add(namespace: string, value: string | undefined, found: StatedIdentity[]): void {
  if (value === undefined || value === '' || value.length > MAX_IDENTITY_LENGTH || !value.isWellFormed())
    return
  for (const known of found) if (known.namespace === namespace && known.value === value) return
  found.push({ namespace, value })
}

function addListed(list: unknown, defaults: SourceDefaults, found: StatedIdentity[]): void {
  if (!Array.isArray(list)) return
  for (const element of list) {
    const namespace = own(element, 'namespace')
    const value = own(element, 'value')
    if (typeof namespace !== 'string' || typeof value !== 'string') continue
    add(namespace, normalIdentity(namespace, value, defaults), found)
  }
}

function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`)
}
