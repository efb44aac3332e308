import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AggregateQuery, StoredRow, StoreReader } from '../../engine/store/store.ts'
import type { CellValue, Row } from '../../engine/store/table.ts'
import type { Harness, OpenHarness } from './contract.ts'
import { commitOf, rowsOf, SPECS, serveAll, THING, walk } from './tables.ts'

const RUNS = 40

const text = fc.oneof(
  fc.constantFrom('', 'a', 'A', 'b', 'aa', '\uffff', '😀', '\ue000', 'é', 'e\u0301', '\u0000', 'a\u0000'),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
)

function orNull<T extends CellValue>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.option(values, { nil: null, freq: 3 })
}

const row: fc.Arbitrary<Row> = fc.record(
  {
    label: orNull(text),
    size: orNull(fc.integer({ min: -2, max: 2 })),
    weight: orNull(fc.constantFrom(-1.5, 0, 0.25, 1e300)),
    done: orNull(fc.boolean()),
    at: orNull(fc.constantFrom(-1, 0, 1_300_000_000_000)),
    on_day: orNull(fc.constantFrom('2010-12-31', '2011-01-01', '2011-01-31')),
    amount: orNull(fc.maxSafeInteger().map((n) => Math.trunc(n / 64))),
    owner: orNull(fc.constantFrom('i1', 'i2', 'i3')),
  },
  { requiredKeys: [] },
)

const rows = fc.dictionary(
  fc.oneof(text, fc.string({ maxLength: 3 })).map((key) => `k${key}`),
  row,
  { maxKeys: 30 },
)

/** The profile of each identity that the laws use. */
const PROFILES: Readonly<Record<string, string>> = { i2: 'i1' }

/** Bytes of UTF-8 decide between texts. */
function plainCompare(a: CellValue, b: CellValue): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null)
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return Number(a) - Number(b)
}

function cell({ key, part, row: found }: StoredRow, column: string): CellValue {
  if (column === 'key') return key
  return column === 'part' ? part : (found[column] ?? null)
}

