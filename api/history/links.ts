import type { RecordedEvent } from '../../engine/events/event.ts'
import { type IdentityId, namespaceOf } from '../../engine/events/identity.ts'
import { evidenceOf } from '../../engine/identity/evidence.ts'
import type { CutEvidence, IdentityRules, LinkEvidence } from '../../engine/identity/identity.ts'
import { Limits } from '../../engine/identity/limits.ts'
import { compareLinks, condense } from '../../engine/identity/slot.ts'

/** Why a profile's identities are together: what its events say of them, pure functions of the log. */

/** The envelope that a piece of evidence follows from. */
export type Witness = Pick<RecordedEvent, 'id' | 'source' | 'type' | 'time' | 'position'>

export interface Linked {
  readonly link: LinkEvidence
  readonly event: Witness
  /** How many of the events that were read state this link. */
  readonly stated: number
}

export interface Cut {
  readonly cut: CutEvidence
  readonly event: Witness
}

export interface ProfileLinks {
  readonly namespaces: ReadonlyMap<IdentityId, string>
  /** When each was first linked, as far as these events tell. */
  readonly since: ReadonlyMap<IdentityId, number>
  /** The links that made the profile, in the order in which they were followed. */
  readonly made: readonly Linked[]
  /** All links between members that no rule blocks, one for each pair and rule. */
  readonly within: readonly Linked[]
  /** Links of a member with somebody outside: each was refused, or it would be a member. */
  readonly refused: readonly Linked[]
  /** Cuts in force that name a member. */
  readonly cuts: readonly Cut[]
}

/**
 * Sorts out what events say of a profile's members. A link between two members was followed, or they were together
 * already: what is refused once stays refused, because profiles only grow while links are followed. So the links that
 * made the profile are the first in order that connect it.
 */
export function linksOf(
  members: readonly IdentityId[],
  events: Iterable<RecordedEvent>,
  rules: IdentityRules,
): ProfileLinks {
  const own = new Set(members)
  const { links, cuts, namespaces } = gather(events)
  const limits = new Limits(rules)
  const inOrder = links.sort((a, b) => compareLinks(a.link, b.link, rules))
  const within = inOrder.filter(({ link }) => own.has(link.a) && own.has(link.b) && !limits.isBlocked(link))
  const groups = new Map(members.map((id) => [id, [id]]))
  const made = within.filter(({ link }) => unite(groups, link.a, link.b))
  return {
    namespaces,
    since: firstLinked(links),
    made,
    within,
    refused: inOrder.filter(({ link }) => own.has(link.a) !== own.has(link.b)),
    cuts: cuts.filter(({ cut }) => cut.kind === 'cut' && (own.has(cut.a) || own.has(cut.b))),
  }
}

function firstLinked(links: readonly Linked[]): ReadonlyMap<IdentityId, number> {
  const since = new Map<IdentityId, number>()
  for (const { link } of links)
    for (const id of [link.a, link.b]) since.set(id, Math.min(link.time, since.get(id) ?? link.time))
  return since
}

/** True if they weren't together before. */
function unite(groups: Map<IdentityId, IdentityId[]>, a: IdentityId, b: IdentityId): boolean {
  const [left, right] = [groups.get(a), groups.get(b)]
  if (left === undefined || right === undefined || left === right) return false
  const [into, from] = left.length >= right.length ? [left, right] : [right, left]
  for (const id of from) {
    into.push(id)
    groups.set(id, into)
  }
  return true
}

