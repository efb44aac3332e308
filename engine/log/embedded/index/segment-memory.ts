import assert from 'node:assert/strict'
import type { IdentityId } from '../../../events/identity.ts'
import { HashTable } from '../../../hash-table.ts'
import type { Appended } from '../../log.ts'
import type { Block } from '../block-decoder.ts'
import { IdentityLists } from '../identity-lists.ts'
import { PagedRecords } from '../paged-memory.ts'
import { PostingLists } from '../posting-lists.ts'
import { type IndexKeys, identityWords } from './index-keys.ts'
import { WordList } from './word-list.ts'

/** What the index reads of a block. */
export type IndexedBlock = Pick<
  Block,
  'first' | 'count' | 'streamAt' | 'revisionAt' | 'identitiesAt' | 'sourceAt' | 'idAt'
>

/** The same of one whose streams have their slots, and whose ids were hashed before. */
export interface HashedBlock extends Pick<Block, 'first' | 'count' | 'revisionAt'> {
  slotAt(index: number): number
  /** Two words for each event: the hash of its source and id. */
  readonly idWords: WordList
  readonly identities: IdentityWords
}

export interface IdentityWords {
  /** Four for each identity of each event. */
  readonly words: Uint32Array
  /** Of each event, how many identities there are up to its last one. */
  readonly ends: Uint32Array
}

/** Positions are kept modulo this, counted from the segment's first one; the log says which one it was. */
const ERA = 2 ** 32

/** A stream's head before the segment. */
const BASE_POSITION = 0
const BASE_REVISION = 1

/**
 * The index of one segment, in memory: of the one that is written, and of sealed ones until their files serve. Of an event
 * it takes 11 to 15 bytes for its id and 4 for its stream and each identity; a new stream takes its name and 79 bytes more,
 * a new identity 55.
 */
export class SegmentMemory {
  readonly #hashed = new Uint32Array(4)
  readonly #keys: IndexKeys
  readonly #ids = new HashTable()
  /** Notes are revisions. */
  readonly #streams: PostingLists
  readonly #identities = new IdentityLists()
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

  constructor(keys: IndexKeys) {
    this.#keys = keys
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
    this.addHashed(this.#hash(block))
  }

  addHashed(block: HashedBlock): void {
    if (this.#first === 0) this.#first = block.first
    assert.ok(block.first > this.#last, 'blocks come in order')
    // Table by table: the processor waits for the memory of several events at once where little else is between.
    this.#addIds(block)
    this.#addStreams(block)
    this.#addIdentities(block)
    this.#last = block.first + block.count - 1
  }

  #hash(block: IndexedBlock): HashedBlock {
    const idWords = new WordList(2 * block.count)
    const words = new WordList(4 * block.count)
    const ends = new Uint32Array(block.count)
    const hashed = this.#hashed
    for (let i = 0; i < block.count; i++) {
      this.#keys.id(block.sourceAt(i), block.idAt(i), hashed)
      idWords.push(hashed[0] ?? 0)
      idWords.push(hashed[1] ?? 0)
      for (const { id } of block.identitiesAt(i)) {
        assert.ok(identityWords(id, hashed), 'an identity has an id')
        for (const word of hashed) words.push(word)
      }
      ends[i] = words.length / 4
    }
    return {
      first: block.first,
      count: block.count,
      revisionAt: (i) => block.revisionAt(i),
      slotAt: (i) => this.#streams.makeSlot(block.streamAt(i)),
      idWords,
      identities: { words: words.values, ends },
    }
  }

  #addIds(block: HashedBlock): void {
    const start = block.first - this.#first
    for (let i = 0; i < block.count; i++) {
      this.#hashed[0] = block.idWords.at(2 * i)
      this.#hashed[1] = block.idWords.at(2 * i + 1)
      this.#ids.add(this.#hashed, (start + i) % ERA)
    }
  }

  #addStreams(block: HashedBlock): void {
    for (let i = 0; i < block.count; i++)
      this.#streams.add(block.slotAt(i), block.first + i, block.revisionAt(i))
  }

  #addIdentities({ first, count, identities: { words, ends } }: HashedBlock): void {
    for (let i = 0, at = 0; i < count; i++) {
      for (const end = (ends[i] ?? 0) * 4; at < end; at += 4) this.#identities.add(words, at, first + i)
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
    return identityWords(id, this.#hashed) ? this.#identities.list(this.#hashed) : []
  }

  get sizeBytes(): number {
    return this.#streams.sizeBytes + this.#identities.sizeBytes + this.#ids.sizeBytes + this.#bases.sizeBytes
  }
}
