import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { Packr } from 'msgpackr'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BUCKETS, bucketOf, differingBuckets, digestOf } from '../../engine/store/digest.ts'
import type { StoreSnapshot } from '../../engine/store/snapshot.ts'
import type { BuildName } from '../../engine/store/store.ts'
import type { Row } from '../../engine/store/table.ts'
import type { Harness, OpenHarness } from './contract.ts'
import { commitOf, DAILY, nextVersion, PERSON, rowsOf, SPECS, serveAll, stateOf, THING } from './tables.ts'

type Rows = Readonly<Record<string, Row>>

const packr = new Packr({ useRecords: false })

/** The format as its docstring states it, written down a second time. */
function expectedDigest(columns: readonly (readonly [string, string])[], rows: Rows): string {
  const sorted = [...columns].sort(([a], [b]) => (a < b ? -1 : 1))
  const sums = Array.from({ length: BUCKETS }, () => 0n)
  for (const [key, row] of Object.entries(rows)) {
    const cells = sorted.map(([name, type]) => {
      const value = row[name] ?? null
      if (type === 'json' && value !== null) return JSON.stringify(value)
      return typeof value === 'boolean' ? Number(value) : value
    })
    const hashed = createHash('sha256')
      .update(packr.pack([key, '', ...cells]))
      .digest('hex')
    sums[bucketOf(key)] = ((sums[bucketOf(key)] ?? 0n) + BigInt(`0x${hashed}`)) % 2n ** 256n
  }
  const head = packr.pack(['headwater rows 1', sorted, Object.keys(rows).length])
  const buckets = sums.map((sum) => sum.toString(16).padStart(64, '0')).join('')
  return createHash('sha256').update(head).update(Buffer.from(buckets, 'hex')).digest('hex')
}

const THING_COLUMNS = Object.entries(THING.table.columns).map(([name, { type }]) => [name, type] as const)

/** Some ten keys of one bucket, whose hashes are added up. */
const TOGETHER = Array.from({ length: 40_000 }, (_, n) => `k${n}`).filter(
  (key) => bucketOf(key) === bucketOf('k0'),
)

const KEY = fc.constantFrom('a', 'b', 'é', '漢', '😀', 'a b', '', ...TOGETHER)
const ROW = fc.record(
  {
    label: fc.constantFrom('', 'x', 'Ünï'),
    size: fc.constantFrom(0, -1, 2 ** 40, 2 ** 53 - 1),
    weight: fc.constantFrom(0.5, -0, 1e300),
    done: fc.boolean(),
    extra: fc.constantFrom(null, 'x', [1, { a: 1, b: [] }]),
  },
  { requiredKeys: [] },
)

