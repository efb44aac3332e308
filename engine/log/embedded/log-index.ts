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

/**
 * Lists of positions, one for each key, chained backwards through two typed arrays: 12 bytes a position, and about
 * 100 for each key (the name, its slot in the map, its newest entry).
 */
class PostingLists {
  readonly #newest = new Map<string, number>()
  #positions = new Float64Array(INITIAL_ENTRIES)
  /** Entry → the entry before it in the same list; entry 0 is none. */
  #older = new Uint32Array(INITIAL_ENTRIES)
  #count = 1

  add(key: string, position: number): void {
    const newest = this.#newest.get(key) ?? NONE
    if (this.#positions[newest] === position) return
    if (this.#count === this.#positions.length) this.#grow()
    this.#positions[this.#count] = position
    this.#older[this.#count] = newest
    this.#newest.set(key, this.#count++)
  }

  #grow(): void {
    const positions = new Float64Array(this.#count * 2)
    const older = new Uint32Array(this.#count * 2)
    positions.set(this.#positions)
    older.set(this.#older)
    this.#positions = positions
    this.#older = older
  }

  last(key: string): number | undefined {
    return this.#positions[this.#newest.get(key) ?? NONE] || undefined
  }

  list(key: string): readonly number[] {
    const positions: number[] = []
    let entry = this.#newest.get(key) ?? NONE
    while (entry !== NONE) {
      positions.push(this.#positions[entry] ?? 0)
      entry = this.#older[entry] ?? NONE
    }
    return positions.reverse()
  }

  get tableBytes(): number {
    return this.#positions.byteLength + this.#older.byteLength
  }
}

/** Held in memory, built anew at every start. */
export function createMemoryIndex(): LogIndex {
  const streams = new PostingLists()
  const identities = new PostingLists()
  const revisions = new Map<string, number>()
  return {
    add: (block) => {
      for (let i = 0; i < block.count; i++) {
        const stream = block.streamAt(i)
        streams.add(stream, block.first + i)
        revisions.set(stream, block.revisionAt(i))
        for (const { id } of block.identitiesAt(i)) identities.add(id, block.first + i)
      }
    },
    streamHead: (stream) => {
      const position = streams.last(stream)
      return position === undefined ? undefined : { position, revision: revisions.get(stream) ?? 0 }
    },
    streamPositions: (stream) => streams.list(stream),
    identityPositions: (id) => identities.list(id),
    tableBytes: () => streams.tableBytes + identities.tableBytes,
  }
}
