/**
 * Theorem: a row's events are exactly what the mapping says of that row. Cells are read exactly or refused, blanks become
 * what was chosen, equal lines give different ids, and a second run over the same rows gives the same events.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CompiledMapping, MappedRow } from '../../api/import/mapper.ts'
import { createOccurrenceCounter, hashOf } from '../../api/import/occurrence.ts'
import { compile, mappingDocument } from './support.ts'

function map(mapping: CompiledMapping, ...cells: readonly string[]): MappedRow {
  return mapping.createMapper().map({ row: 1, line: 2, cells })
}

/** `data` of the only event, or the reason of the refusal. */
function data(mapped: MappedRow): unknown {
  if (mapped._tag === 'Left') return mapped.left.reason
  const [event] = mapped.right
  return event === undefined ? undefined : (JSON.parse(event.json) as { data: unknown }).data
}

function withData(node: unknown, changes: Readonly<Record<string, unknown>> = {}): CompiledMapping {
  const events = [{ type: 'x', id: { template: '{a}' }, data: { v: node } }]
  return compile(mappingDocument({ events, ...changes }))
}

describe('cells', () => {
  const cases: readonly (readonly [as: string, text: string, expected: unknown])[] = [
    ['string', ' as it is ', { v: ' as it is ' }],
    ['decimal', '2.550', { v: '2.550' }],
    ['decimal', '+.5', { v: '0.5' }],
    ['decimal', '-0.00', { v: '0.00' }],
    ['decimal', '007.10', { v: '7.10' }],
    ['decimal', '-11062.06', { v: '-11062.06' }],
    ['decimal', '12345678901234567890.123456789', { v: '12345678901234567890.123456789' }],
    ['decimal', '1e3', 'not_a_decimal'],
    ['decimal', '1,234.5', 'not_a_decimal'],
    ['decimal', '.', 'not_a_decimal'],
    ['decimal', '1.2.3', 'not_a_decimal'],
    ['decimal', 'NaN', 'not_a_decimal'],
    ['decimal', '9'.repeat(70), 'not_a_decimal'],
    ['number', '-80995', { v: -80995 }],
    ['number', '0.1', { v: 0.1 }],
    ['number', '-0', { v: 0 }],
    ['number', '1234567890.1234567', 'inexact_number'],
    ['number', 'Infinity', 'not_a_number'],
    ['number', '0x10', 'not_a_number'],
    ['integer', '2011', { v: 2011 }],
    ['integer', '9007199254740993', 'not_an_integer'],
    ['integer', '1.0', 'not_an_integer'],
    ['boolean', 'True', { v: true }],
    ['boolean', 'no', { v: false }],
    ['boolean', 'maybe', 'not_a_boolean'],
    ['json', '{"x":[1,null]}', { v: { x: [1, null] } }],
    ['json', '{', 'not_json'],
    ['json', '['.repeat(100_000), 'too_deep'],
  ]
  test.each(cases)('%s, case %#', (as, text, expected) => {
    expect(data(map(withData({ $column: 'b', as }), 'id', text))).toEqual(expected)
  })

  test('a decimal keeps its value, digit for digit', () => {
    const digits = fc.stringMatching(/^[0-9]{1,20}$/)
    fc.assert(
      fc.property(fc.constantFrom('', '-', '+'), digits, digits, (sign, whole, fraction) => {
        const read = data(map(withData({ $column: 'b', as: 'decimal' }), 'id', `${sign}${whole}.${fraction}`))
        const scaled = BigInt(`${sign === '-' ? '-' : ''}${whole}${fraction}`)
        const text = (read as { v: string }).v
        return text.split('.')[1] === fraction && BigInt(text.replace('.', '')) === scaled
      }),
      { numRuns: 200 },
    )
  })
})

