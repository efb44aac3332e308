import type { EventDefinition } from '../events/codec.ts'
import type { Identity, StatedIdentity } from '../events/identity.ts'
import type { StatedEnvelope } from './envelope.ts'

/** What stands for the record where an event names neither a record nor a person. */
const NOBODY = 'none'

/** Turns an identity's value into its id; the names of streams never hold the value itself. */
type Identify = (stated: StatedIdentity) => Identity

/**
 * The event's stream, `category-id`: the sender's `subject`, else the record that the definition names, else the
 * identity of its `streamNamespace`, else the leading one. Where the id is an identity's value, or looks like an address, the identity's id stands in its place.
 */
export function streamName(
  envelope: StatedEnvelope,
  definition: EventDefinition | undefined,
  stated: readonly StatedIdentity[],
  identities: readonly Identity[],
  identify: Identify,
): string {
  const category = definition?.category ?? categoryOf(envelope.type)
  const safe = (id: string): string => safeId(id, stated, identities, identify)
  if (envelope.subject !== undefined && envelope.subject !== '')
    return safeSubject(envelope.subject, category, safe)
  const record = definition?.record === undefined ? undefined : recordId(envelope.data, definition.record)
  if (record !== undefined) return `${category}-${safe(record)}`
  const own = identities.find(({ namespace }) => namespace === definition?.streamNamespace)
  return `${category}-${(own ?? identities[0])?.id ?? NOBODY}`
}

function safeSubject(subject: string, category: string, safe: (id: string) => string): string {
  const whole = safe(subject)
  const dash = subject.indexOf('-')
  // A value may hold a dash itself, so the whole of it is looked at first.
  if (whole !== subject || dash < 0) return `${category}-${whole}`
  return `${safe(subject.slice(0, dash))}-${safe(subject.slice(dash + 1))}`
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

/** The mail address that a subject holds: whoever it is may not be collected by that way either. */
export function subjectAddress(subject: string | undefined): readonly StatedIdentity[] {
  if (subject === undefined || !subject.includes('@')) return []
  const dash = subject.indexOf('-')
  return [subject, subject.slice(0, Math.max(dash, 0)), subject.slice(dash + 1)]
    .filter((part) => part.includes('@'))
    .map((part) => ({ namespace: 'email', value: part.trim().toLowerCase() }))
}

function safeId(
  id: string,
  stated: readonly StatedIdentity[],
  identities: readonly Identity[],
  identify: Identify,
): string {
  const folded = id.trim().toLowerCase()
  const at = stated.findIndex(({ value }) => value.trim().toLowerCase() === folded)
  if (at >= 0) return identities[at]?.id ?? id
  // Nobody stated it as an identity, yet it must not stand in a name for ever.
  return id.includes('@') ? identify({ namespace: 'email', value: folded }).id : id
}