/** What a store's rows come to, and how somebody reads all of them at once. */
export function digestContract(name: string, open: OpenHarness): void {
  describe(`${name}: digest and snapshot`, () => {
    let store: Harness
    beforeEach(() => {
      store = open()
      serveAll(store.writer)
    })
    afterEach(() => store.close())

    function snapshotted<T>(read: (snapshot: StoreSnapshot) => T): T {
      const snapshot = store.writer.snapshot()
      try {
        return read(snapshot)
      } finally {
        snapshot.close()
      }
    }
    const digest = (build: BuildName) => snapshotted((snapshot) => digestOf(snapshot, build))

    test('it is the stated format over the rows that there are, whatever was written before', () => {
      fc.assert(
        fc.property(fc.array(fc.dictionary(KEY, ROW), { minLength: 1, maxLength: 4 }), (commits) => {
          const rows: Record<string, Row> = {}
          store.writer.reset()
          serveAll(store.writer)
          for (const [n, changes] of commits.entries()) {
            store.writer.commit(commitOf({ position: n + 1, writes: [rowsOf(THING, changes)] }))
            Object.assign(rows, changes)
          }
          const found = digest(THING.build)
          expect(found.rows).toBe(Object.keys(rows).length)
          expect(found.digest).toBe(expectedDigest(THING_COLUMNS, rows))
        }),
        { numRuns: name === 'memory' ? 60 : 25 },
      )
    })

    test('a changed row is found in its bucket, and nowhere else', () => {
      const rows = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`k${n}`, { label: `${n}` }]))
      store.writer.commit(commitOf({ writes: [rowsOf(THING, rows)] }))
      const before = digest(THING.build)
      store.writer.commit(commitOf({ writes: [rowsOf(THING, { k7: { label: 'other' } })] }))
      const after = digest(THING.build)
      expect(after.digest).not.toBe(before.digest)
      expect(differingBuckets(before, after)).toEqual([bucketOf('k7')])
      store.writer.commit(commitOf({ writes: [rowsOf(THING, { k7: { label: '7' } })] }))
      expect(digest(THING.build)).toEqual(before)
    })

    test('names inside of json come in any order, as do columns', () => {
      store.writer.commit(
        commitOf({ writes: [rowsOf(THING, { a: { extra: { x: 1, y: { p: 1, q: 2 } } } })] }),
      )
      const before = digest(THING.build)
      store.writer.commit(
        commitOf({ writes: [rowsOf(THING, { a: { extra: { y: { q: 2, p: 1 }, x: 1 } } })] }),
      )
      expect(digest(THING.build)).toEqual(before)
      const turned = Object.fromEntries(Object.entries(THING.table.columns).reverse())
      const other = { ...THING, build: 'thing__v7_c0ffee', table: { ...THING.table, columns: turned } }
      store.writer.createBuild(other)
      const write = rowsOf(other, { a: { extra: { x: 1, y: { p: 1, q: 2 } } } })
      store.writer.commit(commitOf({ builds: [other.build], writes: [write] }))
      expect(digest(other.build)).toEqual(before)
    })

    test('a snapshot stays what it was, rows come sorted, and states and members with them', () => {
      const writes = [
        rowsOf(THING, { b: { label: 'b' }, a: {}, '😀': {}, '\uffff': {} }),
        stateOf(PERSON, 'i1', [1]),
      ]
      store.writer.commit(commitOf({ position: 3, writes, members: new Map([['i2', 'i1']]) }))
      const snapshot = store.writer.snapshot()
      store.writer.commit(
        commitOf({
          position: 4,
          writes: [rowsOf(THING, { c: {} }), stateOf(PERSON, 'i1', [2])],
          members: new Map([['i3', 'i1']]),
        }),
      )
      expect(snapshot.checkpoint.position).toBe(3)
      expect([...snapshot.sortedRows(THING.build)].map(({ key }) => key)).toEqual(['a', 'b', '\uffff', '😀'])
      expect([...snapshot.rows(THING.build)]).toHaveLength(4)
      expect(snapshot.state(PERSON.build, 'i1')).toEqual(Uint8Array.of(1))
      expect(snapshot.state(PERSON.build, 'i9')).toBeUndefined()
      expect(snapshot.membersOf('i1')).toEqual(['i1', 'i2'])
      expect(snapshot.membersOf('alone')).toEqual(['alone'])
      expect(snapshot.builds.map(({ build, serving }) => [build, serving])).toEqual(
        SPECS.map(({ build }) => [build, true]),
      )
      snapshot.close()
      expect(snapshotted(({ checkpoint }) => checkpoint.position)).toBe(4)
      expect(snapshotted((later) => digestOf(later, DAILY.build).rows)).toBe(0)
    })

    test('a build that is kept when another serves is there, follows, and can serve again', async () => {
      const reader = store.reader(SPECS)
      const second = nextVersion(THING, { colour: 'text' })
      store.writer.commit(commitOf({ position: 1, writes: [rowsOf(THING, { a: { label: 'one' } })] }))
      store.writer.createBuild(second)
      store.writer.commit(
        commitOf({ builds: [second.build], writes: [rowsOf(second, { a: { label: 'two' } })] }),
      )
      const label = async () => {
        const { value } = await reader.list({ projection: 'thing', limit: 9 })
        return value.rows.map(({ row }) => row.label)
      }
      const serving = () =>
        store.writer
          .builds()
          .flatMap(({ build, projection, serving: serves }) =>
            projection === 'thing' ? [[build, serves]] : [],
          )
      store.writer.serve(second.build, [THING.build])
      expect(await label()).toEqual(['two'])
      expect(serving()).toEqual([
        [THING.build, false],
        [second.build, true],
      ])
      const builds = [...SPECS.map(({ build }) => build), second.build]
      store.writer.commit(
        commitOf({ builds, position: 2, writes: [rowsOf(THING, { b: { label: 'three' } })] }),
      )
      store.writer.serve(THING.build, [second.build])
      expect(await label()).toEqual(['one', 'three'])
      store.writer.serve(THING.build)
      expect(serving()).toEqual([[THING.build, true]])
    })
  })
}
