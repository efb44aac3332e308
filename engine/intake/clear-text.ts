import type * as t from 'io-ts'
import type { About, EventDefinition } from '../events/codec.ts'
import { kindOf, unreachable } from '../events/codec-kinds.ts'
import type { FieldKind } from '../events/fields.ts'
import { NAMESPACE_PATTERN, type StatedIdentity } from '../events/identity.ts'
import { personalProperties, propertyCodecs } from '../events/personal.ts'
import { addressesIn, isPhone, looks, plain } from './addresses.ts'
import type { StatedEnvelope } from './envelope.ts'

/**
 * What an event would leave in the log in clear although it names somebody. The log is never rewritten, so no way in may
 * put an identity's value there: not in the envelope, not in a property that the catalogue doesn't seal.
 */

interface Judged {
  readonly definition: EventDefinition | undefined
  readonly envelope: StatedEnvelope
  /** Identities of the event, normalised. */
  readonly stated: readonly StatedIdentity[]
}

export interface NamedInClear {
  /** Addresses and numbers that stand where no identity should: whoever was erased isn't collected by that way either. */
  readonly addresses: readonly StatedIdentity[]
  /** Properties to seal with the personal ones: nobody needs them to know what the event is about. */
  readonly hidden: ReadonlySet<string>
  /** Why the event can't be taken; the reason repeats nothing of it. */
  readonly refusal: string | undefined
  /** Source or type name somebody: whoever tells of the refusal must leave them out. */
  readonly isUnnamed: boolean
}

/** undefined, nearly always: nothing. */
export function namedInClear(event: Judged): NamedInClear | undefined {
  const found = new Finding(event)
  found.envelope()
  if (event.definition !== undefined) found.data(event.definition)
  return found.result()
}

/** How a property that stands in clear may hold texts. */
interface OpenText {
  /** Left out, the event is still whole: text that is optional and that nothing is made of. */
  readonly mayHide: boolean
  readonly isAmount: boolean
}

const memo = new WeakMap<EventDefinition, ReadonlyMap<string, OpenText>>()

/** The clear properties in which any text may stand, by name. */
function openTexts(definition: EventDefinition): ReadonlyMap<string, OpenText> {
  const known = memo.get(definition)
  if (known !== undefined) return known
  const personal = personalProperties(definition)
  const made = new Set(Object.keys(definition.normalise).map((path) => path.split('.', 1)[0]))
  const open = new Map<string, OpenText>()
  for (const { name, codec, required } of propertyCodecs(definition.codec)) {
    if (personal.has(name)) continue
    const leaves = new Set(leavesOf(codec))
    const isText = [...leaves].every((leaf) => leaf === 'text' || leaf === 'closed')
    if (leaves.has('text') || leaves.has('open') || leaves.has('amount'))
      open.set(name, {
        mayHide: isText && !required && !made.has(name) && name !== definition.about?.view,
        isAmount: leaves.has('amount') && !leaves.has('open') && !leaves.has('text'),
      })
  }
  memo.set(definition, open)
  return open
}

/** `closed`: its codec says which texts, if any, stand there. `open`: any may, and it matters to the event. */
type Leaf = 'closed' | 'text' | 'amount' | 'open'

function leavesOf(codec: t.Mixed): readonly Leaf[] {
  const kind = kindOf(codec)
  switch (kind.kind) {
    case 'field':
      return [leafOf(kind.codec.kind)]
    case 'union':
      return kind.members.flatMap(leavesOf)
    case 'intersection':
      return kind.parts.flatMap(leavesOf)
    case 'personal':
      return leavesOf(kind.codec.inner)
    case 'literal':
    case 'choice':
    case 'boolean':
    case 'null':
      return ['closed']
    case 'object':
    case 'array':
    case 'dictionary':
    case 'any_object':
    case 'any_array':
    case 'unknown':
      return ['open']
    default:
      return unreachable(kind)
  }
}

function leafOf(kind: FieldKind): Leaf {
  switch (kind) {
    case 'text':
      return 'text'
    case 'amount':
      return 'amount'
    case 'id':
      return 'open'
    case 'finite':
    case 'integer':
    case 'instant':
    case 'day':
    case 'time_zone':
    case 'currency':
    case 'country':
      return 'closed'
    default:
      return unreachable(kind)
  }
}

const NOTHING = { addresses: [] as readonly StatedIdentity[], hidden: new Set<string>() }
/** Of the envelope, what stays as it is: others are told by it, so nothing may stand in its place. */
const KEPT = ['id', 'source', 'type'] as const
/** Of the envelope, where an identity's id stands in for its value. */
const NAMED = ['actor', 'origin', 'causation', 'correlation'] as const
const ADVICE = "what stands there lasts for ever and can't be forgotten: state an id that names nobody"

class Finding {
  readonly #event: Judged
  #addresses: StatedIdentity[] | undefined
  #hidden: Set<string> | undefined
  #refusal: string | undefined
  #isNamed = false
  #isUnnamed = false
  readonly #looks = looks()

  constructor(event: Judged) {
    this.#event = event
  }

