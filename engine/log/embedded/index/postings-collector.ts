import { NumberList } from '../number-list.ts'
import { NAME_WORDS } from './index-format.ts'
import { sortedOrder } from './sorted-order.ts'
import { WordList } from './word-list.ts'

const LEAST = 64

/** Lists of rising numbers by keys of 128 bits, as they come while a segment is read. */
export class PostingsCollector {
  /** The keys' words, one list for each of them, and of each key its newest number and the note with it. */
  readonly #words = Array.from({ length: NAME_WORDS }, () => new WordList(LEAST))
  readonly #newest = new NumberList(LEAST)
  readonly #notes = new NumberList(LEAST)
  readonly #counts = new WordList(LEAST)
  /** Of each number: its key, and what it is. */
  readonly #keyOf = new WordList(LEAST)
  readonly #values = new NumberList(LEAST)
  /** Open addressing: a key's number + 1. */
  #slots = new Uint32Array(LEAST * 2)

  get keys(): number {
    return this.#newest.length
  }

  /** Numbers of a key come in order; one that came last only changes the note. */
  add(key: Uint32Array, value: number, note = 0): void {
    const number = this.#number(key)
    this.#notes.values[number] = note
    if (this.#counts.at(number) > 0 && this.#newest.at(number) === value) return
    this.#newest.values[number] = value
    this.#counts.values[number] = this.#counts.at(number) + 1
    this.#keyOf.push(number)
    this.#values.push(value)
  }

  #number(key: Uint32Array): number {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = mixed(key[0] ?? 0, key[1] ?? 0, key[2] ?? 0, key[3] ?? 0) & mask
    for (let number = slots[slot] ?? 0; number !== 0; number = slots[slot] ?? 0) {
      if (this.#isKey(number - 1, key)) return number - 1
      slot = (slot + 1) & mask
    }
    const number = this.keys
    for (const [i, list] of this.#words.entries()) list.push(key[i] ?? 0)
    this.#newest.push(0)
    this.#notes.push(0)
    this.#counts.push(0)
    slots[slot] = number + 1
    if (this.keys * 2 > slots.length) this.#grow()
    return number
  }

  #isKey(number: number, key: Uint32Array): boolean {
    for (let i = 0; i < NAME_WORDS; i++) if (this.#words[i]?.values[number] !== key[i]) return false
    return true
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2)
    const mask = slots.length - 1
    for (let number = 0; number < this.keys; number++) {
      let slot =
        mixed(this.word(number, 0), this.word(number, 1), this.word(number, 2), this.word(number, 3)) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = number + 1
    }
    this.#slots = slots
  }

  word(number: number, word: number): number {
    return this.#words[word]?.at(number) ?? 0
  }

  newest(number: number): number {
    return this.#newest.at(number)
  }

  note(number: number): number {
    return this.#notes.at(number)
  }

  /** The keys' numbers in the order of the keys. */
  order(): Uint32Array {
    return sortedOrder(
      this.#words.map((list) => list.values),
      this.keys,
    )
  }

  /** A function from a key's number to its list. The list is valid until the next one. */
  lists(): (number: number) => Float64Array {
    const starts = new Uint32Array(this.keys + 1)
    for (let number = 0; number < this.keys; number++) {
      starts[number + 1] = (starts[number] ?? 0) + this.#counts.at(number)
    }
    const next = starts.slice()
    const values = new Float64Array(this.#values.length)
    for (let i = 0; i < this.#values.length; i++) {
      const number = this.#keyOf.at(i)
      const at = next[number] ?? 0
      values[at] = this.#values.at(i)
      next[number] = at + 1
    }
    return (number) => values.subarray(starts[number], starts[number + 1])
  }
}

/** Keys are hashes or random, but for those of tests. */
function mixed(a: number, b: number, c: number, d: number): number {
  const mix = a ^ Math.imul(b, 0x9e3779b1) ^ Math.imul(c, 0x85ebca6b) ^ Math.imul(d, 0xc2b2ae35)
  return (mix ^ (mix >>> 15)) >>> 0
}
