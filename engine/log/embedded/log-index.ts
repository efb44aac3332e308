import type { IdentityId } from '../../events/identity.ts'
import type { Appended } from '../log.ts'
import type { Block } from './block-decoder.ts'

/**
 * Which positions belong to a stream or an identity. Built from the columns of the durable blocks, in order; always
 * rebuildable.
 */
export interface LogIndex {
  /** The next durable block. */
  add(block: IndexedBlock): void
  /** Last revision and position of a stream. */
  streamHead(stream: string): Appended | undefined
  /** Oldest first. */
  streamPositions(stream: string): readonly number[]
  /** Oldest first; of events that name this identity, leading or not, each once. */
  identityPositions(id: IdentityId): readonly number[]
  /** Bytes that its tables take, besides the names themselves. */
  tableBytes(): number
}

/** What the index reads of a block. */
export type IndexedBlock = Pick<Block, 'first' | 'count' | 'streamAt' | 'revisionAt' | 'identitiesAt'>

const INITIAL_ENTRIES = 1024
const NONE = 0

function grown<T extends Float64Array | Uint32Array>(old: T, make: (length: number) => T): T {
  const next = make(old.length * 2)
  next.set(old)
  return next
}

const float64s = (length: number): Float64Array<ArrayBuffer> => new Float64Array(length)
const uint32s = (length: number): Uint32Array<ArrayBuffer> => new Uint32Array(length)

/**
 * Lists of positions, one for each key, chained backwards through typed arrays: 12 bytes a position, and about 100 for
 * each key (the name, its place in the map, its newest entry and its note).
 */
class PostingLists {
  readonly #slots = new Map<string, number>()
  /** Slot → newest entry of its list, and the caller's note with it. */
  #newest = uint32s(INITIAL_ENTRIES)
  #notes = float64s(INITIAL_ENTRIES)
  /** Entry → position, and the entry before it in the same list; entry 0 is none. */
  #positions = float64s(INITIAL_ENTRIES)
  #older = uint32s(INITIAL_ENTRIES)
  #count = 1

  add(key: string, position: number, note: number): void {
    const slot = this.#slotOf(key)
    const newest = this.#newest[slot] ?? NONE
    this.#notes[slot] = note
    if (this.#positions[newest] === position) return
    if (this.#count === this.#positions.length) {
      this.#positions = grown(this.#positions, float64s)
      this.#older = grown(this.#older, uint32s)
    }
    this.#positions[this.#count] = position
    this.#older[this.#count] = newest
    this.#newest[slot] = this.#count++
  }

  #slotOf(key: string): number {
    let slot = this.#slots.get(key)
    if (slot !== undefined) return slot
    slot = this.#slots.size
    this.#slots.set(key, slot)
    if (slot === this.#newest.length) {
      this.#newest = grown(this.#newest, uint32s)
      this.#notes = grown(this.#notes, float64s)
    }
    return slot
  }

  /** The newest position of a key, and the note that came with it. */
  last(key: string): { readonly position: number; readonly note: number } | undefined {
    const slot = this.#slots.get(key)
    if (slot === undefined) return undefined
    return { position: this.#positions[this.#newest[slot] ?? NONE] ?? 0, note: this.#notes[slot] ?? 0 }
  }

  list(key: string): readonly number[] {
    const slot = this.#slots.get(key)
    const positions: number[] = []
    let entry = slot === undefined ? NONE : (this.#newest[slot] ?? NONE)
    while (entry !== NONE) {
      positions.push(this.#positions[entry] ?? 0)
      entry = this.#older[entry] ?? NONE
    }
    return positions.reverse()
  }

  get tableBytes(): number {
    const tables = [this.#newest, this.#notes, this.#positions, this.#older]
    return tables.reduce((sum, table) => sum + table.byteLength, 0)
  }
}

/** Held in memory, built anew at every start. */
export function createMemoryIndex(): LogIndex {
  /** Notes are revisions. */
  const streams = new PostingLists()
  const identities = new PostingLists()
  return {
    add: (block) => {
      for (let i = 0; i < block.count; i++) {
        const position = block.first + i
        streams.add(block.streamAt(i), position, block.revisionAt(i))
        for (const { id } of block.identitiesAt(i)) identities.add(id, position, 0)
      }
    },
    streamHead: (stream) => {
      const last = streams.last(stream)
      return last === undefined ? undefined : { position: last.position, revision: last.note }
    },
    streamPositions: (stream) => streams.list(stream),
    identityPositions: (id) => identities.list(id),
    tableBytes: () => streams.tableBytes + identities.tableBytes,
  }
}
