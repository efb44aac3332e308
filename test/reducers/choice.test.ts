// Theorem: every choice rule is a semilattice over writes in any order, duplication and overlapping split, and its value
// under any ranking is that of sorting all writes and taking the first.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rankingOf } from '../../engine/reducers/candidate.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import { forwardOnly, type StageWrite } from '../../engine/reducers/forward-only.ts'
import { first, firstAndNewestMinute, latest } from '../../engine/reducers/latest.ts'
import { mostRestrictive } from '../../engine/reducers/most-restrictive.ts'
import { ranked, rankedUnlessBlank } from '../../engine/reducers/ranked.ts'
import type { Candidate, Ranking } from '../../engine/reducers/rule.ts'
import { type Group, together } from '../../engine/reducers/together.ts'
import { type SetWrite, union } from '../../engine/reducers/union.ts'
import { texts } from '../laws/candidates.ts'
import { checkChoiceLaws } from '../laws/laws.ts'
import { greatest, mirrored, newest, type Oracle, sorted } from '../laws/oracle.ts'

type Text = string | null

describe('laws and oracle', () => {
  test('latest', () => checkChoiceLaws(latest<string>(), texts, greatest<Text>(newest)))

  const oldest = greatest<Text>(([value, time, source, sequence, id], rank) => [
    -time,
    -rank,
    -sequence,
    mirrored(id),
    mirrored(source),
    JSON.stringify(value),
  ])

  test('first', () => checkChoiceLaws(first<string>(), texts, oldest))

  test('first, with the newest minute kept', () => {
    checkChoiceLaws(firstAndNewestMinute<string>(), texts, oldest)
  })

  test('ranked', () => {
    checkChoiceLaws(
      ranked<string>(),
      texts,
      greatest<Text>((each, rank) => [-rank, ...newest(each, rank)]),
    )
  })

  test('ranked by the field itself', () => {
    const own = rankingOf(['erp', 'CRM', 'crm'])
    const oracle: Oracle<Text, Text> = (all) =>
      greatest<Text>((each, rank) => [-rank, ...newest(each, rank)])(all, own)
    checkChoiceLaws(ranked<string>(own), texts, oracle)
  })

  test('rankedUnlessBlank', () => {
    const oracle = greatest<Text>((each, rank) => [each[0] === '' ? 0 : 1, -rank, ...newest(each, rank)])
    checkChoiceLaws(rankedUnlessBlank<string>(), texts, oracle)
  })

  test('min and max of numbers', () => {
    const numbers = fc.constantFrom(null, -1, 0, 2, 2.5)
    const least = greatest<number | null>((each, rank) => [-(each[0] ?? 99), ...newest(each, rank)])
    const most = greatest<number | null>((each, rank) => [each[0] ?? -99, ...newest(each, rank)])
    checkChoiceLaws(min(), numbers, least)
    checkChoiceLaws(max(), numbers, most)
  })

  test('min and max of numbers and strings', () => {
    const some = fc.constantFrom(null, 3, '', 'a', 'b')
    const size = (value: number | Text): number => (value === null ? 0 : typeof value === 'number' ? 1 : 2)
    const most = greatest<number | Text>((each, rank) => [
      size(each[0]),
      String(each[0]),
      ...newest(each, rank),
    ])
    const least = greatest<number | Text>((each, rank) => [
      each[0] === null ? -9 : -size(each[0]),
      mirrored(String(each[0])),
      ...newest(each, rank),
    ])
    checkChoiceLaws(max<number | string>(), some, most)
    checkChoiceLaws(min<number | string>(), some, least)
  })

  test('mostRestrictive', () => {
    const oracle = greatest<Text>((each, rank) => [
      each[1],
      each[0] === 'x' ? 1 : each[0] === 'y' ? 0 : 2,
      ...newest(each, rank),
    ])
    checkChoiceLaws(mostRestrictive<string>(['x', 'y']), texts, oracle)
  })

  test('together', () => {
    const values = fc.option(fc.constantFrom<string | undefined>(undefined, '', 'a'), { nil: null })
    const write: fc.Arbitrary<Group<'street' | 'town'> | null> = fc.option(
      fc.record({ town: values, street: values, other: values }),
      { nil: null },
    )
    const stated = (group: Group<'street' | 'town'> | null): Group<'street' | 'town'> | null | undefined => {
      const kept = Object.entries(group ?? {}).filter(([n, v]) => n !== 'other' && v !== undefined)
      const record = Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)))
      return group === null ? null : kept.length === 0 ? undefined : record
    }
    const oracle: Oracle<Group<'street' | 'town'> | null, Group<'street' | 'town'> | null> = (
      all,
      ranking,
    ) => {
      const writes = all.flatMap((each): Candidate<Group<'street' | 'town'> | null>[] => {
        const group = stated(each[0])
        return group === undefined ? [] : [[group, each[1], each[2], each[3], each[4], each[5], each[6]]]
      })
      return greatest<Group<'street' | 'town'> | null>(newest)(writes, ranking)
    }
    const rule = together(['street', 'town'])
    // A write shows in the explanation with the fields of the group alone, so it isn't looked for among the writes.
    checkChoiceLaws(
      { initial: rule.initial, write: rule.write, join: rule.join, value: rule.value },
      write,
      oracle,
    )
  })

  test('union', () => {
    const element = fc.constantFrom('a', 'b', '', '__proto__')
    const write: fc.Arbitrary<SetWrite> = fc.oneof(
      element.map((add) => ({ add })),
      element.map((remove) => ({ remove })),
    )
    checkChoiceLaws(union(), write, setOf)
  })

  test('forwardOnly', () => {
    const stage = fc.constantFrom('lead', 'sales', 'customer', 'odd', 'unheard')
    const write: fc.Arbitrary<StageWrite> = fc.oneof(
      { weight: 3, arbitrary: stage.map((each) => ({ stage: each })) },
      stage.map((each) => ({ regress: each })),
    )
    checkChoiceLaws(forwardOnly(STAGES), write, furthest)
  })
})

