import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { commitInline } from '../../engine/log/embedded/commit-side.ts'
import type { EmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import { createHeadSignal } from '../../engine/log/embedded/head-signal.ts'
import { indexKeys } from '../../engine/log/embedded/index/index-keys.ts'
import { openLogIndex } from '../../engine/log/embedded/index/open-log-index.ts'
import { SegmentList } from '../../engine/log/embedded/segment-list.ts'
import type { UpkeepOrder, UpkeepReport } from '../../engine/log/embedded/upkeep.ts'
import { UpkeepQueue } from '../../engine/log/embedded/upkeep-queue.ts'
import { upkeepThread } from '../../engine/log/embedded/upkeep-side.ts'
import { Writer } from '../../engine/log/embedded/writer.ts'
import { IndexUnavailable } from '../../engine/log/log.ts'
import { anEvent, appends, collect, identityId } from './events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: whatever becomes of the upkeep of sealed segments (its thread dies, the disk is full for it alone, a merged run
// of keys rots while it serves), the log takes events and answers exactly, or, of ids that only the damaged page could
// tell, says that it can't for now; what failed is tried again, ever less often; and what waits in memory is bounded.

let directory: TemporaryDirectory
beforeEach(() => {
  directory = temporaryDirectory()
})
afterEach(() => {
  vi.useRealTimers()
  directory.remove()
})

/** Those of the first events end in segments that are sealed for long. */
const streamOf = (n: number): string => (n < 100 ? `early-${n % 5}` : `deal-${n % 7}`)
const event = (n: number) =>
  anEvent({
    id: `id-${n}`,
    stream: streamOf(n),
    identities: [{ namespace: 'user', id: identityId((n % 5) + 1) }],
  })

async function fill(log: EmbeddedLog, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n += 10) {
    const batch = Array.from({ length: 10 }, (_, i) => event(n + i))
    for (const result of await log.append(appends(...batch))) expect(result._tag).toBe('Right')
  }
}

/** Of the `count` events that were filled in; ids that can't be told for now are counted. */
async function agrees(log: EmbeddedLog, count: number): Promise<number> {
  const untold = knowsIds(log, count)
  const streams = new Map<string, number[]>()
  for (let n = 0; n < count; n++) streams.set(streamOf(n), [...(streams.get(streamOf(n)) ?? []), n + 1])
  for (const [stream, own] of streams) {
    expect(log.streamHead(stream)).toEqual({ position: own.at(-1), revision: own.length - 1 })
    expect((await collect(log.readStream(stream))).map(({ position }) => position)).toEqual(own)
  }
  return untold
}

function knowsIds(log: EmbeddedLog, count: number): number {
  let untold = 0
  for (let n = 0; n < count; n++) {
    try {
      expect(log.idCandidates('crm', `id-${n}`)).toContain(n + 1)
    } catch (error) {
      if (!(error instanceof IndexUnavailable)) throw error
      untold++
    }
  }
  return untold
}

const indexFiles = (): string[] => readdirSync(join(directory.path, 'index'))
const compressed = (): string[] => readdirSync(directory.path).filter((name) => name.endsWith('.zst'))

describe('a merged run of keys that rots while it serves', () => {
  it('is made anew in the background; meanwhile answers are exact, or not given', async () => {
    const options = { segmentBytes: 4096, chunkBytes: 1024 }
    const log = await opened(directory.path, { ...options, files: unsyncedFiles })
    await fill(log, 0, 400)
    await log.close()
    const notices: string[] = []
    const threaded = await opened(directory.path, { ...options, onNotice: (text) => notices.push(text) })
    await expect.poll(() => threaded.upkeepWaiting(), { timeout: 10_000 }).toBe(0)
    const merged = indexFiles()
      .filter((name) => name.endsWith('.hwk'))
      .map((name) => join(directory.path, 'index', name))
    for (const path of merged) writeFileSync(path, readFileSync(path).fill(0xff, 4096))
    expect(knowsIds(threaded, 400)).toBeGreaterThan(0)
    // Not even the streams' heads are in those files any more.
    expect(await agrees(threaded, 400)).toBeGreaterThan(0)
    while (threaded.upkeepWaiting() > 0) {
      knowsIds(threaded, 400)
      await setImmediate()
    }
    await fill(threaded, 400, 20)
    await expect.poll(() => threaded.upkeepWaiting(), { timeout: 10_000 }).toBe(0)
    expect(await agrees(threaded, 420)).toBe(0)
    expect(notices.join('\n')).toMatch(
      /is damaged \(page \d+\): it is made anew from the log, in the background/,
    )
    await threaded.close()
    const again = await opened(directory.path, { ...options, files: unsyncedFiles })
    expect(await agrees(again, 420)).toBe(0)
    await again.close()
  })
})

describe('a disk that is full for the upkeep alone', () => {
  it.each([
    ['index files', (path: string) => path.includes('/index/'), () => indexFiles().length > 3],
    ['compressed copies', (path: string) => path.includes('.zst'), () => compressed().length > 3],
  ] as const)(
    '%s: events are taken meanwhile, and they are written once there is room',
    async (_, of, there) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      let full = false
      const files: Files = {
        ...unsyncedFiles,
        create: (path) => {
          if (full && of(path)) throw Object.assign(new Error('ENOSPC: made for a test'), { code: 'ENOSPC' })
          return unsyncedFiles.create(path)
        },
      }
      const notices: string[] = []
      const log = await opened(directory.path, {
        ...{ segmentBytes: 4096, chunkBytes: 1024, files, compression: 'zstd' },
        onNotice: (text) => notices.push(text),
      })
      full = true
      await fill(log, 0, 400)
      expect(await agrees(log, 400)).toBe(0)
      expect(log.upkeepWaiting()).toBeGreaterThan(3)
      vi.advanceTimersByTime(300_000)
      expect(there()).toBe(false)
      expect(notices).toHaveLength(1)
      full = false
      vi.advanceTimersByTime(60_000)
      expect(log.upkeepWaiting()).toBe(0)
      expect(there()).toBe(true)
      expect(await agrees(log, 400)).toBe(0)
      await log.close()
      expect(vi.getTimerCount()).toBe(0)
    },
  )
})

