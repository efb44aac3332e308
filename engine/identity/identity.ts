import type { IdentityId } from '../events/identity.ts'

/**
 * Which identities belong together: a pure function of (evidence, rules). Evidence is a growing set; its order of
 * arrival never matters. `compare` orders links: rule priority, then time, then event id (design §7).
 */
export interface LinkEvidence {
  readonly kind: 'link'
  /** Unique: event id, source and the pair. */
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

/** A steward's cut holds against old and new links until lifted. */
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
  /** Components above this many identities go to review. */
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

export interface Partition {
  readonly profiles: readonly Profile[]
  /** Links that were not followed, with the reason; a steward decides. */
  readonly review: readonly {
    readonly link: LinkEvidence
    readonly reason: 'cut' | 'limit' | 'size'
    readonly detail: string
  }[]
}
