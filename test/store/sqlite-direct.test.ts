/**
 * Theorem: a look-up by key is answered on the calling thread, in one snapshot with what else is asked in the same turn of
 * the event loop, and says what a reader thread would say; however much is asked, others get their turns; where the
 * calling thread can't answer at once, or would have too much to read, a reader thread answers, and nobody notices.
 */
import assert from 'node:assert/strict'
import { renameSync, rmSync } from 'node:fs'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { newBuild } from '../../engine/store/build.ts'
import { visibleTable } from '../../engine/store/plan.ts'
import {
  compileGet,
  compileHead,
  compileMembers,
  MAX_DIRECT_ROWS,
} from '../../engine/store/sqlite-compile.ts'
import { SqliteConnection } from '../../engine/store/sqlite-connection.ts'
import { DirectReader, MAX_AT_ONCE } from '../../engine/store/sqlite-direct.ts'
import type { Script } from '../../engine/store/sqlite-protocol.ts'
import { openSqliteReader } from '../../engine/store/sqlite-reader.ts'
import { SqliteThreads } from '../../engine/store/sqlite-threads.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { StoreReader, StoreWriter } from '../../engine/store/store.ts'
import { temporaryFile } from './harness.ts'
import { commitOf, DAILY, failureOf, nextVersion, PERSON, rowsOf, SPECS, serveAll, THING } from './tables.ts'

let file: ReturnType<typeof temporaryFile>
let writer: StoreWriter
let reader: StoreReader
beforeEach(() => {
  file = temporaryFile()
  writer = openSqliteWriter(file.path)
  serveAll(writer)
  reader = openSqliteReader(file.path, { specs: SPECS })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await reader.close()
  writer.close()
  file.remove()
})

/** What reader threads are asked while `run` does. */
async function askedOfThreads(run: () => Promise<unknown>): Promise<number> {
  const asked = vi.spyOn(SqliteThreads.prototype, 'run')
  await run()
  const { length } = asked.mock.calls
  asked.mockRestore()
  return length
}

function daysOf(key: string, count: number) {
  const rows = new Map(Array.from({ length: count }, (_, i) => [String(i).padStart(4, '0'), { events: i }]))
  return { build: DAILY.build, states: [], rows: [{ key, rows }] }
}

function membersOf(profile: string, count: number): ReadonlyMap<string, string> {
  return new Map(Array.from({ length: count }, (_, i) => [`${profile}-${i}`, profile]))
}

test('both say the same, whatever is stored', async () => {
  const threads = new SqliteThreads(file.path, 1, 1_000)
  const direct = new DirectReader(file.path)
  const tables = SPECS.map((spec) => visibleTable(spec, newBuild(spec)))
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'é', '\0id', "'", '"')
  let position = 1
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(id, fc.record({ name: fc.string({ unit: 'grapheme' }), orders: fc.integer() })),
      fc.dictionary(id, fc.record({ label: fc.string({ unit: 'grapheme' }), size: fc.maxSafeInteger() })),
      fc.array(fc.tuple(id, id)),
      id,
      async (people, things, links, key) => {
        position += 1
        const writes = [rowsOf(PERSON, people), rowsOf(THING, things)]
        writer.commit(commitOf({ position, writes, members: new Map(links) }))
        for (const extent of ['some', 'all'] as const) {
          const scripts = [
            ...compileGet({ tables, key }, extent),
            compileHead(),
            ...compileMembers([key, 'a'], extent),
          ]
          const here = await direct.ask({ generation: undefined, scripts })
          assert(here !== undefined)
          expect(await threads.run(scripts, undefined)).toMatchObject({ ...here })
          expect(here).toMatchObject({ kind: 'rows', rows: { 0: [[position, 1_000]] } })
        }
      },
    ),
    { numRuns: 60 },
  )
  direct.close()
  await threads.close()
})

