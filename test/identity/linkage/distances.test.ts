/**
 * Theorem: Jaro, Jaro–Winkler, Damerau–Levenshtein and Soundex give the published values; Damerau–Levenshtein is the length of
 * the shortest way by single edits and swaps of neighbours; all of them, and the overlap of words, are the same both ways round.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { damerauLevenshtein, withinEdits } from '../../../engine/identity/linkage/damerau-levenshtein.ts'
import {
  jaroSimilarity,
  jaroWinkler,
  jaroWinklerFrom,
} from '../../../engine/identity/linkage/jaro-winkler.ts'
import { soundex } from '../../../engine/identity/linkage/soundex.ts'
import { wordOverlap } from '../../../engine/identity/linkage/words.ts'

const short = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 })
/** Many of them short for others, or alike. */
const words = fc
  .uniqueArray(
    fc
      .tuple(
        fc.constantFrom('mark', 'mar', 'marke'),
        fc.string({ unit: fc.constantFrom('t', 'e'), maxLength: 5 }),
      )
      .map(([beginning, rest]) => beginning + rest),
    { minLength: 1, maxLength: 4 },
  )
  .map((list) => list.sort())

describe('Jaro and Jaro–Winkler', () => {
  // Winkler (1994), "Advanced Methods for Record Linkage", the table that every implementation is compared with.
  const PUBLISHED = [
    ['SHACKLEFORD', 'SHACKELFORD', 0.97, 0.982],
    ['DUNNINGHAM', 'CUNNIGHAM', 0.896, 0.896],
    ['NICHLESON', 'NICHULSON', 0.926, 0.956],
    ['JONES', 'JOHNSON', 0.79, 0.832],
    ['MASSEY', 'MASSIE', 0.889, 0.933],
    ['ABROMS', 'ABRAMS', 0.889, 0.922],
    ['JERALDINE', 'GERALDINE', 0.926, 0.926],
    ['MARHTA', 'MARTHA', 0.944, 0.961],
    ['MICHELLE', 'MICHAEL', 0.869, 0.921],
    ['DWAYNE', 'DUANE', 0.822, 0.84],
    ['DIXON', 'DICKSONX', 0.767, 0.813],
  ] as const

  test.each(PUBLISHED)('%s and %s', (a, b, jaro, winkler) => {
    expect(jaroSimilarity(a, b)).toBeCloseTo(jaro, 3)
    expect(jaroWinkler(a, b)).toBeCloseTo(winkler, 3)
  })

  test('nothing in common, nothing at all, the same', () => {
    expect(jaroWinkler('abc', 'xyz')).toBe(0)
    expect(jaroWinkler('', 'abc')).toBe(0)
    expect(jaroWinkler('', '')).toBe(1)
    expect(jaroWinkler('abc', 'abc')).toBe(1)
  })

  test('the same both ways round, within [0, 1], 1 only for the same; long texts before short ones change nothing', () => {
    const long = 'x'.repeat(500)
    fc.assert(
      fc.property(short, short, (a, b) => {
        jaroWinkler(long, `${long}y`)
        const likeness = jaroWinkler(a, b)
        expect(jaroWinkler(b, a)).toBe(likeness)
        expect(likeness).toBeGreaterThanOrEqual(0)
        expect(likeness === 1).toBe(a === b)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the quick answer', () => {
  test('is the true one from the least on, and below it at most that', () => {
    const any = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', 'œ'), maxLength: 8 })
    fc.assert(
      fc.property(any, any, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, least) => {
        const likeness = jaroWinkler(a, b)
        const quick = jaroWinklerFrom(least, a, b)
        expect(quick === likeness || (likeness < least && quick === 0)).toBe(true)
        expect(jaroWinklerFrom(likeness, a, b)).toBe(likeness)
      }),
      { numRuns: 500 },
    )
  })
})

describe('Damerau–Levenshtein', () => {
  test('published examples', () => {
    expect(damerauLevenshtein('kitten', 'sitting')).toBe(3)
    expect(damerauLevenshtein('saturday', 'sunday')).toBe(3)
    // What tells it from optimal string alignment, which needs 3.
    expect(damerauLevenshtein('ca', 'abc')).toBe(2)
    expect(damerauLevenshtein('a cat', 'an act')).toBe(2)
    expect(damerauLevenshtein('19810524', '19815024')).toBe(1)
    expect(damerauLevenshtein('', 'abc')).toBe(3)
  })

  test('is the shortest way by single edits and swaps', () => {
    const tiny = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 })
    fc.assert(
      fc.property(tiny, tiny, (a, b) => {
        expect(damerauLevenshtein(a, b)).toBe(shortestWay(a, b))
      }),
      { numRuns: 60 },
    )
  })

  test('the same both ways round; the quick answer is the true one', () => {
    fc.assert(
      fc.property(short, short, fc.integer({ min: 0, max: 4 }), (a, b, edits) => {
        expect(damerauLevenshtein(b, a)).toBe(damerauLevenshtein(a, b))
        expect(withinEdits(a, b, edits)).toBe(damerauLevenshtein(a, b) <= edits)
      }),
      { numRuns: 500 },
    )
  })
})

describe('Soundex', () => {
  // The examples of the U.S. National Archives.
  test.each([
    ['washington', 'w252'],
    ['lee', 'l000'],
    ['gutierrez', 'g362'],
    ['pfister', 'p236'],
    ['jackson', 'j250'],
    ['tymczak', 't522'],
    ['vandeusen', 'v532'],
    ['ashcraft', 'a261'],
    ['robert', 'r163'],
    ['rupert', 'r163'],
  ])('%s', (name, code) => {
    expect(soundex(name)).toBe(code)
  })

  test('other scripts and numbers stay as they are', () => {
    expect(soundex('иванов')).toBe('иванов')
    expect(soundex('4711')).toBe('4711')
  })
})

describe('overlap of words', () => {
  test('whatever their order, short forms and slips allowed', () => {
    expect(wordOverlap(['air', 'bel', 'hotel'], ['air', 'bel', 'hotel'])).toEqual({ dice: 1, contained: 1 })
    expect(wordOverlap(['four', 'seasons'], ['four', 'grill', 'room', 'seasons']).contained).toBe(1)
    expect(wordOverlap(['arts', 'deli'], ['arts', 'delicatessen']).contained).toBeGreaterThan(0.9)
    expect(wordOverlap(['broadway'], ['brodway']).dice).toBeGreaterThan(0.9)
    expect(wordOverlap(['12th'], ['12']).dice).toBe(0)
  })

  test('the same both ways round', () => {
    fc.assert(
      fc.property(words, words, (a, b) => {
        const there = wordOverlap(a, b)
        const back = wordOverlap(b, a)
        expect(back.dice).toBeCloseTo(there.dice, 12)
        expect(back.contained).toBeCloseTo(there.contained, 12)
      }),
      { numRuns: 500 },
    )
  })
})

/** Breadth first over everything that is one step away; letters beyond those of both texts never help. */
function shortestWay(from: string, to: string): number {
  let reached = new Set([from])
  const seen = new Set(reached)
  for (let steps = 0; ; steps++) {
    if (reached.has(to)) return steps
    const next = new Set<string>()
    for (const text of reached) for (const step of stepsFrom(text)) if (!seen.has(step)) next.add(step)
    for (const text of next) seen.add(text)
    reached = next
  }
}

function stepsFrom(text: string): readonly string[] {
  const steps: string[] = []
  for (let at = 0; at <= text.length; at++) {
    const [before, after] = [text.slice(0, at), text.slice(at)]
    for (const letter of 'ab') {
      if (text.length < 5) steps.push(before + letter + after)
      if (after !== '') steps.push(before + letter + after.slice(1))
    }
    if (after !== '') steps.push(before + after.slice(1))
    if (after.length > 1) steps.push(before + after[1] + after[0] + after.slice(2))
  }
  return steps
}
