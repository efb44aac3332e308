// Theorem: the auditor signs a head of everything that is in the log, and none that contradicts one it signed; tiles that
// are lost or damaged come back from the log with the same bytes; whatever step of its writing a crash hits, the next
// start goes on to the same tree. The stored directory is a tlog-tiles log that a reader of files alone can follow.
import {
  cpSync,
  existsSync,
  globSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GATHER_MS, SIGN_EVERY_MS } from '../../engine/audit/auditor.ts'
import { EntryHasher, splitBundle } from '../../engine/audit/entries.ts'
import { levelCount, partialTiles, TILE_WIDTH, tilePath } from '../../engine/audit/format.ts'
import { entryOf, openTreeHead, parseVerifierKey } from '../../engine/audit/verify.ts'
import { systemClock } from '../../engine/clock.ts'
import { Block } from '../../engine/log/embedded/block-decoder.ts'
import { eventBytes } from '../../engine/log/embedded/event-bytes.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { appends, eventArbitrary } from '../log/events.ts'
import { opened, temporaryDirectory, unsyncedFiles } from '../log/support.ts'
import { naiveRoot } from './naive.ts'
import { AuditWorld, anyEvents, SIGNER } from './world.ts'

const EVENTS = 700
let world: AuditWorld

beforeEach(() => {
  world = new AuditWorld()
})
afterEach(() => world.close())

function entriesOfLog(directory: string): Buffer[] {
  const reader = openEmbeddedReader(directory)
  const entries: Buffer[] = []
  for (const block of reader.blocks(1))
    for (let i = 0; i < block.count; i++) entries.push(entryOf(block.first + i, eventBytes(block, i)))
  void reader.close()
  return entries
}

function tilesOf(directory: string): Map<string, Buffer> {
  const names = globSync('tile/**/*', { cwd: directory }).filter((name) =>
    statSync(join(directory, name)).isFile(),
  )
  return new Map(names.sort().map((name) => [name, readFileSync(join(directory, name))]))
}

test('the head is the root of the entries of all events, by the definition', async () => {
  await world.append(...anyEvents(EVENTS))
  const head = await world.auditUntil(EVENTS)
  expect(Buffer.compare(head?.root ?? Buffer.alloc(0), naiveRoot(entriesOfLog(world.logDirectory)))).toBe(0)
  expect(head?.position).toBe(EVENTS)
})

test('the directory alone holds the signed tree: checkpoint, tiles and bundles of exactly that size', async () => {
  await world.append(...anyEvents(EVENTS))
  await world.auditUntil(EVENTS)
  await world.stop()
  const note = readFileSync(join(world.auditDirectory, 'checkpoint'), 'utf8')
  const { size } = openTreeHead(note, parseVerifierKey(SIGNER.verifierKey))
  expect(size).toBe(EVENTS)
  const tiles = tilesOf(world.auditDirectory)
  const full = Array.from({ length: levelCount(1, size) }, (_, index) => [
    tilePath({ level: 0, index, width: TILE_WIDTH }),
    tilePath({ level: 'entries', index, width: TILE_WIDTH }),
  ]).flat()
  expect([...tiles.keys()].sort()).toEqual([...full, ...partialTiles(size).map(tilePath)].sort())
  const bundles = [...tiles].filter(([name]) => name.startsWith('tile/entries/'))
  const stored = bundles.flatMap(([, bytes]) => splitBundle(bytes) ?? [])
  expect(stored.map((entry) => Buffer.from(entry))).toEqual(entriesOfLog(world.logDirectory))
})

test('without new events no further head is signed, also after a restart', async () => {
  await world.append(...anyEvents(20))
  await world.auditUntil(20)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const before = new Set(world.heads.map(({ note }) => note)).size
  await world.stop()
  await world.auditUntil(20)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(new Set(world.heads.map(({ note }) => note)).size).toBe(before)
})

test('every head that was ever signed is consistent with the next, over many starts', async () => {
  let size = 0
  for (const more of [1, 254, 1, 1, 255, 3]) {
    await world.append(...anyEvents(more, size))
    size += more
    await world.auditUntil(size)
    await world.stop()
  }
  const roots = entriesOfLog(world.logDirectory)
  expect(world.heads.length).toBeGreaterThanOrEqual(6)
  for (const head of world.heads)
    expect(Buffer.compare(head.root, naiveRoot(roots.slice(0, head.size)))).toBe(0)
})

