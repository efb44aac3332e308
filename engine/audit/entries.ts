import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import type { Block } from '../log/embedded/block-decoder.ts'
import { ByteSink } from '../log/embedded/byte-sink.ts'
import { StoredBytes } from '../log/embedded/stored-bytes.ts'
import { BUNDLED_BYTES, ENTRY_BYTES, HASH_BYTES } from './format.ts'
import { BLOCK_BYTES, FREE_AT, openLanes, pad, paddedBlocks } from './sha256-lanes.ts'

/** Position of an entry. */
export function entryPosition(entry: Uint8Array): number {
  const view = new DataView(entry.buffer, entry.byteOffset, 8)
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4)
}

/** The entries of a bundle, views of it; undefined where it isn't one. */
export function splitBundle(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += BUNDLED_BYTES) {
    if (bytes[at] !== 0 || bytes[at + 1] !== ENTRY_BYTES) return undefined
    const entry = bytes.subarray(at + 2, at + BUNDLED_BYTES)
    if (entry.length !== ENTRY_BYTES) return undefined
    entries.push(entry)
  }
  return entries
}

/** Events that are hashed together. */
const BATCH_EVENTS = 256
/** RFC 6962's prefix of a leaf, and the entry. */
const LEAF_BYTES = 1 + ENTRY_BYTES
/** In the lanes' memory: leaves, each padded to one block; their hashes; then stored bytes of events. */
const LEAVES_AT = FREE_AT
const HASHES_AT = LEAVES_AT + BATCH_EVENTS * BLOCK_BYTES
const EVENTS_AT = HASHES_AT + BATCH_EVENTS * HASH_BYTES
const EVENTS_BYTES = 256 * 1024
/** A batch ends when this much of it is used. */
const ENOUGH_BYTES = EVENTS_BYTES - 32 * 1024
/** Longer messages are hashed faster by `node:crypto`. */
const MOST_BLOCKS = 12

assert.equal(paddedBlocks(LEAF_BYTES), 1)

/** `each`: the entry and the leaf hash of an event, only valid during the call. May answer false to stop. */
export type Visitor = (entry: Buffer, leafHash: Buffer) => unknown

/** Makes entries and leaf hashes of a block's events. One for each user: it reuses its memory. */
export class EntryHasher {
  readonly #lanes = openLanes(EVENTS_AT - FREE_AT + EVENTS_BYTES)
  readonly #bytes: Buffer = Buffer.from(this.#lanes.memory)
  readonly #view: DataView = new DataView(this.#lanes.memory)
  readonly #entries: readonly Buffer[] = slots(this.#bytes, LEAVES_AT + 1, BLOCK_BYTES, ENTRY_BYTES)
  readonly #hashes: readonly Buffer[] = slots(this.#bytes, HASHES_AT, HASH_BYTES, HASH_BYTES)
  /** By number of blocks: pairs of where a message is and which event of the batch it belongs to, four at most. */
  readonly #waiting: readonly number[][] = Array.from({ length: MOST_BLOCKS + 1 }, () => [])
  #sink = new ByteSink(this.#lanes.memory)
  #count = 0
  #visiting = false

  constructor() {
    for (let i = 0; i < BATCH_EVENTS; i++) {
      const at = LEAVES_AT + i * BLOCK_BYTES
      pad(this.#bytes, this.#view, at, at + LEAF_BYTES)
    }
  }

  /** Calls `each` for the block's events from position `from` to `until` (inclusive), in order. */
  visit(block: Block, from: number, until: number, each: Visitor): void {
    assert.ok(!this.#visiting, 'the memory is in use')
    this.#visiting = true
    try {
      this.#visit(block, from, until, each)
    } finally {
      this.#visiting = false
    }
  }

  #visit(block: Block, from: number, until: number, each: Visitor): void {
    const stored = new StoredBytes(block)
    for (const waiting of this.#waiting) waiting.length = 0
    const last = Math.min(block.last, until)
    for (let position = Math.max(from, block.first); position <= last; ) {
      this.#sink.length = EVENTS_AT
      this.#count = 0
      while (position <= last && this.#count < BATCH_EVENTS && this.#sink.length < EVENTS_AT + ENOUGH_BYTES) {
        this.#add(stored, position - block.first, position)
        position += 1
      }
      this.#finish()
      for (let i = 0; i < this.#count; i++) if (each(this.#entryAt(i), this.#hashAt(i)) === false) return
    }
  }

  #entryAt(i: number): Buffer {
    return this.#entries[i] ?? assert.fail()
  }

  #hashAt(i: number): Buffer {
    return this.#hashes[i] ?? assert.fail()
  }

  #add(stored: StoredBytes, index: number, position: number): void {
    const sink = this.#sink
    const from = sink.length
    const place = this.#count++
    const leafAt = LEAVES_AT + place * BLOCK_BYTES
    this.#view.setUint32(leafAt + 1, Math.floor(position / 2 ** 32))
    this.#view.setUint32(leafAt + 5, position % 2 ** 32)
    stored.write(sink, index)
    const blocks = paddedBlocks(sink.length - from)
    sink.reserve(blocks * BLOCK_BYTES)
    if (blocks > MOST_BLOCKS || sink.bytes.buffer !== this.#lanes.memory) {
      this.#addLong(from, place)
      return
    }
    pad(this.#bytes, this.#view, from, sink.length)
    sink.length = from + blocks * BLOCK_BYTES
    const waiting = this.#waiting[blocks] ?? assert.fail()
    waiting.push(from, leafAt + 9)
    if (waiting.length === 8) this.#hashWaiting(blocks, waiting)
  }

  /** Where it didn't fit, the sink took other memory. */
  #addLong(from: number, place: number): void {
    const sink = this.#sink
    const digest = hash('sha256', sink.bytes.subarray(from, sink.length), 'binary')
    this.#bytes.write(digest, LEAVES_AT + place * BLOCK_BYTES + 9, HASH_BYTES, 'latin1')
    sink.length = from
    if (sink.bytes.buffer === this.#lanes.memory) return
    this.#sink = new ByteSink(this.#lanes.memory)
    this.#sink.length = from
  }

  /** Lanes that nothing is left for do the first one's work again. */
  #hashWaiting(blocks: number, waiting: number[]): void {
    const [a = 0, toA = 0, b = a, toB = toA, c = a, toC = toA, d = a, toD = toA] = waiting
    this.#lanes.hash4(blocks, a, b, c, d, toA, toB, toC, toD)
    waiting.length = 0
  }

  /** What waits still; then the leaves. */
  #finish(): void {
    for (const [blocks, waiting] of this.#waiting.entries())
      if (waiting.length > 0) this.#hashWaiting(blocks, waiting)
    for (let i = 0; i < this.#count; i += 4) {
      const from = LEAVES_AT + i * BLOCK_BYTES
      const to = HASHES_AT + i * HASH_BYTES
      this.#lanes.hash4(
        1,
        from,
        from + BLOCK_BYTES,
        from + 2 * BLOCK_BYTES,
        from + 3 * BLOCK_BYTES,
        to,
        to + HASH_BYTES,
        to + 2 * HASH_BYTES,
        to + 3 * HASH_BYTES,
      )
    }
  }
}

function slots(bytes: Buffer, from: number, everyBytes: number, sizeBytes: number): readonly Buffer[] {
  return Array.from({ length: BATCH_EVENTS }, (_, i) => {
    const at = from + i * everyBytes
    return bytes.subarray(at, at + sizeBytes)
  })
}
