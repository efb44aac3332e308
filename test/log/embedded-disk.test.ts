import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { readSegmentHeader } from '../../engine/log/embedded/segment.ts'
import { anEvent, appends, collect, positions, T0 } from './events.ts'
import { type Faults, faultyFiles, noFaults } from './faulty-files.ts'
import { opened, SMALL, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: what the disk refuses is never acknowledged and leaves nothing behind. A full disk fails what is under way,
// and appending works again when there is room, at the same positions; after a failed write or sync nothing is written
// any more. Reading goes on in both cases.

const KIB = 1024
const OPTIONS = { segmentBytes: 4096, chunkBytes: 512 }

let directory: TemporaryDirectory
let faults: Faults
let log: EmbeddedLog
beforeEach(async () => {
  directory = temporaryDirectory()
  faults = noFaults()
  log = await opened(directory.path, { ...OPTIONS, files: faultyFiles(unsyncedFiles, faults) })
})
afterEach(async () => {
  await log.close()
  directory.remove()
})

async function tags(results: ReturnType<EmbeddedLog['append']>): Promise<string[]> {
  return (await results).map((result) => (E.isLeft(result) ? result.left._tag : 'appended'))
}

const one = () => log.append(appends(anEvent()))

/** So large that each gets a block of its own. */
const large = () => anEvent({ data: { text: 'x'.repeat(1000 * KIB) } })

async function reopened(): Promise<EmbeddedLog> {
  await log.close()
  log = await opened(directory.path, { ...OPTIONS, files: unsyncedFiles })
  return log
}

describe('a full disk', () => {
  it.each([0, 1, 100, 511, 512, 600])('with room for %i bytes more: fails, then goes on', async (room) => {
    while (log.head().position < 5) await one()
    faults.roomBytes = room
    const results: string[] = []
    while (!results.includes('DiskFull')) results.push(...(await tags(one())))
    const { position } = log.head()
    expect(position).toBe(5 + results.filter((tag) => tag === 'appended').length)
    expect(await positions(log)).toHaveLength(position)
    expect(log.streamHead('deal-1')).toEqual({ position, revision: position - 1 })
    expect(await tags(one())).toEqual(['DiskFull'])

    faults.roomBytes = 100 * KIB
    for (let i = 0; i < 30; i++) expect(await tags(one())).toEqual(['appended'])
    const revisions = (await collect(log.read())).map((event) => event.revision)
    expect(revisions).toEqual(Array.from({ length: position + 30 }, (_, i) => i))
    const again = await reopened()
    expect(again.tornTail).toBeUndefined()
    expect(await positions(again)).toHaveLength(position + 30)
  })

  it('fails everything under way, and takes its places back', async () => {
    await one()
    faults.roomBytes = 2500 * KIB
    const under = Array.from({ length: 4 }, () => log.append(appends(large(), anEvent({ stream: 'b-1' }))))
    expect(log.streamHead('b-1')).toEqual({ position: 9, revision: 3 })
    expect(log.pendingBytes()).toBeGreaterThan(4000 * KIB)
    const results = (await Promise.all(under.map(tags))).flat()
    const kept = results.indexOf('DiskFull')
    expect(kept).toBeGreaterThan(0)
    expect(results.slice(kept)).toEqual(results.slice(kept).map(() => 'DiskFull'))
    expect(log.head().position).toBe(1 + kept)
    expect(log.pendingBytes()).toBe(0)
    faults.roomBytes = Number.POSITIVE_INFINITY
    expect((await one())[0]).toMatchObject({ right: { position: kept + 2 } })
    expect(await positions(await reopened())).toHaveLength(kept + 2)
  })

  it('in the middle of an atomic batch: none of it', async () => {
    await one()
    faults.roomBytes = 2000 * KIB
    const batch = log.append(appends(large(), large(), large()), { atomic: true })
    expect(await tags(batch)).toEqual(['DiskFull', 'DiskFull', 'DiskFull'])
    faults.roomBytes = Number.POSITIVE_INFINITY
    await one()
    expect(await positions(await reopened())).toEqual([1, 2])
  })

  it.each(['create', 'rename', 'write'] as const)('when a segment begins (%s)', async (call) => {
    await log.append(appends(large()))
    faults.failing = { call, code: 'ENOSPC' }
    expect(await tags(one())).toEqual(['DiskFull'])
    faults.failing = undefined
    expect(await tags(one())).toEqual(['appended'])
    expect(readdirSync(directory.path).filter((name) => name.endsWith('.new'))).toEqual([])
    expect(await positions(await reopened())).toEqual([1, 2])
  })
})

describe('a full disk when a segment begins', () => {
  it("leaves nothing of the events that failed in the next segment's header", async () => {
    await log.append(appends(large()))
    // Enough for a header, not for the block.
    faults.roomBytes = OPTIONS.chunkBytes
    const failed = { received: T0 + 50, data: { text: 'x'.repeat(KIB) } }
    expect(await tags(log.append(appends(anEvent(failed))))).toEqual(['DiskFull'])
    faults.roomBytes = Number.POSITIVE_INFINITY
    expect(await tags(log.append(appends(anEvent({ received: T0 + 3 }))))).toEqual(['appended'])
    const bytes = readFileSync(join(directory.path, '00000000000000000002.hwl'))
    expect(readSegmentHeader(bytes).created).toBe(T0 + 3)
    expect(await positions(await reopened())).toEqual([1, 2])
  })
})

describe('a failed write or sync', () => {
  it.each(['write', 'sync'] as const)('stops the writer for good: %s', async (call) => {
    await one()
    faults.failing = { call, code: 'EIO' }
    const under = [log.append(appends(large())), log.append(appends(large())), one()]
    expect((await Promise.all(under.map(tags))).flat()).toEqual(under.map(() => 'WriterStopped'))
    faults.failing = undefined
    expect((await one())[0]).toMatchObject({ left: { _tag: 'WriterStopped', cause: /EIO/ } })
    expect(log.head().position).toBe(1)
    expect(await positions(log)).toEqual([1])
    expect(log.streamHead('deal-1')).toEqual({ position: 1, revision: 0 })
    const all = await positions(await reopened())
    expect(all[0]).toBe(1)
    expect(await tags(one())).toEqual(['appended'])
  })

  it('also when the disk fails on the writing thread', async () => {
    const scratch = temporaryDirectory()
    const threaded = await opened(scratch.path, SMALL)
    await threaded.append(appends(anEvent()))
    rmSync(scratch.path, { recursive: true })
    const results: string[] = []
    // The open segment can still be written; the next can't be created.
    while (!results.includes('WriterStopped') && results.length < 500) {
      const batch = threaded.append(appends(anEvent({ data: { text: 'x'.repeat(1000) } })))
      results.push(...(await tags(batch)))
    }
    expect(results.at(-1)).toBe('WriterStopped')
    expect(await tags(threaded.append(appends(anEvent())))).toEqual(['WriterStopped'])
    await threaded.close()
  })
})

describe('short writes', () => {
  it.each([1, 7, 100])('of at most %i bytes are continued', async (longest) => {
    faults.longestWriteBytes = longest
    for (let i = 0; i < 10; i++) expect(await tags(one())).toEqual(['appended'])
    expect(await positions(await reopened())).toHaveLength(10)
  })
})
