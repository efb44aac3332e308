/**
 * Theorem: who commits leaves the WAL to another thread, and it begins anew again and again all the same; nothing of what was
 * committed is lost by it, purging leaves no WAL behind, and a thread that can't do it is none that commits depend on.
 */
import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Checkpoints, startCheckpoints } from '../../engine/store/sqlite-checkpoints.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import { temporaryFile } from './harness.ts'
import { commitOf, PERSON, serveAll, stateOf } from './tables.ts'

const PAGE_BYTES = 4_096
/** Written by each commit. */
const PAGES = 100
const FROM_PAGES = 350

let file: ReturnType<typeof temporaryFile>
let checkpoints: Checkpoints
let writer: StoreWriter
beforeEach(() => {
  file = temporaryFile()
  checkpoints = startCheckpoints(file.path, FROM_PAGES)
  writer = openSqliteWriter(file.path, checkpoints)
  serveAll(writer)
})
afterEach(async () => {
  writer.close()
  await checkpoints.close()
  file.remove()
})

const walPages = () => statSync(`${file.path}-wal`).size / PAGE_BYTES

function commit(position: number): void {
  const bytes = [...randomBytes(PAGES * PAGE_BYTES)]
  writer.commit(commitOf({ position, received: position, writes: [stateOf(PERSON, 'one', bytes)] }))
}

/** Everything in the WAL is in the file too. */
async function copied(): Promise<void> {
  const db = new DatabaseSync(file.path)
  const pages = db.prepare('PRAGMA wal_checkpoint(NOOP)')
  const isCopied = () => {
    const found = pages.get()
    return found?.log === found?.checkpointed
  }
  for (let waited = 0; waited < 500 && !isCopied(); waited++) await sleep(10)
  expect(isCopied()).toBe(true)
  db.close()
}

test('the WAL begins anew, and what was committed stays', async () => {
  for (let position = 1; position <= 20; position++) {
    commit(position)
    // From the fourth on there is enough in the WAL for others to do.
    if (position % 4 === 0) await copied()
  }
  // Twenty commits need 2,000 pages, without a new beginning.
  expect(walPages()).toBeLessThan(800)
  writer.close()
  writer = openSqliteWriter(file.path, checkpoints)
  expect(writer.checkpoint().position).toBe(20)
  expect(writer.state(PERSON.build, 'one')?.length).toBe(PAGES * PAGE_BYTES)
})

test('purging empties it', async () => {
  for (let position = 1; position <= 5; position++) commit(position)
  let isPurged = writer.purge()
  for (let tries = 0; tries < 50 && !isPurged; tries++) {
    await sleep(20)
    isPurged = writer.purge()
  }
  expect(isPurged).toBe(true)
  expect(walPages()).toBe(0)
})

test('without that thread commits go on', async () => {
  for (let position = 1; position <= 5; position++) commit(position)
  await checkpoints.close()
  for (let position = 6; position <= 9; position++) commit(position)
  expect(writer.checkpoint().position).toBe(9)
})
