import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openEngine } from '../../api/engine.ts'
import { OPERATIONS_FILE } from '../../api/erasure/operations-file.ts'
import { openAt, optionsAt } from '../erasure/support.ts'

// Theorem: an engine whose last part can't be opened answers why, and leaves nothing open of those before it: no thread, and
// no lock on the log, so that it opens at once when what was wrong is mended.

const TASKS = '/proc/self/task'

/** How many threads this process has. */
function threads(): number {
  return readdirSync(TASKS).length
}

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-start-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

it.skipIf(!existsSync(TASKS))('closes what it had opened', async () => {
  const { engine } = await openAt(directory)
  await engine.stop()
  const before = threads()
  const path = join(directory, OPERATIONS_FILE)
  rmSync(path)
  writeFileSync(path, Buffer.alloc(8192, 7))
  const failed = await openEngine(optionsAt(directory))
  expect(failed).toMatchObject({ _tag: 'Left', left: expect.stringContaining(OPERATIONS_FILE) })
  await expect.poll(threads, { timeout: 5_000 }).toBeLessThanOrEqual(before)
  rmSync(path)
  const mended = await openEngine(optionsAt(directory))
  expect(E.isRight(mended)).toBe(true)
  if (E.isRight(mended)) await mended.right.stop()
})
