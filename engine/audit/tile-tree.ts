import assert from 'node:assert/strict'
import { HASH_BYTES, TILE_HEIGHT, TILE_WIDTH } from './format.ts'
import { BLOCK_BYTES, FREE_AT, openLanes, pad, paddedBlocks } from './sha256-lanes.ts'

/** Nodes of a full tile's tree at all heights, the hashes of the tile itself (height 0) first. */
const NODES = TILE_WIDTH * 2 - 1
/** Where each height's nodes begin among them. */
const STARTS: readonly number[] = Array.from(
  { length: TILE_HEIGHT + 1 },
  (_, height) => TILE_WIDTH * 2 - (TILE_WIDTH * 2) / 2 ** height,
)

assert.equal(STARTS.at(-1), NODES - 1, 'one root')

/** RFC 6962's prefix of a node, and its children. */
const PAIR_BYTES = 1 + 2 * HASH_BYTES
const PAIR_BLOCKS = paddedBlocks(PAIR_BYTES)
/** In the lanes' memory: four pairs, then the nodes, then what the lanes write that have nothing to do. */
const EVERY_BYTES = PAIR_BLOCKS * BLOCK_BYTES
const PAIRS_AT = [0, 1, 2, 3].map((lane) => FREE_AT + lane * EVERY_BYTES)
const NODES_AT = FREE_AT + 4 * EVERY_BYTES
const IDLE_AT = NODES_AT + NODES * HASH_BYTES
const lanes = openLanes(IDLE_AT + 4 * HASH_BYTES - FREE_AT)
const memory = Buffer.from(lanes.memory)

for (const at of PAIRS_AT) {
  memory[at] = 0x01
  pad(memory, new DataView(lanes.memory), at, at + PAIR_BYTES)
}

/** Hashes each two of the nodes at `from` to those at `to`, which are `count`. */
function combine(from: number, to: number, count: number): void {
  const [a = 0, b = 0, c = 0, d = 0] = PAIRS_AT
  for (let i = 0; i < count; i += 4) {
    for (let lane = 0; lane < 4 && i + lane < count; lane++) {
      const pair = from + (i + lane) * 2 * HASH_BYTES
      memory.copyWithin((PAIRS_AT[lane] ?? 0) + 1, pair, pair + 2 * HASH_BYTES)
    }
    const at = (lane: number): number => (i + lane < count ? to + (i + lane) * HASH_BYTES : IDLE_AT)
    lanes.hash4(PAIR_BLOCKS, a, b, c, d, at(0), at(1), at(2), at(3))
  }
}

/** The hashes of a tile with all that follows from them: what a proof takes is looked up, not hashed. */
export class TileTree {
  readonly width: number
  readonly #nodes: Buffer

  /** `hashes`: the tile, full or partial. Nodes are those of complete subtrees: others depend on the whole tree's size. */
  constructor(hashes: Uint8Array) {
    this.width = hashes.length / HASH_BYTES
    assert.ok(Number.isInteger(this.width) && this.width >= 1 && this.width <= TILE_WIDTH)
    memory.set(hashes, NODES_AT)
    const startOf = (height: number): number => NODES_AT + (STARTS[height] ?? 0) * HASH_BYTES
    for (let height = 1; height <= TILE_HEIGHT; height++)
      combine(startOf(height - 1), startOf(height), this.width >> height)
    this.#nodes = Buffer.allocUnsafeSlow(NODES * HASH_BYTES)
    memory.copy(this.#nodes, 0, NODES_AT, IDLE_AT)
  }

  /** The subtree of 2^height of the tile's hashes, `index` in units of that; it must be complete. */
  node(height: number, index: number): Buffer {
    assert.ok((index + 1) * 2 ** height <= this.width, 'the tile holds the whole subtree')
    const at = ((STARTS[height] ?? 0) + index) * HASH_BYTES
    return this.#nodes.subarray(at, at + HASH_BYTES)
  }

  /** Of a full tile. */
  get root(): Buffer {
    return this.node(TILE_HEIGHT, 0)
  }

  /** The first `width` hashes. */
  hashes(width = this.width): Buffer {
    return this.#nodes.subarray(0, width * HASH_BYTES)
  }
}
