/**
 * Theorem: a read-model file that can't be used says so by type when it is opened, and then makes room for a new one,
 * which readers notice; a disk that is full costs a commit nothing but time.
 */
import { copyFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isDiskFull } from '../../engine/store/disk-full.ts'
import { isDamaged, removeSqliteStore, StoreUnusable } from '../../engine/store/sqlite-failure.ts'
import { openSqliteReader } from '../../engine/store/sqlite-reader.ts'
import { SCHEMA_VERSION } from '../../engine/store/sqlite-schema.ts'
import { openSqliteWriter, sqliteWriterOf } from '../../engine/store/sqlite-writer.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import { temporaryFile } from './harness.ts'
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

let file: ReturnType<typeof temporaryFile>
beforeEach(() => {
  file = temporaryFile()
})
afterEach(() => file.remove())

function rows(count: number, label: string) {
  return rowsOf(THING, Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, { label }])))
}

function filled(): StoreWriter {
  const writer = openSqliteWriter(file.path)
  serveAll(writer)
  writer.commit(commitOf({ position: 5, writes: [rows(200, 'x'.repeat(100)), stateOf(PERSON, 'i1', [1])] }))
  return writer
}

function changed(sql: string): void {
  const db = new DatabaseSync(file.path)
  db.exec(sql)
  db.close()
}

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** Overwrites the root page of a table. */
function spoil(table: string): void {
  const db = new DatabaseSync(file.path)
  const found = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)
  const size = Number(db.prepare('PRAGMA page_size').get()?.page_size)
  db.close()
  const page = Number(found?.rootpage)
  overwrite((page - 1) * size, page * size)
}

function overwrite(from: number, to: number): void {
  const bytes = readFileSync(file.path)
  writeFileSync(file.path, bytes.fill(0xa5, from, to))
}

describe('opening a file that is damaged', () => {
  const damages: readonly (readonly [string, () => void])[] = [
    ['is no database', () => writeFileSync(file.path, 'x'.repeat(10_000))],
    ['is all zeros', () => writeFileSync(file.path, new Uint8Array(readFileSync(file.path).length))],
    ['was cut short', () => truncateSync(file.path, readFileSync(file.path).length - 8192)],
    ['was cut inside of its header', () => truncateSync(file.path, 50)],
    ['has a broken page of builds', () => spoil('builds')],
    ['has a broken page of meta', () => spoil('meta')],
    ['has a broken page of a build', () => spoil(THING.build)],
    ['has a broken schema', () => overwrite(100, 4096)],
    ['lost its row of meta', () => changed('DELETE FROM meta')],
    ['lost a table of the store', () => changed('DROP TABLE member')],
    ['lost a table of a build', () => changed(`DROP TABLE "${PERSON.build}__state"`)],
    ['lost a search index', () => changed(`DROP TABLE "${THING.build}__search"`)],
    ['has a description that is no JSON', () => changed("UPDATE builds SET shape = '{'")],
    ['has a description of nothing', () => changed("UPDATE builds SET shape = 'null'")],
  ]
  test.each(damages)('one that %s', (_, damage) => {
    filled().close()
    damage()
    const error = thrownBy(() => openSqliteWriter(file.path))
    expect(error).toBeInstanceOf(StoreUnusable)
    expect(error).toMatchObject({ reason: 'damaged' })
    expect([isDamaged(error), isDiskFull(error)]).toEqual([true, false])
    removeSqliteStore(file.path)
    const writer = openSqliteWriter(file.path)
    expect(writer.checkpoint()).toEqual({ position: 0, received: 0, mark: '' })
    serveAll(writer)
    writer.close()
  })

  test('what opening misses is told by the call that meets it', () => {
    filled().close()
    spoil(`${PERSON.build}__due`)
    const writer = openSqliteWriter(file.path)
    expect(isDamaged(thrownBy(() => writer.nextDue()))).toBe(true)
    expect(isDamaged(thrownBy(() => writer.state('nope__v1_0', 'k')))).toBe(false)
    writer.close()
  })
})

test('a file of an older version is refused untouched, and readers see none', async () => {
  filled().close()
  changed(`PRAGMA user_version = ${SCHEMA_VERSION - 1}`)
  const bytes = readFileSync(file.path)
  const error = thrownBy(() => openSqliteWriter(file.path))
  expect(error).toBeInstanceOf(StoreUnusable)
  expect(error).toMatchObject({ reason: 'older' })
  expect(isDamaged(error)).toBe(false)
  expect(readFileSync(file.path).equals(bytes)).toBe(true)
  const reader = openSqliteReader(file.path, { specs: SPECS })
  expect(await failureOf(reader.builds())).toBe('StoreUnavailable')
  await reader.close()
})

