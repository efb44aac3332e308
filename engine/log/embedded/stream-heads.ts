import type { Appended } from '../log.ts'
import type { LogIndex } from './index/log-index.ts'
import { PagedRecords } from './paged-memory.ts'
import type { PendingBlock } from './pending-block.ts'

/** Fields of a record. */
const POSITION = 0
const REVISION = 1

type DurableHeads = Pick<LogIndex, 'slot' | 'makeSlot' | 'head' | 'olderHead'>

/** The last event of each stream, those under way included. */
export class StreamHeads {
  readonly #durable: DurableHeads
  /** By slot: the stream's last event that was assigned a place; position 0: its durable head holds. */
  #places = new PagedRecords(2)

  constructor(durable: DurableHeads) {
    this.#durable = durable
  }

  /** The stream's slot, for `at` and `set`; undefined for a stream that isn't in use. */
  slot(stream: string): number | undefined {
    return this.#durable.slot(stream)
  }

  /** `slot`: the stream's. */
  at(slot: number | undefined, stream: string): Appended | undefined {
    if (slot === undefined) return this.#durable.olderHead(stream)
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

  /** Slots mean nothing any more: these blocks, all that are under way, get new ones. */
  renumber(blocks: readonly PendingBlock[]): void {
    this.#places = new PagedRecords(2)
    for (const block of blocks) {
      block.slots = block.slots.map((_, i) =>
        this.set(block.streamAt(i), undefined, { position: block.first + i, revision: block.revisionAt(i) }),
      )
    }
  }

  /** What was set is given up: the durable head holds again. */
  forget(slot: number): void {
    this.#places.set(slot, POSITION, 0)
  }
}
