/**
 * Theorem: SQLite's full-text index says what the rows say, whatever was committed or failed to be, and once purged the
 * files hold nothing of what was deleted, replaced or served before.
 */
import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import { temporaryFile } from './harness.ts'
import { commitOf, nextVersion, PERSON, rowsOf, serveAll, stateOf, THING } from './tables.ts'

let file: ReturnType<typeof temporaryFile>
beforeEach(() => {
  file = temporaryFile()
})
afterEach(() => file.remove())

test('the full-text index agrees with the rows after any commits, failed ones too', () => {
  const writer = openSqliteWriter(file.path)
  serveAll(writer)
  const db = new DatabaseSync(file.path)
  const index = `"${THING.build}__search"`
  const label = fc.constantFrom(null, '', 'anna smith', 'Anna Smith', 'annan', 'ab', '李小龙')
  const rows = fc.array(
    fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      rows: fc
        .dictionary(fc.constantFrom('', 'x', 'y'), fc.record({ label, size: fc.nat(2) }))
        .map((parts) => new Map(Object.entries(parts))),
    }),
    { maxLength: 5 },
  )
  fc.assert(
    fc.property(rows, fc.boolean(), (written, fails) => {
      const bad = rowsOf(THING, { z: { size: Number.NaN } })
      const write = { build: THING.build, states: [], rows: written }
      const commit = () => writer.commit(commitOf({ writes: fails ? [write, bad] : [write] }))
      if (fails) expect(commit).toThrow()
      else commit()
      // Throws if they differ: any other rank than 0 compares with the content.
      db.exec(`INSERT INTO ${index} (${index}, rank) VALUES ('integrity-check', 1)`)
    }),
    { numRuns: 150 },
  )
  db.close()
  writer.close()
})

/** What an erasure purges, written in every way in which it may have been there. */
test('what was deleted, or replaced, or served before, is nowhere in the files once purged', () => {
  const writer = openSqliteWriter(file.path)
  serveAll(writer)
  const person = (name: string | null) => rowsOf(PERSON, { i1: { name }, i2: { name: 'kept-forever' } })
  const state = stateOf(PERSON, 'i1', [...Buffer.from('xqzjvk-state')])
  writer.commit(commitOf({ writes: [person('xqzjvk-first'), state] }))
  writer.commit(commitOf({ writes: [person('xqzjvk-second'), stateOf(PERSON, 'i1', [0])] }))
  writer.commit(commitOf({ writes: [person(null), rowsOf(THING, { t: { label: 'xqzjvk-thing' } })] }))
  const wider = nextVersion(THING, {})
  writer.createBuild(wider)
  writer.serve(wider.build)
  const bytes = () => Buffer.concat([readFileSync(file.path), readFileSync(`${file.path}-wal`)])
  expect(bytes().includes('xqzjvk')).toBe(true)

  const old = new DatabaseSync(file.path, { readOnly: true })
  old.exec('BEGIN')
  old.prepare('SELECT * FROM person').all()
  writer.commit(commitOf({ position: 2, builds: [PERSON.build] }))
  expect(writer.purge()).toBe(false)
  old.close()
  expect(writer.purge()).toBe(true)
  expect(bytes().includes('kept-forever')).toBe(true)
  // The full-text index holds trigrams one by one, without the beginning that they share with their neighbours.
  for (const trace of ['xqzjvk', 'xqz', 'qzj', 'zjv', 'jvk'])
    expect([trace, bytes().includes(trace)]).toEqual([trace, false])
  writer.close()
})
