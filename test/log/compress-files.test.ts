import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compressSegment } from '../../engine/log/embedded/compress-segment.ts'
import { withCompressed } from '../../engine/log/embedded/compressed-files.ts'
import { type LogFile, systemFiles, UnreadableBytes } from '../../engine/log/embedded/files.ts'
import { FrameCache } from '../../engine/log/embedded/frame-cache.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { CHECKSUM_FLAG, FRAME_TARGET_BYTES, SEEKABLE_MAGIC } from '../../engine/log/embedded/seekable-zstd.ts'
import { openSeekable } from '../../engine/log/embedded/seekable-zstd-reader.ts'
import { segmentName } from '../../engine/log/embedded/segment.ts'
import { LogDamaged, type LogReader } from '../../engine/log/log.ts'
import { filledLog, plainSegments } from './compress-support.ts'
import { collect, positions } from './events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: a compressed segment is a standard zstd file of exactly the plain bytes, and reads as the plain file does,
// byte for byte, or not at all: damage is an error with its place, never wrong bytes, zeros or an early end.

const ZSTD = spawnSync('zstd', ['--version']).status === 0
const SEVERAL_FRAMES = 1024 * 1024
const ONE_FRAME = 12 * 1024

let directory: TemporaryDirectory
beforeEach(() => {
  directory = temporaryDirectory()
})
afterEach(() => directory.remove())

const path = (name: string): string => join(directory.path, name)
const compressedPath = (first: number): string => path(`${segmentName(first)}.zst`)

/** Compresses the log's first segment. Answers its first position and what its plain file held. */
async function compressed(commits: number, segmentBytes: number): Promise<{ first: number; plain: Buffer }> {
  await filledLog(directory.path, commits, segmentBytes)
  const [first = 0] = plainSegments(directory.path)
  const plain = readFileSync(path(segmentName(first)))
  const outcome = compressSegment(unsyncedFiles, directory.path, first)
  expect(outcome).toMatchObject({ _tag: 'Compressed', plainBytes: plain.length })
  expect(plainSegments(directory.path)).not.toContain(first)
  return { first, plain }
}

function openPlainly(first: number): LogFile {
  return withCompressed(systemFiles).openRead(path(segmentName(first)))
}

function readAt(file: LogFile, offset: number, length: number): Buffer | 'unreadable' {
  const into = Buffer.alloc(length, 0xee)
  try {
    return into.subarray(0, file.read(into, offset))
  } catch (error) {
    if (error instanceof UnreadableBytes) return 'unreadable'
    throw error
  }
}

async function damageIn(reading: Promise<unknown>): Promise<LogDamaged> {
  const error = await reading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof LogDamaged) return error
  throw new Error(`no damage: ${error}`)
}

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined

/** Positions that can be read one by one, and those that fail as damaged. */
async function readable(
  reader: LogReader,
  places: readonly number[],
): Promise<{ good: number[]; bad: number[] }> {
  const found = { good: [] as number[], bad: [] as number[] }
  for (const position of places) {
    try {
      const event = await reader.at(position)
      if (event?.position !== position) throw new Error(`position ${position} vanished`)
      found.good.push(position)
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error
      found.bad.push(position)
    }
  }
  return found
}

const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, i) => i + 1)

