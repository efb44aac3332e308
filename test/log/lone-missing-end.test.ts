import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { compressSegment } from '../../engine/log/embedded/compress-segment.ts'
import { withCompressed } from '../../engine/log/embedded/compressed-files.ts'
import { systemFiles } from '../../engine/log/embedded/files.ts'
import { LoneBlock } from '../../engine/log/embedded/lone-block.ts'
import { segmentName } from '../../engine/log/embedded/segment.ts'
import { SegmentList } from '../../engine/log/embedded/segment-list.ts'
import type { BlockPlace } from '../../engine/log/embedded/segment-reader.ts'
import { LogDamaged } from '../../engine/log/log.ts'
import { plainSegments } from './compress-support.ts'
import { anEvent, appends, T0 } from './events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: of a compressed segment whose end is missing within its last block, single events are whole as far as the file
// goes, and behind it damage: what another block left in the memory that is used again is never taken for them.

const EVENTS = 400

let directory: TemporaryDirectory
beforeEach(() => {
  directory = temporaryDirectory()
})
afterEach(() => directory.remove())

const list = (): SegmentList => new SegmentList(withCompressed(systemFiles), directory.path)

/** A sealed segment, plain: blocks of many frames, of which the last two are equally long. Answers its first position. */
async function fill(): Promise<number> {
  const files = unsyncedFiles
  const log = await opened(directory.path, {
    segmentBytes: 150_000,
    chunkBytes: 4096,
    files,
    compression: 'off',
  })
  for (let b = 0; b < 4; b++) {
    const events = Array.from({ length: EVENTS }, (_, i) => {
      const data = { text: `${b} ${i + 1000} `.repeat(12) }
      return anEvent({ id: `event ${b * EVENTS + i + 1000}`, received: T0, data })
    })
    await log.append(appends(...events))
  }
  await log.close()
  return plainSegments(directory.path)[0] ?? 0
}

/** Every event of a block, in JSON, and where it is; the block before it. */
function lastBlock() {
  const segments = list()
  const { segment } = segments.reach(1, segments.limit(0))
  const at = segment.blockCount - 1
  const [before, place] = [segment.place(at - 1), segment.place(at)]
  if (before === undefined || place === undefined) throw new Error('no two blocks')
  const block = segment.block(at)
  const events = Array.from({ length: block.count }, (_, i) => JSON.stringify(block.event(i)))
  segments.close()
  return { before, place, events }
}

/** Cut off at the frame that holds this byte of the plain file. */
function cutOff(path: string, offset: number): void {
  const bytes = readFileSync(path)
  let entry = bytes.length - 9 - bytes.readUInt32LE(bytes.length - 9) * 12
  let [start, plainStart] = [0, 0]
  while (plainStart + bytes.readUInt32LE(entry + 4) <= offset) {
    start += bytes.readUInt32LE(entry)
    plainStart += bytes.readUInt32LE(entry + 4)
    entry += 12
  }
  writeFileSync(path, bytes.subarray(0, start))
}

/** The last block's events up to the first that is damaged, each read into memory that holds the block before. */
function soundOnes(plain: Buffer, { offset, sizeBytes, last }: BlockPlace, whole: boolean): string[] {
  const segments = list()
  const { segment } = segments.reach(last + 1, segments.limit(0))
  const parts = segment.file.parts?.()
  if (parts === undefined) throw new Error('not compressed')
  const memory = Buffer.from(plain.subarray(offset, offset + sizeBytes))
  const sound: string[] = []
  try {
    const block = new LoneBlock(segment, segment.blockCount - 1, parts, memory, whole)
    for (let i = 0; i < EVENTS; i++) sound.push(JSON.stringify(block.event(i)))
  } catch (error) {
    if (!(error instanceof LogDamaged)) throw error
  }
  segments.close()
  return sound
}

it.each([
  ['part by part', false],
  ['at once', true],
])('a block is read %s', async (_, whole) => {
  const first = await fill()
  const path = join(directory.path, segmentName(first))
  const plain = readFileSync(path)
  const { before, place, events } = lastBlock()
  expect(before.sizeBytes).toBe(place.sizeBytes)
  expect(compressSegment(unsyncedFiles, directory.path, first)._tag).toBe('Compressed')
  cutOff(`${path}.zst`, place.offset + (place.sizeBytes * 3) / 4)
  const sound = soundOnes(plain, before, whole)
  expect(sound).toEqual(events.slice(0, sound.length))
  expect(sound.length).toBeLessThan(whole ? 1 : EVENTS)
  if (!whole) expect(sound.length).toBeGreaterThan(EVENTS / 4)
})
