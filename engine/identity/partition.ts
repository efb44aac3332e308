import assert from 'node:assert/strict'
import type { IdentityId } from '../events/identity.ts'
import { Groups } from './groups.ts'
import type { Evidence, IdentityRules, LinkEvidence, Partition, Profile, Refusal } from './identity.ts'
import { compareLinks, condense } from './slot.ts'

/**
 * Which identities belong together. Depends on the set of evidence alone: not on its order, not on repeats, and for each
 * component of evidence not on the others.
 *
 * Cuts that aren't lifted hold first. Then links are followed one after the other; one that would put two cut identities
 * into one profile, or make it break a limit or the greatest size, is refused and goes to review. Costs
 * n log n in the evidence.
 */
export function partition(evidence: Iterable<Evidence>, rules: IdentityRules): Partition {
  const groups = new Groups(rules)
  const links: LinkEvidence[] = []
  const namespaces = new Map<IdentityId, string | undefined>()
  const since = new Map<IdentityId, number>()
  for (const each of condense(evidence).values()) {
    if (each.kind === 'link') {
      links.push(each)
      name(namespaces, each.a, each.aNamespace)
      name(namespaces, each.b, each.bNamespace)
      for (const id of [each.a, each.b]) since.set(id, Math.min(each.time, since.get(id) ?? each.time))
    } else {
      if (!namespaces.has(each.a)) namespaces.set(each.a, undefined)
      if (!namespaces.has(each.b)) namespaces.set(each.b, undefined)
      if (each.kind === 'cut') groups.setCut(each.a, each.b, true)
    }
  }
  for (const [id, namespace] of namespaces) groups.place(id, namespace, since.get(id))
  const review = follow(groups, links, rules)
  return { profiles: profilesOf(groups), review }
}

/** Follows links in their order; answers with those that were refused. All their identities must have been placed. */
export function follow(groups: Groups, links: LinkEvidence[], rules: IdentityRules): readonly Refusal[] {
  const refusals = new Map<string, Refusal>()
  for (const link of links.sort((a, b) => compareLinks(a, b, rules))) {
    const a = groups.groupOf(link.a)
    const b = groups.groupOf(link.b)
    assert(a !== undefined && b !== undefined, 'identities are placed before links are followed')
    if (a === b || groups.limits.isBlocked(link)) continue
    const obstacle = groups.obstacle(a, b)
    if (obstacle === undefined) {
      groups.merge(a, b, link)
      continue
    }
    const pair = link.a < link.b ? `${link.a} ${link.b}` : `${link.b} ${link.a}`
    if (!refusals.has(pair)) refusals.set(pair, { link, ...obstacle })
  }
  return [...refusals.values()]
}

function name(namespaces: Map<IdentityId, string | undefined>, id: IdentityId, namespace: string): void {
  const known = namespaces.get(id)
  assert(known === undefined || known === namespace, `identity ${id} is of one namespace`)
  namespaces.set(id, namespace)
}

function profilesOf(groups: Groups): readonly Profile[] {
  const profiles: Profile[] = []
  for (const group of groups.all()) profiles.push({ id: group.least, members: [...group.members].sort() })
  return profiles.sort((a, b) => (a.id < b.id ? -1 : 1))
}