test('a proof of an event that was just appended waits for its head; nothing proves what isn’t there', async () => {
  await world.append(...anyEvents(3))
  const auditor = await world.audit()
  expect((await auditor.prover.proveInclusion(3))?.treeHead.size).toBe(3)
  expect(await auditor.prover.proveInclusion(4)).toBeUndefined()
  expect(await auditor.prover.proveInclusion(0)).toBeUndefined()
  await expect(auditor.prover.proveInclusion(3, 2)).rejects.toThrow('number 3')
  await expect(auditor.prover.proveInclusion(3, 4)).rejects.toThrow('no tree of 4')
  expect(() => auditor.prover.proveConsistency(4)).toThrow()
  expect(() => auditor.prover.proveConsistency(0)).toThrow()
})

describe('tiles that are lost or damaged', () => {
  async function audited(): Promise<Map<string, Buffer>> {
    await world.append(...anyEvents(EVENTS))
    await world.auditUntil(EVENTS)
    await world.stop()
    return tilesOf(world.auditDirectory)
  }

  /** Asks for everything that the tree has. */
  async function askAll(): Promise<void> {
    await world.auditUntil(EVENTS)
    for (const position of [1, 255, 256, 257, 300, 512, 513, EVENTS])
      expect((await world.auditor.prover.proveInclusion(position))?.position).toBe(position)
    for (const [path] of tiles) expect(world.auditor.prover.tile(path)).toEqual(tiles.get(path))
  }
  let tiles = new Map<string, Buffer>()

  test('one at a time: deleted, emptied, cut, a bit flipped', async () => {
    tiles = await audited()
    for (const [number, [path, bytes]] of [...tiles].entries()) {
      const place = join(world.auditDirectory, path)
      const damages = [
        () => rmSync(place),
        () => writeFileSync(place, ''),
        () => writeFileSync(place, bytes.subarray(0, -1)),
        () => writeFileSync(place, bytes.with(bytes.length >> 1, (bytes[bytes.length >> 1] ?? 0) ^ 1)),
      ]
      // Two of them each, another two for the next tile.
      const tried = process.env['HEADWATER_TEST_LONG']
        ? damages
        : [0, 1].map((i) => damages[(number + i) % 4])
      for (const damage of tried) {
        damage?.()
        await askAll()
        await world.stop()
        expect(world.refusals).toEqual([])
        if (!path.includes('.p/')) expect(readFileSync(place)).toEqual(bytes)
        writeFileSync(place, bytes)
      }
    }
  })

  test('all of them', async () => {
    tiles = await audited()
    rmSync(join(world.auditDirectory, 'tile'), { recursive: true })
    await askAll()
    expect(world.refusals).toEqual([])
    await world.append(...anyEvents(10, EVENTS))
    await world.until(() => world.auditor.head?.size === EVENTS + 10)
  })

  test('the last tree head: the day’s stands in for it', async () => {
    tiles = await audited()
    writeFileSync(join(world.auditDirectory, 'checkpoint'), 'garbage')
    expect((await world.auditUntil(EVENTS))?.size).toBe(EVENTS)
    expect(world.refusals).toEqual([])
  })
})

test('positions may have gaps: the tree counts events', async () => {
  await world.append(...anyEvents(300))
  await world.stop()
  const { forge } = await import('./forger.ts')
  forge(world.logDirectory, (blocks) => blocks.filter((_, i) => i % 50 !== 7))
  await world.auditUntil(294)
  const proof = await world.auditor.prover.proveInclusion(300)
  expect(proof?.leafIndex).toBe(293)
  expect(await world.auditor.prover.proveInclusion(8)).toBeUndefined()
  expect((await world.auditor.prover.proveInclusion(9))?.leafIndex).toBe(7)
})

/** A disk that stops for good at the n-th change. */
function stoppingAt(files: Files, step: number): { files: Files; stopped: () => boolean } {
  let left = step
  const change =
    <A extends readonly unknown[], R>(work: (...args: A) => R) =>
    (...args: A): R => {
      if (left-- <= 0) throw new Error('the machine is off')
      return work(...args)
    }
  const create: Files['create'] = (path) => {
    const file = files.create(path)
    return { ...file, write: change(file.write), sync: change(file.sync) }
  }
  return {
    files: { ...files, create: change(create), rename: change(files.rename), remove: change(files.remove) },
    stopped: () => left < 0,
  }
}

