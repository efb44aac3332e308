import { type LogFile, UnreadableBytes } from './files.ts'

/**
 * Reads a file piece by piece: neighbouring small reads are served from one large one. What it handed out stays
 * valid, since every refill takes new memory. Bytes that were not durable when they were read must not be asked for.
 */
export class Window {
  readonly #file: LogFile
  readonly #sizeAt: (offset: number) => number
  readonly #memory: (sizeBytes: number) => Buffer
  #bytes: Buffer = Buffer.alloc(0)
  #offset = 0

  /**
   * `size`: bytes to read at least, or those from an offset on, where reading to the end of a block matters. `memory`: for a caller
   * who has done with what it got when it asks again, and gives the same memory each time.
   */
  constructor(
    file: LogFile,
    size: number | ((offset: number) => number),
    memory: (sizeBytes: number) => Buffer = Buffer.allocUnsafeSlow,
  ) {
    this.#file = file
    this.#sizeAt = typeof size === 'number' ? () => size : size
    this.#memory = memory
  }

  /** Bytes from `offset` on, fewer than `count` only at the end of the file. Throws `UnreadableBytes`. */
  bytes(offset: number, count: number): Buffer {
    const start = offset - this.#offset
    if (start < 0 || start + count > this.#bytes.length) {
      this.#refill(offset, count)
      return this.#bytes.subarray(0, count)
    }
    return this.#bytes.subarray(start, start + count)
  }

  #refill(offset: number, count: number): void {
    const bytes = this.#memory(Math.max(this.#sizeAt(offset), count))
    this.#bytes = bytes.subarray(0, this.#read(bytes, offset, count))
    this.#offset = offset
  }

  /** More than the `count` bytes asked for is read only as far as it can be. */
  #read(into: Buffer, offset: number, count: number): number {
    try {
      return this.#file.read(into, offset)
    } catch (error) {
      if (!(error instanceof UnreadableBytes) || error.from < offset + count) throw error
      return this.#file.read(into.subarray(0, error.from - offset), offset)
    }
  }
}