describe('a compressed segment', () => {
  it.skipIf(!ZSTD)('is restored exactly by the zstd tool', async () => {
    const { first, plain } = await compressed(800, SEVERAL_FRAMES)
    execFileSync('zstd', ['-t', '-q', compressedPath(first)])
    const restored = execFileSync('zstd', ['-d', '-c', '-q', compressedPath(first)], { maxBuffer: 2 ** 26 })
    expect(restored.equals(plain)).toBe(true)
  })

  it('is restored exactly by Node, and ends in the table of the seekable format', async () => {
    const { first, plain } = await compressed(800, SEVERAL_FRAMES)
    const bytes = readFileSync(compressedPath(first))
    const footer = bytes.subarray(-9)
    const entries = footer.readUInt32LE(0)
    expect(footer.readUInt8(4)).toBe(CHECKSUM_FLAG)
    expect(footer.readUInt32LE(5)).toBe(SEEKABLE_MAGIC)
    const table = bytes.subarray(-9 - entries * 12, -9)
    expect(bytes.readUInt32LE(bytes.length - table.length - 17)).toBe(0x184d2a5e)
    expect(bytes.readUInt32LE(bytes.length - table.length - 13)).toBe(table.length + 9)
    const frames: Buffer[] = []
    let offset = 0
    for (let i = 0; i < entries; i++) {
      const [compressedBytes, plainBytes] = [table.readUInt32LE(i * 12), table.readUInt32LE(i * 12 + 4)]
      const frame = bytes.subarray(offset, offset + compressedBytes)
      if (plainBytes > 0) frames.push(zstdDecompressSync(frame))
      expect(plainBytes === 0 || frames.at(-1)?.length === plainBytes).toBe(true)
      offset += compressedBytes
    }
    expect(frames.length).toBeGreaterThan(2)
    expect(frames.length).toBe(entries - 1)
    expect(frames.every((frame) => frame.length <= FRAME_TARGET_BYTES)).toBe(true)
    // Frames end where blocks do.
    expect(frames.slice(1).every((frame) => frame.subarray(1, 6).toString('latin1').endsWith('HWB1'))).toBe(
      true,
    )
    expect(Buffer.concat(frames).equals(plain)).toBe(true)
  })

  it('answers every read as the plain file would', async () => {
    const { first, plain } = await compressed(800, SEVERAL_FRAMES)
    const file = openPlainly(first)
    expect(file.sizeBytes()).toBe(plain.length)
    const offset = fc.integer({ min: 0, max: plain.length + 100 })
    const length = fc.oneof(fc.nat(600), fc.nat(plain.length + 1000))
    fc.assert(
      fc.property(offset, length, (from, count) => {
        const read = readAt(file, from, count)
        return read !== 'unreadable' && read.equals(plain.subarray(from, from + count))
      }),
      { numRuns: 300 },
    )
    file.close()
  })

  it('answers the same while its frames come and go in a cache of few', async () => {
    const { first, plain } = await compressed(800, SEVERAL_FRAMES)
    const open = (): LogFile => systemFiles.openRead(compressedPath(first))
    const whole = openSeekable(open(), new FrameCache())
    expect(plain.length).toBeGreaterThan(12 * FRAME_TARGET_BYTES)
    // Of few frames, and of one that is larger than it should hold.
    const caches = [new FrameCache(3 * FRAME_TARGET_BYTES), new FrameCache(1)]
    const files = caches.flatMap((cache) => [openSeekable(open(), cache), openSeekable(open(), cache)])
    const step = fc.tuple(
      fc.nat(3),
      fc.nat(plain.length),
      fc.integer({ min: 1, max: 2 * FRAME_TARGET_BYTES }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) =>
        steps.every(([at, from, count]) => {
          const read = readAt(files[at] ?? whole, from, count)
          return read !== 'unreadable' && read.equals(plain.subarray(from, from + count))
        }),
      ),
      { numRuns: 50 },
    )
    for (const file of [whole, ...files]) file.close()
  })

  it('keeps what shares memory with small frames', async () => {
    const { first, plain } = await compressed(60, ONE_FRAME)
    const cache = new FrameCache(1)
    const files = Array.from({ length: 20 }, () =>
      openSeekable(systemFiles.openRead(compressedPath(first)), cache),
    )
    const beside = files.map((file, i) => {
      const mine = Buffer.allocUnsafe(50).fill(i + 1)
      expect(readAt(file, 0, plain.length)).toEqual(plain)
      return mine
    })
    for (const [i, bytes] of beside.entries()) expect([...bytes]).toEqual(Array(50).fill(i + 1))
    for (const file of files) file.close()
  })

  it('is part of the log: for readers, for the writer, forwards, backwards, by stream and after opening again', async () => {
    await filledLog(directory.path, 120, ONE_FRAME)
    const before = openEmbeddedReader(directory.path)
    const all = await collect(before.read())
    const stream = all.filter((event) => event.stream === 's-2')
    const sealed = plainSegments(directory.path).slice(0, -1)
    expect(sealed.length).toBeGreaterThan(3)
    const log = await opened(directory.path, {
      segmentBytes: ONE_FRAME,
      chunkBytes: 4096,
      files: unsyncedFiles,
    })
    for (const first of sealed) compressSegment(unsyncedFiles, directory.path, first)
    expect(plainSegments(directory.path)).toHaveLength(1)
    expect(await collect(before.read())).toEqual(all)
    expect(await collect(log.read())).toEqual(all)
    await log.close()
    const again = await opened(directory.path, {
      segmentBytes: ONE_FRAME,
      chunkBytes: 4096,
      files: unsyncedFiles,
    })
    for (const reader of [openEmbeddedReader(directory.path), again]) {
      expect(await collect(reader.read())).toEqual(all)
      expect(await collect(reader.readBackwards())).toEqual(all.toReversed())
    }
    expect(await collect(again.readStream('s-2'))).toEqual(stream)
    await again.close()
  })
})

