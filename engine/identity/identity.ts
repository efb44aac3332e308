import type { IdentityId } from '../events/identity.ts'

/**
 * Which identities belong together: a pure function of (evidence, rules). Evidence is a growing set; its order of
 * arrival never matters. Links are followed by rule priority, then time, event id and evidence id. `a` and `b` differ
 * and are of one kind, both people or both companies; which of them is `a` has no meaning.
 */
export interface LinkEvidence {
  readonly kind: 'link'
  /** Unique among all evidence, and the same whenever it is derived from the same event. */
  readonly id: string
  readonly a: IdentityId
  readonly b: IdentityId
  readonly aNamespace: string
  readonly bNamespace: string
  /** `stated`: one event named both; `steward`: `identity.linked`. */
  readonly rule: 'stated' | 'steward'
  readonly time: number
  readonly eventId: string
  readonly position: number
  /**
   * Of a link as it is stored: it waits for a steward. Its ends are in different profiles, no rule blocks it, and nobody
   * has cut this very pair or, of a stated link, kept it apart.
   */
  readonly refused?: true | undefined
}

/**
 * A steward's cut holds against old and new links until lifted. Of the cuts and lifts of one pair the newest by time,
 * event id and evidence id counts.
 */
export interface CutEvidence {
  readonly kind: 'cut' | 'cut_lifted'
  readonly id: string
  readonly a: IdentityId
  readonly b: IdentityId
  readonly time: number
  readonly eventId: string
  readonly position: number
}

/** A steward says that two profiles look alike and are not: it parts nobody, but what was refused is answered. */
export interface ApartEvidence {
  readonly kind: 'kept_apart'
  readonly id: string
  readonly a: IdentityId
  readonly b: IdentityId
  readonly time: number
  readonly eventId: string
  readonly position: number
}

export type Evidence = LinkEvidence | CutEvidence | ApartEvidence

export interface IdentityRules {
  readonly version: string
  /** Namespace → most identities of it in one profile; absent: no limit. */
  readonly limits: Readonly<Record<string, number>>
  /**
   * Namespace → days: its limit counts identities that were first linked within so many days of each other; absent: all
   * there ever were.
   */
  readonly periods?: Readonly<Record<string, number>> | undefined
  /** Namespace → its links are followed before those of a higher number; absent: last. Of a link its weaker end counts. */
  readonly namespaces?: Readonly<Record<string, number>> | undefined
  /** What no stated link counts over; a steward's does. */
  readonly blocked?: BlockedLinks | undefined
  /** Most identities in one profile; links that would make it larger go to review. */
  readonly maxComponent: number
  /** Lower comes first. */
  readonly priorities: Readonly<Record<LinkEvidence['rule'], number>>
}

interface BlockedLinks {
  readonly namespaces: readonly string[]
  readonly identities: readonly IdentityId[]
}

export const DEFAULT_RULES: IdentityRules = {
  version: '1',
  limits: { user: 1, email: 5, phone: 5 },
  maxComponent: 10_000,
  priorities: { steward: 0, stated: 1 },
}

export interface Profile {
  /** The least of `members`. */
  readonly id: IdentityId
  /** Sorted. */
  readonly members: readonly IdentityId[]
}

/** A link that was not followed, with the reason; a steward decides. */
export interface Refusal {
  readonly link: LinkEvidence
  readonly reason: 'cut' | 'limit' | 'size'
  /**
   * `cut`: the pair that is cut; `limit`: `namespace count > limit`, with `in n days` where it is one of a period;
   * `size`: `count > limit`. No identity values.
   */
  readonly detail: string
}

export interface Partition {
  /** All identities that the evidence names, those that stand alone too. Sorted by id. */
  readonly profiles: readonly Profile[]
  /** In the order in which links are followed; of several links between one pair the first alone. Blocked ones aren't in it. */
  readonly review: readonly Refusal[]
}
