// Theorem: the partition is that of a plain model, and a function of the set of evidence: order, repeats, unrelated
// evidence and leaving out what a slot has already don't matter. A cut separates, and lifting it restores.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Evidence, IdentityRules, LinkEvidence, Partition } from '../../engine/identity/identity.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import { condense } from '../../engine/identity/slot.ts'
import { cut, evidences, FULL_RULES, link, namespaceIn, RULES } from './evidence-arbitrary.ts'

const RUNS = { numRuns: 500, includeErrorInReport: true }

/** Sets of ids and nothing clever: the groups, and the refused pairs with the reason. */
function model(
  evidence: readonly Evidence[],
  rules: IdentityRules,
): { groups: string[][]; refused: string[] } {
  const ids = [...new Set(evidence.flatMap((each) => [each.a, each.b]))]
  let groups = ids.map((id) => [id])
  const groupOf = (id: string): string[] => groups.find((group) => group.includes(id)) as string[]
  const links = evidence.filter((each): each is LinkEvidence => each.kind === 'link')
  links.sort((a, b) => before(a, b, rules))
  const refused = new Map<string, string>()
  for (const each of links) {
    const [a, b] = [groupOf(each.a), groupOf(each.b)]
    if (a === b || isBlocked(each, rules)) continue
    const both = [...a, ...b]
    const reason = forbidden(both, evidence, rules)
    if (reason === undefined) groups = [...groups.filter((group) => group !== a && group !== b), both]
    else {
      const pair = [each.a, each.b].sort().join()
      if (!refused.has(pair)) refused.set(pair, `${pair} ${reason} ${each.id}`)
    }
  }
  return { groups: groups.map((group) => group.sort()).sort(), refused: [...refused.values()] }
}

function isBlocked({ rule, a, b }: LinkEvidence, { blocked }: IdentityRules): boolean {
  if (rule === 'steward' || blocked === undefined) return false
  return [a, b].some((id) => blocked.identities.includes(id) || blocked.namespaces.includes(namespaceIn(id)))
}

function before(a: LinkEvidence, b: LinkEvidence, { priorities, namespaces }: IdentityRules): number {
  const place = (id: string): number => new Map(Object.entries(namespaces ?? {})).get(namespaceIn(id)) ?? 1e9
  const keys = (each: LinkEvidence) =>
    [priorities[each.rule], Math.max(place(each.a), place(each.b)), each.time, each.eventId, each.id] as const
  for (const i of [0, 1, 2, 3, 4] as const) {
    const [left, right] = [keys(a)[i], keys(b)[i]]
    if (left !== right) return left < right ? -1 : 1
  }
  return 0
}

function forbidden(
  members: readonly string[],
  evidence: readonly Evidence[],
  rules: IdentityRules,
): string | undefined {
  for (const a of members) for (const b of members) if (isCut(a, b, evidence)) return 'cut'
  for (const [namespace, limit] of Object.entries(rules.limits)) {
    const times = members.filter((id) => namespaceIn(id) === namespace).map((id) => sinceOf(id, evidence))
    const periodMs = (rules.periods?.[namespace] ?? Number.POSITIVE_INFINITY) * 86_400_000
    const within = (from: number): number => times.filter((t) => t >= from && t - from < periodMs).length
    if (times.some((from) => within(from) > limit)) return 'limit'
  }
  return members.length > rules.maxComponent ? 'size' : undefined
}

function sinceOf(id: string, evidence: readonly Evidence[]): number {
  const naming = evidence.filter((each) => each.kind === 'link' && (each.a === id || each.b === id))
  return Math.min(...naming.map(({ time }) => time))
}

function isCut(a: string, b: string, evidence: readonly Evidence[]): boolean {
  const decisions = evidence.filter(
    (each) =>
      each.kind !== 'link' &&
      each.kind !== 'kept_apart' &&
      ((each.a === a && each.b === b) || (each.a === b && each.b === a)),
  )
  const key = (each: Evidence): string => `${each.time} ${each.eventId} ${each.id}`
  decisions.sort((x, y) => (key(x) < key(y) ? 1 : -1))
  return decisions[0]?.kind === 'cut'
}

function groupsOf(found: Partition): string[][] {
  return found.profiles.map((profile) => [...profile.members]).sort()
}

function profileOf(found: Partition, id: string): string | undefined {
  return found.profiles.find((profile) => profile.members.includes(id))?.id
}

function flipped(each: Evidence): Evidence {
  if (each.kind !== 'link') return { ...each, a: each.b, b: each.a }
  return { ...each, a: each.b, b: each.a, aNamespace: each.bNamespace, bNamespace: each.aNamespace }
}

