import assert from 'node:assert/strict'
import type { IdentityId } from '../events/identity.ts'
import type { IdentityRules, LinkEvidence, Refusal } from './identity.ts'
import { Limits, type Tallies } from './limits.ts'

/** Identities that are together. Owned by `Groups`; others only read it. */
export interface Group {
  /** Least member: the profile's id. */
  least: IdentityId
  members: IdentityId[]
  tallies: Tallies
  /** Members with an active cut from anybody. */
  cutMembers: IdentityId[]
  /** No link that this group is made of comes after this one; undefined: it is one identity. */
  last: LinkEvidence | undefined
}

type Obstacle = Pick<Refusal, 'reason' | 'detail'>

/**
 * Disjoint groups of identities that merge under limits and cuts. Merging relabels the smaller side, so n merges cost
 * n log n. A set that is forbidden stays forbidden however much is added to it; everything else here rests on that.
 */
export class Groups {
  readonly #limits: Limits
  readonly #maxSize: number
  readonly #groupOf = new Map<IdentityId, Group>()
  readonly #cuts = new Map<IdentityId, Set<IdentityId>>()

  constructor(rules: IdentityRules) {
    this.#limits = new Limits(rules)
    this.#maxSize = rules.maxComponent
  }

  get size(): number {
    return this.#groupOf.size
  }

  get limits(): Limits {
    return this.#limits
  }

  groupOf(id: IdentityId): Group | undefined {
    return this.#groupOf.get(id)
  }

  all(): Iterable<Group> {
    return new Set(this.#groupOf.values())
  }

  /**
   * Puts an identity into a group of its own, out of the one that it may be in (whose other members must follow).
   * `since`: when it was first linked, ms.
   */
  place(id: IdentityId, namespace: string | undefined, since: number | undefined): Group {
    const tallies = this.#limits.tallyOf(namespace, since)
    const cutMembers = this.#cuts.has(id) ? [id] : []
    const group: Group = { least: id, members: [id], tallies, cutMembers, last: undefined }
    this.#groupOf.set(id, group)
    return group
  }

  /** Cuts two identities from each other, or lifts their cut. Doesn't regroup anything. */
  setCut(a: IdentityId, b: IdentityId, active: boolean): void {
    this.#setCutOf(a, b, active)
    this.#setCutOf(b, a, active)
  }

  #setCutOf(id: IdentityId, other: IdentityId, active: boolean): void {
    const others = this.#cuts.get(id)
    const group = this.#groupOf.get(id)
    if (active) {
      if (others === undefined) this.#cuts.set(id, new Set([other]))
      else others.add(other)
      if (others === undefined && group !== undefined) group.cutMembers = [...group.cutMembers, id]
    } else if (others?.delete(other) === true && others.size === 0) {
      this.#cuts.delete(id)
      if (group !== undefined) group.cutMembers = group.cutMembers.filter((each) => each !== id)
    }
  }

  /** Why two groups must not become one; undefined: they may. */
  obstacle(a: Group, b: Group): Obstacle | undefined {
    const pair = this.#cutBetween(a, b)
    if (pair !== undefined) return { reason: 'cut', detail: pair }
    const limit = this.#limits.brokenBy(a.tallies, b.tallies)
    if (limit !== undefined) return { reason: 'limit', detail: limit }
    const size = a.members.length + b.members.length
    if (size <= this.#maxSize) return undefined
    return { reason: 'size', detail: `${size} > ${this.#maxSize}` }
  }

  /** The least pair, so that the answer doesn't depend on the order of members. */
  #cutBetween(a: Group, b: Group): string | undefined {
    const [fewer, other] = a.cutMembers.length <= b.cutMembers.length ? [a, b] : [b, a]
    let least: string | undefined
    for (const id of fewer.cutMembers) {
      for (const apart of this.#cuts.get(id) ?? []) {
        if (this.#groupOf.get(apart) !== other) continue
        const pair = id < apart ? `${id} ${apart}` : `${apart} ${id}`
        if (least === undefined || pair < least) least = pair
      }
    }
    return least
  }

  /** Makes one group of two. `last`: no link of the new group comes after it. */
  merge(a: Group, b: Group, last: LinkEvidence | undefined): Group {
    assert(a !== b, 'a group is not merged with itself')
    const [into, from] = a.members.length >= b.members.length ? [a, b] : [b, a]
    for (const id of from.members) {
      this.#groupOf.set(id, into)
      into.members.push(id)
    }
    into.tallies = this.#limits.joined(into.tallies, from.tallies)
    if (from.cutMembers.length > 0) into.cutMembers = [...into.cutMembers, ...from.cutMembers]
    if (from.least < into.least) into.least = from.least
    into.last = last
    return into
  }
}
