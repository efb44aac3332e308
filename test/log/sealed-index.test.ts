import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NewEvent, RecordedEvent } from '../../engine/events/event.ts'
import type { EmbeddedLog, EmbeddedLogOptions } from '../../engine/log/embedded/embedded.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import { type LogFinding, verifyLog } from '../../engine/log/embedded/verify-log.ts'
import { anEvent, appends, collect, identityId, present } from './events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: whether memory, an index file, a merged run or a file made anew answers, ids, streams, identities and types are
// answered as by a plain array: after every step, after opening again, with the index deleted or any of its files damaged at
// any byte, and after a crash at any operation of the upkeep. None of it is ever an error.

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const OPTIONS: EmbeddedLogOptions = { segmentBytes: 2500, chunkBytes: 500, files: unsyncedFiles }
const STREAMS = ['deal-1', 'deal-2', 'person-ü', 'case-4', 'never-1']
const TYPES = ['deal.created', 'deal.won', 'source.registered', 'never.seen']

let directory: TemporaryDirectory
let notices: string[]
beforeEach(() => {
  directory = temporaryDirectory()
  notices = []
})
afterEach(() => directory.remove())

const open = (options: EmbeddedLogOptions = {}) =>
  opened(directory.path, { ...OPTIONS, onNotice: (message) => notices.push(message), ...options })
const indexPath = (name = ''): string => join(directory.path, 'index', name)
const indexFiles = (): string[] => readdirSync(indexPath()).filter((name) => name !== 'key')

let made = 0

/** Events of few streams, identities and types; every tenth has an id that was there before. */
function events(seed: number, count: number): NewEvent[] {
  return Array.from({ length: count }, (_, i) => {
    const at = seed + i
    made += 1
    return anEvent({
      id: at % 10 === 9 ? `again-${at % 3}` : `id-${made}`,
      source: at % 3 === 0 ? 'crm' : 'web',
      stream: STREAMS[(at * 7) % 4] ?? '',
      type: at % 23 === 0 ? 'source.registered' : (TYPES[at % 2] ?? ''),
      identities: Array.from({ length: at % 3 }, (_, k) => ({
        namespace: 'user',
        id: identityId(((at * 5 + k * 3) % 6) + 1),
      })),
      data: { n: at, text: 'x'.repeat(at % 40) },
    })
  })
}

async function append(log: EmbeddedLog, model: RecordedEvent[], added: readonly NewEvent[]): Promise<void> {
  for (const result of await log.append(appends(...added))) expect(result._tag).toBe('Right')
  for (const event of added) {
    const revision = model.filter(({ stream }) => stream === event.stream).length
    model.push(present({ ...event, position: model.length + 1, revision }))
  }
}

/** Everything that an index answers. */
async function agrees(log: EmbeddedLog, model: readonly RecordedEvent[]): Promise<void> {
  for (const stream of STREAMS) {
    const own = model.filter((event) => event.stream === stream)
    const last = own.at(-1)
    expect(log.streamHead(stream)).toEqual(
      last === undefined ? undefined : { position: last.position, revision: last.revision },
    )
    expect(await collect(log.readStream(stream))).toStrictEqual(own)
    const some = own.filter(({ position }) => position <= 40).toReversed()
    expect(
      await collect(log.readStream(stream, { direction: 'backwards', from: 40, limit: 3 })),
    ).toStrictEqual(some.slice(0, 3))
  }
  for (let n = 1; n <= 7; n++) {
    const own = model.filter(({ identities }) => identities.some(({ id }) => id === identityId(n)))
    expect(await collect(log.readIdentity(identityId(n), { direction: 'backwards' }))).toStrictEqual(
      own.toReversed(),
    )
    expect(await collect(log.readIdentity(identityId(n), { from: 30, limit: 4 }))).toStrictEqual(
      own.filter(({ position }) => position >= 30).slice(0, 4),
    )
  }
  for (const type of TYPES) {
    const types = new Set([type])
    const own = model.filter((event) => event.type === type)
    expect(await collect(log.read({ types }))).toStrictEqual(own)
    expect(await collect(log.readBackwards({ types, limit: 5 }))).toStrictEqual(own.toReversed().slice(0, 5))
  }
  knowsIds(log, model)
}

