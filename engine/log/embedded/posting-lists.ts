import { type NameHash, NameTable } from './name-table.ts'
import { OWN_FIELDS, SlotPostings } from './slot-postings.ts'

/** Lists of positions, one for each name; a name costs 47 bytes and its own. */
export class PostingLists {
  readonly #postings = new SlotPostings(1)
  readonly #names: NameTable

  constructor(hash: NameHash) {
    this.#names = new NameTable(hash, this.#postings.records, OWN_FIELDS)
  }

  /** Positions come in order; one that came last only changes the note. */
  add(slot: number, position: number, note: number): void {
    this.#postings.add(slot, position, note)
  }

  slot(name: string): number | undefined {
    return this.#names.find(name)
  }

  makeSlot(name: string): number {
    return this.#names.make(name)
  }

  /** The newest position, 0 for none. */
  newest(slot: number): number {
    return this.#postings.newest(slot)
  }

  /** The note that came with the newest position. */
  note(slot: number): number {
    return this.#postings.note(slot)
  }

  /** Oldest first. */
  list(name: string): readonly number[] {
    const slot = this.#names.find(name)
    return slot === undefined ? [] : this.#postings.list(slot)
  }

  get sizeBytes(): number {
    return this.#postings.sizeBytes + this.#names.sizeBytes
  }
}