describe('damage to a compressed segment', () => {
  it('never gives wrong bytes: every bit-flipped byte is an error or harmless', async () => {
    const { first, plain } = await compressed(40, ONE_FRAME)
    const bytes = readFileSync(compressedPath(first))
    expect(bytes.length).toBeLessThan(6000)
    let errors = 0
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at)
      writeFileSync(compressedPath(first), flipped)
      const file = openPlainly(first)
      const read = readAt(file, 0, plain.length + 1)
      if (read === 'unreadable') errors++
      else if (!read.equals(plain)) throw new Error(`wrong bytes after a flip at ${at}`)
      file.close()
    }
    // What closes the file isn't needed to restore it.
    expect(errors).toBeGreaterThan(bytes.length - 120)
    expect(errors).toBeLessThan(bytes.length)
  })

  it('in the table costs nothing, even where its sums are right: the frames are found without it', async () => {
    const { first, plain } = await compressed(800, SEVERAL_FRAMES)
    const bytes = readFileSync(compressedPath(first))
    const table = bytes.length - 9 - bytes.readUInt32LE(bytes.length - 9) * 12
    bytes.writeUInt32LE(bytes.readUInt32LE(table + 4) - 1, table + 4)
    bytes.writeUInt32LE(bytes.readUInt32LE(table + 16) + 1, table + 16)
    writeFileSync(compressedPath(first), bytes)
    const file = openPlainly(first)
    const read = readAt(file, 0, plain.length + 1)
    expect(read !== 'unreadable' && read.equals(plain)).toBe(true)
    file.close()
  })

  it('in one frame costs exactly the positions in it, wherever reading begins', async () => {
    const { first } = await compressed(800, SEVERAL_FRAMES)
    const whole = openEmbeddedReader(directory.path)
    const head = whole.head().position
    const bytes = readFileSync(compressedPath(first))
    const entries = bytes.readUInt32LE(bytes.length - 9)
    const start = bytes.readUInt32LE(bytes.length - 9 - entries * 12)
    bytes.writeUInt8(bytes.readUInt8(start + 200) ^ 4, start + 200)
    writeFileSync(compressedPath(first), bytes)
    const reader = openEmbeddedReader(directory.path)
    const damage = await damageIn(positions(reader))
    expect(damage.segment).toBe(segmentName(first))
    const { fromPosition: from, untilPosition: until = 0 } = damage
    expect(until - from).toBeGreaterThan(5)
    // Where time is short, the ends of the damage and some others.
    const ends = new Set([from - 1, from, until - 1, until])
    const places = upTo(head).filter((position) => LONG || ends.has(position) || position % 11 === 0)
    const { good, bad } = await readable(reader, places)
    expect(bad).toEqual(places.filter((position) => position >= from && position < until))
    expect(good.length).toBeGreaterThan(bad.length)
    expect(damage.message).toContain(`the frame at byte ${start} of its compressed file is damaged`)
    expect(await positions(reader, { from: until })).toEqual(upTo(head).slice(until - 1))
  })

  it('at the end of the file, cut at any byte, leaves what precedes it, and is reported', async () => {
    const { first, plain } = await compressed(800, SEVERAL_FRAMES)
    const bytes = readFileSync(compressedPath(first))
    const cuts = [
      1,
      8,
      9,
      20,
      60,
      100,
      bytes.length >> 2,
      bytes.length >> 1,
      bytes.length - 100,
      bytes.length,
    ]
    for (const cut of cuts) {
      writeFileSync(compressedPath(first), bytes.subarray(0, bytes.length - cut))
      const file = openPlainly(first)
      const sizeBytes = file.sizeBytes()
      const read = readAt(file, 0, sizeBytes)
      expect(read !== 'unreadable' && read.equals(plain.subarray(0, sizeBytes))).toBe(true)
      if (sizeBytes < plain.length) {
        expect(readAt(file, sizeBytes, 1)).toBe('unreadable')
        const damage = await damageIn(positions(openEmbeddedReader(directory.path)))
        expect(damage.segment).toBe(segmentName(first))
      }
      file.close()
    }
    writeFileSync(compressedPath(first), bytes.subarray(0, bytes.length >> 1))
    const { good, bad } = await readable(openEmbeddedReader(directory.path), upTo(500))
    expect(good.length).toBeGreaterThan(100)
    expect(bad).toEqual(Array.from({ length: 500 - good.length }, (_, i) => good.length + 1 + i))
  })

  it('of the last segment is never taken for a torn tail: nothing is cut', async () => {
    const { first } = await compressed(40, ONE_FRAME)
    for (const name of readdirSync(directory.path)) {
      if (name !== `${segmentName(first)}.zst`) rmSync(path(name), { recursive: true })
    }
    const bytes = readFileSync(compressedPath(first))
    writeFileSync(compressedPath(first), bytes.subarray(0, -300))
    await expect(opened(directory.path, { files: unsyncedFiles })).rejects.toThrow(/Damaged/)
    expect(readFileSync(compressedPath(first)).length).toBe(bytes.length - 300)
    expect(plainSegments(directory.path)).toEqual([])
  })
})