function knowsIds(log: EmbeddedLog, model: readonly RecordedEvent[]): void {
  const positions = new Map<string, number[]>()
  for (const { source, id, position } of model) {
    const key = `${source} ${id}`
    positions.set(key, [...(positions.get(key) ?? []), position])
  }
  for (const [key, expected] of positions) {
    const [source = '', id = ''] = key.split(' ')
    expect([...log.idCandidates(source, id)].sort((a, b) => a - b)).toEqual(expected)
    expect(log.idCandidates(`${source}x`, id)).toEqual([])
  }
}

/** A log with sealed segments, runs of several levels and one that is written. */
async function filled(count = 160): Promise<RecordedEvent[]> {
  const log = await open()
  const model: RecordedEvent[] = []
  for (let i = 0; i < count; i += 4) await append(log, model, events(i, 4))
  await log.close()
  return model
}

describe('the index of sealed segments', () => {
  it('answers as a plain array after every step, and after opening again at any step', async () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 5, arbitrary: fc.record({ seed: fc.nat(100), count: fc.integer({ min: 1, max: 12 }) }) },
        fc.constantFrom(
          'reopen' as const,
          'lose the index' as const,
          'lose the key' as const,
          'little memory' as const,
        ),
      ),
      { minLength: 8, maxLength: 30 },
    )
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        let log = await open()
        const model: RecordedEvent[] = []
        try {
          for (const [i, step] of list.entries()) {
            if (typeof step === 'object') await append(log, model, events(step.seed, step.count))
            else {
              await log.close()
              if (step === 'lose the index') rmSync(indexPath(), { recursive: true })
              if (step === 'lose the key') rmSync(indexPath('key'))
              log = await open(step === 'little memory' ? { indexMemoryBytes: 100 } : {})
            }
            if (i % 3 === 0 || i === list.length - 1) await agrees(log, model)
            else knowsIds(log, model)
          }
        } finally {
          await log.close()
          directory.remove()
          directory = temporaryDirectory()
        }
      }),
      { numRuns: LONG ? 50 : 10 },
    )
    expect(notices).toEqual([])
  })

  it('is in files of every sealed segment, and in few runs', async () => {
    await filled(500)
    const sealed = readdirSync(directory.path).filter((name) => name.endsWith('.hwl')).length - 1
    expect(sealed).toBeGreaterThan(18)
    expect(indexFiles().filter((name) => name.endsWith('.hwi'))).toHaveLength(sealed)
    const runs = indexFiles().filter((name) => name.endsWith('.hwk'))
    expect(runs.length).toBeLessThanOrEqual(3 * Math.ceil(Math.log(sealed) / Math.log(4) + 1))
    expect(indexFiles().filter((name) => name.endsWith('.new'))).toEqual([])
  })

  it('reads no sealed segment when the log is opened again', async () => {
    const model = await filled()
    const read = new Set<string>()
    const files: Files = {
      ...unsyncedFiles,
      openRead: (path) => {
        const file = unsyncedFiles.openRead(path)
        return {
          ...file,
          read: (into, offset) => {
            if (offset > 0 && path.endsWith('.hwl')) read.add(basename(path))
            return file.read(into, offset)
          },
        }
      },
    }
    const log = await open({ files })
    const last = readdirSync(directory.path).findLast((name) => name.endsWith('.hwl'))
    expect([...read]).toEqual([last])
    // Types that no block of theirs holds cost them no read either.
    expect(await collect(log.read({ types: new Set(['never.seen']) }))).toEqual([])
    expect([...read]).toEqual([last])
    await agrees(log, model)
    await log.close()
  })
})

/** Between the bytes that are damaged one after the other. */
const STEP_BYTES = LONG ? 97 : 5_003

