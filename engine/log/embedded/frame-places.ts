import type { FrameEntry } from './seekable-zstd.ts'

/** Where the frames of a file lie, in it and in the plain one. As numbers side by side: a segment has thousands. */
export class FramePlaces {
  readonly count: number
  readonly #plainEnds: Float64Array
  readonly #compressedEnds: Float64Array
  readonly #checksums: Uint32Array

  constructor(entries: readonly FrameEntry[]) {
    this.count = entries.length
    this.#plainEnds = new Float64Array(entries.length)
    this.#compressedEnds = new Float64Array(entries.length)
    this.#checksums = new Uint32Array(entries.length)
    let plainBytes = 0
    let compressedBytes = 0
    entries.forEach((entry, index) => {
      plainBytes += entry.plainBytes
      compressedBytes += entry.compressedBytes
      this.#plainEnds[index] = plainBytes
      this.#compressedEnds[index] = compressedBytes
      this.#checksums[index] = entry.checksum
    })
  }

  get plainBytes(): number {
    return this.start(this.count)
  }

  /**
   * Where a frame's content begins in the plain file, and that of the one before it ends. What lies behind all frames has no
   * end: in a file whose end is missing it must not pass for nothing.
   */
  start(index: number): number {
    return this.#plainEnds[index - 1] ?? (index < 1 ? 0 : Number.POSITIVE_INFINITY)
  }

  compressedStart(index: number): number {
    return this.#compressedEnds[index - 1] ?? 0
  }

  checksum(index: number): number {
    return this.#checksums[index] ?? 0
  }

  /** The frame that holds this byte of the plain file; their number where there is none. */
  indexOf(plainOffset: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#plainEnds[middle] ?? 0) <= plainOffset) low = middle + 1
      else high = middle
    }
    return low
  }
}