test('what SQLite keeps beside a file goes with it', () => {
  const writer = filled()
  const beside = ['-journal', '-wal', '-shm'].map((suffix) => file.path + suffix)
  const copies = temporaryFile()
  for (const path of [file.path, ...beside.slice(1)]) copyFileSync(path, path.replace(file.path, copies.path))
  writeFileSync(`${copies.path}-journal`, 'x')
  writer.close()
  removeSqliteStore(copies.path)
  for (const suffix of ['', '-journal', '-wal', '-shm']) expect(existsSync(copies.path + suffix)).toBe(false)
  removeSqliteStore(copies.path)
  copies.remove()
})

test('readers go over to the file that took the place of another', async () => {
  const reader = openSqliteReader(file.path, { specs: SPECS, threads: 2 })
  const first = filled()
  await Promise.all(Array.from({ length: 4 }, () => reader.list({ projection: 'thing', limit: 1 })))
  first.close()
  removeSqliteStore(file.path)
  expect(await failureOf(reader.list({ projection: 'thing', limit: 1 }))).toBe('StoreUnavailable')
  // As many switches as the file before, to builds that it never had.
  const second = openSqliteWriter(file.path)
  const newer = nextVersion(THING, {})
  for (const spec of [newer, PERSON, DAILY]) {
    second.createBuild(spec)
    second.serve(spec.build)
  }
  second.commit(commitOf({ builds: [newer.build, PERSON.build, DAILY.build], position: 2 }))
  const answers = Array.from({ length: 4 }, () => reader.list({ projection: 'thing', limit: 1 }))
  for (const { position, value } of await Promise.all(answers))
    expect([position, value.rows]).toEqual([2, []])
  await reader.close()
  second.close()
  const third = openSqliteWriter(file.path)
  expect(third.checkpoint().position).toBe(2)
  third.close()
})

test('a commit that finds no room changes nothing and may be made again', async () => {
  const db = new DatabaseSync(file.path)
  const writer = sqliteWriterOf(db)
  serveAll(writer)
  const small = commitOf({ position: 1, writes: [rows(1, 'before')] })
  writer.commit(small)
  const pages = Number(db.prepare('PRAGMA page_count').get()?.page_count)
  db.exec(`PRAGMA max_page_count = ${pages}`)
  const large = commitOf({
    position: 2,
    writes: [rows(3_000, 'after '.repeat(20)), stateOf(PERSON, 'i1', [1], 7)],
    members: new Map([['i2', 'i1']]),
  })
  for (let attempt = 0; attempt < 3; attempt++) {
    const error = thrownBy(() => writer.commit(large))
    expect([isDiskFull(error), isDamaged(error)]).toEqual([true, false])
    expect(isDiskFull(thrownBy(() => writer.createBuild(nextVersion(THING, {}))))).toBe(true)
    expect(writer.checkpoint()).toEqual({ position: 1, received: 1_000, mark: markOf(1) })
    expect(writer.builds()).toHaveLength(SPECS.length)
    expect(writer.nextDue()).toBeUndefined()
    expect(writer.profileOf('i2')).toBeUndefined()
  }
  // What needs no room goes on.
  writer.commit(small)
  db.exec('PRAGMA max_page_count = 1000000')
  writer.commit(large)
  writer.createBuild(nextVersion(THING, {}))
  expect(writer.checkpoint()).toEqual({ position: 2, received: 1_000, mark: markOf(2) })
  const reader = openSqliteReader(file.path, { specs: SPECS })
  const search = async (word: string) =>
    (await reader.list({ projection: 'thing', search: word, limit: 5 })).value.rows.length
  expect([await search('before'), await search('after')]).toEqual([0, 5])
  await reader.close()
  db.exec(
    `INSERT INTO "${THING.build}__search" ("${THING.build}__search", rank) VALUES ('integrity-check', 1)`,
  )
  writer.close()
})

test.each([
  ['a full disk, from a file', { code: 'ENOSPC' }, true],
  ['a quota, from a file', { code: 'EDQUOT' }, true],
  ['a full disk', { code: 'ERR_SQLITE_ERROR', errcode: 13 }, true],
  ['no room for the WAL index', { code: 'ERR_SQLITE_ERROR', errcode: 4874 }, true],
  ['another failure of the disk', { code: 'ERR_SQLITE_ERROR', errcode: 778 }, false],
  ['a code that is no number', { code: 'ERR_SQLITE_ERROR', errcode: '13' }, false],
  ['a number of somebody else', { code: 'ERR_OTHER', errcode: 13 }, false],
])('%s', (_, properties, expected) => {
  expect(isDiskFull(Object.assign(new Error('x'), properties))).toBe(expected)
  expect(isDiskFull(properties)).toBe(false)
})
