/**
 * Theorem: writes taken by key are those that were given, each once; those of one key in the order in which they were
 * given, so that the last one wins as before; long ones in few ordered runs, and never more is taken ahead than a run.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byKey, RUN_LENGTH } from '../../engine/store/by-key.ts'

interface Numbered {
  readonly key: string
  readonly number: number
}

function writesOf(keys: readonly string[]): readonly Numbered[] {
  return keys.map((key, number) => ({ key, number }))
}

function taken(writes: Iterable<Numbered>): readonly Numbered[] {
  return [...byKey(writes)].filter((write) => write !== undefined)
}

test('a few are ordered by key, and by their order within a key', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('', 'a', 'b', 'ab', 'ä', '😀', '\uffff')), (keys) => {
      const given = writesOf(keys)
      const expected = [...given].sort((a, b) => {
        if (a.key === b.key) return a.number - b.number
        return a.key < b.key ? -1 : 1
      })
      expect(taken(given)).toEqual(expected)
    }),
    { numRuns: 100 },
  )
})

test.each([RUN_LENGTH - 1, RUN_LENGTH, RUN_LENGTH + 1, 2 * RUN_LENGTH, 2 * RUN_LENGTH + 7])(
  '%i come in runs, each of them once',
  (count) => {
    const given = writesOf(Array.from({ length: count }, (_, i) => String((i * 7_919) % 1_009)))
    const found = taken(given)
    expect(found.map(({ number }) => number).sort((a, b) => a - b)).toEqual(given.map((_, i) => i))
    const falls = found.filter(({ key }, i) => key < (found[i - 1]?.key ?? '')).length
    expect(falls).toBe(Math.ceil(count / RUN_LENGTH) - 1)
  },
)

test('a later write of a key comes after an earlier one, runs apart too', () => {
  const given = writesOf(Array.from({ length: 2 * RUN_LENGTH + 1 }, (_, i) => String(i % 3)))
  for (const key of ['0', '1', '2']) {
    const numbers = taken(given).flatMap((write) => (write.key === key ? [write.number] : []))
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
  }
})

test('it takes one at a time, hands over after each, and no more than a run ahead', () => {
  let made = 0
  let written = 0
  function* making(): Generator<Numbered> {
    for (; made < 3 * RUN_LENGTH; ) {
      made += 1
      yield { key: String(made % 101), number: made }
    }
  }
  let before = 0
  for (const write of byKey(making())) {
    if (write !== undefined) written += 1
    expect(made - before).toBeLessThanOrEqual(1)
    expect(made - written).toBeLessThanOrEqual(RUN_LENGTH)
    before = made
  }
  expect(written).toBe(3 * RUN_LENGTH)
})