test('under a steady load a head covers, two intervals later, whatever was durable: it waits for no pause', async () => {
  expect(SIGN_EVERY_MS + GATHER_MS).toBeLessThanOrEqual(500)
  let nowMs = 1_000_000
  const clock = { ...systemClock, monotonicMs: () => nowMs }
  await world.append(...anyEvents(10))
  await world.audit({ clock, signEveryMs: SIGN_EVERY_MS, gatherMs: 0 })
  await world.until(() => world.heads.length > 0)
  let loading = true
  let sent = 10
  const load = (async () => {
    for (; loading; sent += 5) {
      await world.append(...anyEvents(5, sent))
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const log = await world.log()
  for (let tick = 0; tick < 4; tick++) {
    const durable = log.head().position
    for (let interval = 0; interval < 2; interval++) {
      const before = world.heads.length
      nowMs += SIGN_EVERY_MS
      await world.until(() => world.heads.length > before)
      // One an interval, however much is appended.
      expect(world.heads.length).toBe(before + 1)
    }
    expect(world.heads.at(-1)?.position).toBeGreaterThanOrEqual(durable)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(log.head().position).toBeGreaterThan(durable)
  }
  loading = false
  await load
})

test('a crash at every step of writing: the next start goes on to the same tree', async () => {
  await world.append(...anyEvents(250))
  await world.auditUntil(250)
  await world.append(...anyEvents(20, 250))
  await world.stop()
  const saved = temporaryDirectory()
  // As it was before the auditor hashed the twenty.
  const restore = () => {
    rmSync(world.auditDirectory, { recursive: true })
    cpSync(saved.path, world.auditDirectory, { recursive: true })
  }
  try {
    rmSync(world.auditDirectory, { recursive: true })
    const last = await headOf(250)
    cpSync(world.auditDirectory, saved.path, { recursive: true })
    let crashes = 0
    for (let step = 0; ; step++) {
      restore()
      const disk = stoppingAt(unsyncedFiles, step)
      world.files = disk.files
      await world.auditUntil(270).catch(() => undefined)
      const told = world.heads.at(-1)
      await world.stop().catch(() => undefined)
      world.files = unsyncedFiles
      if (!disk.stopped()) break
      crashes += 1
      expect((await world.auditUntil(270))?.size).toBe(270)
      expect(world.refusals).toEqual([])
      expect(Buffer.compare(world.heads.at(-1)?.root ?? Buffer.alloc(0), last)).toBe(0)
      expect(told?.size === 250 || told?.size === 270).toBe(true)
      await world.stop()
    }
    expect(crashes).toBeGreaterThan(10)
  } finally {
    saved.remove()
  }

  /** Signs a head of the first events only, as if the rest came later; answers the root of all. */
  async function headOf(size: number): Promise<Uint8Array> {
    const entries = entriesOfLog(world.logDirectory)
    const whole = join(world.directory.path, 'whole')
    renameSync(world.logDirectory, whole)
    await world.append(...anyEvents(size))
    await world.auditUntil(size)
    await world.stop()
    rmSync(world.logDirectory, { recursive: true })
    renameSync(whole, world.logDirectory)
    return naiveRoot(entries)
  }
})

test('the last events of all are signed though timers fire before the clock says so', async () => {
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * 0.9 }
  await world.append(...anyEvents(3))
  await world.audit({ clock, signEveryMs: 100, gatherMs: 0 })
  await world.until(() => world.heads.length > 0)
  await world.append(...anyEvents(3, 3))
  await world.until(() => world.auditor.head?.size === 6)
})

test('a full disk is waited for', async () => {
  let room = false
  const full = (): never => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  }
  world.files = {
    ...unsyncedFiles,
    create: (path) => (room ? unsyncedFiles.create(path) : full()),
  }
  await world.append(...anyEvents(300))
  await world.audit()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(world.heads).toEqual([])
  room = true
  await world.until(() => world.auditor.head?.size === 300)
  expect(existsSync(join(world.auditDirectory, 'tile/0/000'))).toBe(true)
})

test('a failing disk ends it, and says so', async () => {
  world.files = {
    ...unsyncedFiles,
    create: () => {
      throw Object.assign(new Error('input/output error'), { code: 'EIO' })
    },
  }
  await world.append(...anyEvents(3))
  await expect(world.auditUntil(3)).rejects.toThrow('input/output')
})

test('the stored bytes are hashed without decoding, and are those of FORMAT.md', async () => {
  const batches = fc.array(eventArbitrary, { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(batches, async (events) => {
      const directory = temporaryDirectory()
      try {
        const log = await opened(directory.path, { files: unsyncedFiles })
        await log.append(appends(...events))
        await log.close()
        const reader = openEmbeddedReader(directory.path)
        const hasher = new EntryHasher()
        for (const block of reader.blocks(1)) {
          expect(block).toBeInstanceOf(Block)
          hasher.visit(block, 1, Number.POSITIVE_INFINITY, (entry) => {
            const position = Number(entry.readBigUInt64BE())
            expect(entry).toEqual(entryOf(position, eventBytes(block, position - block.first)))
          })
        }
        await reader.close()
      } finally {
        directory.remove()
      }
    }),
    { numRuns: 60 },
  )
})
