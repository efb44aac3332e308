/**
 * Theorem: the parts that both stores share are right by themselves: texts are ordered as their UTF-8 bytes are,
 * folding takes every spelling of a letter to one, cells come back from coding as they were, and only a whole cursor
 * of the same query and key opens.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareText, decodeCell, encodeCell, isDay } from '../../engine/store/cells.ts'
import { coerce } from '../../engine/store/coerce.ts'
import { fingerprint, openCursor, sealCursor } from '../../engine/store/cursor.ts'
import { fold, searchText, searchWords } from '../../engine/store/search-text.ts'

test('texts are ordered as their UTF-8 bytes are', () => {
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom('a', '\uffff', '\ue000', '\ud7ff', '😀'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
  })
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
    { numRuns: 500 },
  )
})

test('every spelling of a letter folds alike, in every script', () => {
  const differing: string[] = []
  // Beyond the ideographs of plane 1 no letter has case or a decomposition of more than one spelling.
  for (let point = 0; point < 0x20000; point++) {
    if (point >= 0xd800 && point < 0xe000) continue
    const letter = String.fromCodePoint(point)
    const folded = fold(`a${letter}b`)
    for (const spelling of [
      letter.toUpperCase(),
      letter.toLowerCase(),
      letter.normalize('NFD'),
      folded.slice(1, -1),
    ])
      if (fold(`a${spelling}b`) !== folded) differing.push(letter)
  }
  expect(differing).toEqual([])
  expect(fold('Straße  ÅNGSTRÖM\t①')).toBe('strasse angstrom 1')
})

test('searched text is bounded and stays well formed', () => {
  const found = searchText(['a', 'b'], { a: '😀'.repeat(3_000), b: 'x' }) ?? ''
  expect(found.length).toBeLessThanOrEqual(4_096)
  expect(found.isWellFormed()).toBe(true)
  expect(searchText(['a'], { a: null })).toBeNull()
  expect(searchWords(' a  B a\u0000b ')).toEqual(['a', 'b'])
})

test('json comes back as it was; what JSON lacks is a bug', () => {
  // JSON has no negative zero.
  const value = fc.jsonValue().map((json) => JSON.parse(JSON.stringify(json)))
  fc.assert(
    fc.property(value, (json) => {
      const decoded = decodeCell('json', encodeCell('c', 'json', json))
      expect(decoded).toEqual(json)
    }),
    { numRuns: 200 },
  )
  let deep: readonly unknown[] = []
  for (let i = 0; i < 10_000; i++) deep = [deep]
  expect(() => encodeCell('c', 'json', deep)).toThrow('nested too deeply')
  expect(() => encodeCell('c', 'json', [Number.POSITIVE_INFINITY])).toThrow()
})

describe('coercion', () => {
  test.each([
    ['money', '-0.0001', -1],
    ['money', '12', 120_000],
    ['money', '900719925474.0991', 2 ** 53 - 1],
    ['integer', '-0', 0],
    ['real', '1e3', 1_000],
    ['instant', '2024-02-29T23:59:60Z', undefined],
    ['instant', '2024-02-29T12:00:00+05:30', Date.UTC(2024, 1, 29, 6, 30)],
    ['instant', 5, 5],
    ['money', '900719925474.0992', undefined],
    ['money', '1e3', undefined],
    ['money', '.5', undefined],
    ['integer', '', undefined],
    ['integer', ' 1', undefined],
    ['integer', '0x10', undefined],
    ['real', '1e999', undefined],
    ['boolean', 1, undefined],
    ['text', { toString: () => 'x' }, undefined],
  ] as const)('%s %j', (type, given, expected) => {
    const coerced = coerce(type, given)
    expect(coerced._tag === 'Right' ? coerced.right : undefined).toBe(expected)
  })

  test('days are those of the calendar', () => {
    expect(['2024-02-29', '2023-02-29', '2024-00-01', '2024-13-01', '0000-01-01', 'x'].map(isDay)).toEqual([
      true,
      false,
      false,
      false,
      true,
      false,
    ])
  })
})

const nonceOf = (cursor: string) => Buffer.from(cursor, 'base64url').subarray(1, 13)

test('a cursor opens by its key and query alone', () => {
  const key = new Uint8Array(32).fill(7)
  const query = fingerprint(['a'])
  const cells = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.maxSafeInteger(), fc.constant(null)), {
    minLength: 1,
    maxLength: 4,
  })
  fc.assert(
    fc.property(cells, (values) => {
      const cursor = sealCursor(key, query, values)
      expect(openCursor(key, query, cursor, values.length)).toMatchObject({ right: values })
      // Of one place there is one, which another query or key shares nothing with but the version.
      expect(sealCursor(key, query, values)).toBe(cursor)
      for (const other of [
        sealCursor(key, fingerprint(['b']), values),
        sealCursor(new Uint8Array(32), query, values),
      ])
        expect(nonceOf(other)).not.toEqual(nonceOf(cursor))
      expect(openCursor(key, fingerprint(['b']), cursor, values.length)._tag).toBe('Left')
      expect(openCursor(new Uint8Array(32), query, cursor, values.length)._tag).toBe('Left')
      expect(openCursor(key, query, cursor, values.length + 1)._tag).toBe('Left')
    }),
    { numRuns: 100 },
  )
})
