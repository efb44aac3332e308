import type { IdentityRules, LinkEvidence } from './identity.ts'

const DAY_MS = 86_400_000

/** Most identities of a namespace in one profile. */
interface Limit {
  readonly most: number
  /** It counts what was first linked within so long of each other, ms; undefined: everything. */
  readonly periodMs: number | undefined
}

interface Tally {
  readonly count: number
  /** When each was first linked, sorted; undefined where it doesn't matter. */
  readonly times: readonly number[] | undefined
}

/** Of the namespaces that have a limit: what a group has of them. */
export type Tallies = ReadonlyMap<string, Tally>

const NONE: Tallies = new Map()

/** What rules say of single identities and links, ready to be asked often. */
export class Limits {
  readonly #limits: ReadonlyMap<string, Limit>
  readonly #blockedNamespaces: ReadonlySet<string>
  readonly #blockedIdentities: ReadonlySet<string>

  constructor({ limits, periods = {}, blocked }: IdentityRules) {
    this.#limits = new Map(
      Object.entries(limits).map(([namespace, most]) => {
        const days = Object.hasOwn(periods, namespace) ? periods[namespace] : undefined
        return [namespace, { most, periodMs: days === undefined ? undefined : days * DAY_MS }]
      }),
    )
    this.#blockedNamespaces = new Set(blocked?.namespaces)
    this.#blockedIdentities = new Set(blocked?.identities)
  }

  /** Whether it matters when an identity of this namespace was first linked. */
  isTimed(namespace: string): boolean {
    return this.#limits.get(namespace)?.periodMs !== undefined
  }

  /** Whether the link counts nothing, whoever is at its ends. */
  isBlocked({ rule, a, b, aNamespace, bNamespace }: LinkEvidence): boolean {
    if (rule === 'steward') return false
    const namespaces = this.#blockedNamespaces
    if (namespaces.size > 0 && (namespaces.has(aNamespace) || namespaces.has(bNamespace))) return true
    const identities = this.#blockedIdentities
    return identities.size > 0 && (identities.has(a) || identities.has(b))
  }

  /** Of one identity. `since`: when it was first linked, ms. */
  tallyOf(namespace: string | undefined, since: number | undefined): Tallies {
    const limit = namespace === undefined ? undefined : this.#limits.get(namespace)
    if (namespace === undefined || limit === undefined) return NONE
    return new Map([
      [namespace, { count: 1, times: limit.periodMs === undefined ? undefined : [since ?? 0] }],
    ])
  }

  /** The limit that two groups together would break; undefined: none. Whatever is added to them, it stays broken. */
  brokenBy(a: Tallies, b: Tallies): string | undefined {
    if (a.size === 0 && b.size === 0) return undefined
    for (const [namespace, { most, periodMs }] of this.#limits) {
      const [left, right] = [a.get(namespace), b.get(namespace)]
      const count = (left?.count ?? 0) + (right?.count ?? 0)
      if (count <= most) continue
      if (periodMs === undefined) return `${namespace} ${count} > ${most}`
      const densest = densestWithin(merged(left?.times, right?.times), periodMs)
      if (densest > most) return `${namespace} ${densest} > ${most} in ${periodMs / DAY_MS} days`
    }
    return undefined
  }

  joined(a: Tallies, b: Tallies): Tallies {
    if (a.size === 0 || b.size === 0) return a.size === 0 ? b : a
    const all = new Map(a)
    for (const [namespace, { count, times }] of b) {
      const known = all.get(namespace)
      const both = times === undefined ? undefined : merged(known?.times, times)
      all.set(namespace, { count: count + (known?.count ?? 0), times: both })
    }
    return all
  }
}

/** The most of these sorted instants that lie within less than `periodMs`. */
function densestWithin(times: readonly number[], periodMs: number): number {
  let most = 0
  let from = 0
  for (const [at, time] of times.entries()) {
    while (time - (times[from] ?? time) >= periodMs) from += 1
    most = Math.max(most, at - from + 1)
  }
  return most
}

function merged(a: readonly number[] | undefined, b: readonly number[] | undefined): readonly number[] {
  if (a === undefined || b === undefined) return a ?? b ?? []
  return [...a, ...b].sort((left, right) => left - right)
}
