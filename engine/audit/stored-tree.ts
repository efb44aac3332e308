import assert from 'node:assert/strict'
import { BoundedCache } from '../bounded-cache.ts'
import type { AuditFiles } from './audit-files.ts'
import { entryPosition, splitBundle } from './entries.ts'
import { type Comparison, comparisonWith, leafFrom } from './entry-search.ts'
import {
  BUNDLED_BYTES,
  HASH_BYTES,
  levelCount,
  partialTiles,
  TILE_BYTES,
  TILE_HEIGHT,
  TILE_WIDTH,
  type TileId,
  tilePath,
} from './format.ts'
import { Frontier, type TileSink } from './frontier.ts'
import type { AuditLog } from './log-source.ts'
import { LogDiffers } from './log-source.ts'
import type { NodeAt } from './merkle.ts'
import { storedEntries } from './stored-entries.ts'
import { TileTree } from './tile-tree.ts'
import { leafHash } from './verify.ts'

/** Tiles kept with all their nodes, 16 KiB each; what is above the leaves' level is in few tiles and stays. */
const CACHED_TILES = 512
const CACHED_BUNDLES = 256

/**
 * The tree as it is stored: full tiles in files, the right edge in memory. Every tile that is read is checked against
 * the hash that the tile above it holds, up to the edge, which is checked against a signed root when it is restored.
 * So a damaged tile is never believed: it is made anew from the log, if the log still says what it said.
 */
export class StoredTree implements TileSink {
  readonly #files: AuditFiles
  readonly #log: AuditLog
  readonly #tiles = new BoundedCache<string, TileTree>(CACHED_TILES)
  readonly #bundles = new BoundedCache<number, readonly Uint8Array[]>(CACHED_BUNDLES)
  /** Full tiles and bundles that aren't written yet. */
  readonly #unwritten = new Map<string, Buffer>()
  readonly #partials = new Map<number, TileTree>()
  #frontier: Frontier
  rebuiltTiles = 0

  constructor(files: AuditFiles, log: AuditLog) {
    this.#files = files
    this.#log = log
    this.#frontier = new Frontier(this)
  }

  /** Goes on from a frontier that was restored. */
  resume(size: number, edges: readonly Uint8Array[], bundle: Uint8Array): void {
    this.#frontier = Frontier.resume(size, edges, bundle, this)
    this.#partials.clear()
  }

  get size(): number {
    return this.#frontier.size
  }

  root(): Uint8Array {
    return this.#frontier.root()
  }

  /** See `Frontier.add`. Full tiles wait for `write`. */
  add(entry: Uint8Array, leaf: Uint8Array): void {
    this.#frontier.add(entry, leaf)
    this.#partials.clear()
  }

  onTile(level: number, index: number, tree: TileTree): void {
    this.#tiles.set(keyOf(level, index), tree)
    this.#unwritten.set(tilePath({ level, index, width: TILE_WIDTH }), Buffer.from(tree.hashes()))
  }

  onBundle(index: number, bytes: Buffer): void {
    this.#unwritten.set(tilePath({ level: 'entries', index, width: TILE_WIDTH }), bytes)
  }

  /** Full tiles that wait to be written. */
  get unwritten(): number {
    return this.#unwritten.size
  }

  /** Writes what is full. After a failure (a full disk) it can be called again. */
  write(): void {
    for (const [path, bytes] of this.#unwritten) {
      this.#files.write(path, bytes)
      this.#unwritten.delete(path)
    }
    this.#files.flush()
  }

  /**
   * Writes the partial tiles of the tree as it is now, so that the directory alone serves the head about to be signed.
   * They are not synced: what is lost of them is made anew.
   */
  writePartials(): readonly string[] {
    for (const tile of partialTiles(this.size)) {
      const { level } = tile
      const bytes = level === 'entries' ? this.#frontier.partialBundle() : this.#frontier.partial(level)
      this.#files.write(tilePath(tile), bytes, false)
    }
    return this.partialPaths()
  }

  partialPaths(): readonly string[] {
    return partialTiles(this.size).map(tilePath)
  }