describe('a damaged index file', () => {
  it('at any byte: is made anew, unless what is damaged is never asked for', async () => {
    const model = await filled(70)
    const names = indexFiles()
    const whole = new Map(names.map((name) => [name, readFileSync(indexPath(name))]))
    for (const [n, name] of names.entries()) {
      const bytes = whole.get(name) ?? Buffer.alloc(0)
      for (let at = n % 7; at < bytes.length; at += at < 80 ? 13 : STEP_BYTES) {
        const damaged = Buffer.from(bytes)
        damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
        writeFileSync(indexPath(name), damaged)
        const log = await open()
        await agrees(log, model)
        await log.close()
        const now = existsSync(indexPath(name)) ? readFileSync(indexPath(name)) : undefined
        if (now?.equals(damaged) !== true)
          for (const [each, was] of whole) writeFileSync(indexPath(each), was)
        else writeFileSync(indexPath(name), bytes)
      }
    }
  }, 600_000)

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 100)],
    ['empty', () => Buffer.alloc(0)],
    ['zeroed', (bytes: Buffer) => Buffer.alloc(bytes.length)],
    ['longer', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
  ])('%s: is made anew', async (_, edit) => {
    const model = await filled()
    for (const name of indexFiles()) writeFileSync(indexPath(name), edit(readFileSync(indexPath(name))))
    const log = await open()
    await agrees(log, model)
    await log.close()
    expect(found()).toEqual([])
  })

  it('found while the log is open: says so, and is made anew before the answer', async () => {
    const model = await filled()
    const log = await open()
    for (const name of indexFiles()) {
      const bytes = readFileSync(indexPath(name))
      writeFileSync(indexPath(name), bytes.fill(0xff, 4096))
    }
    await agrees(log, model)
    await append(log, model, events(500, 40))
    await agrees(log, model)
    expect(notices.join('\n')).toMatch(/is damaged \(page \d+\): it is made anew/)
    await log.close()
    const again = await open()
    await agrees(again, model)
    await again.close()
  })

  it("another log's, for segments of the same positions: isn't taken for ours", async () => {
    await filled()
    const foreign = indexFiles().map((name) => [name, readFileSync(indexPath(name))] as const)
    const key = readFileSync(indexPath('key'))
    directory.remove()
    directory = temporaryDirectory()
    const model = await filled()
    for (const [name, bytes] of foreign) writeFileSync(indexPath(name), bytes)
    writeFileSync(indexPath('key'), key)
    const log = await open()
    await agrees(log, model)
    await log.close()
  })
})

/** Thrown by everything once the disk has stopped. */
class Crash extends Error {
  readonly code = 'EIO'
}

/** A disk that stops at the n-th change of something in `index/`, before it or half of it done. */
function crashingFiles(n: number, half: boolean): { readonly files: Files; readonly count: () => number } {
  let count = 0
  const step = (path: string, act: () => void, act2?: () => void): void => {
    if (path.includes('/index') && count++ >= n) {
      if (half && count === n + 1) act2?.()
      throw new Crash('the disk has stopped')
    }
    act()
  }
  const files: Files = {
    ...unsyncedFiles,
    create: (path) => {
      step(
        path,
        () => {},
        () => unsyncedFiles.create(path).close(),
      )
      const file = unsyncedFiles.create(path)
      return {
        ...file,
        write: (bytes, offset) => {
          step(
            path,
            () => {},
            () => void file.write(bytes.subarray(0, bytes.length / 2), offset),
          )
          return file.write(bytes, offset)
        },
        sync: () => step(path, () => file.sync()),
      }
    },
    rename: (from, to) => step(from, () => unsyncedFiles.rename(from, to)),
    remove: (path) => step(path, () => unsyncedFiles.remove(path)),
    syncDirectory: (path) => step(path, () => unsyncedFiles.syncDirectory(path)),
  }
  return { files, count: () => count }
}

