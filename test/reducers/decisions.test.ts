// Theorem: writes and stewards' decisions about one field may come in any order, repeated and split: the state is the
// same, and the value is that of a plain model over all of them. A lock in force wins; a resolution takes the place of
// what it overruled; absent, null and blank decisions are three things.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UNIFORM } from '../../engine/reducers/candidate.ts'
import type { Kept } from '../../engine/reducers/choice.ts'
import type { DecisionWrite } from '../../engine/reducers/decisions.ts'
import { max } from '../../engine/reducers/extreme.ts'
import { governed } from '../../engine/reducers/governed.ts'
import { first, latest, review } from '../../engine/reducers/latest.ts'
import { ranked, rankedUnlessBlank } from '../../engine/reducers/ranked.ts'
import type { Candidate, Ranking, Rule } from '../../engine/reducers/rule.ts'
import { texts } from '../laws/candidates.ts'
import { checkChoiceLaws, type Lawful } from '../laws/laws.ts'
import { type Keys, mirrored, newest, type Oracle, sorted } from '../laws/oracle.ts'

type Text = string | null
type TextRule = Rule<Kept<Text>, Text>
type Input = { readonly write: Text } | { readonly decide: DecisionWrite }

const written = ([, time, source, sequence, id, position, basedOn]: Candidate<unknown>) => ({
  ...{ time, source, sequence, id, position, basedOn },
})

function fieldUnder(rule: TextRule) {
  return governed({ field: rule }, (name, value) =>
    name === 'field' && (value === null || typeof value === 'string') ? value : undefined,
  )
}

function lawful(rule: TextRule): Lawful<ReturnType<typeof fieldUnder>['initial'], Input, Text> {
  const field = fieldUnder(rule)
  return {
    initial: field.initial,
    join: field.join,
    write(state, each) {
      const [input] = each
      if ('decide' in input) return field.decide(state, written(each), input.decide)
      return field.writeAll(state, written(each), { field: input.write })
    },
    value: (state, ranking) => field.values(state, ranking).field,
  }
}

const inputs: fc.Arbitrary<Input> = fc.oneof(
  texts.map((write) => ({ write })),
  fc
    .record({
      act: fc.constantFrom('locked', 'unlocked', 'resolved'),
      value: fc.oneof(
        texts.map((value): DecisionWrite['value'] => [value]),
        fc.constant<DecisionWrite['value']>([]),
        // A text field can't hold it.
        fc.constant<DecisionWrite['value']>([5]),
      ),
    })
    .map(({ act, value }) => ({
      decide: { field: 'field', act, value, by: 'Kim', reason: null, expires: null } as const,
    })),
)

/** Of no source. */
const NOBODY = ''

/** Sorting what each source has best and newest; without what the engine compares by. */
function model(keys: Keys<Text>): Oracle<Input, Text> {
  return (all, ranking) => {
    const writes = all.flatMap((each): Candidate<Text>[] =>
      'write' in each[0] ? [[each[0].write, ...rest(each)]] : [],
    )
    const decided = (...acts: readonly DecisionWrite['act'][]) =>
      sorted(
        all.flatMap((each): Candidate<DecisionWrite>[] =>
          'decide' in each[0] && acts.includes(each[0].decide.act) ? [[each[0].decide, ...rest(each)]] : [],
        ),
        UNIFORM,
        newest,
      )[0]
    const lock = decided('locked', 'unlocked')
    const held = lock?.[0].act === 'locked' ? textOf(lock[0]) : undefined
    if (held !== undefined) return held
    const resolution = decided('resolved')
    const value = resolution === undefined ? undefined : textOf(resolution[0])
    if (resolution === undefined || value === undefined) return sorted(writes, ranking, keys)[0]?.[0]
    const kept = [...new Set(writes.map((each) => each[2]))].flatMap((name) => {
      const own = writes.filter((each) => each[2] === name)
      return [sorted(own, UNIFORM, keys)[0], sorted(own, UNIFORM, newest)[0]].filter(
        (each) => each !== undefined,
      )
    })
    const older = kept.filter((each) => each[1] <= resolution[1])
    const [, time, , ...others] = resolution
    const source = sorted(older, ranking, keys)[0]?.[2] ?? NOBODY
    const newer = kept.filter((each) => each[1] > time)
    return sorted([[value, time, source, ...others], ...newer], ranking, keys)[0]?.[0]
  }
}

function rest([, ...others]: Candidate<unknown>) {
  return others
}

function textOf({ value: [value] }: DecisionWrite): Text | undefined {
  return value === null || typeof value === 'string' ? value : undefined
}

const byRank: Keys<Text> = (each, rank) => [-rank, ...newest(each, rank)]