export function lawContract(name: string, open: OpenHarness): void {
  describe(`${name}: laws`, () => {
    let store: Harness
    let reader: StoreReader
    let position = 0
    let keys: readonly string[] = []
    beforeAll(() => {
      store = open()
      reader = store.reader(SPECS)
      serveAll(store.writer)
      store.writer.commit(commitOf({ members: new Map(Object.entries(PROFILES)) }))
    })
    afterAll(() => store.close())

    /** Makes the table hold these rows and no others. */
    function replace(next: Readonly<Record<string, Row>>): readonly StoredRow[] {
      position += 1
      const gone = keys.filter((key) => !Object.hasOwn(next, key)).map((key) => ({ key, rows: new Map() }))
      const written = rowsOf(THING, next)
      store.writer.commit(commitOf({ position, writes: [{ ...written, rows: [...gone, ...written.rows] }] }))
      keys = Object.keys(next)
      return Object.entries(next).map(([key, found]) => ({ key, part: '', row: found }))
    }

    const column = fc.constantFrom('label', 'size', 'weight', 'done', 'at', 'on_day', 'amount', 'key', 'part')
    const sort = fc.uniqueArray(fc.record({ column, descending: fc.boolean() }), {
      maxLength: 3,
      selector: ({ column: sorted }) => sorted,
    })

    test('a walk by cursor is a plain sort of the rows that a plain filter leaves', async () => {
      const filter = fc.option(
        fc.oneof(
          fc.record({
            column: fc.constant('label'),
            operator: fc.constantFrom('eq', 'ne', 'lt', 'lte', 'gt', 'gte'),
            value: text,
          }),
          fc.record({
            column: fc.constant('size'),
            operator: fc.constantFrom('eq', 'ne', 'lt', 'lte', 'gt', 'gte'),
            value: fc.integer({ min: -2, max: 2 }),
          }),
        ),
        { nil: undefined },
      )
      await fc.assert(
        fc.asyncProperty(
          rows,
          sort,
          filter,
          fc.integer({ min: 1, max: 7 }),
          async (next, by, condition, limit) => {
            const stored = replace(next)
            const expected = stored
              .filter((candidate) => {
                if (condition === undefined) return true
                const value = cell(candidate, condition.column)
                const compared = plainCompare(value, condition.value)
                const holds = {
                  eq: compared === 0,
                  ne: compared !== 0,
                  lt: compared < 0,
                  lte: compared <= 0,
                  gt: compared > 0,
                  gte: compared >= 0,
                }
                return (value !== null || condition.operator === 'ne') && holds[condition.operator]
              })
              .sort((a, b) => {
                const last = by.at(-1)?.descending ?? false
                for (const { column: sorted, descending } of [...by, { column: 'key', descending: last }]) {
                  const compared = plainCompare(cell(a, sorted), cell(b, sorted))
                  if (compared !== 0) return descending ? -compared : compared
                }
                return 0
              })
            const filters = condition === undefined ? [] : [condition]
            const walked = await walk(reader, { projection: 'thing', sort: by, filters, limit })
            expect(walked.map(({ key }) => key)).toEqual(expected.map(({ key }) => key))
          },
        ),
        { numRuns: RUNS },
      )
    })

    test('figures are those of plain code', async () => {
      const by = fc.uniqueArray(
        fc.constantFrom<AggregateQuery['by'][number]>(
          { column: 'label' },
          { column: 'size' },
          { column: 'done' },
          { column: 'owner' },
          { column: 'on_day', of: 'month' },
          { column: 'on_day', of: 'year' },
        ),
        { maxLength: 2 },
      )
      const figures = [
        { name: 'rows', of: 'count' },
        { name: 'labelled', of: 'count', column: 'label' },
        { name: 'labels', of: 'count_distinct', column: 'label' },
        { name: 'people', of: 'count_distinct', column: 'owner' },
        { name: 'total', of: 'sum', column: 'amount' },
        { name: 'least', of: 'min', column: 'label' },
        { name: 'latest', of: 'max', column: 'at' },
      ] as const
      await fc.assert(
        fc.asyncProperty(rows, by, async (next, groups) => {
          const stored = replace(next)
          const answer = await reader.aggregate({ projection: 'thing', by: groups, figures, limit: 1_000 })
          expect(answer.value).toEqual(plainFigures(stored, groups))
        }),
        { numRuns: RUNS },
      )
    })

    test('a word is found in every text that it stands in', async () => {
      const words = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }), {
        minLength: 1,
        maxLength: 4,
      })
      await fc.assert(
        fc.asyncProperty(words, async (labels) => {
          const label = labels.join(' ')
          replace({ k: { label }, other: {} })
          for (const search of [label, label.toUpperCase(), label.toLowerCase(), label.normalize('NFD')]) {
            const found = await walk(reader, { projection: 'thing', limit: 2, search })
            expect([search, found[0]?.key]).toEqual([search, 'k'])
          }
        }),
        { numRuns: RUNS },
      )
    })
  })
}

function plainFigures(stored: readonly StoredRow[], by: AggregateQuery['by']): readonly Row[] {
  const names = by.map(({ column, of }) => (of === undefined ? column : `${column}_${of}`))
  const groups = new Map<string, { readonly values: readonly CellValue[]; readonly members: StoredRow[] }>()
  if (by.length === 0) groups.set('', { values: [], members: [...stored] })
  else
    for (const candidate of stored) {
      const values = by.map(({ column, of }) => {
        const value = cell(candidate, column)
        if (typeof value !== 'string') return value
        if (of !== undefined) return value.slice(0, of === 'month' ? 7 : 4)
        return column === 'owner' ? (PROFILES[value] ?? value) : value
      })
      const id = JSON.stringify(values)
      const group = groups.get(id) ?? { values, members: [] }
      group.members.push(candidate)
      groups.set(id, group)
    }
  const ordered = [...groups.values()].sort((a, b) => {
    for (const [i, value] of a.values.entries()) {
      const compared = plainCompare(value, b.values[i] ?? null)
      if (compared !== 0) return compared
    }
    return 0
  })
  return ordered.map(({ values, members }) => ({
    ...Object.fromEntries(names.map((name, i) => [name, values[i] ?? null])),
    ...plainGroup(members),
  }))
}

function plainGroup(members: readonly StoredRow[]): Row {
  const all = (column: string) =>
    members.map((member) => cell(member, column)).filter((value) => value !== null)
  const labels = all('label').sort(plainCompare)
  const amounts = all('amount')
  return {
    rows: members.length,
    labelled: labels.length,
    labels: new Set(labels).size,
    people: new Set(all('owner').map((owner) => PROFILES[String(owner)] ?? owner)).size,
    total:
      amounts.length === 0
        ? null
        : Number(amounts.reduce((sum: bigint, value) => sum + BigInt(Number(value)), 0n)),
    least: labels[0] ?? null,
    latest: all('at').sort(plainCompare).at(-1) ?? null,
  }
}