  /** Of complete subtrees of the tree as it is now. */
  readonly nodeAt: NodeAt = (height, index) => {
    const level = Math.floor(height / TILE_HEIGHT)
    const within = height % TILE_HEIGHT
    const span = TILE_WIDTH / 2 ** within
    const tile = Math.floor(index / span)
    return this.tile(level, tile).node(within, index - tile * span)
  }

  /** A tile, full or the partial one at the edge. Throws `LogDiffers` if it is damaged and the log gives another. */
  tile(level: number, index: number): TileTree {
    const count = levelCount(level, this.size)
    assert.ok(index * TILE_WIDTH < count, 'the tree has this tile')
    if ((index + 1) * TILE_WIDTH > count) return this.#partial(level)
    const key = keyOf(level, index)
    const cached = this.#tiles.get(key)
    if (cached !== undefined) return cached
    const stored = this.#stored(level, index)
    const expected = this.nodeAt((level + 1) * TILE_HEIGHT, index)
    const tree = stored?.root.equals(expected) === true ? stored : this.#rebuild(level, index, expected)
    this.#tiles.set(key, tree)
    return tree
  }

  #partial(level: number): TileTree {
    let tree = this.#partials.get(level)
    if (tree === undefined) {
      tree = new TileTree(this.#frontier.partial(level))
      this.#partials.set(level, tree)
    }
    return tree
  }