function gather(events: Iterable<RecordedEvent>) {
  const namespaces = new Map<IdentityId, string>()
  const witnesses = new Map<number, Witness>()
  const stated = new Map<string, number>()
  const evidence = []
  for (const event of events) {
    for (const { id, namespace } of event.identities) namespaces.set(id, namespace)
    const pieces = evidenceOf(event)
    if (pieces.length > 0) witnesses.set(event.position, event)
    for (const piece of pieces) if (piece.kind === 'link') add(stated, pairOf(piece))
    evidence.push(...pieces)
  }
  const links: Linked[] = []
  const cuts: Cut[] = []
  for (const piece of condense(evidence).values()) {
    const event = witnesses.get(piece.position)
    if (event === undefined) continue
    if (piece.kind === 'link') links.push({ link: piece, event, stated: stated.get(pairOf(piece)) ?? 1 })
    else if (piece.kind !== 'kept_apart') cuts.push({ cut: piece, event })
  }
  return { links, cuts, namespaces }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function pairOf({ a, b, rule }: LinkEvidence): string {
  return a < b ? `${rule} ${a} ${b}` : `${rule} ${b} ${a}`
}

/** An identity that several people may use, and the people whom it alone holds together. */
export interface Bridge {
  readonly identity: IdentityId
  /** The members on each side once it is taken out, each sorted by namespace priority; those who came first, first. */
  readonly sides: readonly (readonly IdentityId[])[]
}

/** Identities from this priority on are borrowed: a phone, a browser, a device may serve several people. */
const BORROWED = 60
const MAX_BRIDGES = 20

/**
 * Borrowed identities without which the profile would fall apart into several parts that each have a lasting identity
 * of their own: what a shared device looks like.
 */
export function bridgesOf(members: readonly IdentityId[], links: ProfileLinks): readonly Bridge[] {
  const neighbours = neighboursOf(members, links.within)
  const order = orderOf(links)
  const bridges: Bridge[] = []
  for (const identity of members) {
    if (!isBorrowed(links.namespaces.get(identity))) continue
    if ((neighbours.get(identity)?.size ?? 0) < 2) continue
    const sides = partsWithout(identity, neighbours)
      .filter((part) => part.some((id) => !isBorrowed(links.namespaces.get(id))))
      .map((part) => part.sort((a, b) => priorityOf(links, a) - priorityOf(links, b) || (a < b ? -1 : 1)))
      .sort((a, b) => least(a, order) - least(b, order))
    if (sides.length > 1) bridges.push({ identity, sides })
    if (bridges.length === MAX_BRIDGES) break
  }
  return bridges
}

/** Identity → place of the first link that names it. */
function orderOf({ made }: ProfileLinks): ReadonlyMap<IdentityId, number> {
  const order = new Map<IdentityId, number>()
  for (const [place, { link }] of made.entries()) {
    for (const id of [link.a, link.b]) if (!order.has(id)) order.set(id, place)
  }
  return order
}

function least(ids: readonly IdentityId[], order: ReadonlyMap<IdentityId, number>): number {
  return ids.reduce(
    (found, id) => Math.min(found, order.get(id) ?? Number.MAX_SAFE_INTEGER),
    Number.MAX_SAFE_INTEGER,
  )
}

function isBorrowed(namespace: string | undefined): boolean {
  if (namespace === undefined) return false
  const { kind, priority } = namespaceOf(namespace)
  return kind === 'person' && priority >= BORROWED
}

function priorityOf({ namespaces }: ProfileLinks, id: IdentityId): number {
  const namespace = namespaces.get(id)
  return namespace === undefined ? Number.MAX_SAFE_INTEGER : namespaceOf(namespace).priority
}

type Neighbours = ReadonlyMap<IdentityId, ReadonlySet<IdentityId>>

function neighboursOf(members: readonly IdentityId[], within: readonly Linked[]): Neighbours {
  const neighbours = new Map(members.map((id) => [id, new Set<IdentityId>()]))
  for (const { link } of within) {
    neighbours.get(link.a)?.add(link.b)
    neighbours.get(link.b)?.add(link.a)
  }
  return neighbours
}

function partsWithout(identity: IdentityId, neighbours: Neighbours): IdentityId[][] {
  const seen = new Set([identity])
  const parts: IdentityId[][] = []
  for (const start of neighbours.get(identity) ?? []) {
    if (seen.has(start)) continue
    seen.add(start)
    const part = new Set([start])
    // The set grows while it is walked.
    for (const id of part) {
      for (const next of neighbours.get(id) ?? []) {
        if (seen.has(next)) continue
        seen.add(next)
        part.add(next)
      }
    }
    parts.push([...part])
  }
  return parts
}
