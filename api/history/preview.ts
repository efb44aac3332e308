import type { IdentityId } from '../../engine/events/identity.ts'
import type { Evidence, IdentityRules, LinkEvidence, Profile } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import type { Region } from './component.ts'

/** What a steward may say of two identities. */
export type Decision = 'link' | 'cut' | 'lift' | 'keep_apart'

export const DECISION_EVENTS = {
  link: 'identity.linked',
  cut: 'identity.cut',
  lift: 'identity.cut_lifted',
  keep_apart: 'identity.kept_apart',
} as const satisfies Readonly<Record<Decision, string>>

export type Pair = readonly [IdentityId, IdentityId]

/** Profiles that decisions would change, as they are and as they would be. */
export interface Preview {
  readonly before: readonly Profile[]
  readonly after: readonly Profile[]
  /** Of the links that were proposed those that would not be followed, and why. */
  readonly refused: readonly { readonly pair: Pair; readonly reason: string; readonly detail: string }[]
}

/** Tries decisions on everything that hangs together with their identities. */
export function previewOf(
  { evidence }: Region,
  decision: Decision,
  pairs: readonly Pair[],
  namespaces: (id: IdentityId) => string | undefined,
  rules: IdentityRules,
): Preview {
  const proposed = pairs.map((pair, i) => proposedEvidence(decision, pair, i, namespaces))
  const now = partition(evidence, rules)
  const then = partition([...evidence, ...proposed], rules)
  const named = new Set(pairs.flat())
  const refusals = new Map(then.review.map((refusal) => [refusal.link.id, refusal]))
  return {
    before: changed(now.profiles, then.profiles, named),
    after: changed(then.profiles, now.profiles, named),
    refused: proposed.flatMap(({ id, a, b }) => {
      const refusal = refusals.get(id)
      return refusal === undefined
        ? []
        : [{ pair: [a, b] as const, reason: refusal.reason, detail: refusal.detail }]
    }),
  }
}

/** Profiles that the other partition hasn't, or that hold somebody named. */
function changed(
  profiles: readonly Profile[],
  others: readonly Profile[],
  named: ReadonlySet<IdentityId>,
): readonly Profile[] {
  const known = new Set(others.map(({ members }) => members.join()))
  const touched = profiles.filter(
    ({ members }) => !known.has(members.join()) || members.some((id) => named.has(id)),
  )
  const missing = [...named].filter((id) => !profiles.some(({ members }) => members.includes(id)))
  return [...touched, ...missing.map((id) => ({ id, members: [id] }))]
}

/** Later than whatever was decided about this pair. */
export function proposedEvidence(
  decision: Decision,
  [a, b]: Pair,
  index: number,
  namespaces: (id: IdentityId) => string | undefined,
): Evidence {
  const id = `proposed ${index}`
  const placed = { id, a, b, time: Number.MAX_SAFE_INTEGER, eventId: id, position: Number.MAX_SAFE_INTEGER }
  switch (decision) {
    case 'link': {
      const [aNamespace, bNamespace] = [namespaces(a) ?? 'unknown', namespaces(b) ?? 'unknown']
      return { kind: 'link', rule: 'steward', ...placed, aNamespace, bNamespace } satisfies LinkEvidence
    }
    case 'cut':
      return { kind: 'cut', ...placed }
    case 'lift':
      return { kind: 'cut_lifted', ...placed }
    case 'keep_apart':
      return { kind: 'kept_apart', ...placed }
  }
}
