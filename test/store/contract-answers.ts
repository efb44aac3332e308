import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StoreReader, StoreWriter } from '../../engine/store/store.ts'
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
  THING,
  walk,
} from './tables.ts'

/** Search, figures, snapshots and waiting, in every store. */
export function answerContract(name: string, open: OpenHarness): void {
  describe(`${name}: answers`, () => {
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

    test('states of a version that the reader does not know are not answered, rows are', async () => {
      writer.commit(commitOf({ writes: [rowsOf(THING, { a: { size: 1 } })] }))
      const newer = store.reader([{ ...THING, statesOf: THING.version + 1 }])
      expect((await newer.list({ projection: 'thing', limit: 9 })).value.rows).toHaveLength(1)
      await expect(newer.states('thing', 'a')).rejects.toMatchObject({ failure: { _tag: 'NotServing' } })
      const build = nextVersion(THING, {})
      writer.createBuild(build)
      writer.serve(build.build)
      expect((await newer.states('thing', 'a')).value).toEqual([])
      await newer.close()
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
