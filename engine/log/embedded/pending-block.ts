import assert from 'node:assert/strict'
import type { NewEvent } from '../../events/event.ts'
import type { Appended, Head } from '../log.ts'
import { BlockTickets } from './append-ticket.ts'
import type { HashedBlock, IdentityWords } from './index/segment-memory.ts'
import { WordList } from './index/word-list.ts'

/** Of the one event that most blocks of an idle log have. */
const LEAST_WORDS = 2
const NOBODY: IdentityWords = { words: new Uint32Array(0), ends: new Uint32Array(0) }

/** A block from its first event on, until it is durable or given up. */
export class PendingBlock implements HashedBlock {
  readonly tickets = new BlockTickets()
  readonly number: number
  /** Position of its first event. */
  readonly first: number
  /** The streams' slots of its events. */
  slots: number[] = []
  sizeBytes = 0
  encoded: Buffer<ArrayBuffer> | undefined
  readonly idWords = new WordList(LEAST_WORDS)
  /** Known when the block is closed. */
  identities: IdentityWords = NOBODY
  // What is encoded is let go: payloads that wait for the disk would be moved about by every garbage collection.
  readonly #streams: string[] = []
  readonly #received: number[] = []
  readonly #revisions: number[] = []

  constructor(number: number, first: number) {
    this.number = number
    this.first = first
  }

  /** `hashed`: the two words of the hash of its source and id. */
  add(event: NewEvent, place: Appended, slot: number, hashed: Uint32Array): void {
    if (place.position !== this.first + this.count) assert.fail('positions in a block follow each other')
    this.#streams.push(event.stream)
    this.idWords.push(hashed[0] ?? 0)
    this.idWords.push(hashed[1] ?? 0)
    this.#received.push(event.received)
    this.#revisions.push(place.revision)
    this.slots.push(slot)
  }

  /** Takes back all but the first `count` events, at least one. Their ticket stays: nobody waits for it any more. */
  reopen(count: number): void {
    assert.ok(count > 0 && count <= this.count)
    this.#streams.length = count
    this.idWords.length = 2 * count
    this.identities = NOBODY
    this.#received.length = count
    this.#revisions.length = count
    this.slots.length = count
    this.encoded = undefined
    this.sizeBytes = 0
  }

  get count(): number {
    return this.#streams.length
  }

  get head(): Head {
    return { position: this.first + this.count - 1, received: at(this.#received, this.count - 1) }
  }

  get firstReceived(): number {
    return at(this.#received, 0)
  }

  streamAt(index: number): string {
    return at(this.#streams, index)
  }

  revisionAt(index: number): number {
    return this.#revisions[index] ?? 0
  }

  slotAt(index: number): number {
    return at(this.slots, index)
  }
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) assert.fail('an event of the block')
  return value
}
