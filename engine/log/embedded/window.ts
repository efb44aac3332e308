import type { LogFile } from './files.ts'

/**
 * Reads a file piece by piece: neighbouring small reads are served from one large one. What it handed out stays
 * valid, since every refill takes new memory. Bytes that were not durable when they were read must not be asked for.
 */
export class Window {
  readonly #file: LogFile
  readonly #sizeBytes: number
  #bytes: Buffer = Buffer.alloc(0)
  #offset = 0

  constructor(file: LogFile, sizeBytes: number) {
    this.#file = file
    this.#sizeBytes = sizeBytes
  }

  /** Bytes from `offset` on, fewer than `count` only at the end of the file. */
  bytes(offset: number, count: number): Buffer {
    const start = offset - this.#offset
    if (start < 0 || start + count > this.#bytes.length) {
      this.#refill(offset, count)
      return this.#bytes.subarray(0, count)
    }
    return this.#bytes.subarray(start, start + count)
  }

  #refill(offset: number, count: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.#sizeBytes, count))
    this.#bytes = bytes.subarray(0, this.#file.read(bytes, offset))
    this.#offset = offset
  }
}
