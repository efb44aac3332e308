import assert from 'node:assert/strict'
import type { IdentityId } from '../events/identity.ts'
import { type Group, Groups } from './groups.ts'
import type { ApartEvidence, CutEvidence, Evidence, IdentityRules, LinkEvidence } from './identity.ts'
import { follow } from './partition.ts'
import { compareLinks, slotOf, supersedes } from './slot.ts'

/** What is stored: everything that earlier updates answered with. */
export interface EvidenceSource {
  /** Evidence that names this identity, in any order. Of each slot at least the piece that holds it. */
  evidenceOf(id: IdentityId): readonly Evidence[]
  /** The identity's profile; undefined: it stands alone. */
  profileOf(id: IdentityId): IdentityId | undefined
  membersOf(profile: IdentityId): readonly IdentityId[]
}

export interface MembershipUpdate {
  /** Identity → its profile, for all whose profile changed; also for the one that a profile formed around. */
  readonly members: ReadonlyMap<IdentityId, IdentityId>
  /** Every profile that won or lost members → its members now, sorted; none: there is no such profile any more. */
  readonly profiles: ReadonlyMap<IdentityId, readonly IdentityId[]>
  /**
   * Slot → evidence to store under both its identities, in place of what the slot holds. Links say whether they are
   * `refused` as of now.
   */
  readonly evidence: ReadonlyMap<string, Evidence>
}

/** Identities kept in memory between updates, some 1 KB each. */
const MAX_CACHED = 50_000

/** What is known of one identity. */
interface Node {
  namespace: string | undefined
  /** When it was first linked, ms. */
  since: number | undefined
  /** Other identity → links with it, one for each rule. */
  readonly links: Map<IdentityId, readonly LinkEvidence[]>
  /** Few have any. */
  cuts: Map<IdentityId, CutEvidence> | undefined
  apart: Map<IdentityId, ApartEvidence> | undefined
}

/** One update in the making. */
interface Work {
  readonly decisions: Map<string, CutEvidence | ApartEvidence>
  readonly links: Map<string, LinkEvidence>
  /** Profile as stored, for identities whose group changed; undefined: stood alone. */
  readonly before: Map<IdentityId, IdentityId | undefined>
  /** Groups that must be worked out anew from their component's evidence. */
  readonly stale: Set<Group>
}

/**
 * The partition, kept up to date piece by piece: after every update it equals `partition` over all evidence so far.
 *
 * Most pieces need no recomputation. A piece that a known one of its slot precedes is dropped after two look-ups. A
 * link whose two groups may become one merges them: wherever in the order it stands, earlier steps only joined subsets
 * of the merged group, and what was refused was refused for a set that has only grown. A link whose groups may not become
 * one, and which comes after all links that they are made of, is refused. What is left (a late link that
 * displaces others, a cut inside a profile, a lifted cut) recomputes the component of evidence, once an update.
 *
 * Between updates it remembers what it read, so whoever uses it stores what updates answered, in their order, before
 * calling `trim` or `forget`.
 */
export class Components {
  readonly #source: EvidenceSource
  readonly #rules: IdentityRules
  readonly #maxCached: number
  #nodes = new Map<IdentityId, Node>()
  #groups: Groups

  constructor(source: EvidenceSource, rules: IdentityRules, maxCached: number = MAX_CACHED) {
    this.#source = source
    this.#rules = rules
    this.#maxCached = maxCached
    this.#groups = new Groups(rules)
  }

  update(evidence: Iterable<Evidence>): MembershipUpdate {
    const work: Work = { decisions: new Map(), links: new Map(), before: new Map(), stale: new Set() }
    try {
      for (const each of evidence) {
        switch (each.kind) {
          case 'link':
            this.#link(each, work)
            break
          case 'cut':
          case 'cut_lifted':
            this.#cut(each, work)
            break
          case 'kept_apart':
            this.#keepApart(each, work)
            break
        }
      }
      if (work.stale.size > 0) this.#recompute(work)
      return this.#answer(work)
    } catch (error) {
      this.forget()
      throw error
    }
  }

