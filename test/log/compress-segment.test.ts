import { randomBytes } from 'node:crypto'
import { closeSync, cpSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compressSegment } from '../../engine/log/embedded/compress-segment.ts'
import { withCompressed } from '../../engine/log/embedded/compressed-files.ts'
import { systemFiles } from '../../engine/log/embedded/files.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { segmentName } from '../../engine/log/embedded/segment.ts'
import { contentOf, crashingFiles, filledLog, plainSegments } from './compress-support.ts'
import { anEvent, appends, positions } from './events.ts'
import { faultyFiles, noFaults } from './faulty-files.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: compressing a segment replaces it whole or leaves it: a crash after any operation leaves one readable copy
// that counts, calling again finishes the work, and whatever fails or isn't worthwhile leaves the directory as it was.

const SEGMENT_BYTES = 12 * 1024

let directory: TemporaryDirectory
beforeEach(() => {
  directory = temporaryDirectory()
})
afterEach(() => directory.remove())

const path = (name: string): string => join(directory.path, name)

/** A log of several segments. Answers the first one's first position. */
async function filled(): Promise<number> {
  await filledLog(directory.path, 60, SEGMENT_BYTES)
  return plainSegments(directory.path)[0] ?? 0
}

describe('a crash', () => {
  it('after any operation leaves a log of the same bytes, and calling again finishes', async () => {
    const first = await filled()
    const all = await positions(openEmbeddedReader(directory.path))
    const plain = readFileSync(path(segmentName(first)))
    const kept = temporaryDirectory()
    cpSync(directory.path, kept.path, { recursive: true })
    const states = new Set<string>()
    for (let after = 0; ; after++) {
      const work = temporaryDirectory()
      cpSync(kept.path, work.path, { recursive: true })
      const files = crashingFiles(after)
      const outcome = compressSegment(files, work.path, first)
      const names = readdirSync(work.path).filter((name) => name.startsWith(segmentName(first)))
      states.add(names.sort().join(' ').replaceAll(segmentName(first), 'S'))
      const file = withCompressed(systemFiles).openRead(join(work.path, segmentName(first)))
      const bytes = Buffer.alloc(plain.length + 1)
      expect(bytes.subarray(0, file.read(bytes, 0)).equals(plain)).toBe(true)
      file.close()
      const log = await opened(work.path, { files: unsyncedFiles })
      expect(await positions(log)).toEqual(all)
      await log.close()
      expect(['Compressed', 'AlreadyCompressed']).toContain(
        compressSegment(unsyncedFiles, work.path, first)._tag,
      )
      expect(readdirSync(work.path).filter((name) => name.startsWith(segmentName(first)))).toEqual([
        `${segmentName(first)}.zst`,
      ])
      work.remove()
      if (outcome._tag === 'Compressed') break
      // A segment whose header can't be read counts as damaged.
      expect(['Failed', 'Damaged']).toContain(outcome._tag)
      expect(after).toBeLessThan(200)
    }
    expect([...states].sort()).toEqual(['S', 'S S.zst', 'S S.zst.new', 'S.zst'])
    kept.remove()
  })
})

