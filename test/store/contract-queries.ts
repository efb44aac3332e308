import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Filter, ListQuery, StoreReader, StoreWriter } from '../../engine/store/store.ts'
import type { Row } from '../../engine/store/table.ts'
import type { Harness, OpenHarness } from './contract.ts'
import {
  commitOf,
  DAILY,
  failureOf,
  nextVersion,
  PERSON,
  rowsOf,
  SPECS,
  serveAll,
  stateOf,
  THING,
  walk,
} from './tables.ts'

const FULL: Row = {
  label: 'Zoë 😀 "q" \u0000 end',
  size: -(2 ** 53 - 1),
  weight: 0.1,
  done: true,
  at: 1_323_434_000_123,
  on_day: '2011-12-09',
  amount: 123_400,
  extra: { list: [1, null, 'ü', { deep: false }], __proto__: null },
  owner: 'i1',
}

/** What every store must answer. */
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
      expect(full).toEqual(FULL)
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

    test('search finds what stands inside of names and addresses', async () => {
      const people = {
        a: { name: 'Zoë Ångström', email: 'zoe.angstrom@example.com' },
        b: { name: 'Bob', email: 'bob_99@Example.org' },
        c: { name: '李小龙', email: null },
        d: { name: 'ΟΔΥΣΣΕΥΣ', email: 'o"brien%@x.test' },
        e: { orders: 3 },
      }
      writer.commit(commitOf({ writes: [rowsOf(PERSON, people)] }))
      const found = async (search: string) =>
        (await walk(reader, { projection: 'person', limit: 2, search })).map(({ key }) => key).join('')
      expect(await found('ngstr')).toBe('a')
      expect(await found('ZOE angstrom')).toBe('a')
      expect(await found('example')).toBe('ab')
      expect(await found('EXAMPLE bob')).toBe('b')
      expect(await found('小')).toBe('c')
      expect(await found('李小龙')).toBe('c')
      expect(await found('οδυσσευς')).toBe('d')
      expect(await found('o"b')).toBe('d')
      expect(await found('zo')).toBe('a')
      expect(await found('zo example')).toBe('a')
      expect(await found('zoebob')).toBe('')
      expect(await found('  ')).toBe('abcde')
      const { b, ...rest } = people
      writer.commit(
        commitOf({
          writes: [
            rowsOf(PERSON, { ...rest, a: { name: 'Renamed' } }),
            { build: PERSON.build, states: [], rows: [{ key: 'b', rows: new Map() }] },
          ],
        }),
      )
      expect(b.name).toBe('Bob')
      expect(await found('ngstr')).toBe('')
      expect(await found('bob')).toBe('')
      expect(await found('renamed')).toBe('a')
    })

    test.each([
      '"',
      '""',
      "'",
      '*',
      'a*',
      '^a',
      'NEAR(a b)',
      'a AND',
      'OR',
      'NOT',
      '_search:abc',
      '{abc',
      '(abc',
      'abc)',
      'abc -def',
      '-- abc',
      '\\',
      '%',
      '%%%',
      '___',
      '\u0000',
      'a\u0000bc',
      '😀',
      '😀😀😀',
      '\u0301',
      '["a"]',
      ';DROP TABLE meta',
    ])('hostile search %j is just text', async (search) => {
      writer.commit(
        commitOf({ writes: [rowsOf(PERSON, { other: { name: 'plain' }, same: { name: `xx${search}yy` } })] }),
      )
      const { value } = await reader.list({ projection: 'person', search, limit: 9 })
      expect(value.rows.map(({ key }) => key)).toContain('same')
    })

    test('searches that are too long are refused', async () => {
      const refused = ['x'.repeat(257), Array.from({ length: 17 }, (_, i) => `w${i}`).join(' '), '\ud800abc']
      for (const search of refused)
        expect(await failureOf(reader.list({ projection: 'person', search, limit: 1 }))).toBe('BadQuery')
    })

    test("figures keep every digit, or say that they can't", async () => {
      const most = 2 ** 53 - 1
      writer.commit(
        commitOf({
          writes: [rowsOf(THING, { a: { amount: most - 2 }, b: { amount: 1 }, c: { amount: 1 } })],
        }),
      )
      const sum = () =>
        reader.aggregate({
          projection: 'thing',
          by: [],
          figures: [{ name: 'total', of: 'sum', column: 'amount' }],
          limit: 1,
        })
      expect((await sum()).value).toEqual([{ total: most }])
      writer.commit(commitOf({ writes: [rowsOf(THING, { d: { amount: 1 } })] }))
      expect(await failureOf(sum())).toBe('Overflow')
      const many = Object.fromEntries(Array.from({ length: 1_100 }, (_, i) => [`m${i}`, { amount: most }]))
      writer.commit(commitOf({ writes: [rowsOf(THING, many)] }))
      expect(await failureOf(sum())).toBe('Overflow')
      expect(await failureOf(reader.list({ projection: 'thing', limit: 1 }))).toBe('answered')
    })

    test('people are counted as profiles', async () => {
      writer.commit(
        commitOf({
          writes: [
            rowsOf(DAILY, {
              a: { day: '2011-12-01', owner: 'i1', events: 1 },
              b: { day: '2011-12-31', owner: 'i2', events: 2 },
              c: { day: '2012-01-01', owner: 'i3', events: 4 },
              d: { owner: null, events: 8 },
            }),
          ],
          members: new Map([['i2', 'i1']]),
        }),
      )
      const people = { name: 'people', of: 'count_distinct', column: 'owner' } as const
      const events = { name: 'events', of: 'sum', column: 'events' } as const
      const of = async (by: readonly { column: string; of?: 'month' | 'year' }[]) =>
        (await reader.aggregate({ projection: 'daily', by, figures: [people, events], limit: 9 })).value
      expect(await of([])).toEqual([{ people: 2, events: 15 }])
      expect(await of([{ column: 'day', of: 'month' }])).toEqual([
        { day_month: null, people: 0, events: 8 },
        { day_month: '2011-12', people: 1, events: 3 },
        { day_month: '2012-01', people: 1, events: 4 },
      ])
      expect(await of([{ column: 'owner' }])).toEqual([
        { owner: null, people: 0, events: 8 },
        { owner: 'i1', people: 1, events: 3 },
        { owner: 'i3', people: 1, events: 4 },
      ])
    })

    test('figures that make no sense are refused', async () => {
      const figures = [{ name: 'n', of: 'count' }] as const
      const refused: readonly (readonly [string, object])[] = [
        ['BadQuery', { by: [], figures: [] }],
        ['BadQuery', { by: [{ column: 'label', of: 'month' }], figures }],
        ['BadQuery', { by: [{ column: 'on_day', of: 'toString' }], figures }],
        ['BadQuery', { by: [{ column: 'extra' }], figures }],
        ['BadQuery', { by: [], figures: [{ name: 's', of: 'sum' }] }],
        ['BadQuery', { by: [], figures: [{ name: 's', of: 'sum', column: 'label' }] }],
        ['BadQuery', { by: [], figures: [{ name: '__proto__', of: 'count' }] }],
        ['BadQuery', { by: [], figures: [...figures, ...figures] }],
        ['BadQuery', { by: [], figures: [{ name: 's', of: 'drop', column: 'size' }] }],
        ['UnknownColumn', { by: [{ column: 'nope' }], figures }],
        ['UnknownColumn', { by: [], figures: [{ name: 's', of: 'sum', column: 'nope' }] }],
        ['BadFilter', { by: [], figures, filters: [{ column: 'size', operator: 'eq', value: 'x' }] }],
      ]
      for (const [tag, query] of refused)
        expect([
          query,
          await failureOf(reader.aggregate({ projection: 'thing', by: [], figures: [], limit: 1, ...query })),
        ]).toEqual([query, tag])
    })

    test('an answer is one snapshot with its position, whatever is written meanwhile', async () => {
      const written = Array.from({ length: 40 }, (_, i) => `k${i}`).sort()
      const answers: Promise<void>[] = []
      for (let position = 1; position <= 60; position++) {
        const all = Object.fromEntries(written.map((key) => [key, { size: position }]))
        const daily = rowsOf(DAILY, { k0: { events: position } })
        writer.commit(commitOf({ position, received: position * 10, writes: [rowsOf(THING, all), daily] }))
        answers.push(
          reader.list({ projection: 'thing', limit: 99 }).then(({ value, ...at }) => {
            expect(at.received).toBe(at.position * 10)
            expect(value.rows.map(({ row }) => row.size)).toEqual(written.map(() => at.position))
          }),
          reader.get(['thing', 'daily'], 'k0').then(({ value, position: seen }) => {
            expect(value.rows.get('thing')?.[0]?.row.size).toBe(seen)
            expect(value.rows.get('daily')?.[0]?.row.events).toBe(seen)
          }),
        )
        if (position % 4 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.all(answers)
      expect((await reader.list({ projection: 'thing', limit: 1 })).position).toBe(60)
    })

    test('queries never notice that builds are switched under them', async () => {
      let build = THING
      writer.commit(commitOf({ writes: [rowsOf(THING, { a: { size: build.version } })] }))
      const answers: Promise<unknown>[] = []
      for (let i = 0; i < 15; i++) {
        build = nextVersion(build, { [`extra_${i}`]: 'text' })
        writer.createBuild(build)
        const row = { size: build.version }
        writer.commit(commitOf({ builds: [build.build], writes: [rowsOf(build, { a: row })] }))
        answers.push(reader.list({ projection: 'thing', limit: 9 }))
        writer.serve(build.build)
        answers.push(reader.list({ projection: 'thing', limit: 9 }), reader.states('thing', 'a'))
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      await Promise.all(answers)
      const { value } = await reader.list({ projection: 'thing', limit: 9 })
      expect(value.rows.map(({ row }) => row.size)).toEqual([16])
    })

    test("who waits for a position learns when it is there, and when it isn't", async () => {
      expect(await reader.waitFor(0, 0)).toBe(true)
      expect(await reader.waitFor(1, 0)).toBe(false)
      expect(await reader.waitFor(1, Number.NaN)).toBe(false)
      const unnotified = reader.waitFor(5, 5_000)
      writer.commit(commitOf({ position: 5 }))
      expect(await unnotified).toBe(true)
      expect(await reader.waitFor(5, 0)).toBe(true)
      const notified = Promise.all([reader.waitFor(6, 5_000), reader.waitFor(7, 60)])
      writer.commit(commitOf({ position: 6 }))
      reader.notifyPosition(6)
      expect(await notified).toEqual([true, false])
      const many = Array.from({ length: 1_000 }, () => reader.waitFor(8, 200))
      expect(await failureOf(reader.waitFor(8, 0))).toBe('Overloaded')
      expect(new Set(await Promise.all(many))).toEqual(new Set([false]))
    })

    test('a closed reader refuses, and so it tells those who wait', async () => {
      const waiting = failureOf(reader.waitFor(99, 5_000))
      await new Promise((resolve) => setTimeout(resolve, 20))
      await reader.close()
      await reader.close()
      expect(await waiting).toBe('StoreClosed')
      expect(await failureOf(reader.list({ projection: 'thing', limit: 1 }))).toBe('StoreClosed')
      expect(await failureOf(reader.builds())).toBe('StoreClosed')
      expect(await failureOf(reader.waitFor(1, 0))).toBe('StoreClosed')
    })
  })
}