  /**
   * Works one component of evidence out anew, by these rules and whatever rules are behind what is stored. Told of every
   * identity in ascending order, it answers once for each component: at its least one.
   */
  regroup(id: IdentityId): MembershipUpdate | undefined {
    for (const other of this.#connected(id)) if (other < id) return undefined
    const work: Work = { decisions: new Map(), links: new Map(), before: new Map(), stale: new Set() }
    work.stale.add(this.#group(id))
    this.#recompute(work)
    return this.#answer(work)
  }

  /** Whoever is else is connected with an identity by links, whether they are followed or not. */
  *#connected(id: IdentityId): Generator<IdentityId> {
    const region = new Set([id])
    // The set grows while it is walked: it ends up as the whole component of evidence.
    for (const each of region) {
      for (const other of this.#node(each).links.keys()) {
        if (region.has(other)) continue
        region.add(other)
        yield other
      }
    }
  }

  /** To be called now and then while the source holds every answer, so that memory stays bounded. */
  trim(): void {
    // All at once: groups need all their members, and a fresh start costs at most what was read since the last.
    if (this.#nodes.size > this.#maxCached) this.forget()
  }

  /** Drops everything remembered: what the source says counts again. */
  forget(): void {
    this.#nodes = new Map()
    this.#groups = new Groups(this.#rules)
  }

  #link(link: LinkEvidence, work: Work): void {
    assert(link.a !== link.b, 'an identity is not linked with itself')
    // Of a star's links the second end is the one with fewer, as a rule.
    const known = knownOf(this.#node(link.b), link.b, link)
    if (known !== undefined && !supersedes(link, known)) return
    remember(this.#node(link.a), link.a, link)
    remember(this.#node(link.b), link.b, link)
    work.links.set(slotOf(link), link)
    const a = this.#named(link.a, link.aNamespace, link.time, work)
    const b = this.#named(link.b, link.bNamespace, link.time, work)
    if (a === b || this.#groups.limits.isBlocked(link)) return
    if (this.#groups.obstacle(a, b) === undefined) this.#merge(a, b, link, work)
    else if (this.#before(link, a) || this.#before(link, b)) work.stale.add(a).add(b)
  }

  /** Whether the group is made with a link that comes after this one. */
  #before(link: LinkEvidence, group: Group): boolean {
    return group.last !== undefined && compareLinks(link, group.last, this.#rules) < 0
  }

  #merge(a: Group, b: Group, link: LinkEvidence, work: Work): void {
    if (a.members.length === 1 || b.least < a.least) noteBefore(a, work)
    if (b.members.length === 1 || a.least < b.least) noteBefore(b, work)
    const last = this.#later(this.#later(a.last, b.last), link)
    this.#groups.merge(a, b, last)
  }

  #later(a: LinkEvidence | undefined, b: LinkEvidence | undefined): LinkEvidence | undefined {
    if (a === undefined || b === undefined) return a ?? b
    return compareLinks(a, b, this.#rules) < 0 ? b : a
  }

  #cut(cut: CutEvidence, work: Work): void {
    assert(cut.a !== cut.b, 'an identity is not cut from itself')
    const known = knownOf(this.#node(cut.a), cut.a, cut)
    if (known !== undefined && !supersedes(cut, known)) return
    const a = this.#group(cut.a)
    const b = this.#group(cut.b)
    remember(this.#node(cut.a), cut.a, cut)
    remember(this.#node(cut.b), cut.b, cut)
    work.decisions.set(slotOf(cut), cut)
    this.#lookAgain(cut, work)
    const active = cut.kind === 'cut'
    if (active === (known?.kind === 'cut')) return
    this.#groups.setCut(cut.a, cut.b, active)
    // A cut between two profiles forbids what never happened; a lifted one may let in what it had refused.
    if (!active || a === b) work.stale.add(a).add(b)
  }

  #keepApart(apart: ApartEvidence, work: Work): void {
    assert(apart.a !== apart.b, 'an identity is not kept apart from itself')
    const known = knownOf(this.#node(apart.a), apart.a, apart)
    if (known !== undefined && !supersedes(apart, known)) return
    remember(this.#node(apart.a), apart.a, apart)
    remember(this.#node(apart.b), apart.b, apart)
    work.decisions.set(slotOf(apart), apart)
    this.#lookAgain(apart, work)
  }

  /** A steward has decided about a pair: whether its links wait for that may have changed. */
  #lookAgain({ a, b }: CutEvidence | ApartEvidence, work: Work): void {
    for (const link of this.#node(a).links.get(b) ?? []) work.links.set(slotOf(link), link)
  }

  #node(id: IdentityId): Node {
    const known = this.#nodes.get(id)
    if (known !== undefined) return known
    const node: Node = {
      namespace: undefined,
      since: undefined,
      links: new Map(),
      cuts: undefined,
      apart: undefined,
    }
    for (const evidence of this.#source.evidenceOf(id)) {
      const known = knownOf(node, id, evidence)
      if (known !== undefined && !supersedes(evidence, known)) continue
      remember(node, id, evidence)
      if (evidence.kind !== 'link') continue
      node.namespace = evidence.a === id ? evidence.aNamespace : evidence.bNamespace
      node.since = Math.min(evidence.time, node.since ?? evidence.time)
    }
    for (const [other, cut] of node.cuts ?? []) {
      if (cut.kind === 'cut') this.#groups.setCut(id, other, true)
    }
    this.#nodes.set(id, node)
    return node
  }

  #group(id: IdentityId): Group {
    const known = this.#groups.groupOf(id)
    if (known !== undefined) return known
    const profile = this.#source.profileOf(id)
    const members = new Set(profile === undefined ? [id] : [...this.#source.membersOf(profile), id])
    let group = this.#place(id)
    let last: LinkEvidence | undefined
    for (const member of members) {
      const node = this.#node(member)
      for (const [other, links] of node.links) {
        if (!members.has(other)) continue
        for (const link of links) last = this.#later(last, link)
      }
      if (member === id) continue
      group = this.#groups.merge(group, this.#place(member), undefined)
    }
    group.last = members.size === 1 ? undefined : last
    return group
  }

  #place(id: IdentityId): Group {
    const { namespace, since } = this.#node(id)
    return this.#groups.place(id, namespace, since)
  }

  /** The group of an identity whose namespace a link of this time tells. */
  #named(id: IdentityId, namespace: string, time: number, work: Work): Group {
    const node = this.#node(id)
    const group = this.#group(id)
    const isEarlier = node.since === undefined || time < node.since
    if (isEarlier) node.since = time
    if (node.namespace === namespace) {
      // Limits of a period may let it in now where they didn't, or the other way round.
      if (isEarlier && this.#groups.limits.isTimed(namespace)) work.stale.add(group)
      return group
    }
    assert(node.namespace === undefined, `identity ${id} is of one namespace`)
    assert(group.members.length === 1, 'an identity that was never linked stands alone')
    node.namespace = namespace
    return this.#place(id)
  }

  #recompute(work: Work): void {
    const region = new Set<IdentityId>()
    for (const group of work.stale) for (const id of group.members) region.add(id)
    const groups = new Set<Group>()
    const links: LinkEvidence[] = []
    // The set grows while it is walked: it ends up as the whole component of evidence.
    for (const id of region) {
      groups.add(this.#group(id))
      for (const [other, between] of this.#node(id).links) {
        region.add(other)
        if (id < other) links.push(...between)
      }
    }
    for (const group of groups) noteBefore(group, work)
    for (const id of region) this.#place(id)
    follow(this.#groups, links, this.#rules)
    for (const link of links) {
      if ((link.refused === true) !== this.#isRefused(link)) work.links.set(slotOf(link), link)
    }
  }

  #isRefused(link: LinkEvidence): boolean {
    const { rule, a, b } = link
    if (this.#group(a) === this.#group(b) || this.#groups.limits.isBlocked(link)) return false
    const { cuts, apart } = this.#node(a)
    return cuts?.get(b)?.kind !== 'cut' && (rule === 'steward' || apart?.has(b) !== true)
  }

  /** What is to be stored of the links whose slot or standing changed. */
  #marked(work: Work): ReadonlyMap<string, Evidence> {
    const evidence = new Map<string, Evidence>(work.decisions)
    for (const [slot, link] of work.links) {
      const { refused: _, ...plain } = link
      const marked: LinkEvidence = this.#isRefused(link) ? { ...plain, refused: true } : plain
      remember(this.#node(link.a), link.a, marked)
      remember(this.#node(link.b), link.b, marked)
      evidence.set(slot, marked)
    }
    return evidence
  }

  #answer(work: Work): MembershipUpdate {
    const members = new Map<IdentityId, IdentityId>()
    const profiles = new Map<IdentityId, readonly IdentityId[]>()
    for (const [id, before] of work.before) {
      const group = this.#group(id)
      if (group.least === (before ?? id) && (before !== undefined || group.members.length === 1)) continue
      members.set(id, group.least)
      for (const profile of [before ?? id, group.least]) {
        if (!profiles.has(profile)) profiles.set(profile, this.#membersNow(profile))
      }
    }
    return { members, profiles, evidence: this.#marked(work) }
  }

  #membersNow(profile: IdentityId): readonly IdentityId[] {
    const group = this.#group(profile)
    if (group.least !== profile) return []
    // Kept sorted, so that sorting a large profile again costs little more than a walk.
    group.members.sort()
    return [...group.members]
  }
}

function noteBefore(group: Group, work: Work): void {
  const profile = group.members.length === 1 ? undefined : group.least
  for (const id of group.members) {
    if (!work.before.has(id)) work.before.set(id, profile)
  }
}

/** What the slot of some evidence holds, by one of its identities. */
function knownOf(node: Node, id: IdentityId, evidence: Evidence): Evidence | undefined {
  const other = evidence.a === id ? evidence.b : evidence.a
  if (evidence.kind === 'kept_apart') return node.apart?.get(other)
  if (evidence.kind !== 'link') return node.cuts?.get(other)
  return node.links.get(other)?.find((each) => each.rule === evidence.rule)
}

/** Stores evidence with one of its identities, in place of what its slot holds. */
function remember(node: Node, id: IdentityId, evidence: Evidence): void {
  const other = evidence.a === id ? evidence.b : evidence.a
  if (evidence.kind === 'kept_apart') {
    node.apart ??= new Map()
    node.apart.set(other, evidence)
    return
  }
  if (evidence.kind !== 'link') {
    node.cuts ??= new Map()
    node.cuts.set(other, evidence)
    return
  }
  const links = node.links.get(other)
  node.links.set(
    other,
    links === undefined ? [evidence] : [...links.filter((each) => each.rule !== evidence.rule), evidence],
  )
}
