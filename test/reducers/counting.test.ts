// Theorem: sum and count are commutative monoids: any order and any disjoint split of the writes gives the same state.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { count, SumOverflow, sum } from '../../engine/reducers/counting.ts'
import type { Candidate } from '../../engine/reducers/rule.ts'
import { checkCountingLaws } from '../laws/laws.ts'

const of = (value: number): Candidate<number> => [value, 0, 'web', 0, 'e', 1, 0]

describe('counting rules', () => {
  test('sum', () => {
    checkCountingLaws(sum(), fc.integer({ min: -10_000, max: 10_000 }), (all) =>
      all.length === 0 ? undefined : all.reduce((total, each) => total + each[0], 0),
    )
  })

  test('count', () => {
    checkCountingLaws(count(), fc.anything(), (all) => (all.length === 0 ? undefined : all.length))
  })

  test('a sum of nothing is absent, a sum of zeros is 0', () => {
    const rule = sum()
    expect(rule.value(rule.initial, () => 0)).toBeUndefined()
    expect(rule.value(rule.write(rule.initial, of(-0)), () => 0)).toBe(0)
  })

  test('leaving the safe integers throws, in a write and in a join; fractions are a bug', () => {
    const rule = sum()
    const most = rule.write(rule.initial, of(Number.MAX_SAFE_INTEGER))
    expect(() => rule.write(most, of(1))).toThrow(SumOverflow)
    expect(() => rule.join(most, rule.write(rule.initial, of(1)))).toThrow(SumOverflow)
    expect(() => rule.write(rule.initial, of(1e300))).toThrow(SumOverflow)
    for (const bad of [0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => rule.write(rule.initial, of(bad))).toThrow(/scaled integers/)
    }
    expect(rule.value(rule.write(most, of(-1)), () => 0)).toBe(Number.MAX_SAFE_INTEGER - 1)
  })
})
