import assert from 'node:assert/strict'

/** Memory is taken in pieces of this size; what is larger gets a piece of its own. */
const CHUNK_BYTES = 4 * 1024 * 1024
const LEAST_SLOT_BYTES = 32
/** Sizes of slots between one power of two and the next: at most a fifth of a slot stays empty. */
const SIZES_PER_DOUBLING = 4
/** About what a key and its place take in a map. */
const ENTRY_BYTES = 120

interface Slot {
  readonly chunk: Uint8Array
  readonly start: number
  readonly size: number
  length: number
}

/**
 * States by key, packed side by side outside the heap: as objects the same content takes several times as much, and
 * whatever collects garbage would walk it again and again. A state that outgrows its slot moves to a larger one, and its slot is
 * used again.
 */
export class StagedStates {
  readonly #slots = new Map<string, Slot>()
  /** By size. */
  readonly #free = new Map<number, Slot[]>()
  #chunk = new Uint8Array(0)
  #used = 0
  #sizeBytes = 0

  /** What it takes of memory, the map's share estimated. */
  get sizeBytes(): number {
    return this.#sizeBytes + this.#slots.size * ENTRY_BYTES
  }

  /** Valid until the key's state is put again. */
  get(key: string): Uint8Array | undefined {
    const slot = this.#slots.get(key)
    return slot?.chunk.subarray(slot.start, slot.start + slot.length)
  }

  put(key: string, state: Uint8Array): void {
    const before = this.#slots.get(key)
    const slot = before !== undefined && before.size >= state.length ? before : this.#slotFor(state.length)
    slot.chunk.set(state, slot.start)
    slot.length = state.length
    if (slot === before) return
    this.#slots.set(key, slot)
    if (before !== undefined) this.#freed(before.size).push(before)
  }

  /** In the order of UTF-16 code units. */
  keys(): readonly string[] {
    return [...this.#slots.keys()].sort()
  }

  clear(): void {
    this.#slots.clear()
    this.#free.clear()
    this.#chunk = new Uint8Array(0)
    this.#used = 0
    this.#sizeBytes = 0
  }

  #slotFor(length: number): Slot {
    const size = slotSize(length)
    return this.#freed(size).pop() ?? this.#newSlot(size)
  }

  #newSlot(size: number): Slot {
    if (this.#used + size > this.#chunk.length) {
      this.#chunk = new Uint8Array(Math.max(CHUNK_BYTES, size))
      this.#sizeBytes += this.#chunk.length
      this.#used = 0
    }
    const slot = { chunk: this.#chunk, start: this.#used, size, length: 0 }
    this.#used += size
    return slot
  }

  #freed(size: number): Slot[] {
    const known = this.#free.get(size)
    if (known !== undefined) return known
    const slots: Slot[] = []
    this.#free.set(size, slots)
    return slots
  }
}

/** The least size of slots that holds so many bytes. */
function slotSize(length: number): number {
  if (length <= LEAST_SLOT_BYTES) return LEAST_SLOT_BYTES
  const power = 2 ** Math.floor(Math.log2(length))
  const step = power / SIZES_PER_DOUBLING
  const size = power + Math.ceil((length - power) / step) * step
  assert(size >= length)
  return size
}
