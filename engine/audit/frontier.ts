import assert from 'node:assert/strict'
import { BUNDLED_BYTES, ENTRY_BYTES, HASH_BYTES, levelCount, TILE_BYTES, TILE_WIDTH } from './format.ts'
import { rootOf } from './merkle.ts'
import { TileTree } from './tile-tree.ts'

/** Told of every tile that got full, children before parents. */
export interface TileSink {
  onTile(level: number, index: number, tree: TileTree): void
  onBundle(index: number, bytes: Buffer): void
}

/** The partial tile of one level. */
interface Edge {
  readonly bytes: Buffer
  width: number
}

/**
 * The right edge of a growing tree: the partial tile of every level, and the partial entry bundle. All that hashing on
 * and the tree's root need.
 */
export class Frontier {
  readonly #sink: TileSink | undefined
  readonly #edges: Edge[] = []
  readonly #bundle: Buffer = Buffer.alloc(TILE_WIDTH * BUNDLED_BYTES)
  #size = 0

  constructor(sink?: TileSink) {
    this.#sink = sink
  }

  /** The frontier of a tree of `size` leaves; `edges`: the partial tile's hashes at each level, `bundle`: its entries. */
  static resume(
    size: number,
    edges: readonly Uint8Array[],
    bundle: Uint8Array,
    sink: TileSink | undefined,
  ): Frontier {
    const frontier = new Frontier(sink)
    frontier.#size = size
    for (const [level, bytes] of edges.entries()) {
      const edge = frontier.#edge(level)
      edge.width = levelCount(level, size) % TILE_WIDTH
      assert.equal(bytes.length, edge.width * HASH_BYTES)
      edge.bytes.set(bytes)
    }
    assert.equal(bundle.length, (size % TILE_WIDTH) * BUNDLED_BYTES)
    frontier.#bundle.set(bundle)
    return frontier
  }

  /** Leaves. */
  get size(): number {
    return this.#size
  }

  /** Levels that hold hashes, or did before those filled a tile. */
  get levels(): number {
    return this.#edges.length
  }

  #edge(level: number): Edge {
    let edge = this.#edges[level]
    if (edge === undefined) {
      edge = { bytes: Buffer.alloc(TILE_BYTES), width: 0 }
      this.#edges[level] = edge
    }
    return edge
  }

  add(entry: Uint8Array, leafHash: Uint8Array): void {
    assert.ok(entry.length === ENTRY_BYTES && leafHash.length === HASH_BYTES)
    const at = (this.#size % TILE_WIDTH) * BUNDLED_BYTES
    this.#bundle[at] = 0
    this.#bundle[at + 1] = ENTRY_BYTES
    this.#bundle.set(entry, at + 2)
    this.#grow(leafHash, 1)
  }

  /** The same for many at once: `entries` as a bundle has them. */
  addAll(entries: Uint8Array, leafHashes: Uint8Array): void {
    const count = leafHashes.length / HASH_BYTES
    assert.equal(entries.length, count * BUNDLED_BYTES)
    for (let i = 0; i < count; ) {
      const within = this.#size % TILE_WIDTH
      const until = Math.min(count, i + TILE_WIDTH - within)
      this.#bundle.set(entries.subarray(i * BUNDLED_BYTES, until * BUNDLED_BYTES), within * BUNDLED_BYTES)
      this.#grow(leafHashes.subarray(i * HASH_BYTES, until * HASH_BYTES), until - i)
      i = until
    }
  }

  /** By leaves of one tile, whose entries are in the bundle. */
  #grow(leafHashes: Uint8Array, count: number): void {
    this.#size += count
    if (this.#size % TILE_WIDTH === 0)
      this.#sink?.onBundle(this.#size / TILE_WIDTH - 1, Buffer.from(this.#bundle))
    const edge = this.#edge(0)
    edge.bytes.set(leafHashes, edge.width * HASH_BYTES)
    edge.width += count
    if (edge.width === TILE_WIDTH) this.#fold(0)
  }

  #fold(level: number): void {
    const edge = this.#edge(level)
    const tree = new TileTree(edge.bytes)
    edge.width = 0
    const index = levelCount(level + 1, this.#size) - 1
    const above = this.#edge(level + 1)
    above.bytes.set(tree.root, above.width * HASH_BYTES)
    above.width += 1
    this.#sink?.onTile(level, index, tree)
    if (above.width === TILE_WIDTH) this.#fold(level + 1)
  }

  /** The partial tile of a level, a copy; empty where it has none. */
  partial(level: number): Buffer {
    const edge = this.#edges[level]
    return Buffer.from(edge === undefined ? [] : edge.bytes.subarray(0, edge.width * HASH_BYTES))
  }

  partialBundle(): Buffer {
    return Buffer.from(this.#bundle.subarray(0, (this.#size % TILE_WIDTH) * BUNDLED_BYTES))
  }

  /** MTH of all leaves. Needs no tile: every complete subtree that it consists of is in a partial tile. */
  root(): Uint8Array {
    const trees = this.#edges.map(({ bytes, width }) =>
      width === 0 ? undefined : new TileTree(bytes.subarray(0, width * HASH_BYTES)),
    )
    return rootOf((height, index) => {
      const level = Math.floor(height / 8)
      const within = height % 8
      const tree = trees[level]
      assert.ok(tree !== undefined, 'the subtree is at the right edge')
      return tree.node(
        within,
        index - Math.floor((index * 2 ** within) / TILE_WIDTH) * (TILE_WIDTH / 2 ** within),
      )
    }, this.#size)
  }
}
