const LEAST_BYTES = 64 * 1024

/** Memory that travels to the writing thread and comes back, instead of being made anew for each block. */
export class MemoryPool {
  readonly #free: ArrayBuffer[] = []
  readonly #keep: number
  readonly #keptBytes: number

  /** Keeps at most `keep` pieces, none above `keptBytes`. */
  constructor(keep: number, keptBytes: number) {
    this.#keep = keep
    this.#keptBytes = keptBytes
  }

  take(sizeBytes: number): ArrayBuffer {
    const index = this.#free.findIndex((memory) => memory.byteLength >= sizeBytes)
    const [memory] = index < 0 ? [] : this.#free.splice(index, 1)
    return memory ?? new ArrayBuffer(Math.max(LEAST_BYTES, 2 ** Math.ceil(Math.log2(sizeBytes))))
  }

  give(memory: ArrayBuffer): void {
    if (memory.byteLength > this.#keptBytes || memory.byteLength === 0) return
    this.#free.push(memory)
    if (this.#free.length > this.#keep) this.#free.shift()
  }
}
