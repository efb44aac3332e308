/** Less is allocated at first, so that a cache that is hardly used costs next to nothing. */
const FIRST_BYTES = 64 * 1024
/** Number (f64) and length (u32) before the bytes. */
const HEAD_BYTES = 12
/** About what a key and its place take in a map. */
const ENTRY_BYTES = 100

/** An entry's bytes, and a number that goes with them. */
interface PackedEntry {
  readonly number: number
  readonly bytes: Uint8Array
}

/** Entries one after the other in one piece of memory. */
class Generation {
  readonly #places = new Map<string, number>()
  #memory = new Uint8Array(FIRST_BYTES)
  #view = viewOf(this.#memory)
  #used = 0

  /** What it takes of a budget. */
  get sizeBytes(): number {
    return this.#used + this.#places.size * ENTRY_BYTES
  }

  placeOf(key: string): number | undefined {
    return this.#places.get(key)
  }

  numberAt(place: number): number {
    return this.#view.getFloat64(place, true)
  }

  bytesAt(place: number): Uint8Array {
    const start = place + HEAD_BYTES
    return this.#memory.subarray(start, start + this.#view.getUint32(place + 8, true))
  }

  add(key: string, number: number, bytes: Uint8Array): void {
    const end = this.#used + HEAD_BYTES + bytes.length
    if (end > this.#memory.length) this.#grow(Math.max(end, this.#memory.length * 2))
    this.#view.setFloat64(this.#used, number, true)
    this.#view.setUint32(this.#used + 8, bytes.length, true)
    this.#memory.set(bytes, this.#used + HEAD_BYTES)
    this.#places.set(key, this.#used)
    this.#used = end
  }

  delete(key: string): void {
    this.#places.delete(key)
  }

  #grow(sizeBytes: number): void {
    const memory = new Uint8Array(sizeBytes)
    memory.set(this.#memory.subarray(0, this.#used))
    this.#memory = memory
    this.#view = viewOf(memory)
  }
}

function viewOf(memory: Uint8Array): DataView {
  return new DataView(memory.buffer)
}

/**
 * What several caches share. Each keeps two generations of entries; when the younger ones of all have come to half of the
 * capacity, the older ones are dropped: so the memory goes where it is used, however many caches there are.
 */
export class CacheBudget {
  /** Of all generations of all caches, maps included. */
  readonly capacityBytes: number
  readonly #caches = new Set<PackedCache>()
  #youngBytes = 0

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  /** For caches only. */
  join(cache: PackedCache): void {
    this.#caches.add(cache)
  }

  /** For caches only. */
  leave(cache: PackedCache): void {
    this.#caches.delete(cache)
  }

  /** For caches only: bytes that a cache's younger generation is about to grow by, or has lost. */
  grow(sizeBytes: number): void {
    this.#youngBytes += sizeBytes
    if (this.#youngBytes <= this.capacityBytes / 2) return
    for (const cache of this.#caches) cache.age()
    this.#youngBytes = sizeBytes
  }
}

/**
 * A bounded map from texts to bytes that forgets what wasn't used for long (see `CacheBudget`). Bytes lie side by side outside the heap: as objects the same content would take several
 * times as much, and most of what folding costs is waiting for memory.
 */
export class PackedCache {
  readonly #budget: CacheBudget
  #young = new Generation()
  #old = new Generation()

  constructor(budget: CacheBudget) {
    this.#budget = budget
    budget.join(this)
  }

  /** The bytes stay as they are as long as anybody holds them. */
  get(key: string): PackedEntry | undefined {
    const young = this.#young.placeOf(key)
    if (young !== undefined) return { number: this.#young.numberAt(young), bytes: this.#young.bytesAt(young) }
    const old = this.#old.placeOf(key)
    if (old === undefined) return undefined
    const entry = { number: this.#old.numberAt(old), bytes: this.#old.bytesAt(old) }
    this.set(key, entry.number, entry.bytes)
    return entry
  }

  /** An entry's number alone. */
  numberOf(key: string): number | undefined {
    const young = this.#young.placeOf(key)
    if (young !== undefined) return this.#young.numberAt(young)
    const old = this.#old.placeOf(key)
    return old === undefined ? undefined : this.#old.numberAt(old)
  }

  /** What is larger than a sixteenth of the budget isn't kept. */
  set(key: string, number: number, bytes: Uint8Array): void {
    if (bytes.length > this.#budget.capacityBytes / 16) {
      this.delete(key)
      return
    }
    this.#budget.grow(bytes.length + HEAD_BYTES + ENTRY_BYTES)
    this.#young.add(key, number, bytes)
  }

  /** For the budget only: the younger generation becomes the older one. */
  age(): void {
    this.#old = this.#young
    this.#young = new Generation()
  }

  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#budget.grow(-this.#young.sizeBytes)
    this.#young = new Generation()
    this.#old = new Generation()
  }

  /** Gives its share back, for good. */
  close(): void {
    this.clear()
    this.#budget.leave(this)
  }
}