describe('blank cells', () => {
  const cases: readonly (readonly [blank: string | undefined, expected: unknown])[] = [
    [undefined, {}],
    ['omit', {}],
    ['null', { v: null }],
    ['keep', { v: '' }],
    ['refuse', 'blank_cell'],
  ]
  test.each(cases)('%s', (blank, expected) => {
    for (const text of ['', '   ']) {
      const node = { $column: 'b', as: 'number', ...(blank === undefined ? {} : { blank }) }
      expect(data(map(withData(node), 'id', text))).toEqual(expected)
    }
  })

  test('a file may have a word for blank, and a choice for all cells', () => {
    const input = { format: 'csv', columns: ['a', 'b'], zone: 'UTC', blanks: ['?', 'Select'], blank: 'null' }
    const mapping = withData({ $column: 'b' }, { input })
    expect(data(map(mapping, 'id', '?'))).toEqual({ v: null })
    expect(data(map(mapping, 'id', 'Select'))).toEqual({ v: null })
    expect(data(map(mapping, 'id', 'select'))).toEqual({ v: 'select' })
  })

  test('a blank member leaves its object and its array', () => {
    const mapping = withData([{ x: { $column: 'b' }, y: 1 }, { $column: 'b' }])
    expect(data(map(mapping, 'id', ''))).toEqual({ v: [{ y: 1 }] })
  })
})

describe('expressions', () => {
  test('look-ups', () => {
    const node = { $lookup: 't', column: 'b' }
    const table = (rest: object) => ({ lookups: { t: { entries: { Won: 'won', '': 'none' }, ...rest } } })
    expect(data(map(withData(node, table({})), 'id', 'Won'))).toEqual({ v: 'won' })
    expect(data(map(withData(node, table({})), 'id', ''))).toEqual({ v: 'none' })
    expect(data(map(withData(node, table({})), 'id', 'Lost'))).toBe('no_lookup_entry')
    expect(data(map(withData(node, table({ default: null })), 'id', 'Lost'))).toEqual({ v: null })
    expect(data(map(withData(node, table({})), 'id', 'constructor'))).toBe('no_lookup_entry')
  })

  test('templates, with braces, and omitted where a cell is blank', () => {
    expect(data(map(withData({ $template: '{{{b}}}-{a}' }), 'id', 'x'))).toEqual({ v: '{x}-id' })
    expect(data(map(withData({ $template: '{b}!' }), 'id', ''))).toEqual({})
  })

  test('constants stand for themselves', () => {
    expect(data(map(withData({ $constant: { $x: 1 } }), 'id', ''))).toEqual({ v: { $x: 1 } })
    expect(data(map(withData([null, true, 'x', 1]), 'id', ''))).toEqual({ v: [null, true, 'x', 1] })
  })

  const conditions: readonly (readonly [condition: object, matches: readonly string[]])[] = [
    [{ column: 'b', equals: 'C1' }, ['C1']],
    [{ column: 'b', prefix: 'C' }, ['C1', 'C2']],
    [{ column: 'b', in: ['C2', ''] }, ['C2', '']],
    [{ column: 'b', blank: true }, ['']],
    [{ not: { column: 'b', blank: true } }, ['C1', 'C2', 'A']],
    [{ all: [{ column: 'b', prefix: 'C' }, { not: { column: 'b', equals: 'C1' } }] }, ['C2']],
    [
      {
        any: [
          { column: 'b', equals: 'A' },
          { column: 'b', blank: true },
        ],
      },
      ['A', ''],
    ],
  ]
  test.each(conditions)('%j', (when, matches) => {
    const cells = ['C1', 'C2', 'A', '']
    const events = [{ type: 'x', id: { template: '{b}' }, when, data: {} }]
    const mapping = compile(mappingDocument({ events }))
    const kept = cells.filter((cell) => data(map(mapping, '', cell)) !== undefined)
    expect(kept).toEqual(matches)
    const chosen = withData({ $case: [{ when, value: 'yes' }], else: 'no' })
    expect(cells.filter((cell) => JSON.stringify(data(map(chosen, 'id', cell))).includes('yes'))).toEqual(
      matches,
    )
  })
})

