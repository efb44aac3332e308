import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { auditDirectory, startAudit } from '../../engine/audit/audit-thread.ts'
import { leafHash, rootOfInclusion } from '../../engine/audit/verify.ts'
import type { EmbeddedLog, EmbeddedLogOptions } from '../../engine/log/embedded/embedded.ts'
import { opened, unsyncedFiles } from '../log/support.ts'
import { History, numberedEvent } from './history.ts'

// Theorem: what follows from the log may rot, be cut short, be emptied or be missing, in any file of the log's index and
// any tile of its tree: every answer and every proof is as before, no loss is reported as one, and the file is made anew.

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-rebuilt-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const LOG: EmbeddedLogOptions = { segmentBytes: 4096, chunkBytes: 1024, files: unsyncedFiles }
const DAMAGES: readonly (readonly [string, (bytes: Buffer) => Buffer | undefined])[] = [
  ['missing', () => undefined],
  ['empty', () => Buffer.alloc(0)],
  ['zeroed', (bytes) => Buffer.alloc(bytes.length)],
  ['cut short', (bytes) => bytes.subarray(0, Math.floor(bytes.length * 0.7))],
  ...[0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999].map(
    (share) => [`a bit at ${share * 100} %`, (bytes: Buffer) => flipped(bytes, share)] as const,
  ),
]

function flipped(bytes: Buffer, share: number): Buffer {
  const at = Math.floor(bytes.length * share)
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 4
  return copy
}

function spoil(path: string, damage: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = damage(readFileSync(path))
  if (bytes === undefined) rmSync(path)
  else writeFileSync(path, bytes)
}

/** Below a directory, relative to it. */
function filesBelow(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(path, name)).isFile(),
  )
}

async function fill(log: EmbeddedLog, history: History, commits: number): Promise<void> {
  for (let commit = 0; commit < commits; commit++) {
    const events = Array.from({ length: 10 }, (_, i) =>
      numberedEvent(commit * 10 + i, { stream: (commit + i) % 7, identity: i % 5, sizeBytes: 60 }),
    )
    await history.append(
      log,
      events.map((event) => ({ event })),
      false,
    )
  }
}

describe('the index', () => {
  it('every file, every kind of damage', async () => {
    const whole = join(directory, 'whole')
    const history = new History()
    const log = await opened(whole, LOG)
    await fill(log, history, 12)
    await log.close()
    const names = filesBelow(join(whole, 'index'))
    expect(names.length).toBeGreaterThan(3)
    for (const name of names) {
      for (const [kind, damage] of DAMAGES) {
        const spoilt = join(directory, 'spoilt')
        cpSync(whole, spoilt, { recursive: true })
        spoil(join(spoilt, 'index', name), damage)
        const reopened = await opened(spoilt, LOG)
        await history.check(reopened).catch((error: unknown) => {
          throw new Error(`${name}, ${kind}: ${error}`, { cause: error })
        })
        await reopened.close()
        rmSync(spoilt, { recursive: true })
      }
    }
  }, 60_000)
})

describe('the tree', () => {
  const PLACES = [1, 2, 256, 257, 600]

  /** Waits until the whole log is signed, and checks proofs against the signed head; then asks for a tile. */
  async function proven(log: EmbeddedLog, name: string) {
    const refusals: string[] = []
    const audit = startAudit({
      directory,
      headSignal: log.headSignal,
      origin: 'test',
      signingKey: undefined,
      onHead: () => {},
      onRefusal: ({ message }) => refusals.push(message),
      onFailure: (message) => refusals.push(message),
    })
    try {
      await expect.poll(() => audit.treeHead()?.size, { timeout: 10_000, interval: 10 }).toBe(600)
      for (const position of PLACES) {
        const proof = await audit.proveInclusion(position)
        if (proof === undefined) throw new Error(`no proof of ${position}`)
        const { leafIndex, size, entry, path, treeHead } = proof
        const root = rootOfInclusion(leafHash(entry), leafIndex, size, path)
        expect(Buffer.from(root).equals(treeHead.root), `position ${position}`).toBe(true)
      }
      expect(refusals).toEqual([])
      const root = Buffer.from(audit.treeHead()?.root ?? []).toString('hex')
      const tile = Buffer.from((await audit.tile(`tile/${name}`)) ?? []).toString('hex')
      return { root, tile }
    } finally {
      await audit.close()
    }
  }

  it('every tile, missing or with a flipped bit: the same root, the same proofs', async () => {
    const log = await opened(join(directory, 'log'), { segmentBytes: 64 * 1024, chunkBytes: 16 * 1024 })
    await fill(log, new History(), 60)
    const { root } = await proven(log, '0/000')
    const tiles = join(auditDirectory(directory), 'tile')
    const names = filesBelow(tiles)
    expect(names.length).toBeGreaterThan(3)
    const healed: string[] = []
    for (const name of names) {
      const path = join(tiles, name)
      const whole = readFileSync(path)
      for (const [kind, damage] of DAMAGES) {
        if (kind !== 'a bit at 50 %' && (kind !== 'missing' || name.includes('.p/'))) continue
        spoil(path, damage)
        const again = await proven(log, name)
        expect(again, `${name}, ${kind}`).toEqual({ root, tile: whole.toString('hex') })
        if (existsSync(path) && readFileSync(path).equals(whole)) healed.push(`${name}, ${kind}`)
        writeFileSync(path, whole)
      }
    }
    const full = names.filter((name) => !name.includes('.p/'))
    expect(healed).toEqual(expect.arrayContaining(full.map((name) => `${name}, a bit at 50 %`)))
    await log.close()
  }, 60_000)
})
