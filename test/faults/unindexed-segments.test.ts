import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { opened, unsyncedFiles } from '../log/support.ts'
import { History, numberedEvent } from './history.ts'

// Theorem: a log as the release before left it, with larger sealed segments, none of them compressed, and no index, opens and
// answers as before; then every sealed segment has its index and is compressed, and it goes on in segments of today's
// size, which have theirs.

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-before-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const names = (suffix: string): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(suffix))

async function append(
  history: History,
  log: Awaited<ReturnType<typeof opened>>,
  from: number,
  count: number,
) {
  for (let n = from; n < from + count; n += 5) {
    const events = Array.from({ length: 5 }, (_, i) =>
      numberedEvent(n + i, { stream: n % 4, identity: i, sizeBytes: 100 }),
    )
    await history.append(
      log,
      events.map((event) => ({ event })),
      false,
    )
  }
}

it('opens, is indexed and compressed, and goes on', async () => {
  const history = new History()
  const before = await opened(directory, {
    ...{ segmentBytes: 64 * 1024, chunkBytes: 16 * 1024, files: unsyncedFiles, compression: 'off' },
  })
  await append(history, before, 0, 1500)
  await before.close()
  rmSync(join(directory, 'index'), { recursive: true })
  const sealed = names('.hwl').length - 1
  expect(sealed).toBeGreaterThan(3)

  const notices: string[] = []
  const options = {
    segmentBytes: 16 * 1024,
    chunkBytes: 4096,
    onNotice: (text: string) => notices.push(text),
  }
  const log = await opened(directory, options)
  await history.check(log)
  await expect.poll(() => log.upkeepWaiting(), { timeout: 20_000 }).toBe(0)
  expect(names('.hwi')).toHaveLength(sealed)
  expect(names('.hwl.zst')).toHaveLength(sealed)
  await history.check(log)
  await append(history, log, 1500, 500)
  await expect.poll(() => log.upkeepWaiting(), { timeout: 20_000 }).toBe(0)
  expect(names('.hwl.zst').length).toBeGreaterThan(sealed + 2)
  expect(names('.hwi')).toHaveLength(names('.hwl.zst').length)
  await history.check(log)
  await log.close()
  const again = await opened(directory, options)
  await history.check(again)
  await again.close()
  expect(notices).toEqual([])
}, 60_000)
