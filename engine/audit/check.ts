import { type Files, systemFiles } from '../log/embedded/files.ts'
import { openEmbeddedReader } from '../log/embedded/reader.ts'
import type { LogDamaged } from '../log/log.ts'
import { AuditFiles } from './audit-files.ts'
import { splitBundle } from './entries.ts'
import { differenceBetween } from './entry-search.ts'
import { BUNDLED_BYTES, HASH_BYTES, TILE_WIDTH, tilePath } from './format.ts'
import { Frontier, type TileSink } from './frontier.ts'
import { type HashedRange, hashedRanges } from './hashed-ranges.ts'
import { storedHeads } from './heads.ts'
import { AuditLog, type LogDiffers } from './log-source.ts'
import { storedEntries } from './stored-entries.ts'
import { openTreeHead, type TreeHead, VerificationFailed, type VerifierKey } from './verify.ts'

export interface CheckOptions {
  /** Where the log's segments are. */
  readonly logDirectory: string
  readonly auditDirectory: string
  /** Signed notes kept elsewhere. */
  readonly outside: readonly string[]
  /** Verifies the signatures of all heads; without it, stored ones are compared without. */
  readonly key: VerifierKey | undefined
  readonly onProgress?: ((events: number, head: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** A disk of the caller's own; everything is then read on the calling thread. */
  readonly files?: Files | undefined
  /** Positions that a thread hashes at once; default 50,000. */
  readonly rangePositions?: number | undefined
}

export interface CheckedHead {
  /** A file in the audit directory; `outside`: kept elsewhere. */
  readonly from: string
  readonly size: number
  readonly root: Uint8Array
  /** What the log gives; undefined where it is shorter. */
  readonly found: Uint8Array | undefined
  /** Undefined where it is right. */
  readonly problem: string | undefined
}

export interface CheckReport {
  /** Events hashed, and the position of the last one. */
  readonly events: number
  readonly position: number
  readonly root: Uint8Array
  readonly heads: readonly CheckedHead[]
  /** Tiles and bundles that are missing or say something else: made anew when they are needed. */
  readonly tiles: { readonly checked: number; readonly missing: number; readonly damaged: number }
  /** The first event that isn't the one of the stored entries. */
  readonly difference: { readonly position: number | undefined; readonly message: string } | undefined
  /** Where the log couldn't be read. */
  readonly damage: LogDamaged | undefined
}

/** Whether log, stored heads and heads from outside agree. */
export function isSound(report: CheckReport): boolean {
  return report.damage === undefined && report.heads.every(({ problem }) => problem === undefined)
}

interface WantedHead extends TreeHead {
  readonly from: string
  readonly problem: string | undefined
}

/**
 * Reads the whole log, recomputes its tree, and compares it with the tree heads that are stored and those from
 * outside. Only reads; an engine may run meanwhile.
 */
export async function checkLogAgainstHeads(options: CheckOptions): Promise<CheckReport> {
  const { files = systemFiles, signal } = options
  const stored = new AuditFiles(files, options.auditDirectory)
  const wanted = wantedHeads(options, stored)
  const reader = openEmbeddedReader(options.logDirectory, undefined, files)
  try {
    const comparison = compareTiles(stored, Math.max(0, ...wanted.map(({ size }) => size)))
    const frontier = new Frontier(comparison.sink)
    const roots = new Map<number, Uint8Array>()
    const sizes = new Set(wanted.map(({ size }) => size))
    const log = new AuditLog(reader)
    const ways = { alone: options.files !== undefined, positions: options.rangePositions }
    let position = 0
    let damage: LogDamaged | undefined
    for await (const range of hashedRanges(log, options.logDirectory, ways)) {
      for (const part of partsAt(range, frontier.size, sizes)) {
        frontier.addAll(part.entries, part.leafHashes)
        if (sizes.has(frontier.size)) roots.set(frontier.size, frontier.root())
      }
      position = range.position === 0 ? position : range.position
      damage = range.damage
      options.onProgress?.(frontier.size, log.head)
      signal?.throwIfAborted()
    }
    comparison.end(frontier)
    const heads = wanted.map((head) => compareHead(head, roots.get(head.size), frontier.size))
    const difference = comparison.difference()
    return {
      ...{ events: frontier.size, position, root: frontier.root(), heads, tiles: comparison.tiles, damage },
      difference:
        difference === undefined ? undefined : { position: difference.position, message: difference.message },
    }
  } finally {
    await reader.close()
  }
}

function wantedHeads({ outside, key }: CheckOptions, files: AuditFiles): readonly WantedHead[] {
  const kept = storedHeads(files).map((head) => ({ ...head, problem: signatureProblem(head.note, key) }))
  const given = outside.map((note) => {
    if (key === undefined)
      throw new VerificationFailed('a tree head from outside is verified by a key: none was given')
    return { ...openTreeHead(note, key), from: 'outside', problem: undefined }
  })
  return [...kept.map(({ path, ...head }) => ({ ...head, from: path })), ...given]
}

function signatureProblem(note: string, key: VerifierKey | undefined): string | undefined {
  if (key === undefined) return undefined
  try {
    openTreeHead(note, key)
    return undefined
  } catch (error) {
    if (error instanceof VerificationFailed) return error.message
    throw error
  }
}

function compareHead(head: WantedHead, found: Uint8Array | undefined, events: number): CheckedHead {
  const { from, size, root } = head
  return { from, size, root, found, problem: head.problem ?? headProblem(head, found, events) }
}

function headProblem(
  { size, root }: TreeHead,
  found: Uint8Array | undefined,
  events: number,
): string | undefined {
  if (found === undefined)
    return `the log has ${events} events only: the last ${size - events} of the tree head are gone`
  return Buffer.compare(found, root) === 0
    ? undefined
    : `the log's first ${size} events are not those of the tree head`
}

/** A range in parts, so that each of these sizes of the tree, whose size is `before`, is reached. */
function* partsAt(
  { entries, leafHashes }: HashedRange,
  before: number,
  sizes: ReadonlySet<number>,
): Generator<Pick<HashedRange, 'entries' | 'leafHashes'>> {
  const count = leafHashes.length / HASH_BYTES
  const within = [...sizes].map((size) => size - before).filter((size) => size > 0 && size < count)
  let from = 0
  for (const until of [...within.sort((a, b) => a - b), count]) {
    yield {
      entries: entries.subarray(from * BUNDLED_BYTES, until * BUNDLED_BYTES),
      leafHashes: leafHashes.subarray(from * HASH_BYTES, until * HASH_BYTES),
    }
    from = until
  }
}

/** Compares what follows from the log with the stored tiles, as it goes; those beyond `signed` needn't be there yet. */
function compareTiles(files: AuditFiles, signed: number) {
  const tiles = { checked: 0, missing: 0, damaged: 0 }
  let found: LogDiffers | undefined
  /** True if the stored one is there and the same. */
  const compare = (path: string, bytes: Uint8Array, end: number): boolean => {
    const stored = files.read(path)
    const same = stored !== undefined && Buffer.compare(stored, bytes) === 0
    if (end > signed) return same
    tiles.checked += 1
    if (stored === undefined) tiles.missing += 1
    else if (!same) tiles.damaged += 1
    return same
  }
  const compareEntries = (index: number, bytes: Uint8Array): void => {
    if (found !== undefined || bytes.length === 0) return
    const stored = storedEntries(files, index)
    for (const [at, entry] of splitBundle(bytes)?.entries() ?? []) {
      const was = stored?.[at]
      if (was === undefined || Buffer.compare(was, entry) === 0) continue
      found = differenceBetween(was, entry)
      return
    }
  }
  const sink: TileSink = {
    onTile: (level, index, tree) => {
      const end = (index + 1) * TILE_WIDTH ** (level + 1)
      compare(tilePath({ level, index, width: TILE_WIDTH }), tree.hashes(), end)
    },
    onBundle: (index, bytes) => {
      const path = tilePath({ level: 'entries', index, width: TILE_WIDTH })
      if (!compare(path, bytes, (index + 1) * TILE_WIDTH)) compareEntries(index, bytes)
    },
  }
  return {
    tiles,
    sink,
    difference: () => found,
    /** The entries of no full bundle. */
    end(frontier: Frontier): void {
      compareEntries(Math.floor(frontier.size / TILE_WIDTH), frontier.partialBundle())
    },
  }
}
