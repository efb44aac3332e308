import { definitions } from './catalogue/definitions.ts'
import { identity } from './catalogue/identity.ts'
import type { EventType } from './catalogue.ts'

/**
 * Types of events that decide rather than report: who is who, which value stands, what a workspace's rules, fields and
 * sources are, and what was done about somebody's rights. One of them changes what other events come to, so a key that
 * may stand in the source of a web page must not be enough to send it. Consent, and requests about one's own data, are
 * what people themselves say in such pages, and aren't among them.
 */
const DECIDING: readonly EventType[] = [
  'conflict.resolved',
  'field.locked',
  'field.unlocked',
  'person.suppressed',
  'privacy.completed',
]

export const GUARDED_TYPES: ReadonlySet<string> = new Set([
  ...DECIDING,
  ...Object.keys(identity),
  ...Object.keys(definitions),
])

/** Whether an envelope as its sender states it, nothing checked yet, is of such a type. */
export function isGuarded(stated: unknown): boolean {
  if (typeof stated !== 'object' || stated === null || !('type' in stated)) return false
  return typeof stated.type === 'string' && GUARDED_TYPES.has(stated.type)
}