describe('on the calling thread', () => {
  test('one look-up tells rows, profile and members, and asks no thread', async () => {
    const rows = rowsOf(PERSON, { p: { name: 'Ann' } })
    writer.commit(commitOf({ position: 7, writes: [rows], members: membersOf('p', 3) }))
    await reader.get(['person'], 'p')
    const asked = await askedOfThreads(async () => {
      for (const id of ['p', 'p-0', 'p-2']) {
        const { position, value } = await reader.get(['person'], id)
        expect([position, value.profile]).toEqual([7, 'p'])
        expect(value.members).toEqual(['p', 'p-0', 'p-1', 'p-2'])
        expect(value.rows.get('person')?.map(({ row }) => row.name)).toEqual(['Ann'])
        expect((await reader.members([id])).value.get(id)?.members).toEqual(value.members)
      }
      const { value } = await reader.get(['person', 'thing'], 'nobody')
      expect(value).toEqual({
        profile: 'nobody',
        members: ['nobody'],
        rows: new Map([
          ['person', []],
          ['thing', []],
        ]),
      })
      expect(await reader.waitFor(7, 0)).toBe(true)
    })
    expect(asked).toBe(0)
  })

  test('each look-up sees the newest commit', async () => {
    for (let position = 2; position < 20; position++) {
      writer.commit(commitOf({ position, writes: [rowsOf(THING, { a: { size: position } })] }))
      const answer = await reader.get(['thing'], 'a')
      expect([answer.position, answer.value.rows.get('thing')?.[0]?.row.size]).toEqual([position, position])
    }
  })

  test('no look-up keeps a snapshot that an erasure would have to wait for', async () => {
    writer.commit(commitOf({ writes: [rowsOf(PERSON, { p: { name: 'Ann' } })] }))
    await reader.get(['person'], 'p')
    writer.commit(commitOf({ position: 2, writes: [rowsOf(PERSON, { p: { name: 'Bob' } })] }))
    expect(writer.purge()).toBe(true)
  })
})

describe('asked in one turn of the event loop', () => {
  const number = (n: number) => ({ statements: [{ sql: 'SELECT ?', parameters: [n] }] })
  const bad = { statements: [{ sql: 'SELECT nothing FROM nowhere', parameters: [] }] }

  test('all are of one snapshot, newer than the asking, and come to who asked', async () => {
    writer.commit(commitOf({ position: 2, writes: [rowsOf(THING, { a: { size: 2 } })] }))
    await reader.get(['thing'], 'a')
    const begun = vi.spyOn(SqliteConnection.prototype, 'runAll')
    const keys = ['a', 'nobody', 'a', 'b']
    const answers = keys.map((key) => reader.get(['thing'], key))
    writer.commit(commitOf({ position: 3, writes: [rowsOf(THING, { a: { size: 3 }, b: { size: 4 } })] }))
    const found = await Promise.all(answers)
    expect(found.map(({ position }) => position)).toEqual([3, 3, 3, 3])
    expect(found.map(({ value }) => value.rows.get('thing')?.[0]?.row.size)).toEqual([3, undefined, 3, 4])
    expect(begun).toHaveBeenCalledOnce()
  })

  test('however many there are, others have a turn before the next few', async () => {
    const direct = new DirectReader(file.path)
    const count = MAX_AT_ONCE * 3 + 1
    const turns: number[] = []
    let turn = 0
    let answered = 0
    const pass = (): void => {
      turn += 1
      if (answered < count) setImmediate(pass)
    }
    setImmediate(pass)
    const outcomes = await Promise.all(
      Array.from({ length: count }, async (_, n) => {
        const outcome = await direct.ask({ generation: undefined, scripts: [number(n)] })
        answered += 1
        turns.push(turn)
        return outcome
      }),
    )
    for (const [n, outcome] of outcomes.entries()) expect(outcome).toEqual({ kind: 'rows', rows: [[[n]]] })
    for (let n = MAX_AT_ONCE; n < count; n += MAX_AT_ONCE)
      expect(turns[n]).toBeGreaterThan(turns[n - MAX_AT_ONCE] ?? 0)
    direct.close()
  })

  test('what one began with as the one before it is looked up once, anything else each time', async () => {
    const direct = new DirectReader(file.path)
    const ask = (scripts: readonly Script[]) => direct.ask({ generation: undefined, scripts })
    await ask([number(0)])
    const lookUps = vi.spyOn(StatementSync.prototype, 'all')
    const one = number(1)
    const outcomes = await Promise.all([[one, number(5)], [one, number(6)], [number(2)], [one]].map(ask))
    expect(outcomes).toEqual(
      [[[[1]], [[5]]], [[[1]], [[6]]], [[[2]]], [[[1]]]].map((rows) => ({ kind: 'rows', rows })),
    )
    expect(lookUps).toHaveBeenCalledTimes(5)
    await ask([one])
    expect(lookUps).toHaveBeenCalledTimes(6)
    direct.close()
  })

  test('one that fails leaves them to reader threads; those of the next turn are answered', async () => {
    const direct = new DirectReader(file.path)
    const ask = (scripts: readonly Script[], generation?: number) => direct.ask({ generation, scripts })
    expect(await Promise.all([ask([number(1)]), ask([bad])])).toEqual([undefined, undefined])
    const [stale, rows] = await Promise.all([ask([bad], 1_000_000), ask([number(2)])])
    expect([stale, rows]).toEqual([{ kind: 'stale' }, { kind: 'rows', rows: [[[2]]] }])
    direct.close()
  })
})

