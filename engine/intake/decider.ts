import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import type { EventDefinition } from '../events/codec.ts'
import type { NewEvent } from '../events/event.ts'
import type { Identity, StatedIdentity } from '../events/identity.ts'
import { NAMESPACES, namespaceOf } from '../events/identity.ts'
import type { DecodeFailure, Registry } from '../events/registry.ts'
import { SPEC_NAMES } from '../events/registry.ts'
import type { KeyStore } from '../privacy/privacy.ts'
import { WORKSPACE_OWNER } from '../privacy/privacy.ts'
import { sealEvent } from '../privacy/sealing.ts'
import { addressesIn } from './addresses.ts'
import { type NamedInClear, namedInClear } from './clear-text.ts'
import type { StatedEnvelope } from './envelope.ts'
import { isRecord, readEnvelope, SOURCE_PATTERN } from './envelope.ts'
import { happened } from './happened.ts'
import { explainRules, IdentityScreen } from './identity-screen.ts'
import { inspect } from './inspect.ts'
import type { SourceDefaults } from './normalise.ts'
import { NORMALISER_VERSION, normalise, normaliseIdentity, statedIdentities } from './normalise.ts'
import type { Incoming, QuarantineReason } from './result.ts'
import {
  isMetadata,
  METADATA_CATEGORY,
  METASTREAM_PREFIX,
  namedText,
  personalName,
  streamAddresses,
  streamName,
} from './stream-name.ts'

/** An event that may be appended, if it is no repetition. */
export interface Accepted {
  readonly kind: 'accepted'
  readonly envelope: StatedEnvelope
  readonly definition: EventDefinition | undefined
  readonly normalised: Readonly<Record<string, unknown>>
  readonly identities: readonly StatedIdentity[]
  /** Namespaces of what was stated as an identity and is none, because of its value. */
  readonly blocked: readonly string[]
  /** As events carry them, where they were known when the event was judged, after so many erasures. */
  readonly known: readonly (Identity | undefined)[]
  readonly erasures: number
  /** What of it names somebody and would stand in the log in clear; nearly always nothing. */
  readonly clear: NamedInClear | undefined
  /** What its source leaves unsaid. */
  readonly defaults: SourceDefaults
  /** What the event stands for, if it tells of one that was refused. */
  readonly quarantined: Quarantined | undefined
  /** As it came, for quarantine in case it can't be appended after all. */
  readonly incoming: Incoming
  readonly sizeBytes: number
}

interface Quarantined {
  readonly quarantineId: string
  readonly eventId: string | undefined
  readonly reason: QuarantineReason
  readonly message: string
}

/** An event for quarantine. */
export interface Refused {
  readonly kind: 'refused'
  readonly incoming: Incoming
  readonly reason: QuarantineReason
  readonly message: string
  readonly id: string | undefined
  readonly source: string
  readonly type: string | undefined
  readonly sizeBytes: number
}

export type Decided = Accepted | Refused

interface DeciderOptions {
  readonly registry: Registry
  readonly keyStore: KeyStore
  readonly maxDepth: number
  readonly eventLimitBytes: number
}

/** Types that only the engine appends: a sender that could would forge its decisions. */
export const RESERVED_TYPES: ReadonlySet<string> = new Set([
  'clock.advanced',
  'event.quarantined',
  'event.resubmitted',
  'person.erased',
  'projection.switched',
])

/** The source of the engine's own events. */
export const ENGINE_SOURCE = 'headwater'

/** Stands for a source that can't be told. */
const UNKNOWN = 'unknown'
const NOBODY: readonly StatedIdentity[] = []
const NO_DEFAULTS: SourceDefaults = {}
const NO_NAMES: readonly string[] = []

/** Consent is what lifts a suppression, so it must get in. */
const LIFTS_SUPPRESSION: ReadonlySet<string> = new Set(['consent.granted'])

/** True if sealing this event may make somebody known again who is suppressed until then. */
export function liftsSuppression(decided: Decided): boolean {
  return decided.kind === 'accepted' && LIFTS_SUPPRESSION.has(decided.envelope.type)
}

/** Judges one event at a time: envelope → codec → normalise; and seals it once it is known to be new. */
export class Decider {
  readonly #options: DeciderOptions
  readonly #sources = new Map<string, SourceDefaults>()
  readonly #screen = new IdentityScreen()

  constructor(options: DeciderOptions) {
    this.#options = options
  }