describe('laws and model', () => {
  test('over latest', () => checkChoiceLaws(lawful(latest<string>()), inputs, model(newest)))
  test('over review', () => checkChoiceLaws(lawful(review<string>()), inputs, model(newest)))
  test('over ranked', () => checkChoiceLaws(lawful(ranked<string>()), inputs, model(byRank)))
  test('over rankedUnlessBlank', () => {
    const keys: Keys<Text> = (each, rank) => [each[0] === '' ? 0 : 1, ...byRank(each, rank)]
    checkChoiceLaws(lawful(rankedUnlessBlank<string>()), inputs, model(keys))
  })
  test('over first', () => {
    const oldest: Keys<Text> = ([value, time, source, sequence, id], rank) => [
      ...[-time, -rank, -sequence],
      ...[mirrored(id), mirrored(source), JSON.stringify(value)],
    ]
    checkChoiceLaws(lawful(first<string>()), inputs, model(oldest))
  })
})

describe('a decision', () => {
  const field = fieldUnder(latest<string>())
  const at = (time: number, source = 'erp') => ({ time, source, id: `${source}${time}`, position: time })
  const decision = (
    act: DecisionWrite['act'],
    value: DecisionWrite['value'],
    expires: number | null = null,
  ) => ({
    ...{ field: 'field', act, value, by: 'Kim', reason: 'call', expires },
  })
  const wrote = field.writeAll(field.initial, at(10), { field: 'a' })
  const explain = (state: typeof wrote, ranking: Ranking = UNIFORM) => field.explain(state, ranking).field

  test('names the steward and what it overruled', () => {
    const locked = field.decide(wrote, at(5, 'steward'), decision('locked', ['b']))
    expect(explain(locked)).toMatchObject({
      value: 'b',
      rule: 'locked',
      winners: [['b', 5, 'steward', 0, 'steward5', 5, 0]],
      overruled: [['a', 10, 'erp', 0, 'erp10', 10, 0]],
      decided: { act: 'locked', by: 'Kim', reason: 'call', until: null },
    })
  })

  test('a lock ends when the clock has passed its end, and not before', () => {
    const locked = field.decide(wrote, at(20, 'steward'), decision('locked', ['b'], 100))
    expect(field.due(locked)).toBe(100)
    expect(explain(field.tick(locked, 99))?.value).toBe('b')
    const ended = field.tick(locked, 100)
    expect(explain(ended)).toMatchObject({ value: 'a', rule: 'latest' })
    expect(field.due(ended)).toBeUndefined()
    const again = field.decide(ended, at(30, 'steward'), decision('locked', ['c'], 200))
    expect(explain(again)?.value).toBe('c')
    expect(field.due(again)).toBe(200)
  })

  test('the next end that is remembered is the one that a look at all of them finds', () => {
    const many = governed(
      { a: latest<unknown>(), b: latest<unknown>(), c: latest<unknown>() },
      (_, value) => value,
    )
    const act = fc.record({
      field: fc.constantFrom('a', 'b', 'c'),
      act: fc.constantFrom('locked' as const, 'unlocked' as const, 'resolved' as const),
      expires: fc.option(fc.integer({ min: 1, max: 12 })),
      time: fc.integer({ min: 1, max: 9 }),
      tick: fc.option(fc.integer({ min: 1, max: 12 })),
    })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 20 }), (acts) => {
        let state = many.initial
        for (const { field: name, act: kind, expires, time, tick } of acts) {
          state = many.decide(state, at(time, 'steward'), { ...decision(kind, ['x'], expires), field: name })
          if (tick !== null) state = many.tick(state, tick)
          expect(many.due(state)).toBe(many.due(structuredClone(state)))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('null removes, blank blanks, nothing stated leaves it', () => {
    const resolved = (value: DecisionWrite['value']) =>
      explain(field.decide(wrote, at(20, 'steward'), decision('resolved', value)))?.value
    expect([resolved([null]), resolved(['']), resolved([]), resolved([5])]).toEqual([null, '', 'a', 'a'])
  })

  test('nothing costs a record that nobody decided about', () => {
    expect(wrote[0]).toBeNull()
    expect(field.due(wrote)).toBeUndefined()
  })

  test('under max, what is newer than a resolution competes by its greatness', () => {
    const greatest = governed({ field: max<number>() }, (_, value) => value)
    const before = greatest.writeAll(greatest.initial, at(10), { field: 9 })
    const resolved = greatest.decide(before, at(20, 'steward'), decision('resolved', [4]))
    expect(greatest.values(resolved, UNIFORM).field).toBe(4)
    const less = greatest.writeAll(resolved, at(30, 'web'), { field: 3 })
    expect(greatest.values(less, UNIFORM).field).toBe(4)
    const more = greatest.writeAll(resolved, at(30, 'web'), { field: 5 })
    expect(greatest.values(more, UNIFORM).field).toBe(5)
  })
})