describe('on a reader thread', () => {
  test.each([
    [MAX_DIRECT_ROWS, 0],
    [MAX_DIRECT_ROWS + 1, 1],
    [MAX_DIRECT_ROWS * 10, 1],
  ])('%i rows of one key are read whole (asked of threads: %i)', async (count, expected) => {
    writer.commit(commitOf({ writes: [daysOf('k', count)] }))
    await reader.get(['daily'], 'other')
    const asked = await askedOfThreads(async () => {
      const { value } = await reader.get(['daily'], 'k')
      expect(value.rows.get('daily')?.map(({ row }) => row.events)).toEqual([...Array(count).keys()])
    })
    expect(asked).toBe(expected)
  })

  test('all members of a large profile are told', async () => {
    writer.commit(commitOf({ members: membersOf('p', MAX_DIRECT_ROWS * 3) }))
    await reader.get(['person'], 'other')
    const asked = await askedOfThreads(async () => {
      expect((await reader.get(['person'], 'p-5')).value.members).toHaveLength(MAX_DIRECT_ROWS * 3 + 1)
      expect((await reader.members(['p-5'])).value.get('p-5')?.members).toHaveLength(MAX_DIRECT_ROWS * 3 + 1)
    })
    expect(asked).toBe(2)
  })

  test('it is for threads to wait for a lock', async () => {
    writer.close()
    const locking = new DatabaseSync(file.path)
    locking.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT')
    const direct = new DirectReader(file.path)
    const question = { generation: undefined, scripts: [compileHead()] }
    expect(await direct.ask(question)).toBeUndefined()
    locking.close()
    expect(await direct.ask(question)).toMatchObject({ kind: 'rows' })
    const late = direct.ask(question)
    direct.close()
    expect(await late).toBeUndefined()
    // Closed for good: a late question must not open the file again.
    expect(await direct.ask(question)).toBeUndefined()
    writer = openSqliteWriter(file.path)
  })
})

test('a build that has just begun to serve is the one that is asked', async () => {
  writer.commit(commitOf({ writes: [rowsOf(THING, { a: { label: 'old' } })] }))
  await reader.get(['thing'], 'a')
  const wider = nextVersion(THING, { colour: 'text' })
  writer.createBuild(wider)
  const builds = [wider.build, ...SPECS.map(({ build }) => build)]
  writer.commit(commitOf({ builds, writes: [rowsOf(wider, { a: { label: 'new' } })] }))
  writer.serve(wider.build)
  const { value } = await reader.get(['thing'], 'a')
  expect(value.rows.get('thing')?.map(({ row }) => row.label)).toEqual(['new'])
})

test('a file that another has taken the place of is let go', async () => {
  writer.commit(commitOf({ writes: [rowsOf(THING, { a: { label: 'old' } })] }))
  await reader.get(['thing'], 'a')
  writer.close()
  const other = temporaryFile()
  const second = openSqliteWriter(other.path)
  serveAll(second)
  second.commit(commitOf({ writes: [rowsOf(THING, { a: { label: 'new' } })] }))
  second.close()
  for (const suffix of ['-wal', '-shm']) rmSync(file.path + suffix, { force: true })
  renameSync(other.path, file.path)
  other.remove()
  const label = async () => (await reader.get(['thing'], 'a')).value.rows.get('thing')?.[0]?.row.label
  await vi.waitFor(async () => expect(await label()).toBe('new'), { timeout: 2_000, interval: 20 })
  rmSync(file.path)
  await vi.waitFor(async () => expect(await failureOf(label())).toBe('StoreUnavailable'), { timeout: 2_000 })
  writer = openSqliteWriter(file.path)
})

test('what fails on a reader thread fails alone, and answers come to who asked', async () => {
  writer.commit(commitOf({ position: 5 }))
  const threads = new SqliteThreads(file.path, 1, 100)
  const bad = { statements: [{ sql: 'SELECT nothing FROM nowhere', parameters: [] }] }
  const number = (n: number) => ({ statements: [{ sql: 'SELECT ?', parameters: [n] }] })
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      threads.run(n % 5 === 2 ? [number(n), bad] : [number(n)], undefined),
    ),
  )
  for (const [n, outcome] of outcomes.entries())
    expect(outcome).toMatchObject(n % 5 === 2 ? { kind: 'unavailable' } : { kind: 'rows', rows: [[[n]]] })
  await threads.close()
})