  /** Takes note of a source's default country, time zone and currency, and of published identity rules. */
  learn(type: string, data: Readonly<Record<string, unknown>>): void {
    this.#screen.learn(type, data)
    if (type !== 'source.registered' || typeof data['source'] !== 'string') return
    this.#sources.set(data['source'], {
      country: textOf(data['default_country']),
      timeZone: textOf(data['time_zone']),
      currency: textOf(data['currency']),
    })
  }

  decide(incoming: Incoming, defaultSource: string): Decided {
    if ('unparsable' in incoming) {
      return refuse(incoming, defaultSource, incoming.reason, incoming.message, incoming.unparsable.length)
    }
    if ('refused' in incoming) return refuse(incoming, defaultSource, incoming.reason, incoming.message, 0)
    const looked = inspect(incoming.value, this.#options.maxDepth)
    const size = looked.sizeBytes
    if (looked.finding !== undefined)
      return refuse(incoming, defaultSource, looked.finding.reason, looked.finding.message, size)
    if (size > this.#options.eventLimitBytes) {
      return refuse(
        incoming,
        defaultSource,
        'too_large',
        `the event is larger than ${this.#options.eventLimitBytes} bytes`,
        size,
      )
    }
    const read = readEnvelope(incoming.value, {
      source: defaultSource,
      id: incoming.fallbackId,
      expected: incoming.expected,
    })
    if (E.isLeft(read)) return refuse(incoming, defaultSource, read.left.reason, read.left.message, size)
    const envelope = unwrapTrack(read.right)
    if (envelope.source === ENGINE_SOURCE) {
      const message = `the source ${ENGINE_SOURCE} is the engine's own: its ids must not be taken by others`
      return refuse(incoming, envelope.source, 'reserved_source', message, size)
    }
    if (RESERVED_TYPES.has(envelope.type)) {
      return refuse(
        incoming,
        defaultSource,
        'reserved_type',
        'only the engine itself appends events of this type',
        size,
      )
    }
    return this.#accept(incoming, envelope, size)
  }

  /** One of the engine's own events. */
  decideOwn(event: {
    readonly type: string
    readonly id: string
    readonly data: Readonly<Record<string, unknown>>
  }): Accepted {
    const value = { ...event, source: ENGINE_SOURCE }
    const read = readEnvelope(value, { source: ENGINE_SOURCE, id: undefined, expected: undefined })
    const decided = E.isRight(read) ? this.#accept({ value }, read.right, 0) : undefined
    assert(decided?.kind === 'accepted', `an own event of type ${event.type} is malformed`)
    return decided
  }

  /** The event that tells of a refused one, whose body is kept under `quarantineId`. */
  decideQuarantined(
    refused: Refused,
    kept: { readonly quarantineId: string; readonly hash: string },
  ): Accepted {
    const { quarantineId, hash } = kept
    const data = {
      quarantine_id: quarantineId,
      hash,
      reason: refused.reason,
      source: refused.source,
      event_type: nameOf(refused.type),
      // Of invalid data the message may name a sender's own property; it stands, sealed, beside the body.
      message: refused.reason === 'invalid_data' ? undefined : refused.message,
      size_bytes: refused.sizeBytes,
    }
    const quarantined = {
      quarantineId,
      eventId: refused.id,
      reason: refused.reason,
      message: refused.message,
    }
    const known = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined))
    return { ...this.decideOwn({ type: 'event.quarantined', id: quarantineId, data: known }), quarantined }
  }

  #accept(incoming: Incoming, envelope: StatedEnvelope, sizeBytes: number): Decided {
    const { registry, keyStore } = this.#options
    const decoded = registry.decode(envelope.type, envelope.schema, envelope.data)
    if (E.isLeft(decoded)) {
      return refuse(incoming, envelope.source, decoded.left._tag, explainDecode(decoded.left), sizeBytes)
    }
    const { definition, data } = decoded.right
    const stream = givenStream(incoming)
    if (stream === undefined && isMetadata(envelope, definition)) {
      const message = `streams of the category ${METADATA_CATEGORY} are written by EventStoreDB's clients alone, which call them ${METASTREAM_PREFIX}`
      return refuse(incoming, envelope.source, 'reserved_stream', message, sizeBytes)
    }
    const unruly = explainRules(envelope.type, data)
    if (unruly !== undefined) return refuse(incoming, envelope.source, 'invalid_data', unruly, sizeBytes)
    const defaults = this.#sources.get(envelope.source) ?? NO_DEFAULTS
    const normalised = normalise(definition, data, defaults)
    const all = allIdentities(envelope, statedIdentities(definition, data, normalised, defaults), defaults)
    // A steward's decision stands, whatever it is about.
    const identities = definition?.category === 'identity' ? all : this.#screen.counted(all)
    const personal = stream === undefined ? undefined : personalName(stream, { stated: all, defaults })
    if (personal !== undefined)
      return refuse(incoming, envelope.source, 'invalid_envelope', personal, sizeBytes)
    const accepted: Accepted = {
      kind: 'accepted',
      envelope,
      definition,
      normalised,
      identities,
      blocked: identities === all ? NO_NAMES : leftOut(all, identities),
      known: identities.map((stated) => this.#find(stated)),
      erasures: keyStore.erasures,
      clear: namedInClear({ definition, envelope, stated: all }),
      defaults,
      quarantined: undefined,
      incoming,
      sizeBytes,
    }
    // Who is known isn't suppressed.
    const unknown = accepted.known.includes(undefined)
      ? identities.filter((_, at) => accepted.known[at] === undefined)
      : NOBODY
    return this.#suppression(accepted, unknown) ?? inClear(accepted) ?? accepted
  }

  #find({ namespace, value }: StatedIdentity): Identity | undefined {
    const id = this.#options.keyStore.find(namespace, value)
    return id === undefined ? undefined : { id, namespace }
  }

  /** The event as a refused one, where it is about somebody who was erased after it was judged. */
  suppressedSince(accepted: Accepted): Refused | undefined {
    if (this.#options.keyStore.erasures === accepted.erasures) return undefined
    return this.#suppression(accepted, accepted.identities)
  }

  /** The event as a refused one, where one of these was erased and has not consented again. */
  #suppression(accepted: Accepted, identities: readonly StatedIdentity[]): Refused | undefined {
    const { envelope, incoming, sizeBytes } = accepted
    if (LIFTS_SUPPRESSION.has(envelope.type)) return undefined
    const { keyStore } = this.#options
    const isSuppressed = (stated: StatedIdentity): boolean => keyStore.suppressed(stated)
    const isAny =
      identities.some(isSuppressed) ||
      streamAddresses(accepted).some(isSuppressed) ||
      accepted.clear?.addresses.some(isSuppressed) === true
    if (!isAny) return undefined
    const message = 'the person was erased and has not consented again'
    return refuse(incoming, envelope.source, 'suppressed', message, sizeBytes)
  }

  /** Whether everybody that the sender's envelope names is named by the recorded event too. */
  namesNobodyElse({ envelope, identities }: Accepted, recorded: Pick<NewEvent, 'identities'>): boolean {
    // Those that follow from the data are as equal as the data is.
    if (envelope.identities.length === 0) return true
    const known = new Set(recorded.identities.map(({ id }) => id))
    return identities.every(
      (stated) =>
        known.has(this.#options.keyStore.find(stated.namespace, stated.value) ?? '') ||
        this.#screen.mayBeLeftOut(stated),
    )
  }

  /** The event as the log keeps it. New identities and keys await `flush`. */
  seal(accepted: Accepted, received: number): NewEvent {
    const { envelope, definition, defaults, identities: stated } = accepted
    const { keyStore } = this.#options
    const same = keyStore.erasures === accepted.erasures
    const identities = stated.map((one, at): Identity => {
      const known = same ? accepted.known[at] : undefined
      return known ?? { id: keyStore.identify(one), namespace: one.namespace }
    })
    const parts = sealEvent(
      {
        definition,
        context: envelope,
        data: envelope.data,
        normalised: accepted.normalised,

        hidden: accepted.clear?.hidden,
        leading: identities[0]?.id ?? WORKSPACE_OWNER,
      },
      keyStore,
    )
    const { time, originalTime } = happened(envelope, received)
    const nameable = { envelope, definition, stated, identities, defaults }
    const named = (text: string | undefined): string | undefined =>
      accepted.clear === undefined ? text : namedText(text, nameable, keyStore)
    // Each property by its name: spreading costs more than all the rest of it.
    return {
      stream: givenStream(accepted.incoming) ?? streamName(nameable, keyStore),
      id: envelope.id,
      source: envelope.source,
      type: envelope.type,
      schema: envelope.schema,
      time,
      received,
      sequence: envelope.sequence,
      identities,
      actor: named(envelope.actor),
      origin: named(envelope.origin),
      causation: named(envelope.causation),
      correlation: named(envelope.correlation),
      basedOn: envelope.basedOn,
      originalTime,
      sentTime: envelope.sent,
      data: parts.data,
      normalised: parts.normalised,
      normaliser: NORMALISER_VERSION,
      sealed: parts.sealed,
    }
  }
}

