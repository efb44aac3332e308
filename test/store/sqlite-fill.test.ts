/**
 * Theorem: a build that is being filled has no indexes to keep up, and none that serves or has a checkpoint is ever without
 * one, whatever was cut off before.
 */
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import { temporaryFile } from './harness.ts'
import { commitOf, rowsOf, THING } from './tables.ts'

let file: ReturnType<typeof temporaryFile>
let writer: StoreWriter
beforeEach(() => {
  file = temporaryFile()
  writer = openSqliteWriter(file.path)
  writer.createBuild(THING)
})
afterEach(() => {
  writer.close()
  file.remove()
})

test('made where the checkpoint moves', () => {
  expect(indexes()).toBe(3)
  fill('a')
  fill('b')
  expect(indexes()).toBe(0)
  writer.commit(commitOf({ builds: [THING.build], position: 3 }))
  expect(indexes()).toBe(3)
})

test('made where it comes to serve', () => {
  fill('a')
  writer.serve(THING.build)
  expect(indexes()).toBe(3)
})

test('made where a process that ended left it without', () => {
  fill('a')
  writer.close()
  writer = openSqliteWriter(file.path)
  expect(indexes()).toBe(0)
  writer.commit(commitOf({ builds: [THING.build], position: 3 }))
  expect(indexes()).toBe(3)
})

test('a filling commit that fails leaves them as they were, and so does one that is given up', () => {
  const bad = { ...rowsOf(THING, { a: { size: 0.5 } }), areNew: true }
  expect(() => writer.commit(commitOf({ builds: [], writes: [bad] }))).toThrow()
  expect(indexes()).toBe(3)
  fill('a')
  const finishing = writer.commitInSteps(commitOf({ builds: [THING.build], position: 3 }))
  finishing.next()
  finishing.next()
  finishing.return()
  expect(indexes()).toBe(0)
  writer.commit(commitOf({ builds: [THING.build], position: 3 }))
  expect(indexes()).toBe(3)
})

function fill(key: string): void {
  const write = { ...rowsOf(THING, { [key]: { label: key, size: 1 } }), areNew: true }
  writer.commit(commitOf({ builds: [], position: 0, writes: [write] }))
}

/** Those that the table asks for. */
function indexes(): number {
  const db = new DatabaseSync(file.path, { readOnly: true })
  const found = db.prepare(
    "SELECT count(*) AS n FROM sqlite_schema WHERE name LIKE 'thing%\\_\\_index\\_%' ESCAPE '\\'",
  )
  const n = Number(found.get()?.['n'])
  db.close()
  return n
}
