import * as E from 'fp-ts/lib/Either.js'
import type { StatedIdentity } from '../events/identity.ts'
import { NAMESPACE_PATTERN } from '../events/identity.ts'
import { parseInstant } from '../events/instant.ts'
import type { Expected } from '../log/log.ts'
import type { QuarantineReason } from './result.ts'

/** Longest accepted attributes, in UTF-16 code units. */
const MAX_ID = 512
const MAX_NAME = 256
/** A system's name or URI. It stands in clear everywhere, so nothing that looks like a person's address is one. */
export const SOURCE_PATTERN = /^[\w.:/~#?=&%+-]{1,256}$/
const MAX_IDENTITIES = 32
const MAX_IDENTITY_VALUE = 512
const NOBODY: readonly StatedIdentity[] = []

/** Nothing happened to a customer before this; an earlier time is a defect of the sender. */
export const EARLIEST_TIME = Date.UTC(1900, 0, 1)

/** An envelope as its sender states it: checked, nothing derived yet. Instants in ms UTC. */
export interface StatedEnvelope {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly schema: number
  readonly subject: string | undefined
  readonly time: number | undefined
  readonly sent: number | undefined
  readonly sequence: number | undefined
  readonly identities: readonly StatedIdentity[]
  readonly actor: string | undefined
  readonly origin: string | undefined
  readonly causation: string | undefined
  readonly correlation: string | undefined
  readonly basedOn: number | undefined
  readonly expected: Expected | undefined
  readonly data: Readonly<Record<string, unknown>>
}

export interface Rejection {
  readonly reason: QuarantineReason
  readonly message: string
}

type Attributes = Readonly<Record<string, unknown>>

/** Attributes with a meaning here; any other is an extension, kept (sealed) as `data.ce_extensions`. */
const KNOWN_ATTRIBUTES: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'schema',
  'subject',
  'time',
  'sent',
  'sequence',
  'identities',
  'actor',
  'origin',
  'causation',
  'correlation',
  'basedon',
  'basedOn',
  'expectedrevision',
  'expectedposition',
  'datacontenttype',
  'data',
])

interface EnvelopeDefaults {
  readonly source: string
  readonly id: string | undefined
  readonly expected: Expected | undefined
}

/**
 * Reads an envelope in CloudEvents 1.0 JSON form. Context attributes that CloudEvents restricts to strings (`schema`,
 * `sequence`, `basedon`, `identities`) may also be numbers or arrays, as JSON senders write them.
 */
export function readEnvelope(
  value: unknown,
  defaults: EnvelopeDefaults,
): E.Either<Rejection, StatedEnvelope> {
  if (!isRecord(value)) return reject('invalid_envelope', 'an event is a JSON object')
  try {
    return E.right(read(value, defaults))
  } catch (error) {
    if (error instanceof Unreadable) return E.left(error.rejection)
    throw error
  }
}

/** Leaves the straight-line reader below at the first attribute that can't be read; never escapes this file. */
class Unreadable extends Error {
  readonly rejection: Rejection
  constructor(reason: QuarantineReason, message: string) {
    super(message)
    this.rejection = { reason, message }
  }
}

function read(value: Attributes, defaults: EnvelopeDefaults): StatedEnvelope {
  const specversion = text(value, 'specversion', MAX_NAME)
  if (specversion !== undefined && !/^1\.0(\.\d+)?$/.test(specversion)) {
    throw new Unreadable('invalid_envelope', 'specversion must be 1.0')
  }
  const id = value['id'] === undefined ? checked(defaults.id, 'id', MAX_ID) : text(value, 'id', MAX_ID)
  if (id === undefined || id === '')
    throw new Unreadable('missing_id', "id is missing: without it an event can't be told from its repetition")
  const type = text(value, 'type', MAX_NAME)
  if (type === undefined || type === '') throw new Unreadable('invalid_envelope', 'type is missing')
  if (type.includes('@')) throw new Unreadable('invalid_envelope', 'type must be a name, without @')
  const source = text(value, 'source', MAX_NAME) ?? defaults.source
  if (source === '') throw new Unreadable('invalid_envelope', 'source is missing')
  if (!SOURCE_PATTERN.test(source)) {
    throw new Unreadable('invalid_envelope', 'source must be a name or URI of a system, without spaces or @')
  }
  return {
    id,
    source,
    type,
    schema: integer(value, 'schema', 1) ?? 1,
    subject: text(value, 'subject', MAX_ID),
    time: instant(value, 'time'),
    sent: instant(value, 'sent'),
    sequence: integer(value, 'sequence', 0),
    identities: identities(value['identities']),
    actor: text(value, 'actor', MAX_NAME),
    origin: text(value, 'origin', MAX_NAME),
    causation: text(value, 'causation', MAX_ID),
    correlation: text(value, 'correlation', MAX_ID),
    basedOn: integer(value, 'basedon', 0) ?? integer(value, 'basedOn', 0),
    expected: defaults.expected ?? expectation(value),
    data: dataOf(value),
  }
}