const STAGES = ['lead', 'sales', 'customer']

function setOf(all: readonly Candidate<SetWrite>[], ranking: Ranking): readonly string[] | undefined {
  if (all.length === 0) return undefined
  const set = new Map<string, boolean>()
  for (const [write] of sorted(all, ranking, newest).reverse()) {
    if ('add' in write) set.set(write.add, true)
    else set.set(write.remove, false)
  }
  return [...set]
    .filter(([, present]) => present)
    .map(([element]) => element)
    .sort()
}

/** Replays everything in order, forgetting all at a regress. */
function furthest(all: readonly Candidate<StageWrite>[], ranking: Ranking): string | undefined {
  let stage: string | undefined
  for (const [write] of sorted(all, ranking, newest).reverse()) {
    if ('regress' in write) stage = write.regress
    else if (stage === undefined || STAGES.indexOf(write.stage) >= STAGES.indexOf(stage)) stage = write.stage
  }
  return stage
}

describe('by example', () => {
  const ranking = rankingOf(['crm', 'web'])
  const at = <V>(value: V, time: number, source: string, id = `${source}${time}`): Candidate<V> => [
    value,
    time,
    source,
    0,
    id,
    time + 1,
    0,
  ]
  const folded = <S, W, V>(
    rule: { initial: S; write(s: S, c: Candidate<W>): S; value(s: S, r: Ranking): V | undefined },
    ...all: Candidate<W>[]
  ) =>
    rule.value(
      all.reduce((state, each) => rule.write(state, each), rule.initial),
      ranking,
    )

  test('absent, removed and blank are three different things', () => {
    expect(folded(latest<string>())).toBeUndefined()
    expect(folded(latest<string>(), at('x', 1, 'web'), at(null, 2, 'web'))).toBeNull()
    expect(folded(latest<string>(), at('x', 1, 'web'), at('', 2, 'web'))).toBe('')
  })

  test('a blank of the better source leaves the value of the worse one, a removal does not', () => {
    expect(folded(rankedUnlessBlank<string>(), at('', 2, 'crm'), at('x', 1, 'web'))).toBe('x')
    expect(folded(rankedUnlessBlank<string>(), at('old', 1, 'crm'), at('', 2, 'crm'))).toBe('old')
    expect(folded(rankedUnlessBlank<string>(), at(null, 2, 'crm'), at('x', 1, 'web'))).toBeNull()
    expect(folded(ranked<string>(), at('', 2, 'crm'), at('x', 1, 'web'))).toBe('')
  })

  test('a late regress voids what was reached before it, and only that', () => {
    const rule = forwardOnly(STAGES)
    const customer = at<StageWrite>({ stage: 'customer' }, 1, 'crm')
    const sales = at<StageWrite>({ stage: 'sales' }, 5, 'crm')
    const regress = at<StageWrite>({ regress: 'lead' }, 3, 'crm')
    expect(folded(rule, customer, sales)).toBe('customer')
    expect(folded(rule, customer, sales, regress)).toBe('sales')
    expect(folded(rule, customer, regress)).toBe('lead')
  })

  test('the explanation names the winner and the overruled, newest first', () => {
    const rule = latest<string>()
    const all = [at('a', 1, 'web'), at('b', 3, 'crm'), at('c', 2, 'erp')]
    const state = all.reduce((before, each) => rule.write(before, each), rule.initial)
    const { winners, overruled } = rule.explain(state, ranking)
    expect(winners).toEqual([all[1]])
    expect(overruled).toEqual([all[2], all[0]])
  })

  test('a field keeps the best and the newest write of each source and no more', () => {
    const rule = max()
    let state = rule.initial
    for (let i = 0; i < 1000; i++)
      state = rule.write(state, at((i * 37) % 101, i, i % 2 === 0 ? 'web' : 'crm'))
    expect(state.length).toBeLessThanOrEqual(4)
    expect(state.map((each) => each[1])).toContain(999)
  })

  test('unheard-of stages do not make the state grow', () => {
    const rule = forwardOnly(STAGES)
    let state = rule.initial
    for (let i = 0; i < 1000; i++)
      state = rule.write(state, at<StageWrite>({ stage: `stage ${i}` }, i, 'web'))
    expect(state).toHaveLength(1)
  })
})

test('of the newest minute the first write stays: what happens often changes the state once a minute', () => {
  const rule = firstAndNewestMinute<number>()
  const at = (second: number, position: number): Candidate<number> => {
    const time = second * 1_000
    return [time, time, 'web', 0, `e${position}`, position, 0]
  }
  const one = rule.write(rule.initial, at(5, 1))
  const two = rule.write(one, at(70, 2))
  expect(two).toEqual([at(5, 1), at(70, 2)])
  expect(rule.write(two, at(119, 3))).toBe(two)
  expect(rule.write(two, at(65, 4))).toBe(two)
  expect(rule.write(two, at(120, 5))).toEqual([at(5, 1), at(120, 5)])
})
