import { strict as assert } from 'node:assert'
import type { Envelope } from '../events/catalogue.ts'
import type { EventDefinition, IdentityPath, RetentionClass } from '../events/codec.ts'
import type { NewEvent, RecordedEvent, SealedPart } from '../events/event.ts'
import type { IdentityId } from '../events/identity.ts'
import { declaredProperties, personalProperties } from '../events/personal.ts'
import type { Registry } from '../events/registry.ts'
import { randomId } from './aead.ts'
import { OVERHEAD_BYTES } from './format.ts'
import type { PartContents } from './parts.ts'
import { isRecord, packContents, setOwn, unpackContents } from './parts.ts'
import type { KeyStore, Opener, SealContext } from './privacy.ts'

/**
 * How the personal properties of an event's data are split off and put back. An event has one sealed part for each
 * person concerned, that of the leading identity first.
 */

type Data = Readonly<Record<string, unknown>>

interface Unsealed {
  /** undefined: a custom type; its data is sealed whole. */
  readonly definition: EventDefinition | undefined
  readonly context: SealContext
  /** As sent. */
  readonly data: Data
  readonly normalised: Data
  /** Properties that the definition leaves in clear, and that name somebody in this event; default none. */
  readonly hidden?: ReadonlySet<string> | undefined
  /** `WORKSPACE_OWNER` where the event has no identity. */
  readonly leading: IdentityId
}

/** What sealing needs of a key store. */
type SealingKeys = Pick<KeyStore, 'identify' | 'seal' | 'suppressed'>

const CUSTOM_RETENTION: RetentionClass = 'behaviour'

/**
 * `data` and `normalised` without what is personal, and that sealed. New keys must be flushed before the event is
 * acknowledged. A property of `people(…)` leaves an array of empty objects behind, as many as there were people:
 * how many took part still counts when they are forgotten. Somebody in it who was erased before is not collected
 * again: that element is dropped, and reads as if its key had been destroyed.
 */
export function sealEvent(
  event: Unsealed,
  keyStore: SealingKeys,
): Pick<NewEvent, 'data' | 'normalised' | 'sealed'> {
  const { definition, data, normalised } = event
  const splitting = definition === undefined ? ALL_SEALED : splittingWithout(definition, event.hidden)
  if (isClear(data, splitting)) return { data, normalised, sealed: NOTHING_SEALED }
  const split = new Split(event, splitting, keyStore)
  for (const name of Object.keys(data)) split.property(name)
  for (const path of Object.keys(normalised)) split.normalisedPath(path)
  return { data: split.data, normalised: split.normalised, sealed: split.seal() }
}

/** What a definition says of the properties of its data. A property that isn't among them is sealed. */
interface Splitting {
  readonly clear: ReadonlySet<string>
  /** Of `people(…)`: where in an element the identity stands that it is sealed under. */
  readonly owners: ReadonlyMap<string, IdentityPath>
}

const ALL_SEALED: Splitting = { clear: new Set(), owners: new Map() }
const NOTHING_SEALED: readonly SealedPart[] = Object.freeze([])

const memo = new WeakMap<EventDefinition, Splitting>()

function splittingOf(definition: EventDefinition): Splitting {
  const known = memo.get(definition)
  if (known !== undefined) return known
  const personal = personalProperties(definition)
  const clear = [...declaredProperties(definition)].filter((name) => !personal.has(name))
  const owners = new Map<string, IdentityPath>()
  for (const [name, { owner }] of personal) if (owner !== undefined) owners.set(name, owner)
  const splitting = { clear: new Set(clear), owners }
  memo.set(definition, splitting)
  return splitting
}

function splittingWithout(definition: EventDefinition, hidden: ReadonlySet<string> | undefined): Splitting {
  const splitting = splittingOf(definition)
  if (hidden === undefined || hidden.size === 0) return splitting
  return { ...splitting, clear: new Set([...splitting.clear].filter((name) => !hidden.has(name))) }
}

