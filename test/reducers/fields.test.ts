// Theorem: a record of rules and a map of dynamic names under one rule obey the laws of their rules, whatever the names.
import * as fc from 'fast-check'
import { pack, unpack } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { candidate, type Written } from '../../engine/reducers/candidate.ts'
import { count } from '../../engine/reducers/counting.ts'
import { fields } from '../../engine/reducers/fields.ts'
import { first, latest } from '../../engine/reducers/latest.ts'
import { mapOf } from '../../engine/reducers/map-of.ts'
import { rankedUnlessBlank } from '../../engine/reducers/ranked.ts'
import type { Candidate, Ranking } from '../../engine/reducers/rule.ts'
import { together } from '../../engine/reducers/together.ts'
import { texts } from '../laws/candidates.ts'
import { checkChoiceLaws, checkCountingLaws, type Lawful } from '../laws/laws.ts'
import { greatest, newest } from '../laws/oracle.ts'

type Text = string | null
type NamedWrite = readonly [name: string, value: Text]

function withValue<V>(written: Candidate<unknown>, value: V): Candidate<V> {
  return [value, written[1], written[2], written[3], written[4], written[5], written[6]]
}

/** What a plain model of names makes of the writes: `latest` of each name. */
function latestOfEach(
  all: readonly Candidate<NamedWrite>[],
  ranking: Ranking,
): Readonly<Record<string, Text>> {
  const names = [...new Set(all.map((each) => each[0][0]))].sort()
  return Object.fromEntries(
    names.map((name) => {
      const writes = all.filter((each) => each[0][0] === name).map((each) => withValue(each, each[0][1]))
      return [name, greatest<Text>(newest)(writes, ranking) as Text]
    }),
  )
}

const profile = fields({
  b: latest<string>(),
  a: latest<string>(),
})

const written: Written = { id: 'e1', source: 'web', time: 5, position: 9 }

describe('fields', () => {
  test('laws', () => {
    const rule: Lawful<typeof profile.initial, readonly ['a' | 'b', Text], Readonly<Record<string, Text>>> = {
      initial: profile.initial,
      write: (state, each) => profile.write(state, each[0][0], withValue(each, each[0][1])),
      join: profile.join,
      value: (state, ranking) => profile.values(state, ranking),
    }
    checkChoiceLaws(rule, fc.tuple(fc.constantFrom('a' as const, 'b' as const), texts), latestOfEach)
  })

  test('writeAll is write of each, and leaves out what is undefined', () => {
    const all = profile.writeAll(profile.initial, written, { a: 'x', b: undefined })
    expect(all).toEqual(profile.write(profile.initial, 'a', candidate(written, 'x')))
    expect(profile.get(all, 'a')).toEqual([candidate(written, 'x')])
    expect(profile.get(all, 'b')).toBeUndefined()
    expect(profile.writeAll(all, written, { a: 'x' })).toBe(all)
    expect(profile.writeAll(all, written, {})).toBe(all)
    const both = profile.writeAll(all, written, { b: '' })
    expect(profile.values(both, () => 0)).toEqual({ a: 'x', b: '' })
  })

  test('fields declared after a state was made are absent from it', () => {
    const before = fields({ email: latest<string>() })
    const after = fields({ email: latest<string>(), visits: count() })
    // As it comes from a store.
    const old = JSON.parse(JSON.stringify(before.writeAll(before.initial, written, { email: 'x' })))
    expect(after.get(old, 'visits')).toBeUndefined()
    expect(after.values(old, () => 0)).toEqual({ email: 'x' })
    const visited = after.writeAll(old, written, { visits: 1 })
    expect(after.values(visited, () => 0)).toEqual({ email: 'x', visits: 1 })
    expect(after.join(old, visited)).toEqual(after.join(visited, old))
  })

  test('a write that is none leaves the field absent', () => {
    const address = fields({ address: together(['street', 'town']) })
    expect(address.writeAll(address.initial, written, { address: {} })).toBe(address.initial)
  })

  test('values and explanations have the types of their rules', () => {
    const mixed = fields({ email: rankedUnlessBlank<string>(), seen: first<number>(), visits: count() })
    const state = mixed.writeAll(mixed.initial, written, { email: 'x', seen: 5, visits: 1 })
    const values = mixed.values(state, () => 0)
    const email: string | null | undefined = values.email
    const visits: number | undefined = values.visits
    expect([email, values.seen, visits]).toEqual(['x', 5, 1])
    expect(mixed.explain(state, () => 0).email).toEqual({
      value: 'x',
      rule: 'rankedUnlessBlank',
      winners: [['x', 5, 'web', 0, 'e1', 9, 0]],
      overruled: [],
    })
    expect(mixed.kind).toBe('counting')
    expect(profile.kind).toBe('choice')
    // @ts-expect-error a number is no e-mail address
    mixed.writeAll(state, written, { email: 5 })
    // @ts-expect-error there is no such field
    expect(() => mixed.write(state, 'emial', candidate(written, 'x'))).toThrow(/no field/)
  })

  test('names that objects inherit are refused at declaration', () => {
    expect(() => fields({ constructor: latest() })).toThrow(/can't be a field's name/)
    expect(() => fields({ ['__proto__']: latest() })).toThrow(/can't be a field's name/)
    expect(() => together(['toString'])).toThrow(/can't be a field's name/)
  })
})

describe('mapOf', () => {
  const names = fc.constantFrom('a', 'b', '', '__proto__', 'constructor', 'toString')

  test('laws', () => {
    const traits = mapOf(latest<string>())
    const rule: Lawful<typeof traits.initial, NamedWrite, Readonly<Record<string, Text>>> = {
      initial: traits.initial,
      write: (state, each) => traits.write(state, each[0][0], withValue(each, each[0][1])),
      join: traits.join,
      value: (state, ranking) => Object.fromEntries(traits.values(state, ranking)),
    }
    checkChoiceLaws(rule, fc.tuple(names, texts), latestOfEach)
  })

  test('laws of a counting rule', () => {
    const visits = mapOf(count())
    const rule: Lawful<typeof visits.initial, string, Readonly<Record<string, number>>> = {
      initial: visits.initial,
      write: (state, each) => visits.write(state, each[0], each),
      join: visits.join,
      value: (state, ranking) => Object.fromEntries(visits.values(state, ranking)),
    }
    checkCountingLaws(rule, names, (all) => {
      const counts = new Map<string, number>()
      for (const [name] of all) counts.set(name, (counts.get(name) ?? 0) + 1)
      return Object.fromEntries(counts)
    })
  })

  test('__proto__ is a name like any other, through MessagePack too', () => {
    const traits = mapOf(latest<string>())
    const state = traits.write(traits.initial, '__proto__', candidate(written, 'x'))
    const again = unpack(pack(state)) as typeof state
    expect([...traits.values(again, () => 0)]).toEqual([['__proto__', 'x']])
    expect(Object.hasOwn(Object.fromEntries(traits.values(again, () => 0)), '__proto__')).toBe(true)
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })
})

describe('candidate', () => {
  test('takes an envelope apart; what the sender left out is 0', () => {
    expect(candidate({ ...written, sequence: 3, basedOn: 4 }, null)).toEqual([null, 5, 'web', 3, 'e1', 9, 4])
    expect(candidate(written, '')).toEqual(['', 5, 'web', 0, 'e1', 9, 0])
    expect(candidate(written, -0)[0]).toBe(0)
  })

  test('refuses an absent value and a time that is no instant', () => {
    expect(() => candidate(written, undefined)).toThrow(/absent/)
    expect(() => candidate({ ...written, time: Number.NaN }, 'x')).toThrow(/time/)
  })
})
