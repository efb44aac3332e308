import type { Block } from './block-decoder.ts'
import { MIB } from './format.ts'
import type { SegmentReader } from './segment-reader.ts'
import { Window } from './window.ts'

/** Blocks up to this size are read into memory that is kept. */
const KEPT_BYTES = MIB

/**
 * Reads blocks, for single events far apart, into the same memory: each would keep a block in memory otherwise, and making
 * that anew costs as much as reading. What is taken from a block is taken before the next one is read, by whomever.
 */
export class LoneBlocks {
  #memory: Buffer = Buffer.alloc(0)
  #current: { readonly segment: SegmentReader; readonly at: number; readonly block: Block } | undefined
  readonly #take = (sizeBytes: number): Buffer => {
    if (sizeBytes > KEPT_BYTES) return Buffer.allocUnsafeSlow(sizeBytes)
    if (this.#memory.length < sizeBytes) this.#memory = Buffer.allocUnsafeSlow(sizeBytes)
    return this.#memory.subarray(0, sizeBytes)
  }

  /** A block, verified; the one that was read last isn't read again. Throws `LogDamaged`. */
  read(segment: SegmentReader, at: number): Block {
    if (this.#current?.segment === segment && this.#current.at === at) return this.#current.block
    this.#current = undefined
    const block = segment.block(at, new Window(segment.file, 0, this.#take))
    this.#current = { segment, at, block }
    return block
  }

  /** What was read is read again from now on. */
  forget(): void {
    this.#current = undefined
  }
}
