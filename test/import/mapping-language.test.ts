/**
 * Theorem: `else`, `common`, a `sequence` by column, `*` in a hash and `scientific` do what MAPPING.md says, and a document
 * that uses them wrongly is told so.
 */
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { readCell } from '../../api/import/cells.ts'
import { compileMapping } from '../../api/import/mapper.ts'
import { decodeMapping } from '../../api/import/mapping-codec.ts'
import { compile, mappingDocument } from './support.ts'

type Sent = Readonly<Record<string, unknown>>

function run(
  document: Record<string, unknown>,
  rows: readonly (readonly string[])[],
): (readonly Sent[] | string)[] {
  const mapper = compile(document).createMapper()
  return rows.map((cells, i) => {
    const mapped = mapper.map({ row: i + 1, line: i + 2, cells })
    return E.isLeft(mapped) ? mapped.left.reason : mapped.right.map(({ json }) => JSON.parse(json) as Sent)
  })
}

const id = { template: 'x:{#hash}:{#occurrence}', hash: ['a', 'b'] }
const types = (out: (readonly Sent[] | string)[]) =>
  out.map((row) => (typeof row === 'string' ? row : row.map(({ type }) => type)))

describe('else', () => {
  const events = [
    { type: 'one', id, data: {}, once: ['a'] },
    { type: 'two', id, data: {}, when: { column: 'b', equals: '2' }, else: true },
    { type: 'rest', id, data: {}, else: true },
    { type: 'always', id, data: {} },
  ]

  test('only where no entry before gave an event; the others are as they were', () => {
    const rows = [
      ['k', '1'],
      ['k', '2'],
      ['k', '3'],
      ['l', '2'],
    ]
    expect(types(run(mappingDocument({ events }), rows))).toEqual([
      ['one', 'always'],
      ['two', 'always'],
      ['rest', 'always'],
      ['one', 'always'],
    ])
  })

  test('a refused row leaves the first to the next one', () => {
    const strict = events.map((each) => ({ ...each, data: { n: { $column: 'b', as: 'integer' } } }))
    const rows = [
      ['k', 'z'],
      ['k', '3'],
      ['k', '3'],
    ]
    expect(types(run(mappingDocument({ events: strict }), rows))).toEqual([
      'not_an_integer',
      ['one', 'always'],
      ['rest', 'always'],
    ])
  })
})

test('common: every entry has it, its own data counts where both name a property', () => {
  const common = { a: { $column: 'a' }, b: 'common' }
  const events = [
    { type: 'one', id, data: {} },
    { type: 'two', id, data: { b: 'own' } },
  ]
  const [row] = run(mappingDocument({ common, events }), [['1', '2']])
  expect((row as readonly Sent[]).map(({ data }) => data)).toEqual([
    { a: '1', b: 'common' },
    { a: '1', b: 'own' },
  ])
})

describe('sequence by column', () => {
  const document = mappingDocument({ sequence: { column: 'b' } })

  test('the column’s number times the number of entries, plus the place', () => {
    const [first, second] = run(document, [
      ['x', '0'],
      ['y', '7'],
    ])
    expect([first, second].map((row) => (row as readonly Sent[])[0]?.['sequence'])).toEqual([1, 8])
  })

  test('what is no whole number refuses the row', () => {
    const rows = ['', '-1', '1.5', '1e3', '9999999999999999', 'z'].map((b) => ['x', b])
    expect(run(document, rows)).toEqual(rows.map(() => 'not_an_integer'))
  })

  test('an undeclared column, and any other word, are faults', () => {
    const problems = (sequence: unknown) => {
      const result = E.flatMap(compileMapping)(decodeMapping(mappingDocument({ sequence })))
      return E.isLeft(result) ? result.left.map(({ path }) => path) : []
    }
    expect(problems({ column: 'c' })).toEqual(['sequence.column'])
    expect(problems('rows').every((path) => path.startsWith('sequence'))).toBe(true)
    expect(problems('rows')).not.toEqual([])
  })
})

test('`*` hashes all columns but the personal ones', () => {
  const input = { format: 'csv', columns: ['a', 'b', 'who'], zone: 'UTC', personal: ['who'] }
  const events = [
    { type: 'one', id: { template: '{#hash}', hash: ['*'] }, data: { who: { $column: 'who' } } },
  ]
  const out = run(mappingDocument({ input, events }), [
    ['1', '2', 'ann'],
    ['1', '2', 'bob'],
    ['1', '3', 'ann'],
  ])
  const [ann, bob, other] = out.map((row) => (row as readonly Sent[])[0]?.['id'])
  expect(bob).toBe(ann)
  expect(other).not.toBe(ann)
})

test.each([
  ['4.440892e-16', '0.0000000000000004440892'],
  ['1e3', '1000'],
  ['-1.25E+1', '-12.5'],
  ['.5e1', '5'],
  ['12e-1', '1.2'],
  ['0e5', '0'],
  ['3.86', '3.86'],
  ['1e65', undefined],
  ['1e-65', undefined],
  ['1e400', undefined],
  ['e5', undefined],
  ['1e', undefined],
  ['1e1.5', undefined],
  ['NaN', undefined],
])('scientific %s', (text, expected) => {
  const reading = readCell(text, 'scientific')
  expect(reading._tag === 'Value' ? reading.value : undefined).toBe(expected)
})
