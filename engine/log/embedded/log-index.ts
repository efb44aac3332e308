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
  /** A number that stands for the stream as long as the index lives; undefined for an unknown one. */
  slot(stream: string): number | undefined
  /** The same; makes an unknown stream known, without events. */
  makeSlot(stream: string): number
  /** Last revision and position of a stream; undefined if none of its events is durable. */
  head(slot: number): Appended | undefined
  /** Oldest first. */
  streamPositions(stream: string): readonly number[]
  /** Oldest first; of events that name this identity, leading or not, each once. */
  identityPositions(id: IdentityId): readonly number[]
  /** Bytes that its tables take, besides the names themselves. */
  tableBytes(): number
}

/** What the index reads of a block. `slotAt`: the stream's, where it is known already. */
export interface IndexedBlock
  extends Pick<Block, 'first' | 'count' | 'streamAt' | 'revisionAt' | 'identitiesAt'> {
  slotAt?(index: number): number
}

const INITIAL_ENTRIES = 1024
const NONE = 0

function grown<T extends Float64Array | Uint32Array>(old: T, make: (length: number) => T): T {
  const next = make(old.length * 2)
  next.set(old)
  return next
}

const float64s = (length: number): Float64Array<ArrayBuffer> => new Float64Array(length)
const uint32s = (length: number): Uint32Array<ArrayBuffer> => new Uint32Array(length)

/** Positions are kept modulo this, in 4 bytes; entries are added in the log's order, so their number gives the rest. */
const ERA = 2 ** 32

/**
 * Lists of positions, one for each key, chained backwards through typed arrays: 8 bytes a position, and about 100 for
 * each key (the name, its place in the map, its newest entry and its note).
 */
class PostingLists {
  readonly #slots = new Map<string, number>()
  /** Slot → newest entry of its list, and the caller's note with it. */
  #newest = uint32s(INITIAL_ENTRIES)
  #notes = float64s(INITIAL_ENTRIES)
  /** Entry → position modulo `ERA`, and the entry before it in the same list; entry 0 is none. */
  #positions = uint32s(INITIAL_ENTRIES)
  #older = uint32s(INITIAL_ENTRIES)
  #count = 1
  /** The first entry of each era after the first. */
  readonly #eras: number[] = []

  add(slot: number, position: number, note: number): void {
    const newest = this.#newest[slot] ?? NONE
    this.#notes[slot] = note
    if (newest !== NONE && this.#position(newest) === position) return
    if (this.#count === this.#positions.length) {
      this.#positions = grown(this.#positions, uint32s)
      this.#older = grown(this.#older, uint32s)
    }
    while (position >= (this.#eras.length + 1) * ERA) this.#eras.push(this.#count)
    this.#positions[this.#count] = position
    this.#older[this.#count] = newest
    this.#newest[slot] = this.#count++
  }

  slot(key: string): number | undefined {
    return this.#slots.get(key)
  }

  makeSlot(key: string): number {
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

  /** The newest position, 0 for none. */
  newest(slot: number): number {
    return this.#position(this.#newest[slot] ?? NONE)
  }

  /** The note that came with the newest position. */
  note(slot: number): number {
    return this.#notes[slot] ?? 0
  }

  list(key: string): readonly number[] {
    const slot = this.#slots.get(key)
    const positions: number[] = []
    let entry = slot === undefined ? NONE : (this.#newest[slot] ?? NONE)
    while (entry !== NONE) {
      positions.push(this.#position(entry))
      entry = this.#older[entry] ?? NONE
    }
    return positions.reverse()
  }

  /** 0 for no entry. */
  #position(entry: number): number {
    const eras = this.#eras.findLastIndex((first) => first <= entry) + 1
    return (this.#positions[entry] ?? 0) + eras * ERA
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
        const slot = block.slotAt?.(i) ?? streams.makeSlot(block.streamAt(i))
        streams.add(slot, position, block.revisionAt(i))
        for (const { id } of block.identitiesAt(i)) identities.add(identities.makeSlot(id), position, 0)
      }
    },
    slot: (stream) => streams.slot(stream),
    makeSlot: (stream) => streams.makeSlot(stream),
    head: (slot) => {
      const position = streams.newest(slot)
      return position === 0 ? undefined : { position, revision: streams.note(slot) }
    },
    streamPositions: (stream) => streams.list(stream),
    identityPositions: (id) => identities.list(id),
    tableBytes: () => streams.tableBytes + identities.tableBytes,
  }
}
