import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Filter, ListQuery, StoreReader, StoreWriter } from '../../engine/store/store.ts'
import type { Row } from '../../engine/store/table.ts'
import type { Harness, OpenHarness } from './contract.ts'
import { commitOf, failureOf, PERSON, rowsOf, SPECS, serveAll, stateOf, THING, walk } from './tables.ts'

const FULL: Row = {
  label: 'Zoë 😀 "q" \u0000 end',
  size: -(2 ** 53 - 1),
  weight: 0.1,
  done: true,
  at: 1_323_434_000_123,
  on_day: '2011-12-09',
  amount: 123_400,
  extra: JSON.parse('{"list": [1, null, "ü", {"deep": false}], "__proto__": {"x": 1}}'),
  owner: 'i1',
}

/** Rows, filters, refusals and cursors, in every store. */
export function queryContract(name: string, open: OpenHarness): void {
  describe(`${name}: reading`, () => {
    let store: Harness
    let writer: StoreWriter
    let reader: StoreReader
    beforeEach(() => {
      store = open()
      writer = store.writer
      reader = store.reader(SPECS)
      serveAll(writer)
    })
    afterEach(() => store.close())

    const keys = async (query: Partial<ListQuery>) =>
      (await walk(reader, { projection: 'thing', limit: 2, ...query })).map(({ key }) => key)
    const having = (column: string, operator: Filter['operator'], value: Filter['value']) =>
      keys({ filters: [{ column, operator, value }] })

    test('values come back as they went in, and what was left out is null', async () => {
      writer.commit(
        commitOf({ writes: [rowsOf(THING, { full: FULL, empty: {}, zero: { size: -0, weight: -0 } })] }),
      )
      const { value } = await reader.list({ projection: 'thing', limit: 9 })
      const [empty, full, zero] = value.rows.map(({ row }) => row)
      expect(JSON.stringify(full)).toBe(JSON.stringify(FULL))
      expect(Object.values(empty ?? {})).toEqual(Object.keys(THING.table.columns).map(() => null))
      expect(Object.is(zero?.size, 0) && Object.is(zero?.weight, 0)).toBe(true)
    })

    test("a member's id finds what is about its profile", async () => {
      writer.commit(
        commitOf({
          writes: [
            rowsOf(PERSON, { i1: { name: 'Ann' }, i9: { name: 'Bob' } }),
            rowsOf(THING, { a: { owner: 'i1' }, b: { owner: 'i2' }, c: { owner: 'i9' }, d: {} }),
            stateOf(PERSON, 'i1', [1]),
            stateOf(PERSON, 'i2', [2]),
            stateOf(THING, 'a', [3]),
          ],
          members: new Map([
            ['i2', 'i1'],
            ['i3', 'i1'],
          ]),
        }),
      )
      for (const id of ['i1', 'i2', 'i3']) {
        const { value } = await reader.get(['person', 'thing'], id)
        expect(value.profile).toBe('i1')
        expect(value.rows.get('person')?.map(({ row }) => row.name)).toEqual(['Ann'])
        expect(value.rows.get('thing')).toEqual([])
        expect((await reader.states('person', id)).value.map(({ state }) => state[0])).toEqual([1, 2])
        expect(await having('owner', 'eq', id)).toEqual(['a', 'b'])
        expect(await having('owner', 'ne', id)).toEqual(['c', 'd'])
        expect(
          (
            await walk(reader, {
              projection: 'person',
              limit: 1,
              filters: [{ column: 'key', operator: 'eq', value: id }],
            })
          ).length,
        ).toBe(1)
      }
      expect(await having('owner', 'in', ['i3', 'i9'])).toEqual(['a', 'b', 'c'])
      expect(await having('owner', 'in', [])).toEqual([])
      expect(await having('owner', 'eq', 'nobody')).toEqual([])
      expect((await reader.states('thing', 'a')).value).toEqual([{ key: 'a', state: Uint8Array.of(3) }])
      expect((await reader.get(['person'], 'nobody')).value.profile).toBe('nobody')
      const { value } = await reader.members(['i3', 'i9'])
      expect(value.get('i3')).toEqual({ profile: 'i1', members: ['i1', 'i2', 'i3'] })
      expect(value.get('i9')).toEqual({ profile: 'i9', members: ['i9'] })
    })

    test('filters take typed values and their text', async () => {
      writer.commit(commitOf({ writes: [rowsOf(THING, { full: FULL, empty: {} })] }))
      const found: readonly (readonly [string, Filter['operator'], Filter['value']])[] = [
        ['label', 'eq', FULL.label ?? ''],
        ['label', 'in', ['x', FULL.label]],
        ['size', 'eq', '-9007199254740991'],
        ['size', 'lt', 0],
        ['weight', 'gte', '0.1'],
        ['done', 'eq', 'true'],
        ['done', 'in', [true]],
        ['at', 'eq', '2011-12-09T12:33:20.123Z'],
        ['at', 'gt', '2011-12-09T14:33:20.122+02:00'],
        ['on_day', 'lte', '2011-12-09'],
        ['amount', 'eq', '12.34'],
        ['amount', 'eq', 123_400],
        ['extra', 'null', false],
        ['key', 'eq', 'full'],
        ['part', 'null', 'false'],
      ]
      for (const [column, operator, value] of found)
        expect([column, (await having(column, operator, value)).includes('full')]).toEqual([column, true])
      expect(await having('label', 'ne', 'other')).toEqual(['empty', 'full'])
      expect(await having('size', 'lte', 5)).toEqual(['full'])
      expect(await having('size', 'null', 'true')).toEqual(['empty'])
    })

    test.each<[string, string, Filter['operator'], Filter['value']]>([
      ['a text for an integer', 'size', 'eq', 'many'],
      ['an integer beyond 2^53', 'size', 'eq', 2 ** 53],
      ['NaN', 'weight', 'eq', Number.NaN],
      ['a number for a text', 'label', 'eq', 5],
      ['a lone surrogate', 'label', 'eq', '\ud800'],
      ['a lone surrogate in a list', 'label', 'in', ['\ud800']],
      ['a day that is none', 'on_day', 'eq', '2011-02-30'],
      ['an instant that is none', 'at', 'eq', '2011-02-30T00:00:00Z'],
      ['five decimals', 'amount', 'eq', '1.23456'],
      ['null', 'size', 'eq', null],
      ['null in a list', 'size', 'in', [1, null]],
      ['a value for a list', 'size', 'in', 1],
      ['an endless list', 'size', 'in', Array.from({ length: 1_001 }, (_, i) => i)],
      ['json', 'extra', 'eq', {}],
      ['an order of identities', 'owner', 'lt', 'i1'],
      ['a null operator with a text', 'size', 'null', 'maybe'],
      ['SQL', 'size', 'eq', '1 OR 1=1'],
    ])('%s is a bad filter', async (_, column, operator, value) => {
      const query = reader.list({ projection: 'thing', limit: 1, filters: [{ column, operator, value }] })
      expect(await failureOf(query)).toBe('BadFilter')
    })

    test("what isn't there is refused by name", async () => {
      const asc = (column: string) => ({ sort: [{ column, descending: false }] })
      const refused: readonly (readonly [string, Partial<ListQuery>])[] = [
        ['UnknownProjection', { projection: 'nope' }],
        ['UnknownProjection', { projection: '__proto__' }],
        ['UnknownProjection', { projection: 'meta' }],
        ['UnknownColumn', asc('nope')],
        ['UnknownColumn', asc('_row')],
        ['UnknownColumn', asc('constructor')],
        ['UnknownColumn', { filters: [{ column: 'label" --', operator: 'eq', value: 'x' }] }],
        ['BadQuery', asc('extra')],
        ['BadQuery', { sort: [...asc('size').sort, ...asc('size').sort] }],
        ['BadQuery', { limit: 0 }],
        ['BadQuery', { limit: 1.5 }],
        ['BadQuery', { limit: Number.NaN }],
        ['BadQuery', { limit: 1e9 }],
        ['NotSearchable', { projection: 'daily', search: 'x' }],
      ]
      for (const [tag, query] of refused)
        expect([query, await failureOf(reader.list({ projection: 'thing', limit: 1, ...query }))]).toEqual([
          query,
          tag,
        ])
      expect(await failureOf(reader.get(['thing', 'nope'], 'a'))).toBe('UnknownProjection')
      expect(await failureOf(reader.get(['thing'], '\ud800'))).toBe('BadQuery')
      expect(await failureOf(reader.members(['\ud800']))).toBe('BadQuery')
      expect(await failureOf(reader.poison(-1))).toBe('BadQuery')
    })

    test('a cursor serves the query that it came from, and no other', async () => {
      const rows = Object.fromEntries(
        Array.from({ length: 9 }, (_, i) => [`k${i}`, { size: i % 3, label: 'secret-label' }]),
      )
      writer.commit(commitOf({ writes: [rowsOf(THING, rows)] }))
      const query: ListQuery = {
        projection: 'thing',
        limit: 4,
        sort: [
          { column: 'label', descending: false },
          { column: 'size', descending: true },
        ],
      }
      const { next = '' } = (await reader.list(query)).value
      expect(Buffer.from(next, 'base64url').includes('secret-label')).toBe(false)
      expect((await reader.list({ ...query, cursor: next })).value.rows).toHaveLength(4)
      expect((await reader.list({ ...query, cursor: next, limit: 5 })).value).toMatchObject({
        next: undefined,
      })
      const flip = (i: number) => {
        const bytes = Buffer.from(next, 'base64url')
        bytes[i] = (bytes[i] ?? 0) ^ 1
        return bytes.toString('base64url')
      }
      const bad = [
        '',
        'x',
        next.slice(0, -1),
        `${next}A`,
        `${next}=`,
        `${next}\n`,
        next.toUpperCase(),
        '\ud800',
        ...Array.from({ length: Buffer.from(next, 'base64url').length }, (_, i) => flip(i)),
      ]
      for (const cursor of bad)
        expect([cursor, await failureOf(reader.list({ ...query, cursor }))]).toEqual([cursor, 'BadCursor'])
      const others: readonly Partial<ListQuery>[] = [
        { sort: [] },
        { sort: [{ column: 'size', descending: false }] },
        { filters: [{ column: 'size', operator: 'gte', value: 0 }] },
        { search: 'secret' },
        {
          projection: 'person',
          sort: [
            { column: 'name', descending: false },
            { column: 'orders', descending: true },
          ],
        },
      ]
      for (const other of others)
        expect(await failureOf(reader.list({ ...query, ...other, cursor: next }))).toBe('BadCursor')
    })
  })
}
