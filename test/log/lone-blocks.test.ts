import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { anEvent, appends, collect } from './events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: reads of streams that go on at the same time share the memory of the blocks they read, and each answers as if
// it were alone; and none keeps the thread for longer than a few dozen blocks take.

const STREAMS = 3
const COMMITS = 180
/** Of one stream in each commit: the batches of a read end within blocks. */
const EVENTS = 11

let directory: TemporaryDirectory
beforeEach(() => {
  directory = temporaryDirectory()
})
afterEach(() => directory.remove())

const plain = (event: RecordedEvent): string => JSON.stringify(event)

it('streams read in turn are those read one after the other', async () => {
  const log = await opened(directory.path, {
    segmentBytes: 64 * 1024,
    chunkBytes: 16 * 1024,
    files: unsyncedFiles,
  })
  for (let i = 0; i < COMMITS; i++) {
    // Blocks of different sizes: what one leaves behind in memory isn't what the next puts there.
    const data = { text: `text ${i} `.repeat(i % 17) }
    const events = Array.from({ length: EVENTS }, (_, n) =>
      anEvent({ id: `${i}-${n}`, stream: `s-${i % STREAMS}`, data: { ...data, n } }),
    )
    await log.append(appends(...events))
  }
  const names = Array.from({ length: STREAMS }, (_, s) => `s-${s}`)
  const alone: string[][] = []
  for (const name of names) alone.push((await collect(log.readStream(name))).map(plain))
  const reads = names.map((name) => log.readStream(name)[Symbol.asyncIterator]())
  const inTurn: string[][] = names.map(() => [])
  for (let left = STREAMS; left > 0; ) {
    const steps = await Promise.all(reads.map((read) => read.next()))
    left = steps.filter(({ done }) => done !== true).length
    for (const [s, { done, value }] of steps.entries())
      if (done !== true) inTurn[s]?.push(...value.map(plain))
  }
  expect(alone.map(({ length }) => length)).toEqual(names.map(() => (COMMITS * EVENTS) / STREAMS))
  expect(inTurn).toEqual(alone)
  await log.close()
})

it('a batch is read from a few dozen blocks, and holds more events where they lie together', async () => {
  const log = await opened(directory.path, { files: unsyncedFiles })
  const blocks = 100
  for (let i = 0; i < blocks; i++) await log.append(appends(anEvent({ id: `a${i}`, stream: 'apart' })))
  const together = Array.from({ length: blocks }, (_, i) => anEvent({ id: `b${i}`, stream: 'together' }))
  await log.append(appends(...together))
  const sizes = async (stream: string): Promise<readonly number[]> => {
    const found: number[] = []
    for await (const batch of log.readStream(stream)) found.push(batch.length)
    return found
  }
  expect(await sizes('apart')).toEqual([32, 32, 32, 4])
  expect(await sizes('together')).toEqual([blocks])
  await log.close()
})