describe.each([RULES, FULL_RULES])('partition, rules $version', (rules) => {
  test('equals the model', () => {
    fc.assert(
      fc.property(evidences(), (evidence) => {
        const found = partition(evidence, rules)
        const { groups, refused } = model(evidence, rules)
        expect(groupsOf(found)).toEqual(groups)
        const review = found.review.map(
          ({ link: each, reason }) => `${[each.a, each.b].sort().join()} ${reason} ${each.id}`,
        )
        expect(review).toEqual(refused)
        for (const profile of found.profiles) expect(profile.id).toBe(profile.members[0])
      }),
      RUNS,
    )
  })

  test('order, repeats and which end is named first do not matter', () => {
    const shuffled = evidences().chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2 })),
    )
    fc.assert(
      fc.property(shuffled, ([evidence, permuted]) => {
        const found = partition(evidence, rules)
        expect(partition(permuted, rules)).toEqual(found)
        expect(groupsOf(partition(evidence.map(flipped), rules))).toEqual(groupsOf(found))
      }),
      RUNS,
    )
  })

  test('one piece for each slot gives the same as all of them, review included', () => {
    fc.assert(
      fc.property(evidences('i', 60), (evidence) => {
        const kept = condense(evidence)
        expect(partition(kept.values(), rules)).toEqual(partition(evidence, rules))
        expect(condense([...evidence].reverse())).toEqual(kept)
      }),
      RUNS,
    )
  })

  test('unrelated evidence changes nothing', () => {
    fc.assert(
      fc.property(evidences('x'), evidences('y'), (here, there) => {
        const both = partition([...here, ...there], rules)
        const [a, b] = [partition(here, rules), partition(there, rules)]
        expect(both.profiles).toEqual([...a.profiles, ...b.profiles])
        expect(new Set(both.review)).toEqual(new Set([...a.review, ...b.review]))
      }),
      RUNS,
    )
  })

  test('a cut separates, whatever else is linked; lifted, all is as before', () => {
    const [a, b] = ['i2', 'i5'] as const
    fc.assert(
      fc.property(evidences(), (some) => {
        const undecided = some.filter((each) => each.kind === 'link' || !isPair(each, a, b))
        const evidence = [...undecided, link(a, b, 3, 'steward')]
        const decided = [...evidence, cut(a, b, 10)]
        const apart = partition(decided, rules)
        expect(profileOf(apart, a)).not.toBe(profileOf(apart, b))
        const again = partition([...decided, link(b, a, 20, 'steward')], rules)
        expect(again.profiles).toEqual(apart.profiles)
        expect(partition([...decided, cut(b, a, 11, 'cut_lifted')], rules)).toEqual(
          partition(evidence, rules),
        )
      }),
      RUNS,
    )
  })
})

function isPair(each: Evidence, a: string, b: string): boolean {
  return (each.a === a && each.b === b) || (each.a === b && each.b === a)
}

describe('by example', () => {
  test('a second user id of one e-mail address goes to review, the first link holds', () => {
    const found = partition([link('i1', 'i2', 2), link('i0', 'i2', 1)], RULES)
    expect(found.profiles).toEqual([
      { id: 'i0', members: ['i0', 'i2'] },
      { id: 'i1', members: ['i1'] },
    ])
    expect(found.review).toEqual([{ link: link('i1', 'i2', 2), reason: 'limit', detail: 'user 2 > 1' }])
  })

  test('a limit of a period counts what came within it, however late it is heard of', () => {
    const rules: IdentityRules = { ...RULES, limits: { email: 2 }, periods: { email: 1 } }
    const dayMs = 86_400_000
    const [user, first, second, third] = ['i0', 'i2', 'i3', 'i4'] as const
    const apart = [link(user, first, 0), link(user, second, 1), link(user, third, dayMs)]
    expect(partition(apart, rules).profiles).toHaveLength(1)
    const close = [...apart, link(user, third, dayMs - 1)]
    expect(partition(close, rules).review).toEqual([
      { link: link(user, third, dayMs - 1), reason: 'limit', detail: 'email 3 > 2 in 1 days' },
    ])
  })

  test('a steward goes before what was stated, though later', () => {
    const found = partition([link('i0', 'i2', 1), link('i1', 'i2', 2, 'steward')], RULES)
    expect(profileOf(found, 'i1')).toBe(profileOf(found, 'i2'))
  })

  test('beyond the greatest size links go to review', () => {
    const chain = Array.from({ length: 9 }, (_, i) => link(`a${i * 8 + 5}`, `a${i * 8 + 13}`, i))
    const found = partition(chain, RULES)
    expect(found.profiles.map((each) => each.members.length)).toEqual([5, 5])
    expect(found.review.map(({ reason, detail }) => [reason, detail])).toEqual([['size', '6 > 5']])
  })

  test('no evidence, no profiles; a limit of 0 keeps a namespace out', () => {
    expect(partition([], DEFAULT_RULES)).toEqual({ profiles: [], review: [] })
    const none = partition([link('i0', 'i2', 1)], { ...RULES, limits: { user: 0 } })
    expect(none.review.map((each) => each.reason)).toEqual(['limit'])
  })

  test('a component of 10,000 and as many refused links', () => {
    const star = Array.from({ length: 10_010 }, (_, i) => link('c5', `c${i * 8 + 13}`, i))
    const crowd = Array.from({ length: 10_000 }, (_, i) => link('c2', `d${i * 8}`, i))
    const found = partition([...star, ...crowd], { ...RULES, maxComponent: 10_000 })
    expect(Math.max(...found.profiles.map((each) => each.members.length))).toBe(10_000)
    expect(found.review).toHaveLength(11 + 9_999)
  })
})
