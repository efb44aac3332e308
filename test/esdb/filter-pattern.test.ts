/**
 * Theorem: whatever regular expression a client sends, and whatever names there are, neither compiling nor matching it holds the
 * thread that serves everybody; one that takes too long ends, alone; and of each name is said what the expression says.
 */
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { FilterTooSlow } from '../../api/esdb/filter-matching.ts'
import { type Pattern, patternOf } from '../../api/esdb/filter-pattern.ts'
import { rejection } from './client.ts'

function pattern(text: string): Pattern {
  const made = patternOf(text)
  if (E.isLeft(made)) throw new Error(made.left)
  return made.right
}

const NAMES = [
  '',
  'order-1',
  'Order-17',
  '$metadata',
  'order.placed',
  'a'.repeat(40),
  'ü-1',
  'order-1x',
  'ab',
]

describe('it says what the expression says', () => {
  test.each([
    ...[
      '^order-',
      '\\.placed$',
      '^[^$].*',
      '^order-\\d+$',
      'order-\\d+',
      '(?!\\$)^.',
      '^(order|ab)',
      'a{2,}',
    ],
    ...['^\\p{L}', '[\\]a]$', '^a?b', '(a|ab)(c|bcd)?$', '^$', '\\u{FC}', '(.)\\1'],
  ])('%s', async (text) => {
    const { matches, decide } = pattern(text)
    for (let round = 0; round < 2; round++) {
      await decide?.(NAMES)
      expect(NAMES.map(matches)).toEqual(NAMES.map((name) => new RegExp(text, 'u').test(name)))
    }
  })

  test.each([['^order-'], ['\\.placed$'], ['^[^\\$].*'], ['^\\d+$'], ['thing']])(
    '%s, which never looks back, without asking for time',
    (text) => {
      expect(pattern(text).decide).toBeUndefined()
    },
  )

  // The last ones would be compiled for hours.
  const optional = ['a?'.repeat(60), '(?:a|)'.repeat(40), '(?:|a)'.repeat(40), 'a{0,1}'.repeat(40)]
  test('what is broken, long or may take hours to compile can not be had', () => {
    for (const text of ['(', '\\', 'x'.repeat(2_000), ...optional])
      expect(E.isLeft(patternOf(text))).toBe(true)
  })
})

/** The longest time that the thread was held while `work` was done, ms. */
async function longestTurn(work: Promise<unknown>): Promise<number> {
  let longest = 0
  let isOver = false
  void work.then(() => {
    isOver = true
  })
  for (let last = performance.now(); !isOver; ) {
    await new Promise((resolve) => setImmediate(resolve))
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  return longest
}

/** Machines are busy: more than any turn of the event loop here takes, far less than these expressions would. */
const PATIENCE_MS = 500

const NAME = 'a'.repeat(60)

test.each([
  ['exponential', '(a+)+b', NAME],
  // Compiling it alone takes a while.
  ['of the sixth power', `${'a?'.repeat(18)}${NAME}.*.*.*b`, 'a'.repeat(500)],
])(
  'one that is %s ends as too slow, holds nobody up, and the next one is matched',
  async (_how, text, name) => {
    const slow = pattern(text)
    const failed = rejection(slow.decide?.(['b', name]) ?? Promise.resolve())
    const next = pattern('(a|ab)c')
    const decided = next.decide?.(['xabc', 'ab'])
    expect(await longestTurn(failed)).toBeLessThan(PATIENCE_MS)
    expect(await failed).toBeInstanceOf(FilterTooSlow)
    await decided
    expect(['xabc', 'ab'].map(next.matches)).toEqual([true, false])
  },
)

test('many names are decided in parts, those known before at once', async () => {
  const { matches, decide } = pattern('(7|8)+$')
  const names = Array.from({ length: 1_000 }, (_, n) => `thing-${n}`)
  await decide?.(names)
  await decide?.([...names, 'other-7'])
  expect([...names, 'other-7'].filter(matches)).toHaveLength(201)
})