function isClear(data: Data, { clear }: Splitting): boolean {
  for (const name in data) if (!clear.has(name)) return false
  return true
}

const SUPPRESSED = Symbol('suppressed')
type Owner = IdentityId | typeof SUPPRESSED

/** An event on its way to being taken apart. */
class Split {
  readonly data: Record<string, unknown> = {}
  readonly normalised: Record<string, unknown> = {}
  readonly #event: Unsealed
  readonly #splitting: Splitting
  readonly #keyStore: SealingKeys
  /** The leading identity's; nearly always the only one. */
  #own: PartContents | undefined
  #others: Map<IdentityId, PartContents> | undefined
  /** Property of `people(…)` → owner of each element. */
  #owners: Map<string, readonly Owner[]> | undefined
  /** Somebody who must not be collected again was named. */
  #leftOut = false

  constructor(event: Unsealed, splitting: Splitting, keyStore: SealingKeys) {
    this.#event = event
    this.#splitting = splitting
    this.#keyStore = keyStore
  }

  property(name: string): void {
    const value = this.#event.data[name]
    if (value === undefined) return
    if (this.#splitting.clear.has(name)) {
      setOwn(this.data, name, value)
      return
    }
    const owner = this.#splitting.owners.get(name)
    if (owner !== undefined && Array.isArray(value)) this.#people(name, value, owner)
    else {
      const part = this.#part(this.#event.leading)
      part.data ??= {}
      setOwn(part.data, name, value)
    }
  }

  /** Goes where the field goes that it was made of. */
  normalisedPath(path: string): void {
    const { normalised, leading } = this.#event
    const dot = path.indexOf('.')
    const name = dot < 0 ? path : path.slice(0, dot)
    if (this.#splitting.clear.has(name)) {
      setOwn(this.normalised, path, normalised[path])
      return
    }
    const owner = this.#owners?.get(name)?.[Number(path.split('.', 2)[1])] ?? leading
    if (owner === SUPPRESSED) return
    const part = this.#part(owner)
    part.normalised ??= {}
    setOwn(part.normalised, path, normalised[path])
  }

  /** The leading identity's part first, if it has one. */
  seal(): readonly SealedPart[] {
    const sealed: SealedPart[] = []
    if (this.#own !== undefined) sealed.push(this.#sealed(this.#event.leading, this.#own))
    if (this.#others !== undefined)
      for (const [owner, contents] of this.#others) sealed.push(this.#sealed(owner, contents))
    if (this.#leftOut) sealed.push({ keyId: randomId(), blob: new Uint8Array(OVERHEAD_BYTES) })
    return sealed
  }

  #sealed(owner: IdentityId, contents: PartContents): SealedPart {
    const { definition, context } = this.#event
    return this.#keyStore.seal(
      owner,
      definition?.retention ?? CUSTOM_RETENTION,
      packContents(contents),
      context,
    )
  }

  #people(name: string, elements: readonly unknown[], path: IdentityPath): void {
    const owners = elements.map((element, index) => this.#ownerOf(element, name, index, path))
    this.#owners ??= new Map()
    this.#owners.set(name, owners)
    setOwn(
      this.data,
      name,
      elements.map(() => ({})),
    )
    for (const [index, owner] of owners.entries()) {
      if (owner === SUPPRESSED) {
        this.#leftOut = true
        continue
      }
      const part = this.#part(owner)
      part.people ??= {}
      const people = Object.hasOwn(part.people, name) ? part.people[name] : {}
      assert(people !== undefined)
      setOwn(people, String(index), elements[index])
      setOwn(part.people, name, people)
    }
  }

  #ownerOf(element: unknown, name: string, index: number, [namespace, path]: IdentityPath): Owner {
    const { definition, normalised, leading } = this.#event
    // Where the definition normalises it, the sender's form names nobody, as at the intake.
    const isNormalised = definition?.normalise[`${name}.*.${path}`] !== undefined
    const found = isNormalised ? normalised[`${name}.${index}.${path}`] : valueAt(element, path)
    const value = identityValue(namespace, found)
    if (value === undefined) return leading
    const stated = { namespace, value }
    return this.#keyStore.suppressed(stated) ? SUPPRESSED : this.#keyStore.identify(stated)
  }

  #part(owner: IdentityId): PartContents {
    if (owner === this.#event.leading) {
      this.#own ??= {}
      return this.#own
    }
    this.#others ??= new Map()
    const found = this.#others.get(owner)
    if (found !== undefined) return found
    const made: PartContents = {}
    this.#others.set(owner, made)
    return made
  }
}

