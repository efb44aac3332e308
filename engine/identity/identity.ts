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

export type Evidence = LinkEvidence | CutEvidence

export interface IdentityRules {
  readonly version: string
  /** Namespace → most identities of it in one profile; absent: no limit. */
  readonly limits: Readonly<Record<string, number>>
  /** Most identities in one profile; links that would make it larger go to review. */
  readonly maxComponent: number
  /** Lower comes first. */
  readonly priorities: Readonly<Record<LinkEvidence['rule'], number>>
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
  /** `cut`: the pair that is cut; `limit`: `namespace count > limit`; `size`: `count > limit`. No identity values. */
  readonly detail: string
}

export interface Partition {
  /** All identities that the evidence names, those that stand alone too. Sorted by id. */
  readonly profiles: readonly Profile[]
  /** In the order in which links are followed; of several links between one pair the first alone. */
  readonly review: readonly Refusal[]
}
