import assert from 'node:assert/strict'
import type { IdentityId } from '../../../events/identity.ts'
import { HashTable } from '../../../hash-table.ts'
import type { Hash64 } from '../../../keyed-hash.ts'
import type { Appended } from '../../log.ts'
import type { Block } from '../block-decoder.ts'
import { PagedRecords } from '../paged-memory.ts'
import { PostingLists } from '../posting-lists.ts'
import type { IndexKeys } from './index-keys.ts'

/** What the index reads of a block. `slotAt`: the stream's, where it is known already. */
export interface IndexedBlock
  extends Pick<Block, 'first' | 'count' | 'streamAt' | 'revisionAt' | 'identitiesAt' | 'sourceAt' | 'idAt'> {
  slotAt?(index: number): number
}

/** Positions are kept modulo this, counted from the segment's first one; the log says which one it was. */
const ERA = 2 ** 32

/** A stream's head before the segment. */
const BASE_POSITION = 0
const BASE_REVISION = 1

/**
 * The index of one segment, in memory: of the one that is written, and of sealed ones until their files serve. Of an event
 * it takes 11 to 15 bytes for its id and 4 for its stream and each identity; a new stream takes its name and 79 bytes more,
 * a new identity 79.
 */
export class SegmentMemory {
  readonly #idOf: Hash64
  readonly #hashed = new Uint32Array(4)
  readonly #ids = new HashTable()
  /** Notes are revisions. */
  readonly #streams: PostingLists
  readonly #identities = new PostingLists(idHash)
  /** By slot. */
  readonly #bases = new PagedRecords(2)
  #first = 0
  #last = 0
  #found: number[] = []
  readonly #note = (value: number): boolean => {
    for (let position = this.#first + value; position <= this.#last; position += ERA)
      this.#found.push(position)
    return false
  }

  /** `idOf`: `keys.id`, or what answers the same. */
  constructor(keys: IndexKeys, idOf: Hash64 = keys.id) {
    this.#idOf = idOf
    this.#streams = new PostingLists((name, out) => keys.id('', name, out))
  }

  /** Position of its first event; 0 while there is none. */
  get first(): number {
    return this.#first
  }

  get last(): number {
    return this.#last
  }

  /** The next durable block. */
  add(block: IndexedBlock): void {
    if (this.#first === 0) this.#first = block.first
    assert.ok(block.first > this.#last, 'blocks come in order')
    // Table by table: the processor waits for the memory of several events at once where little else is between.
    this.#addIds(block)
    this.#addStreams(block)
    this.#addIdentities(block)
    this.#last = block.first + block.count - 1
  }

  #addIds(block: IndexedBlock): void {
    const start = block.first - this.#first
    for (let i = 0; i < block.count; i++) {
      this.#idOf(block.sourceAt(i), block.idAt(i), this.#hashed)
      this.#ids.add(this.#hashed, (start + i) % ERA)
    }
  }

  #addStreams(block: IndexedBlock): void {
    for (let i = 0; i < block.count; i++) {
      const slot = block.slotAt?.(i) ?? this.#streams.makeSlot(block.streamAt(i))
      this.#streams.add(slot, block.first + i, block.revisionAt(i))
    }
  }

  #addIdentities(block: IndexedBlock): void {
    for (let i = 0; i < block.count; i++) {
      for (const { id } of block.identitiesAt(i))
        this.#identities.add(this.#identities.makeSlot(id), block.first + i, 0)
    }
  }

  /** A number that stands for the stream in this segment; undefined for one that it doesn't know. */
  slot(stream: string): number | undefined {
    return this.#streams.slot(stream)
  }

  /** The same; makes an unknown stream known, without events. `base`: its head before the segment. */
  makeSlot(stream: string, base: Appended | undefined): number {
    const slot = this.#streams.makeSlot(stream)
    if (base !== undefined) {
      this.#bases.set(slot, BASE_POSITION, base.position)
      this.#bases.set(slot, BASE_REVISION, base.revision)
    }
    return slot
  }

  /** Last revision and position of a stream; undefined if none of its events is durable, here or before. */
  head(slot: number): Appended | undefined {
    const position = this.#streams.newest(slot)
    if (position > 0) return { position, revision: this.#streams.note(slot) }
    const before = this.#bases.at(slot, BASE_POSITION)
    return before === 0 ? undefined : { position: before, revision: this.#bases.at(slot, BASE_REVISION) }
  }

  /** Of a stream with events in this segment. */
  headOf(stream: string): Appended | undefined {
    const slot = this.#streams.slot(stream)
    const position = slot === undefined ? 0 : this.#streams.newest(slot)
    return slot === undefined || position === 0 ? undefined : { position, revision: this.#streams.note(slot) }
  }

  /** Adds the positions of events with this hash of their source and id. */
  candidates(id: Uint32Array, into: number[]): void {
    this.#found = into
    this.#ids.find(id, this.#note)
  }

  /** Oldest first. */
  streamPositions(stream: string): readonly number[] {
    return this.#streams.list(stream)
  }

  /** Oldest first; of events that name this identity, leading or not, each once. */
  identityPositions(id: IdentityId): readonly number[] {
    return this.#identities.list(id)
  }

  get sizeBytes(): number {
    return this.#streams.sizeBytes + this.#identities.sizeBytes + this.#ids.sizeBytes + this.#bases.sizeBytes
  }
}

/** Ids are random already: their first sixteen digits are as good as any hash of them. */
function idHash(id: IdentityId, out: Uint32Array): void {
  out[0] = digits(id, 0)
  out[1] = digits(id, 8)
}

/** Eight hexadecimal digits from `start` on. */
function digits(id: string, start: number): number {
  let value = 0
  for (let i = start; i < start + 8; i++) {
    const unit = id.charCodeAt(i)
    value = (value << 4) | ((unit & 0xf) + (unit >> 6) * 9)
  }
  return value
}
