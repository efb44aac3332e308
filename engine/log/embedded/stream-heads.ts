import type { Appended } from '../log.ts'
import type { LogIndex } from './log-index.ts'
import { PagedRecords } from './paged-memory.ts'
import type { PendingBlock } from './pending-block.ts'

/** Fields of a record. */
const POSITION = 0
const REVISION = 1

/** The last event of each stream, those under way included. */
export class StreamHeads {
  readonly #durable: Pick<LogIndex, 'slot' | 'makeSlot' | 'head'>
  /** By slot: the stream's last event that was assigned a place; position 0: its durable head holds. */
  readonly #places = new PagedRecords(2)

  constructor(durable: Pick<LogIndex, 'slot' | 'makeSlot' | 'head'>) {
    this.#durable = durable
  }

  /** The stream's slot, for `at` and `set`; undefined for a stream that never was. */
  slot(stream: string): number | undefined {
    return this.#durable.slot(stream)
  }

  at(slot: number | undefined): Appended | undefined {
    if (slot === undefined) return undefined
    const position = this.#places.at(slot, POSITION)
    if (position === 0) return this.#durable.head(slot)
    return { position, revision: this.#places.at(slot, REVISION) }
  }

  /** `known`: the stream's slot if it has one. Answers the one it has now. */
  set(stream: string, known: number | undefined, place: Appended): number {
    const slot = known ?? this.#durable.makeSlot(stream)
    this.#places.set(slot, POSITION, place.position)
    this.#places.set(slot, REVISION, place.revision)
    return slot
  }

  /** The places of a block's events, in order. */
  setAll(block: Pick<PendingBlock, 'first' | 'count' | 'streamAt' | 'slotAt' | 'revisionAt'>): void {
    for (let i = 0; i < block.count; i++) {
      const place = { position: block.first + i, revision: block.revisionAt(i) }
      this.set(block.streamAt(i), block.slotAt(i), place)
    }
  }

  /** What was set is given up: the durable head holds again. */
  forget(slot: number): void {
    this.#places.set(slot, POSITION, 0)
  }
}
