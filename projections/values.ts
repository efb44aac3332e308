import type { AnyEvent } from '../engine/events/catalogue.ts'
import type { Identity, IdentityId } from '../engine/events/identity.ts'
import { parseInstant } from '../engine/events/instant.ts'
import { parseMoney } from '../engine/events/money.ts'

/**
 * How folds read an event's fields: what normalising made of a field, else the field as sent. undefined: absent,
 * or nothing that the field could hold; null: removed; '': blank.
 */

export interface Fields {
  readonly data: object
  readonly normalised: Readonly<Record<string, unknown>>
}

export type Text = string | null | undefined
export type Amount = number | '' | null | undefined

/** The value at a path such as `traits.email` or `lines.0.unit_price`. */
export function valueAt(event: Fields, path: string): unknown {
  const normalised = own(event.normalised, path)
  if (normalised !== undefined) return normalised
  if (!path.includes('.')) return own(event.data, path)
  let value: unknown = event.data
  for (const step of path.split('.')) value = own(value, step)
  return value
}

/** Ids that clients send as numbers become text. */
export function textAt(event: Fields, path: string): Text {
  return textOf(valueAt(event, path))
}

export function textOf(value: unknown): Text {
  if (typeof value === 'string' || value === null) return value
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined
}

/** Ten-thousandths of the currency's unit, or of whatever an `amount` counts. */
export function amountAt(event: Fields, path: string): Amount {
  const normalised = own(event.normalised, path)
  if (Number.isSafeInteger(normalised)) return Number(normalised)
  const sent = valueAt(event, path)
  return sent === null || sent === '' ? sent : scaled(sent)
}

/** The same, as a plain number; for fields that nobody sums. */
export function numberAt(event: Fields, path: string): Amount {
  const value = valueAt(event, path)
  if (value === null || value === '') return value
  return parseMoney(value)._tag === 'Right' ? Number(value) : undefined
}

/** The years 0000 to 9999: others have no RFC 3339 form, so nobody could be shown them. */
const FIRST_INSTANT = Date.UTC(-1, 12)
const LAST_INSTANT = Date.UTC(10_000, 0) - 1

/** ms UTC. */
export function instantAt(event: Fields, path: string): Amount {
  const value = valueAt(event, path)
  if (value === null || value === '') return value
  if (typeof value === 'string') return parseInstant(value)
  const ms = Number.isSafeInteger(value) ? Number(value) : Number.NaN
  return ms >= FIRST_INSTANT && ms <= LAST_INSTANT ? ms : undefined
}

export function scaled(value: unknown): number | undefined {
  const parsed = parseMoney(value)
  return parsed._tag === 'Right' ? parsed.right : undefined
}

/** A stated `YYYY-MM-DD`, else the UTC day of the instant. */
export function dayOf(stated: unknown, time: number): string {
  return typeof stated === 'string' && stated !== '' ? stated : utcDay(time)
}

const DAY_MS = 86_400_000
/** A power of two. */
const LATELY_COUNT = 64
/** Days written lately, each at its number modulo their count: dates are slow to write. */
const lately: (readonly [day: number, text: string] | undefined)[] = Array(LATELY_COUNT).fill(undefined)

/** `YYYY-MM-DD`. */
export function utcDay(time: number): string {
  const day = Math.floor(time / DAY_MS)
  const slot = day & (LATELY_COUNT - 1)
  const known = lately[slot]
  if (known?.[0] === day) return known[1]
  const iso = new Date(time).toISOString()
  const text = iso.slice(0, iso.indexOf('T'))
  lately[slot] = [day, text]
  return text
}

/** Who the record of this namespace is, as the log knows it. */
export function identityIn(event: Pick<AnyEvent, 'identities'>, namespace: string): IdentityId | undefined {
  for (const identity of event.identities) if (identity.namespace === namespace) return identity.id
  return undefined
}

export function leadingOf(event: Pick<AnyEvent, 'identities'>): Identity | undefined {
  return event.identities[0]
}

/** A field that names a record by an identity: null where the sender removes it. */
export function referenceAt(
  event: Fields & Pick<AnyEvent, 'identities'>,
  path: string,
  namespace: string,
): IdentityId | null | undefined {
  return identityIn(event, namespace) ?? (own(event.data, path) === null ? null : undefined)
}

/** A property of its own, if the value is an object that has it. */
export function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return Reflect.get(value, name)
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