describe('nothing changes', () => {
  it.each([
    ['the disk is full', { roomBytes: 700 }, 'ENOSPC'],
    ['a sync fails', { failing: { call: 'sync', code: 'EIO' } }, 'EIO'],
    ['the copy can’t be made', { failing: { call: 'create', code: 'EACCES' } }, 'EACCES'],
  ] as const)('when %s', async (_, faults, code) => {
    const first = await filled()
    const before = contentOf(directory.path)
    const files = faultyFiles(unsyncedFiles, { ...noFaults(), ...faults })
    expect(compressSegment(files, directory.path, first)).toMatchObject({ _tag: 'Failed', code })
    expect(contentOf(directory.path)).toEqual(before)
  })

  it('when what was written doesn’t read back', async () => {
    const first = await filled()
    const before = contentOf(directory.path)
    const flipping = {
      ...unsyncedFiles,
      create: (name: string) => {
        const file = unsyncedFiles.create(name)
        const write = (bytes: Uint8Array, offset: number): number => {
          const changed = Buffer.from(bytes)
          if (offset === 0) changed.writeUInt8(changed.readUInt8(700) ^ 1, 700)
          return file.write(changed, offset)
        }
        return { ...file, write }
      },
    }
    expect(compressSegment(flipping, directory.path, first)._tag).toBe('Failed')
    expect(contentOf(directory.path)).toEqual(before)
  })

  it('for the last segment, which the log may still write to', async () => {
    await filled()
    const before = contentOf(directory.path)
    const last = plainSegments(directory.path).at(-1) ?? 0
    expect(compressSegment(unsyncedFiles, directory.path, last)).toEqual({ _tag: 'NotSealed' })
    expect(contentOf(directory.path)).toEqual(before)
  })

  it('for a damaged segment, which is reported with its place', async () => {
    const first = await filled()
    const name = path(segmentName(first))
    const whole = readFileSync(name)
    for (const at of [70, 3000, whole.length - 5]) {
      const bytes = Buffer.from(whole)
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
      writeFileSync(name, bytes)
      const before = contentOf(directory.path)
      const outcome = compressSegment(unsyncedFiles, directory.path, first)
      expect(outcome).toMatchObject({ _tag: 'Damaged', damage: { segment: segmentName(first) } })
      expect(contentOf(directory.path)).toEqual(before)
    }
  })

  it('when it would save less than a tenth', async () => {
    const log = await opened(directory.path, {
      segmentBytes: SEGMENT_BYTES,
      chunkBytes: 4096,
      files: unsyncedFiles,
    })
    for (let i = 0; i < 12; i++) {
      await log.append(appends(anEvent({ data: { bytes: new Uint8Array(randomBytes(4000)) } })))
    }
    await log.close()
    const [first = 0] = plainSegments(directory.path)
    const before = contentOf(directory.path)
    const outcome = compressSegment(unsyncedFiles, directory.path, first)
    if (outcome._tag !== 'NotWorthwhile') throw new Error(outcome._tag)
    expect(outcome.compressedBytes).toBeGreaterThan(outcome.plainBytes * 0.9)
    expect(contentOf(directory.path)).toEqual(before)
  })
})

describe('short writes and zeros at the end', () => {
  it('make no difference', async () => {
    const first = await filled()
    const plain = Buffer.concat([readFileSync(path(segmentName(first))), Buffer.alloc(600_000)])
    writeFileSync(path(segmentName(first)), plain)
    const files = faultyFiles(unsyncedFiles, { ...noFaults(), longestWriteBytes: 333 })
    expect(compressSegment(files, directory.path, first)).toMatchObject({ plainBytes: plain.length })
    const file = withCompressed(systemFiles).openRead(path(segmentName(first)))
    const bytes = Buffer.alloc(plain.length + 1)
    expect(bytes.subarray(0, file.read(bytes, 0)).equals(plain)).toBe(true)
    file.close()
  })
})

describe('a reader that has the plain file open', () => {
  it('goes on reading, and lets the removed file go when it next looks at the directory', async () => {
    const first = await filled()
    const files = withCompressed(systemFiles)
    const name = path(segmentName(first))
    const plain = readFileSync(name)
    const file = files.openRead(name)
    compressSegment(unsyncedFiles, directory.path, first)
    const bytes = Buffer.alloc(plain.length)
    expect(heldOpen(name)).toBe(process.platform === 'linux')
    for (let i = 0; i < 2; i++) {
      file.read(bytes.fill(0), 0)
      expect(bytes.equals(plain)).toBe(true)
      expect(files.list(directory.path)).toContain(segmentName(first))
      expect(heldOpen(name)).toBe(false)
    }
    file.close()
  })

  it('lets it go without being asked where it is the engine that writes the log', async () => {
    const log = await opened(directory.path, { segmentBytes: 16 * 1024, chunkBytes: 4096 })
    for (let i = 0; i < 15; i++)
      await log.append(
        appends(anEvent({ data: { text: `the ${i}th of some texts that repeat`.repeat(200) } })),
      )
    const all = await positions(log)
    await expect.poll(() => log.upkeepWaiting(), { timeout: 10_000 }).toBe(0)
    const compressed = readdirSync(directory.path).filter((name) => name.endsWith('.zst'))
    expect(compressed.length).toBeGreaterThan(2)
    for (const name of compressed) expect(heldOpen(path(name.slice(0, -4)))).toBe(false)
    expect(await positions(log)).toEqual(all)
    await log.close()
  })
})

/** Whether this process holds the removed file open. */
function heldOpen(name: string): boolean {
  if (process.platform !== 'linux') return false
  const probe = openSync('/proc/self/fd', 'r')
  try {
    return readdirSync('/proc/self/fd').some((fd) => linkOf(fd).startsWith(`${name} (deleted)`))
  } finally {
    closeSync(probe)
  }
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}
