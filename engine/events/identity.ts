/**
 * An identity is a (namespace, value) pair that points at a person or a company. The log knows it only by a
 * random 128-bit id; the namespace stands beside the id because identity rules need it and it names nobody.
 */

/** 128 random bits as 32 lower-case hexadecimal digits. */
export type IdentityId = string

export interface Identity {
  readonly id: IdentityId
  readonly namespace: string
}

/** As a sender states it, before the key store has turned it into an id. `value` is personal. */
export interface StatedIdentity {
  readonly namespace: string
  readonly value: string
}

interface Namespace {
  readonly kind: 'person' | 'company'
  /** Lower leads: the identity with the lowest number is the event's leading identity. */
  readonly priority: number
}

/** People lead before companies, lasting identifiers before borrowed ones. */
export const NAMESPACES: ReadonlyMap<string, Namespace> = new Map<string, Namespace>([
  ['user', { kind: 'person', priority: 10 }],
  ['contact', { kind: 'person', priority: 20 }],
  ['erp', { kind: 'person', priority: 30 }],
  ['lead', { kind: 'person', priority: 40 }],
  ['email', { kind: 'person', priority: 50 }],
  ['phone', { kind: 'person', priority: 60 }],
  ['anonymous', { kind: 'person', priority: 80 }],
  ['device', { kind: 'person', priority: 90 }],
  ['account', { kind: 'company', priority: 110 }],
  ['erp_company', { kind: 'company', priority: 120 }],
  ['domain', { kind: 'company', priority: 130 }],
])

/** A namespace that nobody described points at a person and leads after the known ones. */
const CUSTOM_NAMESPACE: Namespace = { kind: 'person', priority: 100 }

export const NAMESPACE_PATTERN = /^[a-z][a-z0-9_]{0,31}$/

export function namespaceOf(name: string): Namespace {
  return NAMESPACES.get(name) ?? CUSTOM_NAMESPACE
}
