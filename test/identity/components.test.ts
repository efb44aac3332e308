// Theorem: after every update the stored membership equals the partition of all evidence so far, whatever the batches
// and however much was forgotten in between; the update names exactly the profiles that changed; and repeated, ordinary or
// hopeless evidence costs no walk through its component.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Components, type EvidenceSource, type MembershipUpdate } from '../../engine/identity/components.ts'
import type { Evidence, IdentityRules, LinkEvidence } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import { condense, slotOf } from '../../engine/identity/slot.ts'
import { cut, evidences, FULL_RULES, link, namespaceIn, RULES } from './evidence-arbitrary.ts'

/** What a store keeps, and how often it was asked. */
class Stored implements EvidenceSource {
  readonly #keepAll: boolean
  readonly evidence = new Map<string, Evidence>()
  readonly #bySide = new Map<string, Map<string, Evidence>>()
  readonly profiles = new Map<string, string>()
  readonly #members = new Map<string, Set<string>>()
  asked = 0

  /** `keepAll`: what a slot held before stays beside what replaced it. */
  constructor(keepAll = false) {
    this.#keepAll = keepAll
  }

  evidenceOf(id: string): readonly Evidence[] {
    this.asked += 1
    // The newest first, so that what was replaced can't be overwritten by chance.
    return [...(this.#bySide.get(id)?.values() ?? [])].reverse()
  }

  profileOf(id: string): string | undefined {
    return this.profiles.get(id)
  }

  membersOf(profile: string): readonly string[] {
    return [...(this.#members.get(profile) ?? [])]
  }

  store(update: MembershipUpdate): void {
    for (const [slot, each] of update.evidence) {
      this.evidence.set(slot, each)
      for (const id of [each.a, each.b]) {
        const side = this.#bySide.get(id) ?? new Map<string, Evidence>()
        this.#bySide.set(id, side.set(this.#keepAll ? `${slot} ${each.id}` : slot, each))
      }
    }
    for (const [id, profile] of update.members) {
      this.#members.get(this.profiles.get(id) ?? '')?.delete(id)
      this.profiles.set(id, profile)
      this.#members.set(profile, (this.#members.get(profile) ?? new Set()).add(id))
    }
  }
}

/** Profile → members, those of one member left out: who was never heard of stands alone too. */
function groupsOf(all: readonly Evidence[], rules: IdentityRules): ReadonlyMap<string, readonly string[]> {
  const { profiles } = partition(all, rules)
  return new Map(profiles.filter((each) => each.members.length > 1).map((each) => [each.id, each.members]))
}

function checkStored(stored: Stored, all: readonly Evidence[], rules: IdentityRules): void {
  for (const profile of partition(all, rules).profiles) {
    for (const id of profile.members) expect(stored.profileOf(id) ?? id).toBe(profile.id)
    if (profile.members.length > 1) expect([...stored.membersOf(profile.id)].sort()).toEqual(profile.members)
  }
  for (const slot of stored.evidence.keys()) expect(slotOf(stored.evidence.get(slot) as Evidence)).toBe(slot)
  const waiting = [...stored.evidence.values()].filter((each) => each.kind === 'link' && each.refused)
  expect(waiting.map(({ id }) => id).sort()).toEqual(waitingIn(all, rules))
}

/** Of each slot the link that counts, where its ends are apart and no steward has said so of just these. */
function waitingIn(all: readonly Evidence[], rules: IdentityRules): readonly string[] {
  const { review } = partition(all, rules)
  const apart = new Set(review.map(({ link: each }) => pairOf(each)))
  const kept = [...condense(all).values()]
  const decided = (kind: Evidence['kind']) => new Set(kept.filter((each) => each.kind === kind).map(pairOf))
  const [cuts, keptApart] = [decided('cut'), decided('kept_apart')]
  return kept
    .filter((each) => each.kind === 'link' && apart.has(pairOf(each)) && !cuts.has(pairOf(each)))
    .filter((each) => each.kind === 'link' && !isBlocked(each, rules))
    .filter((each) => (each.kind === 'link' && each.rule === 'steward') || !keptApart.has(pairOf(each)))
    .map(({ id }) => id)
    .sort()
}

function isBlocked({ rule, a, b }: LinkEvidence, { blocked }: IdentityRules): boolean {
  if (rule === 'steward' || blocked === undefined) return false
  return [a, b].some((id) => blocked.identities.includes(id) || blocked.namespaces.includes(namespaceIn(id)))
}

function pairOf({ a, b }: Evidence): string {
  return [a, b].sort().join()
}

/** The update names the profiles that changed, all of them and no others, with their members now. */
function checkNamed(
  update: MembershipUpdate,
  was: readonly Evidence[],
  is: readonly Evidence[],
  rules: IdentityRules,
): void {
  const [before, after] = [groupsOf(was, rules), groupsOf(is, rules)]
  const ids = new Set([...before.values(), ...after.values()].flat())
  const grouped = new Set([...after.values()].flat())
  for (const id of ids) {
    const now = after.get(id) ?? (grouped.has(id) ? [] : [id])
    const then = before.get(id) ?? ([...before.values()].flat().includes(id) ? [] : [id])
    const named = update.profiles.get(id)
    if (JSON.stringify(now) === JSON.stringify(then)) expect(named).toBeUndefined()
    else expect(named).toEqual(now)
  }
  for (const profile of update.profiles.keys()) expect(ids).toContain(profile)
}

describe.each([RULES, FULL_RULES])('updates, rules $version', (rules) => {
  const batches = fc.array(fc.tuple(evidences('i', 8), fc.boolean()), { minLength: 1, maxLength: 8 })

  for (const [maxCached, keepAll] of [
    [0, false],
    [0, true],
    [1_000, false],
  ] as const) {
    const what = `${maxCached === 0 ? 'nothing' : 'all'} remembered${keepAll ? ', replaced evidence kept' : ''}`
    test(`equal the partition (${what})`, () => {
      fc.assert(
        fc.property(batches, (some) => {
          const stored = new Stored(keepAll)
          const components = new Components(stored, rules, maxCached)
          let all: readonly Evidence[] = []
          for (const [batch, forget] of some) {
            if (forget) components.forget()
            components.trim()
            const update = components.update(batch)
            stored.store(update)
            checkNamed(update, all, [...all, ...batch], rules)
            all = [...all, ...batch]
            checkStored(stored, all, rules)
          }
        }),
        { numRuns: 250, includeErrorInReport: true },
      )
    })
  }

  test('what is known already changes nothing and asks nothing', () => {
    const stored = new Stored()
    const components = new Components(stored, RULES)
    const state = [link('i0', 'i2', 1), cut('i0', 'i3', 1)]
    stored.store(components.update(state))
    const asked = stored.asked
    for (let time = 1; time < 1_000; time++) {
      const update = components.update([link('i0', 'i2', time, 'stated', `e${time}`)])
      expect([update.evidence.size, update.members.size, update.profiles.size]).toEqual([0, 0, 0])
    }
    expect(stored.asked).toBe(asked)
    const earlier = components.update([link('i0', 'i2', 0)])
    expect([earlier.evidence.size, earlier.members.size]).toEqual([1, 0])
  })

  test('an error leaves nothing half done behind', () => {
    const stored = new Stored()
    const components = new Components(stored, RULES)
    expect(() => components.update([link('i0', 'i2', 1), link('i3', 'i3', 1)])).toThrow(/itself/)
    stored.store(components.update([link('i0', 'i2', 1)]))
    checkStored(stored, [link('i0', 'i2', 1)], RULES)
    expect(stored.profiles.size).toBe(2)
  })
})

describe('large components', () => {
  const rules: IdentityRules = { ...RULES, maxComponent: 10_000 }
  const anonymous = (i: number): string => `n${i * 8 + 5}`

  function grown(evidence: readonly Evidence[]): { stored: Stored; components: Components } {
    const stored = new Stored()
    const components = new Components(stored, rules)
    for (let i = 0; i < evidence.length; i += 100) stored.store(components.update(evidence.slice(i, i + 100)))
    return { stored, components }
  }

  test('growing to 10,000 one by one asks for each identity once, in any order of time', () => {
    const order = [...Array(9_999).keys()]
    const late = grown(order.map((i) => link('n8', anonymous(i), order.length - i)))
    expect(late.stored.asked).toBe(10_000)
    checkStored(late.stored, [...late.stored.evidence.values()], rules)
    const chain = grown(order.map((i) => link(anonymous(i), anonymous(i + 1), i)))
    expect(chain.stored.asked).toBe(10_000)
    expect(chain.stored.membersOf(chain.stored.profileOf(anonymous(0)) ?? '')).toHaveLength(10_000)
    checkStored(chain.stored, [...chain.stored.evidence.values()], rules)
  })

  test('a full profile, and a crowd around one address, take no walk for each newcomer', () => {
    const { stored, components } = grown([...Array(9_999).keys()].map((i) => link('n8', anonymous(i), i)))
    components.forget()
    stored.store(components.update([link('n8', 'm5', 20_000)]))
    const asked = stored.asked
    for (let i = 1; i <= 500; i++) stored.store(components.update([link('n8', `m${i * 8 + 5}`, 20_000 + i)]))
    expect(stored.asked).toBe(asked + 500)
    for (let i = 1; i <= 500; i++) stored.store(components.update([link(`u${i * 8}`, 'n2', i)]))
    expect(stored.asked).toBe(asked + 1_001)
    expect(stored.membersOf('n2')).toHaveLength(2)
  })

  test('a cut inside 10,000 asks once for each, however many decisions the batch has', () => {
    const { stored, components } = grown([...Array(9_999).keys()].map((i) => link('n8', anonymous(i), i)))
    components.forget()
    const asked = stored.asked
    const decisions = [...Array(50).keys()].flatMap((i) => [
      cut('n8', anonymous(i), 30_000 + i),
      link(anonymous(i), anonymous(i + 1), 1, 'steward'),
    ])
    stored.store(components.update(decisions))
    expect(stored.asked).toBe(asked + 10_000)
    checkStored(stored, [...stored.evidence.values()], rules)
  })
})
