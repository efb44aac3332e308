import type { Evidence, IdentityRules, LinkEvidence } from './identity.ts'

/**
 * Evidence repeats itself (every event of a signed-in person states the same link), so one piece is kept for each slot:
 * of the links of one pair and rule the first in order, of a pair's cuts and lifts the newest, as of its keeping apart. The partition is the
 * same as of all evidence: a link between two that are together already changes nothing, and one that was refused is
 * refused for ever after, because profiles only grow while links are followed and what forbids a set forbids
 * every larger one.
 */
export function slotOf(evidence: Evidence): string {
  const { a, b } = evidence
  return a < b ? `${slotKind(evidence)} ${a} ${b}` : `${slotKind(evidence)} ${b} ${a}`
}

function slotKind(evidence: Evidence): string {
  switch (evidence.kind) {
    case 'link':
      return evidence.rule
    case 'cut':
    case 'cut_lifted':
      return 'cut'
    case 'kept_apart':
      return 'apart'
  }
}

/** True if `evidence` takes the place of `known`, which is of the same slot. */
export function supersedes(evidence: Evidence, known: Evidence): boolean {
  const order = compareAge(evidence, known)
  return evidence.kind === 'link' ? order < 0 : order > 0
}

/** One piece for each slot. */
export function condense(evidence: Iterable<Evidence>): ReadonlyMap<string, Evidence> {
  const slots = new Map<string, Evidence>()
  for (const each of evidence) {
    const slot = slotOf(each)
    const known = slots.get(slot)
    if (known === undefined || supersedes(each, known)) slots.set(slot, each)
  }
  return slots
}

/** Order in which links are followed. */
export function compareLinks(a: LinkEvidence, b: LinkEvidence, rules: IdentityRules): number {
  if (a.rule !== b.rule) {
    const byPriority = rules.priorities[a.rule] - rules.priorities[b.rule]
    if (byPriority !== 0) return byPriority
  }
  if (rules.namespaces !== undefined) {
    const byNamespace = weaknessOf(a, rules.namespaces) - weaknessOf(b, rules.namespaces)
    if (byNamespace !== 0) return byNamespace
  }
  return compareAge(a, b)
}

function weaknessOf(link: LinkEvidence, priorities: Readonly<Record<string, number>>): number {
  return Math.max(priorityOf(link.aNamespace, priorities), priorityOf(link.bNamespace, priorities))
}

function priorityOf(namespace: string, priorities: Readonly<Record<string, number>>): number {
  const stated = Object.hasOwn(priorities, namespace) ? priorities[namespace] : undefined
  return stated ?? Number.MAX_SAFE_INTEGER
}

function compareAge(a: Evidence, b: Evidence): number {
  if (a.time !== b.time) return a.time - b.time
  if (a.eventId !== b.eventId) return a.eventId < b.eventId ? -1 : 1
  return a.id === b.id ? 0 : a.id < b.id ? -1 : 1
}