  /** As the file has it, unchecked but for its size. */
  #stored(level: number, index: number): TileTree | undefined {
    const bytes = this.#read({ level, index, width: TILE_WIDTH })
    return bytes?.length === TILE_BYTES ? new TileTree(bytes) : undefined
  }

  #read(tile: TileId): Buffer | undefined {
    const path = tilePath(tile)
    return this.#unwritten.get(path) ?? this.#files.read(path)
  }

  #rebuild(level: number, index: number, expected: Uint8Array): TileTree {
    const tree =
      (level === 0 ? undefined : this.#ofChildren(level, index, expected)) ?? this.#ofLog(level, index)
    if (!tree.root.equals(expected)) throw this.#difference(level, index)
    this.rebuiltTiles += 1
    this.#files.restore(tilePath({ level, index, width: TILE_WIDTH }), tree.hashes())
    return tree
  }

  #ofChildren(level: number, index: number, expected: Uint8Array): TileTree | undefined {
    const hashes = Buffer.alloc(TILE_BYTES)
    for (let i = 0; i < TILE_WIDTH; i++) {
      const child = this.#stored(level - 1, index * TILE_WIDTH + i)
      if (child === undefined) return undefined
      hashes.set(child.root, i * HASH_BYTES)
    }
    const tree = new TileTree(hashes)
    return tree.root.equals(expected) ? tree : undefined
  }

  #ofLog(level: number, index: number): TileTree {
    const count = TILE_WIDTH ** (level + 1)
    let made: TileTree | undefined
    const sink: TileSink = {
      onBundle: () => {},
      onTile: (of, _, tree) => {
        if (of === level) made = tree
      },
    }
    const part = new Frontier(sink)
    const from = index * count
    this.#log.visit(from, count, this.hintFor(from), (entry, leaf) => part.add(entry, leaf))
    if (made === undefined)
      throw new LogDiffers(
        undefined,
        `the log ends after ${from + part.size} of the tree's events`,
        'log_shorter',
      )
    return made
  }

  /** The first of the tile's events that isn't what the entries say it was, as far as they are intact. */
  #difference(level: number, index: number): LogDiffers {
    const count = TILE_WIDTH ** (level + 1)
    const from = index * count
    return (
      this.findDifference(from, Math.min(from + count, this.size)) ?? new LogDiffers(undefined, TREE_DIFFERS)
    )
  }

  /** Told of the log's entries in order, knows the first that isn't the stored one. */
  comparison(): Comparison {
    return comparisonWith((leaf) => this.#entriesUnchecked(leaf))
  }

  /** Compares the log with the stored entries of the leaves [from, until). */
  findDifference(from: number, until: number): LogDiffers | undefined {
    let leaf = from
    const { each, first } = this.comparison()
    this.#log.visit(from, until - from, this.hintFor(from), (entry) => {
      each(entry, leaf)
      leaf += 1
      return first() === undefined
    })
    const found = first()
    if (found !== undefined || leaf === until) return found
    const missing = this.#entriesUnchecked(leaf)?.[leaf % TILE_WIDTH]
    const position = missing === undefined ? undefined : entryPosition(missing)
    return new LogDiffers(position, `the log ends after ${leaf} of the tree's events`, 'log_shorter')
  }

  #entriesUnchecked(leaf: number): readonly Uint8Array[] | undefined {
    const index = Math.floor(leaf / TILE_WIDTH)
    const full = this.#bundle(index)
    if (full !== undefined) return full
    if (index === Math.floor(this.size / TILE_WIDTH)) return splitBundle(this.#frontier.partialBundle())
    return storedEntries(this.#files, index)
  }

  #bundle(index: number): readonly Uint8Array[] | undefined {
    const bytes = this.#read({ level: 'entries', index, width: TILE_WIDTH })
    return bytes?.length === TILE_WIDTH * BUNDLED_BYTES ? splitBundle(bytes) : undefined
  }

  /** The entries of the bundle that holds a leaf, checked against the tile. Throws `LogDiffers`. */
  entries(leaf: number): readonly Uint8Array[] {
    const index = Math.floor(leaf / TILE_WIDTH)
    assert.ok(leaf < this.size)
    if ((index + 1) * TILE_WIDTH > this.size) return splitBundle(this.#frontier.partialBundle()) ?? []
    const cached = this.#bundles.get(index)
    if (cached !== undefined) return cached
    const tile = this.tile(0, index)
    const stored = this.#bundle(index)
    const entries = stored !== undefined && match(stored, tile) ? stored : this.#rebuildBundle(index, tile)
    this.#bundles.set(index, entries)
    return entries
  }

  #rebuildBundle(index: number, tile: TileTree): readonly Uint8Array[] {
    let bytes: Buffer | undefined
    const sink: TileSink = {
      onTile: () => {},
      onBundle: (_, made) => {
        bytes = made
      },
    }
    const part = new Frontier(sink)
    const from = index * TILE_WIDTH
    this.#log.visit(from, TILE_WIDTH, this.hintFor(from), (entry, leaf) => part.add(entry, leaf))
    const entries = bytes === undefined ? undefined : splitBundle(bytes)
    if (bytes === undefined || entries === undefined || !match(entries, tile))
      throw this.#difference(0, index)
    this.rebuiltTiles += 1
    this.#files.restore(tilePath({ level: 'entries', index, width: TILE_WIDTH }), bytes)
    return entries
  }

  /** The bytes of a bundle, as https://c2sp.org/tlog-tiles has them. */
  bundleBytes(index: number, width: number): Buffer {
    const entries = this.entries(index * TILE_WIDTH).slice(0, width)
    const head = Buffer.from([0, BUNDLED_BYTES - 2])
    return Buffer.concat(entries.flatMap((entry) => [head, entry]))
  }

  /** The leaf at or after a position: positions may have gaps. `size` where there is none. */
  leafFrom(position: number): number {
    return leafFrom(position, this.size, (leaf) => {
      const entry = this.entries(leaf)[leaf % TILE_WIDTH]
      assert.ok(entry !== undefined)
      return entryPosition(entry)
    })
  }

  /** Position of the last leaf; 0 for none. */
  get position(): number {
    const entry = this.size === 0 ? undefined : this.entries(this.size - 1).at((this.size - 1) % TILE_WIDTH)
    return entry === undefined ? 0 : entryPosition(entry)
  }

  /** An event in the log near the leaf, from which it can be counted. Unchecked: what is read there is hashed. */
  hintFor(leaf: number): { readonly leaf: number; readonly position: number } {
    for (let index = Math.floor(leaf / TILE_WIDTH) - 1; index >= 0; index--) {
      const last = this.#bundle(index)?.at(-1)
      if (last !== undefined) return { leaf: (index + 1) * TILE_WIDTH, position: entryPosition(last) + 1 }
    }
    return { leaf: 0, position: 1 }
  }
}

const TREE_DIFFERS = 'the log no longer gives the tree that was signed'

function keyOf(level: number, index: number): string {
  return `${level}/${index}`
}

function match(entries: readonly Uint8Array[], tile: TileTree): boolean {
  return entries.every((entry, at) => leafHash(entry).equals(tile.node(0, at)))
}
