/**
 * Theorem: what SQLite keeps survives the process. A kill leaves the commit before or the commit after, whole, and
 * never less than what was said to be committed; a reopened file is the same store; a file that isn't ours, or is of a later version, is refused untouched.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newBuild } from '../../engine/store/build.ts'
import { planList, visibleTable } from '../../engine/store/plan.ts'
import { compileHead, compileList } from '../../engine/store/sqlite-compile.ts'
import { openSqliteReader } from '../../engine/store/sqlite-reader.ts'
import { SCHEMA_VERSION, StoreVersionError } from '../../engine/store/sqlite-schema.ts'
import { SqliteThreads } from '../../engine/store/sqlite-threads.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { ListQuery } from '../../engine/store/store.ts'
import { KEYS } from './commit-loop.ts'
import { AFTER, BEFORE, readFrom, writtenTo } from './contract-steps.ts'
import { temporaryFile } from './harness.ts'
import {
  commitOf,
  failureOf,
  markOf,
  nextVersion,
  PERSON,
  rowsOf,
  SPECS,
  serveAll,
  stateOf,
  THING,
  walk,
} from './tables.ts'

const LOOP = fileURLToPath(new URL('./commit-loop.ts', import.meta.url))

let file: ReturnType<typeof temporaryFile>
beforeEach(() => {
  file = temporaryFile()
})
afterEach(() => file.remove())

test('answers are snapshots while another process commits', async () => {
  const child = spawn(process.execPath, [LOOP, file.path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'close')
  await once(child.stdout, 'data')
  child.stdout.resume()
  const reader = openSqliteReader(file.path, { specs: SPECS })
  const seen = new Set<number>()
  for (let i = 0; i < 150 || seen.size < 4; i++) {
    const { position, value } = await reader.list({ projection: 'thing', limit: KEYS.length })
    expect(value.rows.map(({ row }) => row.size)).toEqual(KEYS.map(() => position))
    seen.add(position)
  }
  const { position, value } = await reader.members(['k0', 'k299'])
  expect([...value.values()].map(({ profile }) => profile)).toEqual([`p${position}`, `p${position}`])
  expect(await reader.waitFor(position + 2, 5_000)).toBe(true)
  child.kill('SIGKILL')
  await exited
  await reader.close()
})

/** Kills the loop that many ms after its first commit; the last position that it said was committed. */
async function killedAfter(delayMs: number): Promise<number> {
  const child = spawn(process.execPath, [LOOP, file.path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'close')
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await once(child.stdout, 'data')
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  child.kill('SIGKILL')
  await exited
  return Number(said.split('\n').at(-2))
}

/** The file is sound, and its words' index is that of its content. */
function checkIndex(): void {
  const db = new DatabaseSync(file.path)
  expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
  // Compares the index with its content too.
  db.exec(
    `INSERT INTO "${THING.build}__search" ("${THING.build}__search", rank) VALUES ('integrity-check', 1)`,
  )
  db.close()
}

describe('a kill in the middle of a commit', () => {
  test.each([0, 3, 7, 12, 18, 25])(
    'after %i ms leaves one commit, whole, and none that was reported less',
    async (delayMs) => {
      const said = Math.max(await killedAfter(delayMs), await killedAfter(delayMs + 1))
      const writer = openSqliteWriter(file.path)
      const { position } = writer.checkpoint()
      expect(position).toBeGreaterThanOrEqual(said)
      expect(writer.membersOf(`p${position}`)).toHaveLength(KEYS.length + 1)
      expect(writer.due(PERSON.build, position).filter(({ due }) => due === position)).toHaveLength(
        KEYS.length,
      )
      for (const key of KEYS)
        expect(writer.state(PERSON.build, key)).toEqual(Uint8Array.of(position & 255, (position >> 8) & 255))
      const reader = openSqliteReader(file.path, { specs: SPECS })
      const rows = await walk(reader, {
        projection: 'thing',
        limit: 100,
        search: `label ${position}`,
      })
      expect(rows.map(({ row }) => row.size)).toEqual(KEYS.map(() => position))
      await reader.close()
      checkIndex()
      writer.close()
    },
  )
})

describe('a reopened file', () => {
  test('is the same store', async () => {
    const first = openSqliteWriter(file.path)
    serveAll(first)
    first.commit(
      commitOf({
        position: 8,
        received: 80,
        writes: [rowsOf(PERSON, { i1: { name: 'Ann' }, i3: { name: 'Bob' } }), stateOf(PERSON, 'i1', [1], 5)],
        members: new Map([['i2', 'i1']]),
        evidence: [{ id: 'e', identities: ['i1'], bytes: Uint8Array.of(3) }],
      }),
    )
    const wider = nextVersion(THING, { colour: 'text' })
    first.createBuild(wider)
    const builds = first.builds()
    const query: ListQuery = { projection: 'person', limit: 1, sort: [{ column: 'name', descending: true }] }
    const before = openSqliteReader(file.path, { specs: SPECS })
    const { value } = await before.list(query)
    await before.close()
    first.close()

    const second = openSqliteWriter(file.path)
    expect(second.builds()).toEqual(builds)
    expect(second.checkpoint()).toEqual({ position: 8, received: 80, mark: markOf(8) })
    expect(second.state(PERSON.build, 'i1')).toEqual(Uint8Array.of(1))
    expect(second.nextDue()).toBe(5)
    expect(second.membersOf('i1')).toEqual(['i1', 'i2'])
    expect(second.evidenceOf('i1')).toEqual([{ id: 'e', bytes: Uint8Array.of(3) }])
    const reader = openSqliteReader(file.path, { specs: SPECS })
    // A walk that began before goes on.
    expect(
      (await reader.list({ ...query, cursor: value.next })).value.rows.map(({ row }) => row.name),
    ).toEqual(['Ann'])
    second.commit(
      commitOf({
        builds: [wider.build],
        position: 8,
        writes: [rowsOf(wider, { a: { colour: 'red', label: 'found' } })],
      }),
    )
    second.serve(wider.build)
    expect((await reader.list({ projection: 'thing', search: 'found', limit: 1 })).value.rows).toHaveLength(1)
    await reader.close()
    second.close()
    const db = new DatabaseSync(file.path, { readOnly: true })
    expect(db.prepare('SELECT "key", colour FROM thing').all()).toEqual([{ key: 'a', colour: 'red' }])
    db.close()
  })

  test.each([
    ['given up', true],
    ['still under way as it was closed', false],
  ])('knows nothing of a commit in steps that was %s', async (_, isGivenUp) => {
    const first = openSqliteWriter(file.path)
    serveAll(first)
    first.commit(BEFORE)
    const before = writtenTo(first)
    const walking = first.commitInSteps(AFTER)
    // The end of the last step but one: all rows and states are written.
    for (let step = 0; step < 7; step++) expect(walking.next().done).toBe(false)
    expect(writtenTo(first)).not.toEqual(before)
    if (isGivenUp) walking.return()
    first.close()

    const second = openSqliteWriter(file.path)
    expect(writtenTo(second)).toEqual(before)
    const reader = openSqliteReader(file.path, { specs: SPECS })
    expect(await readFrom(reader)).toMatchObject({ position: BEFORE.position, found: 0, poison: [] })
    second.commit(AFTER)
    expect(await readFrom(reader)).toMatchObject({ position: AFTER.position, found: 2 })
    await reader.close()
    second.close()
  })

  test('has an index of its words alone after commits in steps that were given up', () => {
    const writer = openSqliteWriter(file.path)
    serveAll(writer)
    writer.commit(BEFORE)
    for (let steps = 1; steps < 8; steps++) {
      const walking = writer.commitInSteps(AFTER)
      for (let step = 0; step < steps; step++) expect(walking.next().done).toBe(false)
      walking.return()
    }
    writer.commit(AFTER)
    writer.close()
    checkIndex()
  })

  test('of a newer version is refused untouched', async () => {
    openSqliteWriter(file.path).close()
    const db = new DatabaseSync(file.path)
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`)
    db.close()
    const bytes = readFileSync(file.path)
    expect(() => openSqliteWriter(file.path)).toThrow(StoreVersionError)
    expect(readFileSync(file.path).equals(bytes)).toBe(true)
    const reader = openSqliteReader(file.path, { specs: SPECS })
    expect(await failureOf(reader.builds())).toBe('StoreUnavailable')
    await reader.close()
  })

  test('of another program is refused untouched', () => {
    const db = new DatabaseSync(file.path)
    db.exec('CREATE TABLE theirs (a)')
    db.close()
    const bytes = readFileSync(file.path)
    expect(() => openSqliteWriter(file.path)).toThrow('another program')
    expect(readFileSync(file.path).equals(bytes)).toBe(true)
  })

  test('that is no database is refused, by the reader too, untouched', async () => {
    writeFileSync(
      file.path,
      'not a database, but long enough to be taken for the header of one, or so we say here',
    )
    expect(() => openSqliteWriter(file.path)).toThrow()
    const reader = openSqliteReader(file.path, { specs: SPECS })
    expect(await failureOf(reader.list({ projection: 'thing', limit: 1 }))).toBe('StoreUnavailable')
    await reader.close()
  })
})

describe('a reader', () => {
  test('runs a job in one transaction, however long it takes', async () => {
    const writer = openSqliteWriter(file.path)
    serveAll(writer)
    const threads = new SqliteThreads(file.path, 1, 10)
    const slow =
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000) SELECT max(i) FROM n'
    const head = compileHead()
    await threads.run([head], undefined)
    const running = threads.run([head, { statements: [{ sql: slow, parameters: [] }] }, head], undefined)
    await new Promise((resolve) => setTimeout(resolve, 40))
    writer.commit(commitOf({ position: 2, received: 20 }))
    const result = await running
    assert(result.kind === 'rows')
    expect(result.rows[2]).toEqual(result.rows[0])
    expect(await threads.run([head], undefined)).toMatchObject({ rows: [[[2, 20]]] })
    await threads.close()
    writer.close()
  })

  test('may be there before the file', async () => {
    const reader = openSqliteReader(file.path, { specs: SPECS })
    expect(await failureOf(reader.list({ projection: 'thing', limit: 1 }))).toBe('StoreUnavailable')
    const writer = openSqliteWriter(file.path)
    serveAll(writer)
    expect(await failureOf(reader.list({ projection: 'thing', limit: 1 }))).toBe('answered')
    await reader.close()
    writer.close()
  })

  test('takes no more queries than it is allowed to', async () => {
    const writer = openSqliteWriter(file.path)
    serveAll(writer)
    const reader = openSqliteReader(file.path, { specs: SPECS, threads: 2, maxPending: 5 })
    await reader.builds()
    const fates = await Promise.all(Array.from({ length: 9 }, () => failureOf(reader.builds())))
    expect(fates.filter((fate) => fate === 'answered')).toHaveLength(5)
    expect(fates.filter((fate) => fate === 'Overloaded')).toHaveLength(4)
    expect(await failureOf(reader.builds())).toBe('answered')
    await reader.close()
    writer.close()
  })
})

test('pages come from indexes, without sorting or reading from the beginning', () => {
  const writer = openSqliteWriter(file.path)
  serveAll(writer)
  writer.close()
  const db = new DatabaseSync(file.path, { readOnly: true })
  const table = visibleTable(THING, newBuild(THING))
  const sorts: readonly NonNullable<ListQuery['sort']>[] = [
    [],
    [{ column: 'key', descending: true }],
    [{ column: 'label', descending: false }],
    [{ column: 'label', descending: true }],
    [
      { column: 'size', descending: true },
      { column: 'label', descending: true },
    ],
  ]
  for (const sort of sorts) {
    const { plan } = planList(table, { projection: 'thing', limit: 10, sort })
    for (const after of [
      undefined,
      plan.order.map(({ column }) => (column === 'size' ? 1 : 'x')),
      plan.order.map(({ nullable }) => (nullable ? null : 'x')),
    ])
      for (const { sql, parameters } of compileList({ ...plan, after }).statements) {
        const steps = db
          .prepare(`EXPLAIN QUERY PLAN ${sql}`)
          .all(...parameters)
          .map(({ detail }) => String(detail))
        expect([sql, steps.filter((step) => step.includes('TEMP B-TREE'))]).toEqual([sql, []])
        expect(steps.join()).toMatch(after === undefined ? /USING .*INDEX/ : /SEARCH .* USING .*INDEX/)
      }
  }
  db.close()
})