function valueAt(element: unknown, path: string): unknown {
  let value = element
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = Reflect.get(value, name)
  }
  return value
}

const MAX_IDENTITY_LENGTH = 512

function identityValue(namespace: string, value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const text = String(value).trim()
  if (text === '' || text.length > MAX_IDENTITY_LENGTH || !text.isWellFormed()) return undefined
  return namespace === 'email' ? text.toLowerCase() : text
}

/** What of an event can still be read. */
interface Reassembled {
  /** As sent. Properties are absent, and people are `{}`, where the key is destroyed. */
  readonly data: Data
  readonly normalised: Data
  /** Parts that don't open any more. */
  readonly erased: number
}

/** Puts the parts back. Throws `SealBroken`. */
export function reassemble(
  recorded: Pick<RecordedEvent, 'source' | 'id' | 'type' | 'data' | 'normalised' | 'sealed'>,
  opener: Opener,
): Reassembled {
  if (recorded.sealed.length === 0) {
    return { data: recorded.data, normalised: recorded.normalised, erased: 0 }
  }
  const data: Record<string, unknown> = { ...recorded.data }
  const normalised: Record<string, unknown> = { ...recorded.normalised }
  let erased = 0
  for (const part of recorded.sealed) {
    const plaintext = opener.open(part, recorded)
    if (plaintext === undefined) {
      erased += 1
      continue
    }
    const contents = unpackContents(plaintext)
    copyInto(data, contents.data)
    copyInto(normalised, contents.normalised)
    for (const [name, elements] of Object.entries(contents.people)) {
      setOwn(data, name, withElements(data[name], elements))
    }
  }
  return { data, normalised, erased }
}

function copyInto(target: Record<string, unknown>, from: Data): void {
  for (const name of Object.keys(from)) setOwn(target, name, from[name])
}

function withElements(people: unknown, elements: unknown): readonly unknown[] {
  assert(Array.isArray(people) && isRecord(elements), 'people leave an array behind')
  const filled: unknown[] = [...people]
  for (const [index, element] of Object.entries(elements)) {
    assert(Number(index) < filled.length, 'an element has its place')
    filled[Number(index)] = element
  }
  return filled
}

/** An event of any type as folds see it. */
export type OpenedEvent = Envelope & {
  readonly type: string
  readonly data: Data
  /** Sealed parts that don't open any more. */
  readonly erased: number
}

/** Puts the parts back and lifts the data to the newest schema. Throws `SealBroken`. */
export function openEvent(
  recorded: RecordedEvent,
  opener: Opener,
  registry: Pick<Registry, 'upcast'>,
): OpenedEvent {
  const { data, normalised, erased } = reassemble(recorded, opener)
  // Each property by its name: folds run fastest when all events have one shape.
  return {
    position: recorded.position,
    revision: recorded.revision,
    stream: recorded.stream,
    id: recorded.id,
    source: recorded.source,
    type: recorded.type,
    schema: recorded.schema,
    time: recorded.time,
    received: recorded.received,
    sequence: recorded.sequence,
    identities: recorded.identities,
    actor: recorded.actor,
    origin: recorded.origin,
    causation: recorded.causation,
    correlation: recorded.correlation,
    basedOn: recorded.basedOn,
    originalTime: recorded.originalTime,
    sentTime: recorded.sentTime,
    data: registry.upcast(recorded.type, recorded.schema, data),
    normalised,
    erased,
  }
}
