import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ReadSpec, StoreReader, StoreWriter } from '../../engine/store/store.ts'
import {
  commitOf,
  DAILY,
  failureOf,
  markOf,
  nextVersion,
  PERSON,
  rowsOf,
  SPECS,
  serveAll,
  stateOf,
  THING,
} from './tables.ts'

export interface Harness {
  readonly writer: StoreWriter
  reader(specs: readonly ReadSpec[]): StoreReader
  close(): Promise<void>
}

export type OpenHarness = () => Harness

/** What every store must do with what the projector writes. */
export function writerContract(name: string, open: OpenHarness): void {
  describe(`${name}: writing`, () => {
    let store: Harness
    let reader: StoreReader
    beforeEach(() => {
      store = open()
      reader = store.reader(SPECS)
    })
    afterEach(() => store.close())

    test('a new store stands at 0 and serves nothing', async () => {
      expect(store.writer.checkpoint()).toEqual({ position: 0, received: 0, mark: '' })
      expect(store.writer.builds()).toEqual([])
      expect(store.writer.nextDue()).toBeUndefined()
      expect(await failureOf(reader.list({ projection: 'thing', limit: 1 }))).toBe('NotServing')
      expect((await reader.builds()).value).toEqual([])
    })

    test('a commit moves states, rows, checkpoint, members, evidence and poison together', async () => {
      serveAll(store.writer)
      const bytes = Uint8Array.of(7)
      store.writer.commit(
        commitOf({
          position: 9,
          received: 5_000,
          writes: [rowsOf(THING, { a: { label: 'x', size: 3 } }), stateOf(PERSON, 'i1', [1, 2], 77)],
          members: new Map([['i2', 'i1']]),
          evidence: [{ id: 'e1', identities: ['i1', 'i2'], bytes }],
          poison: [{ build: THING.build, position: 4, type: 'order.placed', reason: 'no' }],
        }),
      )
      expect(store.writer.checkpoint()).toEqual({ position: 9, received: 5_000, mark: markOf(9) })
      expect(store.writer.builds().map(({ position, serving }) => [position, serving])).toEqual(
        SPECS.map(() => [9, true]),
      )
      expect(store.writer.state(PERSON.build, 'i1')).toEqual(Uint8Array.of(1, 2))
      expect(store.writer.state(PERSON.build, 'i2')).toBeUndefined()
      expect(store.writer.profileOf('i2')).toBe('i1')
      expect(store.writer.profileOf('i1')).toBeUndefined()
      expect(store.writer.membersOf('i1')).toEqual(['i1', 'i2'])
      expect(store.writer.membersOf('alone')).toEqual(['alone'])
      expect(store.writer.evidenceOf('i1')).toEqual([{ id: 'e1', bytes }])
      expect(store.writer.evidenceOf('i2')).toEqual([{ id: 'e1', bytes }])
      expect(store.writer.evidenceOf('i3')).toEqual([])
      const { value, ...at } = await reader.poison(10)
      expect(at).toEqual({ position: 9, received: 5_000 })
      expect(value).toEqual([{ build: THING.build, position: 4, type: 'order.placed', reason: 'no' }])
      const answer = await reader.get(['thing'], 'a')
      expect(answer.position).toBe(9)
      expect(answer.value.rows.get('thing')?.[0]?.row.size).toBe(3)
    })

    test.each([
      ['a cell that is no number', rowsOf(THING, { b: { weight: Number.NaN } })],
      ['an integer beyond 2^53', rowsOf(THING, { b: { size: 2 ** 53 } })],
      ['a fraction where an integer belongs', rowsOf(THING, { b: { amount: 0.5 } })],
      ['a lone surrogate in a cell', rowsOf(THING, { b: { label: 'x\ud800' } })],
      ['a lone surrogate in a key', rowsOf(THING, { '\udc00': { label: 'x' } })],
      ['NaN inside of json', rowsOf(THING, { b: { extra: { deep: [Number.NaN] } } })],
      ['a day that is none', rowsOf(THING, { b: { on_day: '2011-1-1' } })],
      ['an unknown column', rowsOf(THING, { b: { colour: 'red' } })],
      ['an unknown build', { build: 'thing__v9_0', states: [], rows: [] }],
    ])('%s fails the whole commit and leaves nothing of it', async (_, bad) => {
      serveAll(store.writer)
      store.writer.commit(commitOf({ position: 1, writes: [rowsOf(THING, { a: { label: 'old' } })] }))
      const good = [rowsOf(THING, { a: { label: 'new' }, c: { label: 'c' } }), stateOf(PERSON, 'i1', [1], 5)]
      const failing = commitOf({
        position: 2,
        writes: [...good, bad],
        members: new Map([['i2', 'i1']]),
        evidence: [{ id: 'e', identities: ['i1'], bytes: Uint8Array.of(1) }],
      })
      expect(() => store.writer.commit(failing)).toThrow()
      expect(store.writer.checkpoint().position).toBe(1)
      expect(store.writer.state(PERSON.build, 'i1')).toBeUndefined()
      expect(store.writer.nextDue()).toBeUndefined()
      expect(store.writer.profileOf('i2')).toBeUndefined()
      expect(store.writer.evidenceOf('i1')).toEqual([])
      const { value } = await reader.list({ projection: 'thing', limit: 9 })
      expect(value.rows.map(({ key, row }) => [key, row.label])).toEqual([['a', 'old']])
      store.writer.commit(commitOf({ position: 2, writes: good }))
      expect(store.writer.state(PERSON.build, 'i1')).toEqual(Uint8Array.of(1))
    })

    test('a lone surrogate among members fails the whole commit', () => {
      serveAll(store.writer)
      const members = new Map([
        ['i2', 'i1'],
        ['i3', '\ud800'],
      ])
      expect(() => store.writer.commit(commitOf({ members }))).toThrow()
      expect(store.writer.profileOf('i2')).toBeUndefined()
    })

    test('a checkpoint never moves back', () => {
      serveAll(store.writer)
      store.writer.commit(commitOf({ position: 5 }))
      expect(() => store.writer.commit(commitOf({ position: 4 }))).toThrow()
      store.writer.commit(commitOf({ position: 5, received: 2_000 }))
      expect(store.writer.checkpoint()).toEqual({ position: 5, received: 2_000, mark: markOf(5) })
    })

    test('parts that are not named any more vanish', async () => {
      serveAll(store.writer)
      const parts = (...names: readonly string[]) => [
        {
          build: DAILY.build,
          states: [],
          rows: [{ key: 'k', rows: new Map(names.map((part) => [part, { events: part.length }])) }],
        },
      ]
      const kept = async () => {
        const { value } = await reader.get(['daily'], 'k')
        return value.rows.get('daily')?.map(({ part }) => part)
      }
      for (const names of [['a', 'b', 'c'], ['b'], ['a', 'c'], ['', 'd"\'%', 'é'], [], ['z']]) {
        store.writer.commit(commitOf({ writes: parts(...names) }))
        expect(await kept()).toEqual(names)
      }
    })

    test('what a member becomes replaces what it was', () => {
      serveAll(store.writer)
      store.writer.commit(
        commitOf({
          members: new Map([
            ['b', 'a'],
            ['c', 'a'],
          ]),
        }),
      )
      store.writer.commit(
        commitOf({
          members: new Map([
            ['c', 'c'],
            ['d', 'c'],
          ]),
        }),
      )
      expect(store.writer.membersOf('a')).toEqual(['a', 'b'])
      expect(store.writer.membersOf('c')).toEqual(['c', 'd'])
    })

    test('refused evidence is listed until it is written without, in the order in which it first came', async () => {
      serveAll(store.writer)
      const piece = (id: string, refused: boolean, byte = 1) => ({
        ...{ id, identities: [`${id}1`, 'z'], bytes: Uint8Array.of(byte), refused },
      })
      const listed = async (after = 0, limit = 10) => {
        const { value } = await reader.review(after, limit)
        return value.map(({ bytes }) => bytes[0])
      }
      store.writer.commit(
        commitOf({ evidence: [piece('b', true, 1), piece('a', false, 2), piece('c', true, 3)] }),
      )
      expect(await listed()).toEqual([1, 3])
      store.writer.commit(commitOf({ evidence: [piece('a', true, 4), piece('b', true, 5)] }))
      expect(await listed()).toEqual([5, 4, 3])
      const { value } = await reader.review(0, 1)
      expect(await listed(value[0]?.place, 1)).toEqual([4])
      store.writer.commit(commitOf({ evidence: [piece('b', false, 6), piece('c', false, 7)] }))
      expect(await listed()).toEqual([4])
    })

    test('those that evidence names are listed in order', () => {
      serveAll(store.writer)
      const evidence = [3, 1, 2].map((n) => ({
        ...{ id: `e${n}`, identities: [`i${n}`, 'i1'], bytes: Uint8Array.of(n) },
      }))
      store.writer.commit(commitOf({ evidence }))
      expect(store.writer.named('', 10)).toEqual(['i1', 'i2', 'i3'])
      expect(store.writer.named('i1', 1)).toEqual(['i2'])
      expect(store.writer.named('i3', 1)).toEqual([])
    })

    test('evidence takes the place of what its id held', () => {
      serveAll(store.writer)
      const of = (byte: number) => [{ id: 'e', identities: ['a', 'b'], bytes: Uint8Array.of(byte) }]
      store.writer.commit(commitOf({ evidence: of(1) }))
      store.writer.commit(commitOf({ evidence: of(2) }))
      expect(store.writer.evidenceOf('a')).toEqual([{ id: 'e', bytes: Uint8Array.of(2) }])
      expect(store.writer.evidenceOf('b')).toEqual([{ id: 'e', bytes: Uint8Array.of(2) }])
    })

    test('the same evidence twice is evidence once', () => {
      serveAll(store.writer)
      const evidence = [{ id: 'e', identities: ['a', 'b'], bytes: Uint8Array.of(1) }]
      store.writer.commit(commitOf({ evidence }))
      store.writer.commit(commitOf({ evidence }))
      expect(store.writer.evidenceOf('a')).toHaveLength(1)
    })

    test('keys fall due in order, and not before', () => {
      serveAll(store.writer)
      const dues: readonly (readonly [string, number | undefined])[] = [
        ['c', 30],
        ['a', 10],
        ['b', 10],
        ['x', undefined],
      ]
      store.writer.commit(commitOf({ writes: dues.map(([key, due]) => stateOf(THING, key, [1], due)) }))
      store.writer.commit(commitOf({ writes: [stateOf(PERSON, 'p', [1], 20)] }))
      expect(store.writer.nextDue()).toBe(10)
      expect(store.writer.due(THING.build, 9)).toEqual([])
      expect(store.writer.due(THING.build, 10)).toEqual([
        { key: 'a', due: 10 },
        { key: 'b', due: 10 },
      ])
      expect(store.writer.due(THING.build, 30).map(({ key }) => key)).toEqual(['a', 'b', 'c'])
      store.writer.commit(commitOf({ writes: [stateOf(THING, 'a', [2]), stateOf(THING, 'b', [2], 40)] }))
      expect(store.writer.nextDue()).toBe(20)
    })
  })
  buildContract(name, open)
}

