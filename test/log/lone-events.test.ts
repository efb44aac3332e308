import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { compressSegment } from '../../engine/log/embedded/compress-segment.ts'
import { withCompressed } from '../../engine/log/embedded/compressed-files.ts'
import { systemFiles } from '../../engine/log/embedded/files.ts'
import { readPositions } from '../../engine/log/embedded/log-reading.ts'
import { SeekableWriter } from '../../engine/log/embedded/seekable-zstd.ts'
import { segmentName } from '../../engine/log/embedded/segment.ts'
import { SegmentList } from '../../engine/log/embedded/segment-list.ts'
import { keepsContexts } from '../../engine/log/embedded/zstd-codec.ts'
import { LogDamaged } from '../../engine/log/log.ts'
import { plainSegments } from './compress-support.ts'
import { anEvent, appends, identityId, T0 } from './events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: a single event read from a compressed segment, of whatever frames, is the event of the plain one; and with any
// byte of the file damaged it is still that event, or `LogDamaged` around its position: never another one, never part of it.

const EVENTS = 400
const BLOCKS = 4
const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined

let directory: TemporaryDirectory
let first = 0
let plain: Buffer = Buffer.alloc(0)
let truth: readonly string[] = []

/** Blocks of many frames each, with every column; then some of an event each, several to a frame. */
async function fill(): Promise<void> {
  const log = await opened(directory.path, {
    segmentBytes: 512 * 1024,
    chunkBytes: 4096,
    files: unsyncedFiles,
    compression: 'off',
  })
  for (let b = 0; b < BLOCKS; b++) {
    await log.append(appends(...Array.from({ length: EVENTS }, (_, i) => eventOf(b * EVENTS + i))))
  }
  for (let i = 0; i < 40; i++) await log.append(appends(eventOf(BLOCKS * EVENTS + i)))
  // Another segment follows, so that the first one is sealed.
  for (let i = 0; i < 3; i++) {
    await log.append(
      appends(anEvent({ id: `last ${i}`, received: T0 + 9e6, data: { text: 'x'.repeat(200_000) } })),
    )
  }
  await log.close()
}

function eventOf(i: number) {
  const some = i % 3 === 0
  return anEvent({
    id: `event-${i}-${identityId(i)}`,
    stream: `a stream of a long name ${i % 90}`,
    received: T0 + i,
    type: i % 7 === 0 ? 'Order Completed' : 'Product Viewed',
    identities: Array.from({ length: i % 4 }, (_, n) => ({
      id: identityId(i * 5 + n),
      namespace: n === 0 ? 'user' : 'email',
    })),
    causation: some ? `caused by ${i}` : undefined,
    correlation: i % 2 === 0 ? `beside ${i}` : undefined,
    sequence: i % 5 === 0 ? i : undefined,
    data: some ? { text: `text ${i} `.repeat(i % 20), n: i } : { url: `/page/${i}` },
  })
}

beforeEach(async () => {
  directory = temporaryDirectory()
  await fill()
  first = plainSegments(directory.path)[0] ?? 0
  plain = readFileSync(join(directory.path, segmentName(first)))
  truth = (await read(everyOther(1))).map(plainly)
  expect(truth.length).toBeGreaterThan(BLOCKS * EVENTS)
})
afterEach(() => directory.remove())

const plainly = (event: RecordedEvent): string => JSON.stringify(event)
const compressedPath = (): string => join(directory.path, `${segmentName(first)}.zst`)

/** Positions of the segment, so many apart: neighbours at least, each in another block at most. */
function everyOther(step: number): number[] {
  return Array.from({ length: Math.ceil((BLOCKS * EVENTS + 40) / step) }, (_, i) => 1 + i * step)
}

function list(): SegmentList {
  return new SegmentList(withCompressed(systemFiles), directory.path)
}

async function read(positions: readonly number[], segments = list()): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  try {
    for await (const batch of readPositions(segments, positions, segments.limit(0))) events.push(...batch)
  } finally {
    segments.close()
  }
  return events
}

/** Each alone, and in an order in which no two that follow each other are of one block. */
async function agree(positions: readonly number[]): Promise<void> {
  for (const asked of [positions, positions.toReversed()]) {
    expect((await read(asked)).map(plainly)).toEqual(asked.map((position) => truth[position - 1]))
  }
}

describe('single events of a compressed segment', () => {
  it('are those of the plain one, however many of a block are asked for', async () => {
    expect(compressSegment(unsyncedFiles, directory.path, first)._tag).toBe('Compressed')
    for (const step of [1, 3, 50, 203, EVENTS + 1]) await agree(everyOther(step))
    const jumping = everyOther(7).sort((a, b) => (a % EVENTS) - (b % EVENTS) || a - b)
    await agree(jumping)
  })

  it.each([
    ['of whole blocks, as earlier releases wrote them', 10_000_000],
    ['of 64 KiB that cross blocks', 65_536],
    ['of a few bytes', 97],
  ])('and where its frames are %s', async (_, sizeBytes) => {
    rewritten(sizeBytes)
    for (const step of [1, 50, 203]) await agree(everyOther(step))
  })

  it('are restored by a decompressor that is kept: Node has what it takes', () => {
    expect(keepsContexts()).toBe(true)
  })
})