/** A queue whose orders nobody carries out but the test. */
function manualQueue() {
  const orders: UpkeepOrder[] = []
  const told: boolean[] = []
  const hurried: boolean[] = []
  let report: (report: UpkeepReport) => void = () => {}
  const segments = new SegmentList(unsyncedFiles, directory.path)
  const { index, set } = openLogIndex(unsyncedFiles, directory.path, segments, {
    memoryBytes: 1024,
    onNotice: () => {},
  })
  const queue = new UpkeepQueue({
    ...{ index, set, compress: false, onNotice: () => {} },
    start: (onReport) => {
      report = onReport
      return { send: (order) => orders.push(order), hurry: (on) => hurried.push(on), close: async () => {} }
    },
    onBehind: (behind) => told.push(behind),
    onCompressed: () => {},
  })
  const fail = (again: boolean): void => {
    const order = orders.at(-1)
    if (order !== undefined) report({ kind: 'failed', order, cause: 'for a test', again })
  }
  return { queue, orders, told, hurried, fail }
}

describe('the queue', () => {
  it('what fails is sent again after 1, 2, 4 … 60 s, unless the log is damaged there', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { queue, orders, fail } = manualQueue()
    queue.sealed({ first: 1, last: 9 })
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      const sent = orders.length
      fail(true)
      vi.advanceTimersByTime(seconds * 1000 - 1)
      expect(orders).toHaveLength(sent)
      vi.advanceTimersByTime(1)
      expect(orders).toHaveLength(sent + 1)
      expect(orders.at(-1)).toEqual({ kind: 'index', first: 1, last: 9, anew: false })
    }
    fail(false)
    vi.advanceTimersByTime(120_000)
    expect(orders).toHaveLength(9)
    expect(queue.waiting).toBe(0)
  })

  it('more than 2 waiting segments make it urgent, more than 8 hold appends back, unless it fails', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { queue, told, hurried, fail } = manualQueue()
    for (let n = 0; n < 3; n++) queue.sealed({ first: n * 10 + 1, last: n * 10 + 10 })
    expect(hurried.at(-1)).toBe(false)
    for (let n = 3; n < 9; n++) queue.sealed({ first: n * 10 + 1, last: n * 10 + 10 })
    expect(hurried.at(-1)).toBe(true)
    expect(told).toEqual([])
    queue.sealed({ first: 91, last: 100 })
    expect(told).toEqual([true])
    fail(true)
    expect(told).toEqual([true, false])
    expect(queue.waiting).toBe(10)
  })
})

it('a writer that is held back keeps what is appended until it is let go, or closed', async () => {
  const { index } = openLogIndex(
    unsyncedFiles,
    directory.path,
    new SegmentList(unsyncedFiles, directory.path),
    {
      memoryBytes: 1024,
      onNotice: () => {},
    },
  )
  const writing = { directory: directory.path, workspace: 'default', segmentBytes: 4096, chunkBytes: 1024 }
  const writer = new Writer(
    { position: 0, received: 0 },
    index,
    { onSegment: () => false, onDurable: () => {} },
    (reports) => commitInline(unsyncedFiles, writing, undefined, createHeadSignal(), reports),
  )
  const settled: number[] = []
  const append = (n: number) => writer.append(appends(event(n)), false).then(() => settled.push(n))
  writer.hold(true)
  const first = append(0)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(settled).toEqual([])
  expect(writer.pendingBytes).toBeGreaterThan(100)
  writer.hold(false)
  await first
  writer.hold(true)
  const second = append(1)
  await writer.close()
  await second
  expect(settled).toEqual([0, 1])
})

it('a thread that dies fails what it was to do, and the next order starts another', async () => {
  const marker = join(directory.path, 'dies')
  const module = join(directory.path, 'worker.mjs')
  writeFileSync(
    module,
    `import { existsSync, rmSync } from 'node:fs'
    import { parentPort } from 'node:worker_threads'
    parentPort.on('message', ({ kind, first }) => {
      if (kind === 'close') parentPort.close()
      else if (existsSync(${JSON.stringify(marker)})) throw new Error('made for a test')
      else parentPort.postMessage({ kind: 'compressed', first })
    })`,
  )
  writeFileSync(marker, '')
  const reports: UpkeepReport[] = []
  const start = upkeepThread(directory.path, indexKeys(new Uint8Array(16)), pathToFileURL(module))
  const side = start((report) => reports.push(report))
  const order: UpkeepOrder = { kind: 'compress', first: 1 }
  side.send(order)
  side.send({ kind: 'merge', runs: ['a'] })
  await expect.poll(() => reports.length, { timeout: 10_000 }).toBe(2)
  const failed = { kind: 'failed', cause: 'made for a test', again: true }
  expect(reports).toMatchObject([{ ...failed, order }, failed])
  expect(existsSync(marker)).toBe(true)
  writeFileSync(module, readFileSync(module, 'utf8').replace('existsSync(', '!existsSync('))
  side.send(order)
  await expect.poll(() => reports.length, { timeout: 10_000 }).toBe(3)
  expect(reports[2]).toEqual({ kind: 'compressed', first: 1 })
  await side.close()
})