/** The event as a refused one, where it would leave in clear who somebody is. */
function inClear({ clear, envelope, incoming, sizeBytes }: Accepted): Refused | undefined {
  if (clear?.refusal === undefined) return undefined
  const refused = refuse(incoming, envelope.source, 'personal_in_clear', clear.refusal, sizeBytes)
  return clear.isUnnamed ? { ...refused, source: UNKNOWN, type: undefined } : refused
}

/** The stream's name where it stands before the event does. */
function givenStream(incoming: Incoming): string | undefined {
  return 'value' in incoming ? incoming.stream : undefined
}

function leftOut(all: readonly StatedIdentity[], counted: readonly StatedIdentity[]): readonly string[] {
  return all.filter((identity) => !counted.includes(identity)).map(({ namespace }) => namespace)
}

/** A `cdp.track` of a name that the catalogue knows is that event: its properties are the data. */
function unwrapTrack(envelope: StatedEnvelope): StatedEnvelope {
  if (envelope.type !== 'cdp.track') return envelope
  const { event, properties, ...rest } = envelope.data
  if (typeof event !== 'string' || !SPEC_NAMES.has(event)) return envelope
  if (properties !== undefined && !isRecord(properties)) return envelope
  return { ...envelope, type: event, data: { ...properties, ...rest } }
}