/** The compressed file again, of frames so large, in the plain one's place. */
function rewritten(sizeBytes: number): void {
  compressSegment(unsyncedFiles, directory.path, first)
  const file = systemFiles.create(compressedPath())
  const writer = new SeekableWriter(file, 1)
  for (let at = 0; at < plain.length; at += sizeBytes) writer.add(plain.subarray(at, at + sizeBytes))
  writer.finish()
  file.close()
}

describe('with a byte damaged, anywhere', () => {
  it('a single event is whole, or a typed error names its place', async () => {
    compressSegment(unsyncedFiles, directory.path, first)
    const bytes = readFileSync(compressedPath())
    const places = damagedPlaces(bytes)
    const asked = everyOther(151)
    let [whole, damaged] = [0, 0]
    for (const at of places) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at)
      writeFileSync(compressedPath(), flipped)
      const segments = list()
      for (const position of asked) {
        const event = await found(position, segments)
        if (event instanceof LogDamaged) {
          expect(event.segment).toBe(segmentName(first))
          expect(event.fromPosition <= position && position < (event.untilPosition ?? Infinity)).toBe(true)
          damaged++
        } else {
          expect(event).toBe(truth[position - 1])
          whole++
        }
      }
      segments.close()
    }
    // A damaged frame costs those whose bytes are in it, and no others.
    expect(damaged).toBeGreaterThan(places.length / 4)
    expect(whole).toBeGreaterThan(damaged)
  }, 60_000)

  it('what failed is read again when it is asked for again', async () => {
    compressSegment(unsyncedFiles, directory.path, first)
    // With an index the blocks behind would be read to tell where the damage ends, and with them others' bytes be fetched.
    rmSync(join(directory.path, 'index'), { recursive: true, force: true })
    const bytes = readFileSync(compressedPath())
    const segments = list()
    const damaged = Buffer.from(bytes)
    damaged.writeUInt8(damaged.readUInt8(bytes.length >> 2) ^ 1, bytes.length >> 2)
    writeFileSync(compressedPath(), damaged)
    const failed: number[] = []
    for (const position of everyOther(1)) {
      if ((await found(position, segments)) instanceof LogDamaged) failed.push(position)
    }
    // Of a block of many frames, some events.
    expect(failed.length).toBeGreaterThan(0)
    expect(failed.length).toBeLessThan(EVENTS)
    const [position = 0] = failed
    expect(await found(position, segments)).toBeInstanceOf(LogDamaged)
    writeFileSync(compressedPath(), bytes)
    expect(await found(position, segments)).toBe(truth[position - 1])
    segments.close()
  })

  it('a copy of another block in a block’s place is not taken for it', async () => {
    const segments = list()
    const segment = segments.at(0)
    if (segment === undefined) throw new Error('no segment')
    segment.extend(Number.POSITIVE_INFINITY)
    const places = Array.from({ length: segment.blockCount }, (_, i) => segment.place(i)).filter(
      (place) => place !== undefined,
    )
    const pairs = places.flatMap((one) => places.map((other) => [one, other] as const))
    const pair = pairs.find(([one, other]) => one !== other && one.sizeBytes === other.sizeBytes)
    segments.close()
    const [one, other] = pair ?? []
    if (one === undefined || other === undefined) throw new Error('no two blocks are equally long')
    plain.copy(plain, other.offset, one.offset, one.offset + one.sizeBytes)
    rewritten(4096)
    const damaged = list()
    // As the index tells, for which a segment isn't walked through.
    damaged.at(0)?.useBlocks({
      offsets: Float64Array.from(places, ({ offset }) => offset),
      firsts: Float64Array.from(places, (place) => place.first),
      counts: Uint32Array.from(places, (place) => place.last - place.first + 1),
      sizes: Uint32Array.from(places, ({ sizeBytes }) => sizeBytes),
    })
    const error = await found(other.first, damaged)
    if (!(error instanceof LogDamaged)) throw new Error(`no damage: ${error}`)
    expect(error.message).toContain('another block')
    expect(await found(one.first, damaged)).toBe(truth[one.first - 1])
    damaged.close()
  })
})

async function found(position: number, segments: SegmentList): Promise<string | LogDamaged | undefined> {
  try {
    for await (const [event] of readPositions(segments, [position], segments.limit(0))) {
      return event === undefined ? undefined : plainly(event)
    }
    return undefined
  } catch (error) {
    if (error instanceof LogDamaged) return error
    throw error
  }
}

/** Some of each kind: frames' headers, contents, checksums, and all of what closes the file. */
function damagedPlaces(bytes: Buffer): number[] {
  const entries = bytes.readUInt32LE(bytes.length - 9)
  const table = bytes.length - 9 - entries * 12
  const places: number[] = []
  let start = 0
  for (let i = 0; i < entries; i++) {
    const sizeBytes = bytes.readUInt32LE(table + i * 12)
    const header = [0, 4, 5, 6, 8, 9]
    const inside = [11, 20, sizeBytes >> 1, sizeBytes - 5]
    const checksum = [sizeBytes - 4, sizeBytes - 1]
    const all = [...header, ...inside, ...checksum].filter((at) => at < sizeBytes)
    places.push(...all.filter((_, n) => LONG || (n + i) % 8 === 0).map((at) => start + at))
    start += sizeBytes
  }
  for (let at = table - 8; at < bytes.length; at += LONG ? 1 : 37) places.push(at)
  return places
}
