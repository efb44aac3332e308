import { setImmediate } from 'node:timers/promises'
import type { AuditFiles } from './audit-files.ts'
import { splitBundle } from './entries.ts'
import {
  BUNDLED_BYTES,
  HASH_BYTES,
  levelCount,
  partialTiles,
  TILE_BYTES,
  TILE_WIDTH,
  tilePath,
} from './format.ts'
import { Frontier } from './frontier.ts'
import { type AuditLog, LogDiffers } from './log-source.ts'
import type { StoredTree } from './stored-tree.ts'
import { TileTree } from './tile-tree.ts'
import { leafHash, type TreeHead } from './verify.ts'

interface Edges {
  readonly edges: readonly Uint8Array[]
  readonly bundle: Uint8Array
}

/**
 * Brings the tree back to where `signed` was signed: from its stored tiles, else from what they follow from, else from
 * the whole log. Whatever is used reproduces the signed root. Throws `LogDiffers` where nothing does, or where the log
 * isn't what the last entries say; `LogDamaged`.
 */
export async function restoreTree(
  tree: StoredTree,
  files: AuditFiles,
  log: AuditLog,
  signed: TreeHead,
  signal: AbortSignal,
): Promise<void> {
  const { size } = signed
  const found =
    reproducing(storedEdges(files, size), signed) ??
    reproducing(derivedEdges(tree, files, log, size), signed) ??
    reproducing(await edgesOfLog(log, size, signal), signed)
  if (found === undefined) throw new LogDiffers(undefined, 'the log no longer gives the tree that was signed')
  tree.resume(size, found.edges, found.bundle)
  checkTail(tree)
}

/** The log's newest events against the newest entries: cheap, and finds a log that was cut, rewritten or replaced. */
function checkTail(tree: StoredTree): void {
  const { size } = tree
  if (size === 0) return
  const from = Math.floor((size - 1) / TILE_WIDTH) * TILE_WIDTH
  tree.entries(size - 1)
  const difference = tree.findDifference(from, size)
  if (difference !== undefined) throw difference
}

function reproducing(found: Edges | undefined, { size, root }: TreeHead): Edges | undefined {
  if (found === undefined) return undefined
  const frontier = Frontier.resume(size, found.edges, found.bundle, undefined)
  return Buffer.compare(frontier.root(), root) === 0 ? found : undefined
}

/** As the files have them. */
function storedEdges(files: AuditFiles, size: number): Edges | undefined {
  const edges: Uint8Array[] = []
  let bundle: Uint8Array = Buffer.alloc(0)
  for (let level = 0; levelCount(level, size) > 0; level++) edges.push(Buffer.alloc(0))
  for (const tile of partialTiles(size)) {
    const unit = tile.level === 'entries' ? BUNDLED_BYTES : HASH_BYTES
    const wanted = tile.width * unit
    // Behind the last signed head, a tile may have got full before the process ended.
    const bytes = files.read(tilePath(tile)) ?? files.read(tilePath({ ...tile, width: TILE_WIDTH }))
    if (bytes === undefined || bytes.length < wanted) return undefined
    if (tile.level === 'entries') bundle = bytes.subarray(0, wanted)
    else edges[tile.level] = bytes.subarray(0, wanted)
  }
  return bundleFits(bundle, edges[0]) ? { edges, bundle } : undefined
}

function bundleFits(bundle: Uint8Array, hashes: Uint8Array | undefined): boolean {
  const entries = splitBundle(bundle)
  return (
    entries?.every((entry, at) => {
      const hash = hashes?.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES) ?? Buffer.alloc(0)
      return leafHash(entry).equals(hash)
    }) ?? false
  )
}

/** Partial tiles from the full ones below them, that of the leaves from the log. */
function derivedEdges(tree: StoredTree, files: AuditFiles, log: AuditLog, size: number): Edges | undefined {
  const edges: Uint8Array[] = []
  for (let level = 1; levelCount(level, size) > 0; level++) {
    const count = levelCount(level, size)
    const hashes: Uint8Array[] = []
    for (let child = count - (count % TILE_WIDTH); child < count; child++) {
      const bytes = files.read(tilePath({ level: level - 1, index: child, width: TILE_WIDTH }))
      if (bytes?.length !== TILE_BYTES) return undefined
      hashes.push(new TileTree(bytes).root)
    }
    edges[level] = Buffer.concat(hashes)
  }
  const part = new Frontier()
  const width = size % TILE_WIDTH
  const from = size - width
  if (width > 0) log.visit(from, width, tree.hintFor(from), (entry, leaf) => part.add(entry, leaf))
  if (part.size < width) return undefined
  edges[0] = part.partial(0)
  return { edges, bundle: part.partialBundle() }
}

/** Events between two turns of the event loop. */
const STEP_EVENTS = 5_000

async function edgesOfLog(log: AuditLog, size: number, signal: AbortSignal): Promise<Edges | undefined> {
  const frontier = await hashLog(log, size, signal, () => {})
  if (frontier.size < size) {
    throw new LogDiffers(
      undefined,
      `the log has ${frontier.size} events, the signed tree ${size}`,
      'log_shorter',
    )
  }
  const edges = Array.from({ length: frontier.levels }, (_, level) => frontier.partial(level))
  return { edges, bundle: frontier.partialBundle() }
}

/** Hashes the log's first `size` events, fewer where it ends. Rejects when `signal` aborts. */
export async function hashLog(
  log: AuditLog,
  size: number,
  signal: AbortSignal,
  each: (entry: Buffer, leaf: number) => void,
): Promise<Frontier> {
  const frontier = new Frontier()
  let step = STEP_EVENTS
  for (const block of log.blocks(1)) {
    log.visitBlock(block, 1, Number.POSITIVE_INFINITY, (entry, leaf) => {
      each(entry, frontier.size)
      frontier.add(entry, leaf)
      return frontier.size < size
    })
    if (frontier.size >= size) break
    if (frontier.size < step) continue
    step = frontier.size + STEP_EVENTS
    await setImmediate()
    signal.throwIfAborted()
  }
  return frontier
}