describe('a directory with both copies', () => {
  it('shows the segment once and reads the plain one', async () => {
    const { first, plain } = await compressed(60, ONE_FRAME)
    writeFileSync(path(segmentName(first)), plain)
    writeFileSync(compressedPath(first), 'nonsense')
    const names = withCompressed(systemFiles).list(directory.path)
    expect(names.filter((name) => name.startsWith(segmentName(first)))).toEqual([segmentName(first)])
    expect(await positions(openEmbeddedReader(directory.path), { limit: 3 })).toEqual([1, 2, 3])
  })

  it('loses the one that is too many when the segment is compressed again, whatever it holds', async () => {
    const { first, plain } = await compressed(60, ONE_FRAME)
    const copy = readFileSync(compressedPath(first))
    for (const stale of [copy, Buffer.from('nonsense'), copy.subarray(0, 500)]) {
      writeFileSync(path(segmentName(first)), plain)
      writeFileSync(compressedPath(first), stale)
      expect(compressSegment(unsyncedFiles, directory.path, first)._tag).toBe('Compressed')
      expect(plainSegments(directory.path)).not.toContain(first)
      expect(readFileSync(compressedPath(first)).equals(copy)).toBe(true)
    }
    expect(compressSegment(unsyncedFiles, directory.path, first)).toEqual({ _tag: 'AlreadyCompressed' })
  })
})

describe('opening', () => {
  it('for writing restores the plain file', async () => {
    const { first, plain } = await compressed(60, ONE_FRAME)
    const files = withCompressed(unsyncedFiles)
    const file = files.openWrite(path(segmentName(first)))
    expect(readFileSync(path(segmentName(first))).equals(plain)).toBe(true)
    file.close()
    expect(() => files.openWrite(path(segmentName(first + 1)))).toThrow(/ENOENT/)
  })

  it('goes on where the log ended when only the compressed segment is left, and appends there', async () => {
    const { first } = await compressed(60, ONE_FRAME)
    for (const name of readdirSync(directory.path)) {
      if (name !== `${segmentName(first)}.zst`) rmSync(path(name), { recursive: true })
    }
    const log = await opened(directory.path, { files: unsyncedFiles })
    const before = await positions(log)
    expect(before.at(-1)).toBe(log.head().position)
    await log.close()
  })

  it('finds a whole log where an unfinished copy is left, and removes it', async () => {
    await filledLog(directory.path, 60, ONE_FRAME)
    const [first = 0] = plainSegments(directory.path)
    copyFileSync(path(segmentName(first)), path(`${segmentName(first)}.zst.new`))
    const log = await opened(directory.path, { files: unsyncedFiles })
    expect((await positions(log)).length).toBe(log.head().position)
    await log.close()
    expect(readdirSync(directory.path).filter((name) => name.endsWith('.new'))).toEqual([])
  })
})
