import { strict as assert } from 'node:assert'
import { NONCE_BYTES, OVERHEAD_BYTES, TAG_BYTES } from './format.ts'

/**
 * What was sealed lately, in memory that the threads of a process share: whoever folds an event right after it was taken
 * in needs neither its key nor a decryption. One thread puts and clears, any thread gets. A part is known by its nonce and its tag,
 * which no other blob shares, and by its associated data, as if it were decrypted; a part that isn't found, or was
 * overwritten meanwhile, is decrypted as ever. Ciphertext isn't compared: the log's checksums notice what changes on disk.
 *
 * Layout: `[units ever reserved, i32]`, a table of 2^16 entries (i32) by the nonce's first two bytes, each the unit after
 * that where a record begins, and a ring of records: nonce, tag, both lengths (u32: the plaintext's, and 2^16 times that of
 * the associated data), plaintext, associated data, padded to whole units of 16 bytes.
 * Units are counted on for ever, modulo 2^32; a record is still whole while fewer units than the ring has were reserved
 * since it began.
 */
export interface FreshParts {
  /** To be handed to other threads. */
  readonly shared: SharedArrayBuffer
  put(blob: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): void
  /** The plaintext, copied; undefined: not known any more. */
  get(blob: Uint8Array, associated: Uint8Array): Uint8Array | undefined
  /** Nothing that was put stays in this memory. For the thread that puts alone. */
  clear(): void
}

const RING_BYTES = 16 * 1024 * 1024
const UNIT_BYTES = 16
const RING_UNITS = RING_BYTES / UNIT_BYTES
const TABLE_ENTRIES = 1 << 16
const HEADER_BYTES = UNIT_BYTES
const TABLE_BYTES = 4 * TABLE_ENTRIES
/** In the table; a record that begins at the unit before 0 isn't found. */
const NOTHING = 0
const RECORD_HEAD_BYTES = NONCE_BYTES + TAG_BYTES + 4
/** Larger parts, and longer associated data, are seldom, and would push many others out. */
const MAX_BYTES = 16 * 1024

assert.equal(RECORD_HEAD_BYTES % UNIT_BYTES, 0)

/** Over memory of its own, or over what another thread's has `shared`. */
export function freshParts(shared?: SharedArrayBuffer): FreshParts {
  return new SharedParts(shared ?? new SharedArrayBuffer(HEADER_BYTES + TABLE_BYTES + RING_BYTES))
}

class SharedParts implements FreshParts {
  readonly shared: SharedArrayBuffer
  readonly #reserved: Int32Array
  readonly #table: Int32Array
  readonly #ring: Uint8Array
  readonly #words: Uint32Array

  constructor(shared: SharedArrayBuffer) {
    this.shared = shared
    this.#reserved = new Int32Array(shared, 0, 1)
    this.#table = new Int32Array(shared, HEADER_BYTES, TABLE_ENTRIES)
    this.#ring = new Uint8Array(shared, HEADER_BYTES + TABLE_BYTES)
    this.#words = new Uint32Array(shared, HEADER_BYTES + TABLE_BYTES)
  }

  put(blob: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): void {
    const { length } = plaintext
    assert.equal(blob.length, length + OVERHEAD_BYTES, 'a blob is its plaintext, a nonce and a tag')
    if (length > MAX_BYTES || associated.length > MAX_BYTES) return
    const units = Math.ceil((RECORD_HEAD_BYTES + length + associated.length) / UNIT_BYTES)
    let start = Atomics.load(this.#reserved, 0)
    // A record doesn't wrap around the end of the ring.
    const left = RING_UNITS - (start & (RING_UNITS - 1))
    if (left < units) start = (start + left) | 0
    // First the room, then what stands in it: whoever reads what stood there before finds that it isn't any more. An
    // exchange, because nothing that follows it may be seen before it, which a store alone doesn't promise everywhere.
    Atomics.exchange(this.#reserved, 0, (start + units) | 0)
    const at = (start & (RING_UNITS - 1)) * UNIT_BYTES
    for (let i = 0; i < NONCE_BYTES; i++) this.#ring[at + i] = blob[i] as number
    const tagAt = blob.length - TAG_BYTES
    for (let i = 0; i < TAG_BYTES; i++) this.#ring[at + NONCE_BYTES + i] = blob[tagAt + i] as number
    this.#words[(at + NONCE_BYTES + TAG_BYTES) >> 2] = lengthsOf(length, associated)
    this.#ring.set(plaintext, at + RECORD_HEAD_BYTES)
    this.#ring.set(associated, at + RECORD_HEAD_BYTES + length)
    Atomics.store(this.#table, entryOf(blob), (start + 1) | 0)
  }

  get(blob: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
    const length = blob.length - OVERHEAD_BYTES
    if (length < 0 || length > MAX_BYTES || associated.length > MAX_BYTES) return undefined
    const entry = Atomics.load(this.#table, entryOf(blob))
    if (entry === NOTHING) return undefined
    const start = (entry - 1) | 0
    if (!isWhole(start, Atomics.load(this.#reserved, 0))) return undefined
    const at = (start & (RING_UNITS - 1)) * UNIT_BYTES
    if (this.#words[(at + NONCE_BYTES + TAG_BYTES) >> 2] !== lengthsOf(length, associated)) return undefined
    const from = at + RECORD_HEAD_BYTES
    if (!this.#isOf(blob, at) || !this.#holds(associated, from + length)) return undefined
    const plaintext = this.#ring.slice(from, from + length)
    // Adding nothing keeps what was read before in front of it, which a load alone doesn't.
    return isWhole(start, Atomics.add(this.#reserved, 0, 0)) ? plaintext : undefined
  }

  clear(): void {
    Atomics.add(this.#reserved, 0, RING_UNITS)
    this.#table.fill(0)
    this.#ring.fill(0)
  }

  #holds(bytes: Uint8Array, at: number): boolean {
    for (let i = 0; i < bytes.length; i++) if (this.#ring[at + i] !== bytes[i]) return false
    return true
  }

  #isOf(blob: Uint8Array, at: number): boolean {
    for (let i = 0; i < NONCE_BYTES; i++) if (this.#ring[at + i] !== blob[i]) return false
    const tagAt = blob.length - TAG_BYTES
    for (let i = 0; i < TAG_BYTES; i++) {
      if (this.#ring[at + NONCE_BYTES + i] !== blob[tagAt + i]) return false
    }
    return true
  }
}

function lengthsOf(length: number, associated: Uint8Array): number {
  return length + associated.length * 0x10000
}

function isWhole(start: number, reserved: number): boolean {
  const since = (reserved - start) >>> 0
  return since > 0 && since <= RING_UNITS
}

/** Nonces are random. */
function entryOf(blob: Uint8Array): number {
  return ((blob[0] as number) << 8) | (blob[1] as number)
}