describe('a crash, or a disk that fails, at any operation of the upkeep', () => {
  it.each([false, true])(
    'costs no answer, then or after opening again (half done: %s)',
    async (half) => {
      for (let n = 0, done = false; !done; n += LONG || n < 20 ? 1 : 7) {
        const disk = crashingFiles(n, half)
        const log = await open({ files: disk.files })
        const model: RecordedEvent[] = []
        for (let i = 0; i < 60; i += 6) await append(log, model, events(i, 6))
        await agrees(log, model)
        done = disk.count() <= n
        await log.close()
        const again = await open()
        await agrees(again, model)
        await append(again, model, events(60, 20))
        await agrees(again, model)
        await again.close()
        expect(found(), `operation ${n}`).toEqual([])
        directory.remove()
        directory = temporaryDirectory()
      }
    },
    600_000,
  )
})

function found(): LogFinding[] {
  return [...verifyLog(unsyncedFiles, directory.path)].flatMap(({ findings }) => findings)
}

describe('verifying', () => {
  it('finds nothing in a whole log, and reads all of it', async () => {
    const model = await filled()
    const steps = [...verifyLog(unsyncedFiles, directory.path)]
    expect(steps.flatMap(({ findings }) => findings)).toEqual([])
    expect(steps.at(-1)).toMatchObject({ events: model.length, position: model.length })
    expect(steps.at(-1)?.doneBytes).toBe(steps.at(-1)?.totalBytes)
  })

  it('tells bit rot inside a sealed segment, which opening does not read, with its place', async () => {
    const model = await filled()
    const [, name = ''] = readdirSync(directory.path).filter((each) => each.endsWith('.hwl'))
    const path = join(directory.path, name)
    const bytes = readFileSync(path)
    bytes[bytes.length - 30] = (bytes[bytes.length - 30] ?? 0) ^ 1
    writeFileSync(path, bytes)
    const log = await open()
    expect(log.head().position).toBe(model.length)
    await expect(collect(log.read())).rejects.toThrow(name)
    await log.close()
    expect(found()).toMatchObject([{ _tag: 'Damaged', damage: { segment: name } }])
  })

  it('tells an index file that is damaged, or says something else', async () => {
    await filled()
    const name = indexFiles().find((each) => each.endsWith('.hwi')) ?? ''
    const bytes = readFileSync(indexPath(name))
    writeFileSync(indexPath(name), Buffer.from(bytes).fill(1, 4096, 4100))
    expect(found()).toMatchObject([{ _tag: 'Index', path: indexPath(name) }])
    rmSync(indexPath(name))
    expect(found()).toEqual([])
  })

  it('tells a segment that is missing, and an unfinished end', async () => {
    await filled()
    const names = readdirSync(directory.path).filter((each) => each.endsWith('.hwl'))
    const [, missing = '', next = ''] = names
    const last = join(directory.path, names.at(-1) ?? '')
    const whole = readFileSync(join(directory.path, missing))
    rmSync(join(directory.path, missing))
    expect(found()).toContainEqual({
      _tag: 'Chain',
      segment: next,
      after: Number(missing.slice(0, 20)) - 1,
      previous: Number(next.slice(0, 20)) - 1,
    })
    writeFileSync(join(directory.path, missing), whole)
    writeFileSync(last, Buffer.concat([readFileSync(last), Buffer.from('torn')]))
    expect(found()).toMatchObject([{ _tag: 'TornTail', segment: basename(last) }])
  })
})

describe('in the background', () => {
  it('a thread makes index files and compresses, while reads and appends go on', async () => {
    const log = await opened(directory.path, { segmentBytes: 30_000, chunkBytes: 4_000, compression: 'zstd' })
    const model: RecordedEvent[] = []
    for (let i = 0; i < 900; i += 30) await append(log, model, events(i, 30))
    while (log.upkeepWaiting() > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(readdirSync(directory.path).filter((name) => name.endsWith('.hwl.zst')).length).toBeGreaterThan(1)
    expect(indexFiles().length).toBeGreaterThan(2)
    await agrees(log, model)
    await log.close()
    const again = await open({ segmentBytes: 30_000 })
    await agrees(again, model)
    await again.close()
    expect(notices).toEqual([])
  })
})