/** Stated ones and those found in the data, normalised, each once, the leading one first. */
function allIdentities(
  envelope: StatedEnvelope,
  found: readonly StatedIdentity[],
  defaults: SourceDefaults,
): readonly StatedIdentity[] {
  if (envelope.identities.length === 0) return found
  const stated = envelope.identities.map(({ namespace, value }) => ({
    namespace,
    value: normaliseIdentity(namespace, value, defaults),
  }))
  if (stated.length === 1 && found.length === 0) return stated
  const unique: StatedIdentity[] = []
  for (const one of [...stated, ...found]) {
    if (!unique.some(({ namespace, value }) => namespace === one.namespace && value === one.value))
      unique.push(one)
  }
  return unique.sort((a, b) => namespaceOf(a.namespace).priority - namespaceOf(b.namespace).priority)
}

export function refuse(
  incoming: Incoming,
  source: string,
  reason: QuarantineReason,
  message: string,
  sizeBytes: number,
): Refused {
  const stated = 'value' in incoming ? incoming.value : 'refused' in incoming ? incoming.refused : undefined
  const value = isRecord(stated) ? stated : {}
  const fallbackId = 'value' in incoming ? incoming.fallbackId : undefined
  return {
    kind: 'refused',
    incoming,
    reason,
    message,
    id: shortText(value['id']) ?? fallbackId,
    source: sourceName(value['source']) ?? sourceName(source) ?? UNKNOWN,
    type: shortText(value['type']),
    sizeBytes,
  }
}

function explainDecode(failure: DecodeFailure): string {
  switch (failure._tag) {
    case 'schema_newer':
      return `schema ${failure.schema} is newer than ${failure.known}, the newest that is known; it waits until it is`
    case 'schema_unknown':
      return 'there is no such schema version'
    case 'invalid_data':
      return failure.errors
        .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
        .join('; ')
  }
}

function sourceName(value: unknown): string | undefined {
  if (typeof value !== 'string' || !SOURCE_PATTERN.test(value)) return undefined
  return mayNameSomebody(value) ? undefined : value
}

/** Of a refused event nobody knows the identities: what is written as one may be one. */
function mayNameSomebody(text: string): boolean {
  const colon = text.indexOf(':')
  if (colon > 0 && NAMESPACES.has(text.slice(0, colon))) return true
  return NUMBER.test(text) || addressesIn(text).length > 0
}

const NUMBER = /^[\d\W]*\d{7}[\d\W]*$/

function shortText(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 256 && value.isWellFormed() ? value : undefined
}

/** What a refused event says of itself enters the log only if it looks like a name. */
function nameOf(value: string | undefined): string | undefined {
  const isName = value !== undefined && /^[\w .:/-]{1,100}$/.test(value) && !mayNameSomebody(value)
  return isName ? value : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
