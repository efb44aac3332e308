import assert from 'node:assert/strict'
import type { VerifiedParts } from './files.ts'
import { KIB, MIB } from './format.ts'
import { release } from './frame-cache.ts'
import { type EventBlock, LoneBlock } from './lone-block.ts'
import type { BlockPlace, SegmentReader } from './segment-reader.ts'
import { Window } from './window.ts'

/** Blocks up to this size are read into memory that is kept. */
const KEPT_BYTES = MIB
/** Blocks of compressed segments, as far as they were read. One larger block may be kept instead. */
const CAPACITY_BYTES = 8 * MIB
/** Memory comes in multiples of it, so that it fits other blocks of about the same size. */
const STEP_BYTES = 64 * KIB

interface Kept {
  readonly segment: SegmentReader
  readonly block: LoneBlock
  readonly memory: Buffer
}

/**
 * Reads blocks, for single events far apart, into memory that is used again: making it anew for each costs as much as
 * reading. What is taken from a block is taken before the next one is read, by whomever.
 */
export class LoneBlocks {
  #memory: Buffer = Buffer.alloc(0)
  #current: { readonly segment: SegmentReader; readonly at: number; readonly block: EventBlock } | undefined
  /** Those used last, by their first positions. */
  readonly #kept = new Map<number, Kept>()
  #keptBytes = 0
  readonly #take = (sizeBytes: number): Buffer => {
    if (sizeBytes > KEPT_BYTES) return Buffer.allocUnsafeSlow(sizeBytes)
    if (this.#memory.length < sizeBytes) this.#memory = Buffer.allocUnsafeSlow(sizeBytes)
    return this.#memory.subarray(0, sizeBytes)
  }

  /** A block, verified as far as it is asked about; the one that was read last isn't read again. Throws `LogDamaged`. */
  read(segment: SegmentReader, at: number, whole: (place: BlockPlace) => boolean): EventBlock {
    if (this.#current?.segment === segment && this.#current.at === at) return this.#current.block
    this.#current = undefined
    const parts = segment.file.parts?.()
    const block =
      parts === undefined
        ? segment.block(at, new Window(segment.file, 0, this.#take))
        : this.#inParts(segment, at, parts, whole)
    this.#current = { segment, at, block }
    return block
  }

  /** What a block of a compressed segment was asked about stays, for the other identities of the same person. */
  #inParts(
    segment: SegmentReader,
    at: number,
    parts: VerifiedParts,
    whole: (place: BlockPlace) => boolean,
  ): LoneBlock {
    const place = segment.place(at)
    assert.ok(place !== undefined)
    const { first, sizeBytes } = place
    const known = this.#kept.get(first)
    this.#kept.delete(first)
    if (known?.segment === segment) {
      this.#kept.set(first, known)
      return known.block
    }
    this.#keptBytes -= known?.memory.length ?? 0
    const memory = this.#room(sizeBytes)
    const block = new LoneBlock(segment, at, parts, memory.subarray(0, sizeBytes), whole(place))
    this.#kept.set(first, { segment, block, memory })
    this.#keptBytes += memory.length
    return block
  }

  /** Memory for so much: that of a block that has to go, if it suits. */
  #room(sizeBytes: number): Buffer {
    const neededBytes = Math.ceil(sizeBytes / STEP_BYTES) * STEP_BYTES
    let found: Buffer | undefined
    for (const [key, { memory }] of this.#kept) {
      if (this.#keptBytes + neededBytes <= CAPACITY_BYTES) break
      this.#kept.delete(key)
      this.#keptBytes -= memory.length
      if (found === undefined && memory.length === neededBytes) found = memory
      else release(memory)
    }
    return found ?? Buffer.allocUnsafeSlow(neededBytes)
  }

  /** What was read last is looked for again from now on. */
  forget(): void {
    this.#current = undefined
  }

  close(): void {
    this.forget()
    this.#kept.clear()
    this.#keptBytes = 0
  }
}