  result(): NamedInClear | undefined {
    const isAny = this.#isNamed || this.#addresses !== undefined || this.#hidden !== undefined
    if (!isAny && this.#refusal === undefined) return undefined
    const { addresses, hidden } = NOTHING
    return {
      addresses: this.#addresses ?? addresses,
      hidden: this.#hidden ?? hidden,
      refusal: this.#refusal,
      isUnnamed: this.#isUnnamed,
    }
  }

  envelope(): void {
    const { envelope } = this.#event
    for (const name of KEPT) {
      if (!this.#names(envelope[name])) continue
      this.#refuse(`${name} names somebody`)
      this.#isUnnamed = true
    }
    for (const name of NAMED) {
      const text = envelope[name]
      if (text !== undefined && this.#names(text)) this.#isNamed = true
    }
  }

  data(definition: EventDefinition): void {
    const open = openTexts(definition)
    const { data } = this.#event.envelope
    for (const name in data) {
      const declared = open.get(name)
      if (declared === undefined || !this.#holds(data[name], declared.isAmount)) continue
      if (declared.mayHide) {
        this.#hidden ??= new Set()
        this.#hidden.add(name)
      } else this.#refuse(`${name} holds an address, a telephone number or another identity of a person`)
    }
    if (definition.category === 'identity') this.#namespaces()
    if (definition.about !== undefined) this.#about(definition.about, data)
  }

  /** A decision lists identities as its sender writes them; their namespaces stand in clear beside their ids. */
  #namespaces(): void {
    const isOne = this.#event.stated.every(({ namespace }) => NAMESPACE_PATTERN.test(namespace))
    if (!isOne) this.#refuse('a namespace is a word of lower-case letters, digits and _')
  }

  /** What names a row of a read model. */
  #about({ view, key, people }: About, data: StatedEnvelope['data']): void {
    const [viewed, named] = [data[view], data[key]]
    if (typeof named !== 'string') return
    if (typeof viewed === 'string' && people.includes(viewed)) {
      if (!IDENTITY_ID.test(named))
        this.#refuse(`rows of ${viewed} are people's or companies', so ${key} must be an identity's id`)
      return
    }
    const prefix = `${String(viewed)}:`
    const own = named.startsWith(prefix) ? named.slice(prefix.length) : named
    const meant = plain(own).toLowerCase()
    if (this.#event.stated.some(({ value }) => value.toLowerCase() === meant))
      this.#refuse(`${key} is the value of an identity of the event`)
  }

  #refuse(why: string): void {
    this.#refusal ??= `${why}; ${ADVICE}`
  }

  #holds(value: unknown, isAmount: boolean): boolean {
    switch (typeof value) {
      case 'string':
        return isAmount ? isPhone(value) || this.#isStated(value) : this.#names(value)
      case 'number':
        return Number.isSafeInteger(value) && value >= LEAST_NUMBER && this.#isStated(String(value))
      case 'object':
        return value !== null && this.#holdsWithin(value)
      default:
        return false
    }
  }

  /** Names of properties are a sender's own, too. */
  #holdsWithin(value: object): boolean {
    if (Array.isArray(value)) {
      for (const each of value) if (this.#holds(each, false)) return true
      return false
    }
    for (const name of Object.keys(value))
      if (this.#names(name) || this.#holds(Reflect.get(value, name), false)) return true
    return false
  }

  #names(text: string): boolean {
    const addresses = addressesIn(text, this.#looks)
    if (addresses.length === 0) return this.#isStated(text)
    this.#addresses ??= []
    this.#addresses.push(...addresses.slice(0, MOST_ADDRESSES - this.#addresses.length))
    return true
  }

  #isStated(text: string): boolean {
    for (const identity of this.#event.stated) if (isNamed(identity, text)) return true
    return false
  }
}

/** Of one event, looked up among those that were erased: it is refused or sealed whoever the others are. */
const MOST_ADDRESSES = 200

const IDENTITY_ID = /^[0-9a-f]{32}$/

/** Digits of a number's country code and of what may be left out with it. */
const MAX_LEFT_OUT = 3
const MIN_DIGITS = 7
const LEAST_NUMBER = 10 ** (MIN_DIGITS - 1)
const MAX_WRITTEN = 40

/** Whether the text is the identity's value in a form that it can have by no coincidence: a short id may have any meaning. */
export function isNamed({ namespace, value }: StatedIdentity, text: string): boolean {
  if (namespace === 'email' && text.includes('@')) return text.toLowerCase().includes(value)
  if (namespace === 'phone' && hasDigits(text)) {
    const digits = text.replaceAll(/\D/g, '').replace(/^0+/, '')
    const isWhole = digits.length >= Math.max(MIN_DIGITS, value.length - 1 - MAX_LEFT_OUT)
    if (isWhole && value.endsWith(digits)) return true
  }
  return isWrittenOut({ namespace, value }, text)
}

/** As many as a number has, in a text that may be one: nearly none is, and taking it apart costs more than looking. */
function hasDigits(text: string): boolean {
  if (text.length < MIN_DIGITS || text.length > MAX_WRITTEN) return false
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= ZERO && code <= NINE) count += 1
  }
  return count >= MIN_DIGITS
}

const ZERO = 0x30
const NINE = 0x39

/** Whether the text is `namespace:value`. */
export function isWrittenOut({ namespace, value }: StatedIdentity, text: string): boolean {
  return (
    text.length === namespace.length + value.length + 1 &&
    text.startsWith(`${namespace}:`) &&
    text.endsWith(value)
  )
}