function text(value: Attributes, name: string, limit: number): string | undefined {
  return checked(value[name], name, limit)
}

function checked(found: unknown, name: string, limit: number): string | undefined {
  if (found === undefined || found === null) return undefined
  if (typeof found !== 'string') throw new Unreadable('invalid_envelope', `${name} must be a string`)
  if (found.length > limit)
    throw new Unreadable('invalid_envelope', `${name} is longer than ${limit} characters`)
  return found
}

function integer(value: Attributes, name: string, least: number): number | undefined {
  const found = value[name]
  if (found === undefined || found === null) return undefined
  const number = typeof found === 'string' && /^-?\d{1,16}$/.test(found) ? Number(found) : found
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < least) {
    throw new Unreadable(
      name === 'schema' ? 'schema_unknown' : 'invalid_envelope',
      `${name} must be an integer from ${least}`,
    )
  }
  return number
}

function instant(value: Attributes, name: string): number | undefined {
  const found = value[name]
  if (found === undefined || found === null) return undefined
  const ms = typeof found === 'string' ? parseInstant(found) : undefined
  if (ms === undefined)
    throw new Unreadable('invalid_time', `${name} must be an RFC 3339 date and time with an offset`)
  if (ms < EARLIEST_TIME) throw new Unreadable('invalid_time', `${name} lies before 1900`)
  return ms
}

function expectation(value: Attributes): Expected | undefined {
  const revision = integer(value, 'expectedrevision', -1)
  const position = integer(value, 'expectedposition', 0)
  if (revision !== undefined && position !== undefined) {
    throw new Unreadable('invalid_envelope', 'expectedrevision and expectedposition exclude each other')
  }
  if (revision !== undefined) return { revision }
  return position === undefined ? undefined : { position }
}

/** `email:a@b.c,user:42`, `['email:a@b.c']` or `[{namespace, value}]`. */
function identities(found: unknown): readonly StatedIdentity[] {
  if (found === undefined || found === null) return NOBODY
  const list = typeof found === 'string' ? found.split(',') : found
  if (!Array.isArray(list)) throw new Unreadable('invalid_envelope', 'identities must be a list')
  if (list.length > MAX_IDENTITIES)
    throw new Unreadable('invalid_envelope', `more than ${MAX_IDENTITIES} identities`)
  return list.map(statedIdentity)
}

function statedIdentity(entry: unknown): StatedIdentity {
  const stated = typeof entry === 'string' ? splitIdentity(entry) : entry
  if (!isRecord(stated)) throw new Unreadable('invalid_envelope', 'an identity is namespace:value')
  const { namespace, value } = stated
  if (typeof namespace !== 'string' || !NAMESPACE_PATTERN.test(namespace)) {
    throw new Unreadable(
      'invalid_envelope',
      'an identity needs a namespace of lower-case letters, digits and _',
    )
  }
  if (typeof value !== 'string' || value.trim() === '' || value.length > MAX_IDENTITY_VALUE) {
    throw new Unreadable(
      'invalid_envelope',
      `an identity needs a value of 1 to ${MAX_IDENTITY_VALUE} characters`,
    )
  }
  return { namespace, value }
}

function splitIdentity(entry: string): StatedIdentity {
  const colon = entry.indexOf(':')
  return { namespace: entry.slice(0, Math.max(colon, 0)).trim(), value: entry.slice(colon + 1).trim() }
}

function dataOf(value: Attributes): Readonly<Record<string, unknown>> {
  if (value['data_base64'] !== undefined && value['data'] !== undefined) {
    throw new Unreadable('invalid_envelope', 'data and data_base64 exclude each other')
  }
  const stated = value['data'] ?? {}
  // CloudEvents allows any JSON value; a fold needs names, so a bare value gets one.
  const data = isRecord(stated) ? stated : { value: stated }
  if (!isExtended(value)) return data
  const names = Object.keys(value).filter((name) => !KNOWN_ATTRIBUTES.has(name))
  const extensions = Object.fromEntries(names.map((name) => [name, value[name]]))
  const own = Object.hasOwn(data, 'ce_extensions') ? data['ce_extensions'] : undefined
  return { ...data, ce_extensions: isRecord(own) ? { ...own, ...extensions } : extensions }
}

function isExtended(value: Attributes): boolean {
  for (const name in value) if (!KNOWN_ATTRIBUTES.has(name)) return true
  return false
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function reject(reason: QuarantineReason, message: string): E.Either<Rejection, never> {
  return E.left({ reason, message })
}
