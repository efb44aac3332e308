// Theorem: the harness of the laws can fail. It refuses a rule that goes by arrival, one that mutates, one that counts
// duplicates, one whose state isn't canonical, and one that applies the ranking too early.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { choice } from '../../engine/reducers/choice.ts'
import { count, sum } from '../../engine/reducers/counting.ts'
import { latest } from '../../engine/reducers/latest.ts'
import type { Candidate, Rule } from '../../engine/reducers/rule.ts'
import { texts } from './candidates.ts'
import { checkChoiceLaws, checkCountingLaws } from './laws.ts'
import { greatest, newest, type Oracle } from './oracle.ts'

type Text = string | null
const oracle = greatest<Text>(newest)
const good = latest<string>()

describe('the harness refuses', () => {
  test('going by arrival', () => {
    const rule: Rule<readonly Candidate<Text>[], Text> = { ...good, write: (_, each) => [each] }
    expect(() => checkChoiceLaws(rule, texts, oracle)).toThrow(/order/)
  })

  test('mutation', () => {
    const rule: Rule<readonly Candidate<Text>[], Text> = {
      ...good,
      write(state, each) {
        const next = state as Candidate<Text>[]
        next.push(each)
        return next
      },
    }
    expect(() => checkChoiceLaws(rule, texts, oracle)).toThrow(/extensible/)
  })

  test('counting duplicates in a choice rule', () => {
    const counted: Oracle<unknown, number> = (all) => (all.length === 0 ? undefined : all.length)
    expect(() => checkChoiceLaws(count(), texts, counted)).toThrow(/duplication/)
  })

  test('a state in order of arrival', () => {
    const rule: Rule<readonly Candidate<Text>[], Text> = {
      ...good,
      write: (state, each) =>
        good.write(state, each) === state ? state : [...state.filter((old) => old[2] !== each[2]), each],
    }
    expect(() => checkChoiceLaws(rule, texts, oracle)).toThrow(/order/)
  })

  test('a value that ignores the ranking', () => {
    const rule: Rule<readonly Candidate<Text>[], Text> = {
      ...good,
      value: (state) => good.value(state, () => 0),
    }
    expect(() => checkChoiceLaws(rule, texts, oracle)).toThrow(/oracle/)
  })

  test('an order that is not total', () => {
    const rule = choice<Text>('byTimeAlone', (a, b) => a[1] - b[1])
    expect(() => checkChoiceLaws(rule, texts, oracle)).toThrow()
  })

  test('a sum that loses a part in a join', () => {
    const rule = { ...sum(), join: (a: ReturnType<typeof sum>['initial']) => a }
    const total: Oracle<number, number> = (all) =>
      all.length === 0 ? undefined : all.reduce((n, each) => n + each[0], 0)
    expect(() => checkCountingLaws(rule, fc.integer({ min: -5, max: 5 }), total)).toThrow(/disjoint split/)
  })
})
