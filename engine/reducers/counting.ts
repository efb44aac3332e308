import assert from 'node:assert/strict'
import type { Rule } from './rule.ts'

/** A total left the safe integers: the event that did it can't be counted. */
export class SumOverflow extends Error {
  readonly total: number
  readonly added: number
  constructor(total: number, added: number) {
    super(`the sum of ${total} and ${added} is beyond the safe integers`)
    this.name = 'SumOverflow'
    this.total = total
    this.added = added
  }
}

interface Total {
  readonly total: number
  /** How many writes there were, so that a sum of nothing and a sum of 0 differ. */
  readonly count: number
}

/**
 * Sum of scaled integers over distinct events. `write` and `join` throw `SumOverflow` as soon as a total leaves
 * ±(2^53 − 1), so near that end an order may fail where another doesn't.
 */
export function sum(): Rule<Total, number> {
  return {
    name: 'sum',
    kind: 'counting',
    initial: Object.freeze({ total: 0, count: 0 }),
    write(state, candidate) {
      assert(Number.isInteger(candidate[0]), 'summed numbers are scaled integers')
      return { total: added(state.total, candidate[0]), count: state.count + 1 }
    },
    join(a, b) {
      if (a.count === 0) return b
      if (b.count === 0) return a
      return { total: added(a.total, b.total), count: a.count + b.count }
    },
    value: (state) => (state.count === 0 ? undefined : state.total),
    explain(state) {
      const value = state.count === 0 ? undefined : state.total
      return { value, rule: 'sum', winners: [], overruled: [] }
    },
  }
}

/** Number of distinct events that wrote the field; undefined, not 0, where none did. */
export function count(): Rule<number, unknown, number> {
  return {
    name: 'count',
    kind: 'counting',
    initial: 0,
    write: (state) => state + 1,
    join: (a, b) => a + b,
    value: (state) => (state === 0 ? undefined : state),
    explain(state) {
      return { value: state === 0 ? undefined : state, rule: 'count', winners: [], overruled: [] }
    },
  }
}

function added(a: number, b: number): number {
  const total = a + b
  if (!Number.isSafeInteger(total)) throw new SumOverflow(a, b)
  return total === 0 ? 0 : total
}
