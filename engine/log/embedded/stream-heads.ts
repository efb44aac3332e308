import type { Appended } from '../log.ts'
import type { LogIndex } from './log-index.ts'
import type { PendingBlock } from './pending-block.ts'

const INITIAL_SLOTS = 1024

/** The last event of each stream, those under way included. */
export class StreamHeads {
  readonly #durable: Pick<LogIndex, 'slot' | 'makeSlot' | 'head'>
  /** Slot → position of the stream's last event that was assigned a place; 0: its durable head holds. */
  #positions = new Float64Array(INITIAL_SLOTS)
  #revisions = new Float64Array(INITIAL_SLOTS)

  constructor(durable: Pick<LogIndex, 'slot' | 'makeSlot' | 'head'>) {
    this.#durable = durable
  }

  /** The stream's slot, for `at` and `set`; undefined for a stream that never was. */
  slot(stream: string): number | undefined {
    return this.#durable.slot(stream)
  }

  at(slot: number | undefined): Appended | undefined {
    if (slot === undefined) return undefined
    const position = this.#positions[slot] ?? 0
    if (position === 0) return this.#durable.head(slot)
    return { position, revision: this.#revisions[slot] ?? 0 }
  }

  /** `known`: the stream's slot if it has one. Answers the one it has now. */
  set(stream: string, known: number | undefined, place: Appended): number {
    const slot = known ?? this.#durable.makeSlot(stream)
    if (slot >= this.#positions.length) this.#grow(slot)
    this.#positions[slot] = place.position
    this.#revisions[slot] = place.revision
    return slot
  }

  /** The places of a block's events, in order. */
  setAll(block: Pick<PendingBlock, 'first' | 'count' | 'streamAt' | 'slotAt' | 'revisionAt'>): void {
    for (let i = 0; i < block.count; i++) {
      const place = { position: block.first + i, revision: block.revisionAt(i) }
      this.set(block.streamAt(i), block.slotAt(i), place)
    }
  }

  #grow(slot: number): void {
    const positions = new Float64Array((slot + 1) * 2)
    const revisions = new Float64Array((slot + 1) * 2)
    positions.set(this.#positions)
    revisions.set(this.#revisions)
    this.#positions = positions
    this.#revisions = revisions
  }

  /** What was set is given up: the durable head holds again. */
  forget(slot: number): void {
    this.#positions[slot] = 0
  }
}
