import type { IdentityId } from '../../engine/events/identity.ts'
import type { Evidence, IdentityRules } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import type { Bridge, ProfileLinks } from './links.ts'
import { type Pair, proposedEvidence } from './preview.ts'

/** Two identities to be cut from each other by an `identity.cut` that names these two and nobody else. */
export type CutPair = Pair

/** More cuts than this are nothing that a steward should append at once. */
const MAX_CUTS = 20

/**
 * Cuts that take the people whom a bridge holds together apart again, each whole; the bridge stays with whoever it
 * was linked with first. Tried out on the profile's links before they are proposed; undefined: no few cuts do it.
 *
 * Cutting people from each other is preferred: it also holds against links that may come over another device. Each
 * pair is an event of its own, because a cut of more identities would cut all of them from the first.
 */
export function cutsFor(
  bridge: Bridge,
  links: ProfileLinks,
  rules: IdentityRules,
): readonly CutPair[] | undefined {
  const fromEachOther = leadersCut(bridge)
  const fromBridge = bridgeCut(bridge, links)
  return [fromEachOther, fromBridge].find(
    (cuts) => cuts.length > 0 && cuts.length <= MAX_CUTS && separates(cuts, bridge, links, rules),
  )
}

/** The strongest identity of each side from that of every other. */
function leadersCut({ sides }: Bridge): readonly CutPair[] {
  if (sides.length * (sides.length - 1) > 2 * MAX_CUTS) return []
  const leaders = sides.flatMap(([leader]) => (leader === undefined ? [] : [leader]))
  return leaders.flatMap((a, i) => leaders.slice(i + 1).map((b): CutPair => [a, b]))
}

/** The bridge from everybody it is linked with on all sides but the first. */
function bridgeCut({ identity, sides }: Bridge, { within }: ProfileLinks): readonly CutPair[] {
  const others = new Set(sides.slice(1).flat())
  const linked = new Set<IdentityId>()
  for (const { link } of within) {
    const other = link.a === identity ? link.b : link.b === identity ? link.a : undefined
    if (other !== undefined && others.has(other)) linked.add(other)
  }
  return [...linked].map((other): CutPair => [identity, other])
}

/** True if afterwards every side is whole and no two are together. */
function separates(
  cuts: readonly CutPair[],
  { sides }: Bridge,
  { within, cuts: inForce }: ProfileLinks,
  rules: IdentityRules,
): boolean {
  const evidence: Evidence[] = [
    ...within.map(({ link }) => link),
    ...inForce.map(({ cut }) => cut),
    ...cuts.map((pair, i) => proposedEvidence('cut', pair, i, () => undefined)),
  ]
  const profileOf = new Map<IdentityId, IdentityId>()
  for (const { id, members } of partition(evidence, rules).profiles) {
    for (const member of members) profileOf.set(member, id)
  }
  const found = sides.map((side) => new Set(side.map((id) => profileOf.get(id) ?? id)))
  const apart = new Set(found.flatMap((profiles) => [...profiles]))
  return found.every((profiles) => profiles.size === 1) && apart.size === sides.length
}
