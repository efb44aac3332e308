import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { pack, unpack } from 'msgpackr'
import type { Candidate, Ranking, Rule } from '../../engine/reducers/rule.ts'
import { candidates, deepFreeze, rankings } from './candidates.ts'
import type { Oracle } from './oracle.ts'

/** What the laws need of a rule; records and maps of rules fit it too. */
export type Lawful<S, W, V> = Pick<Rule<S, W, V>, 'initial' | 'write' | 'join'> & {
  value(state: S, ranking: Ranking): V | undefined
  readonly explain?: Rule<S, W, V>['explain']
}

/** Many in the long run of the tests. */
const PARAMETERS = {
  numRuns: process.env.HEADWATER_TEST_LONG === undefined ? 200 : 10_000,
  includeErrorInReport: true,
}

function fold<S, W, V>(rule: Lawful<S, W, V>, all: readonly Candidate<W>[]): S {
  let state = deepFreeze(rule.initial)
  for (const each of all) state = deepFreeze(rule.write(state, deepFreeze(each)))
  return state
}

/** Deep equality, and equal bytes: states must be canonical down to the order of keys. */
function assertSame(actual: unknown, expected: unknown, law: string): void {
  assert.deepStrictEqual(actual, expected, law)
  assert.deepStrictEqual(Buffer.from(pack(actual)), Buffer.from(pack(expected)), `${law} (bytes)`)
}

/**
 * A choice rule is a semilattice whose value is the oracle's. Throws with fast-check's counterexample otherwise. All
 * that the rule is handed is frozen, so a mutation throws too.
 */
export function checkChoiceLaws<S, W, V>(
  rule: Lawful<S, W, V>,
  write: fc.Arbitrary<W>,
  oracle: Oracle<W, V>,
): void {
  const all = candidates(write)
  const split = fc.array(fc.nat(2), { minLength: 12, maxLength: 12 })
  fc.assert(
    fc.property(all, split, (writes, sides) => {
      const whole = fold(rule, writes)
      assertSame(fold(rule, [...writes].reverse()), whole, 'order')
      assertSame(fold(rule, [...writes, ...writes]), whole, 'duplication')
      const left = fold(
        rule,
        writes.filter((_, i) => sides[i] !== 0),
      )
      const right = fold(
        rule,
        writes.filter((_, i) => sides[i] !== 1),
      )
      assertSame(rule.join(left, right), whole, 'overlapping split')
      for (const each of writes)
        assert.equal(rule.write(whole, each), whole, 'a known write returns the state itself')
      assert.equal(rule.join(whole, left), whole, 'a contained state returns the state itself')
      assertSame(unpack(pack(whole)), whole, 'MessagePack round trip')
    }),
    PARAMETERS,
  )
  checkJoin(rule, all)
  fc.assert(
    fc.property(all, (writes) => {
      const whole = fold(rule, writes)
      assertSame(rule.join(whole, whole), whole, 'idempotent')
    }),
    PARAMETERS,
  )
  fc.assert(
    fc.property(all, fc.array(rankings, { minLength: 2, maxLength: 2 }), (writes, some) => {
      const state = fold(rule, writes)
      // One state under several rankings: a changed source priority needs no refold.
      for (const ranking of some) {
        assert.deepStrictEqual(rule.value(state, ranking), oracle(writes, ranking), 'the oracle')
        checkExplanation(rule, state, ranking, writes)
      }
    }),
    PARAMETERS,
  )
}

/** A counting rule is a commutative monoid whose value is the oracle's. */
export function checkCountingLaws<S, W, V>(
  rule: Lawful<S, W, V>,
  write: fc.Arbitrary<W>,
  oracle: Oracle<W, V>,
): void {
  const all = candidates(write)
  const split = fc.array(fc.boolean(), { minLength: 12, maxLength: 12 })
  fc.assert(
    fc.property(all, split, rankings, (writes, sides, ranking) => {
      const whole = fold(rule, writes)
      assertSame(fold(rule, [...writes].reverse()), whole, 'order')
      const left = fold(
        rule,
        writes.filter((_, i) => sides[i]),
      )
      const right = fold(
        rule,
        writes.filter((_, i) => !sides[i]),
      )
      assertSame(rule.join(left, right), whole, 'disjoint split')
      assertSame(unpack(pack(whole)), whole, 'MessagePack round trip')
      assert.deepStrictEqual(rule.value(whole, ranking), oracle(writes, ranking), 'the oracle')
    }),
    PARAMETERS,
  )
  checkJoin(rule, all)
}

function checkJoin<S, W, V>(rule: Lawful<S, W, V>, all: fc.Arbitrary<readonly Candidate<W>[]>): void {
  fc.assert(
    fc.property(all, all, all, (first, second, third) => {
      const [a, b, c] = [fold(rule, first), fold(rule, second), fold(rule, third)]
      assertSame(rule.join(rule.join(a, b), c), rule.join(a, rule.join(b, c)), 'associative')
      assertSame(rule.join(a, b), rule.join(b, a), 'commutative')
      assertSame(rule.join(a, rule.initial), a, 'neutral on the right')
      assertSame(rule.join(rule.initial, a), a, 'neutral on the left')
    }),
    PARAMETERS,
  )
}

function checkExplanation<S, W, V>(
  rule: Lawful<S, W, V>,
  state: S,
  ranking: Ranking,
  writes: readonly Candidate<W>[],
): void {
  if (rule.explain === undefined) return
  const { value, winners, overruled } = rule.explain(state, ranking)
  assert.deepStrictEqual(value, rule.value(state, ranking), 'explanation and value agree')
  const shown = [...winners, ...overruled].map((each) => JSON.stringify(each))
  assert.equal(new Set(shown).size, shown.length, 'no write is shown twice')
  const known = new Set(writes.map((each) => JSON.stringify(each)))
  for (const each of shown) assert(known.has(each), 'only writes that happened are shown')
  if (value === undefined) assert.equal(shown.length, 0)
}