describe('ids', () => {
  const mapping = compile(mappingDocument())
  const run = (rows: readonly (readonly [string, string])[]) => {
    const mapper = mapping.createMapper()
    return rows.flatMap((cells, i) => {
      const mapped = mapper.map({ row: i + 1, line: i + 2, cells })
      return mapped._tag === 'Right' ? mapped.right : []
    })
  }

  test('every line has an id of its own, and a second run gives the same events', () => {
    const cell = fc.constantFrom('', '"', ',', 'x', 'x,', '1')
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 60 }), (rows) => {
        const first = run(rows)
        expect(new Set(first.map(({ id }) => id)).size).toBe(rows.length)
        expect(run(rows)).toEqual(first)
      }),
      { numRuns: 100 },
    )
  })

  test('what a line means decides its id, not where it stands', () => {
    const forwards = run([
      ['x', '1'],
      ['y', '2'],
      ['x', '1'],
    ]).map(({ id }) => id)
    const backwards = run([
      ['y', '2'],
      ['x', '1'],
      ['x', '1'],
    ]).map(({ id }) => id)
    expect([...backwards].sort()).toEqual([...forwards].sort())
  })

  test('a refused row counts neither for occurrences nor for once', () => {
    const document = mappingDocument({
      events: [
        {
          type: 'x',
          once: ['a'],
          id: { template: 'x:{b}' },
          data: { b: { $column: 'b', as: 'number' } },
        },
      ],
    })
    const mapper = compile(document).createMapper()
    const ids = [
      ['k', 'bad'],
      ['k', '1'],
      ['k', '2'],
      ['l', '3'],
    ].map((cells, i) => {
      const mapped = mapper.map({ row: i + 1, line: i + 2, cells })
      return mapped._tag === 'Left' ? mapped.left.reason : mapped.right.map(({ id }) => id)
    })
    expect(ids).toEqual(['not_a_number', ['x:1'], [], ['x:3']])
  })

  test('the counter is a multiset', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 4000 }), (numbers) => {
        const counter = createOccurrenceCounter()
        const model = new Map<number, number>()
        for (const number of numbers) {
          const hash = hashOf([String(number)])
          expect(counter.seen(hash)).toBe(model.get(number) ?? 0)
          counter.count(hash)
          model.set(number, (model.get(number) ?? 0) + 1)
        }
      }),
      { numRuns: 10 },
    )
  })
})

describe('envelope', () => {
  test('sequence orders the events of one instant: by row, then by place in the document', () => {
    const make = (name: string) => ({ type: name, id: { template: `${name}:{a}` }, data: {} })
    const mapper = compile(mappingDocument({ events: [make('x'), make('y')] })).createMapper()
    const sequences = [1, 2].flatMap((row) => {
      const mapped = mapper.map({ row, line: row + 1, cells: [String(row), ''] })
      return mapped._tag === 'Left'
        ? []
        : mapped.right.map((e) => (JSON.parse(e.json) as { sequence: number }).sequence)
    })
    expect(sequences).toEqual([1, 2, 3, 4])
  })

  test('identities, subject, schema, source and constant time', () => {
    const events = [
      {
        type: 'x',
        source: 'crm',
        schema: 2,
        subject: 'thing-{a}',
        time: { constant: '2020-01-01T00:00:00+01:00' },
        id: { template: '{a}' },
        identities: [
          { namespace: 'email', column: 'b' },
          { namespace: 'user', template: 'u-{b}' },
        ],
        data: {},
      },
    ]
    const mapping = compile(mappingDocument({ events, sequence: undefined }))
    const shown = (b: string) => {
      const mapped = map(mapping, '1', b)
      return mapped._tag === 'Right' ? (JSON.parse(mapped.right[0]?.json ?? '') as unknown) : undefined
    }
    const envelope = { specversion: '1.0', id: '1', source: 'crm', type: 'x', subject: 'thing-1', schema: 2 }
    const time = '2019-12-31T23:00:00.000Z'
    expect(shown('a:b@c')).toEqual({
      ...envelope,
      time,
      identities: ['email:a:b@c', 'user:u-a:b@c'],
      data: {},
    })
    expect(shown('')).toEqual({ ...envelope, time, identities: [], data: {} })
  })

  test('a blank time refuses the row, unless the mapping says otherwise', () => {
    const timed = (rest: object) =>
      compile(
        mappingDocument({
          events: [
            {
              type: 'x',
              id: { template: '{a}' },
              time: { column: 'b', format: 'YYYY-MM-DD', ...rest },
              data: {},
            },
          ],
        }),
      )
    expect(data(map(timed({}), 'id', ''))).toBe('blank_cell')
    expect(data(map(timed({ blank: 'omit' }), 'id', ''))).toEqual({})
    expect(data(map(timed({}), 'id', '2020-02-30'))).toBe('not_a_time')
  })

  test('a refusal names the column and never what stands in it', () => {
    const mapped = map(withData({ $column: 'b', as: 'number' }), 'id', 'secret@example.com')
    expect(mapped).toMatchObject({ left: { message: expect.stringContaining('column b') } })
    expect(JSON.stringify(mapped)).not.toContain('secret')
  })
})
