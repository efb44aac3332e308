import { HashTable } from '../../hash-table.ts'
import { OWN_FIELDS, SlotPostings } from './slot-postings.ts'

/** An id's four words fill two fields of a record. */
const ID_FIELDS = 2

/** Lists of positions, one for each identity; ids are random, so they are their own hash. An identity costs 51 to 55 bytes. */
export class IdentityLists {
  readonly #postings = new SlotPostings(ID_FIELDS)
  readonly #table = new HashTable()
  readonly #wanted = new Uint32Array(4)
  readonly #isWanted = (slot: number): boolean => {
    const { records } = this.#postings
    const words = records.words(slot)
    const at = (records.offset(slot) + OWN_FIELDS) * 2
    const wanted = this.#wanted
    return (
      words[at] === wanted[0] &&
      words[at + 1] === wanted[1] &&
      words[at + 2] === wanted[2] &&
      words[at + 3] === wanted[3]
    )
  }

  /** `words`: the id's, from `at` on. Positions come in order; one that came last changes nothing. */
  add(words: Uint32Array, at: number, position: number): void {
    this.#postings.add(this.#find(words, at) ?? this.#make(), position, 0)
  }

  #find(words: Uint32Array, at: number): number | undefined {
    for (let word = 0; word < 4; word++) this.#wanted[word] = words[at + word] ?? 0
    return this.#table.find(this.#wanted, this.#isWanted)
  }

  /** Of the id that was looked for last. */
  #make(): number {
    const slot = this.#table.size
    const { records } = this.#postings
    records.page(slot)
    records.words(slot).set(this.#wanted, (records.offset(slot) + OWN_FIELDS) * 2)
    this.#table.add(this.#wanted, slot)
    return slot
  }

  /** Oldest first. `words`: the id's. */
  list(words: Uint32Array): readonly number[] {
    const slot = this.#find(words, 0)
    return slot === undefined ? [] : this.#postings.list(slot)
  }

  get sizeBytes(): number {
    return this.#postings.sizeBytes + this.#table.sizeBytes
  }
}
