import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import type { RecordedEvent } from '../events/event.ts'
import { HashTable } from '../hash-table.ts'
import type { Hash64 } from '../keyed-hash.ts'
import { halfSipHash } from '../keyed-hash.ts'

type Keyed = Pick<RecordedEvent, 'source' | 'id' | 'position'>

/**
 * Where in the log the event with a (source, id) may be: exact after the caller has compared the candidates with the
 * log. Lives in memory only and is built from the log at every start.
 *
 * An id costs 9.1 to 11 bytes. Two ids whose hashes agree in 40 bits are candidates for each other; of 10 million that
 * happens to one look-up in 100,000 and costs one read of the log. Nothing is ever lost to it: both are kept.
 */
export interface Duplicates {
  /** Positions that may hold the event; nearly always none or one. */
  candidates(source: string, id: string): readonly number[]
  /** The caller has made sure that it isn't there yet. */
  add(source: string, id: string, position: number): void
  /** Adds a scan of the log. */
  addMany(batches: AsyncIterable<readonly Keyed[]>): Promise<void>
  readonly size: number
  /** Memory of the tables. */
  readonly sizeBytes: number
}

/**
 * The event with this key, if there is one. `at` reads the log; candidates that are not durable yet, which `at`
 * doesn't find, are for the caller to know of.
 */
export async function findDuplicate<T extends { readonly source: string; readonly id: string }>(
  duplicates: Duplicates,
  key: { readonly source: string; readonly id: string },
  at: (position: number) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const position of duplicates.candidates(key.source, key.id)) {
    const found = await at(position)
    if (found?.source === key.source && found.id === key.id) return found
  }
  return undefined
}

interface DuplicatesOptions {
  /** For tests; default: HalfSipHash under a random key, so that nobody outside can make ids collide. */
  readonly hash?: Hash64 | undefined
  /** Makes room for so many from the start. */
  readonly expected?: number | undefined
}

export function createDuplicates(options: DuplicatesOptions = {}): Duplicates {
  return new HashedPositions(options)
}

/** Positions are kept modulo this, in 4 bytes; the log says which one it was. */
const ERA = 2 ** 32
const NO_CANDIDATES: readonly number[] = Object.freeze([])

class HashedPositions implements Duplicates {
  readonly #hash: Hash64
  readonly #hashed = new Uint32Array(2)
  readonly #table: HashTable
  #last = 0
  /** What a look-up has found so far. */
  #found: number[] | undefined
  readonly #note = (first: number): boolean => {
    this.#found ??= []
    for (let position = first; position <= this.#last; position += ERA) this.#found.push(position)
    return false
  }

  constructor(options: DuplicatesOptions) {
    this.#hash = options.hash ?? halfSipHash(randomBytes(8))
    this.#table = new HashTable(options.expected)
  }

  get size(): number {
    return this.#table.size
  }

  get sizeBytes(): number {
    return this.#table.sizeBytes
  }

  candidates(source: string, id: string): readonly number[] {
    this.#found = undefined
    this.#hash(source, id, this.#hashed)
    this.#table.find(this.#hashed, this.#note)
    return this.#found ?? NO_CANDIDATES
  }

  add(source: string, id: string, position: number): void {
    assert(Number.isSafeInteger(position) && position > 0)
    this.#hash(source, id, this.#hashed)
    this.#table.add(this.#hashed, position % ERA)
    this.#last = Math.max(this.#last, position)
  }

  async addMany(batches: AsyncIterable<readonly Keyed[]>): Promise<void> {
    for await (const batch of batches) {
      for (const { source, id, position } of batch) this.add(source, id, position)
    }
  }
}