function buildContract(name: string, open: OpenHarness): void {
  describe(`${name}: builds`, () => {
    const second = nextVersion(THING, { colour: 'text' })
    let store: Harness
    beforeEach(() => {
      store = open()
    })
    afterEach(() => store.close())

    test('a new build fills beside the old one, then takes its place in one step', async () => {
      const { writer } = store
      serveAll(writer)
      // One reader knows the old code's table, one the new code's.
      const [before, after] = [store.reader(SPECS), store.reader([second, PERSON, DAILY])]
      const rows = async (reader: StoreReader) =>
        (await reader.list({ projection: 'thing', limit: 9 })).value.rows
      writer.commit(commitOf({ position: 4, writes: [rowsOf(THING, { a: { label: 'old' } })] }))
      writer.createBuild(second)
      const filled = rowsOf(second, { a: { label: 'new', colour: 'red' } })
      writer.commit(commitOf({ builds: [second.build], position: 3, writes: [filled] }))
      expect(writer.checkpoint().position).toBe(4)
      expect((await rows(before)).map(({ row }) => row.label)).toEqual(['old'])
      expect((await rows(after)).map(({ row }) => row.label)).toEqual(['old'])
      writer.commit(commitOf({ builds: [second.build], position: 4 }))
      writer.serve(second.build)
      expect((await rows(before))[0]?.row.label).toBe('new')
      expect((await rows(before))[0]?.row).not.toHaveProperty('colour')
      expect((await rows(after))[0]?.row.colour).toBe('red')
      expect(
        writer
          .builds()
          .map(({ build }) => build)
          .sort(),
      ).toEqual([DAILY.build, PERSON.build, second.build].sort())
      expect(() => writer.state(THING.build, 'a')).toThrow()
    })

    test('a column that only the new build has is unknown until that serves', async () => {
      serveAll(store.writer)
      const reader = store.reader([second])
      const red = { column: 'colour', operator: 'eq', value: 'red' } as const
      const query = () => reader.list({ projection: 'thing', filters: [red], limit: 1 })
      expect(await failureOf(query())).toBe('UnknownColumn')
      store.writer.createBuild(second)
      expect(await failureOf(query())).toBe('UnknownColumn')
      store.writer.serve(second.build)
      expect(await failureOf(query())).toBe('answered')
    })

    test('what workspaces may add to shows all that its build has, and each answer names the build', async () => {
      serveAll(store.writer)
      const { projection, table } = THING
      const reader = store.reader([{ projection, table, isExtensible: true }])
      const red = { column: 'colour', operator: 'eq', value: 'red' } as const
      const query = () => reader.list({ projection, filters: [red], limit: 1 })
      expect(await failureOf(query())).toBe('UnknownColumn')
      store.writer.createBuild(second)
      const written = rowsOf(second, { a: { label: 'new', colour: 'red' } })
      store.writer.commit(commitOf({ builds: [second.build], position: 3, writes: [written] }))
      store.writer.serve(second.build)
      const { build, value } = await query()
      expect(build).toBe(second.build)
      expect(value.rows.map(({ row }) => row.colour)).toEqual(['red'])
      expect((await reader.get([projection], 'a')).build).toBe(second.build)
      expect((await reader.states(projection, 'a')).build).toBe(second.build)
    })

    test('a dropped build is gone, with its poison, and can be made again', async () => {
      const { writer } = store
      serveAll(writer)
      const reader = store.reader(SPECS)
      const poison = [{ build: THING.build, position: 1, type: 't', reason: 'r' }]
      writer.commit(commitOf({ poison, writes: [rowsOf(THING, { a: { label: 'x' } })] }))
      writer.dropBuild(THING.build)
      expect(await failureOf(reader.get(['thing'], 'a'))).toBe('NotServing')
      expect((await reader.poison(9)).value).toEqual([])
      writer.createBuild(THING)
      writer.serve(THING.build)
      expect((await reader.get(['thing'], 'a')).value.rows.get('thing')).toEqual([])
      // What was made anew lags behind the others, and says so.
      expect((await reader.get(['thing'], 'a')).position).toBe(0)
      expect((await reader.get(['person'], 'a')).position).toBe(1)
      expect(writer.checkpoint().position).toBe(0)
    })

    test.each([
      ['a quote', { build: 'thing__v1_"' }],
      ['a name of another projection', { build: 'person__v1_0' }],
      ['a table of the store', { projection: 'member', build: 'member__v1_0' }],
      ["a name that another build's tables could have", { build: 'thing__v1__state' }],
      ['a reserved column', { table: { ...DAILY.table, columns: { Key: { type: 'text', about: '' } } } }],
      [
        'columns that differ in case',
        {
          table: {
            ...DAILY.table,
            columns: { a: { type: 'text', about: '' }, A: { type: 'text', about: '' } },
          },
        },
      ],
      ['an index of an unknown column', { table: { ...DAILY.table, indexes: [['nope']] } }],
      ['search in a number', { table: { ...DAILY.table, search: ['events'] } }],
    ] as const)('%s is no build', (_, change) => {
      expect(() => store.writer.createBuild({ ...THING, ...change })).toThrow()
      expect(store.writer.builds()).toEqual([])
      store.writer.createBuild(THING)
      expect(() => store.writer.createBuild(THING)).toThrow()
    })

    test('unknown builds are bugs', () => {
      expect(() => store.writer.serve('thing__v1_0')).toThrow()
      expect(() => store.writer.dropBuild('thing__v1_0')).toThrow()
      expect(() => store.writer.state('thing__v1_0', 'a')).toThrow()
    })
  })
}
