import type { Hash64 } from '../../../keyed-hash.ts'

/** So many are kept: more than a few batches that are under way. */
const KEPT = 8_192
/** Longer ids are hashed anew: what is kept must not hold megabytes. */
const LONGEST_ID = 64
/** So far an id is looked for at first, twice as far after each that isn't found: those between weren't appended. */
const LEAST_FAR = 4

/**
 * The hashes of ids that were asked for lately. Who asks for an event's id appends it next, where the index needs the same
 * hash again, which takes longer than to find it here. Ids are appended in the order in which they were asked for, or
 * nearly so.
 */
export class AskedIds {
  readonly #hash: Hash64
  readonly #sources: string[] = new Array(KEPT).fill('')
  readonly #ids: string[] = new Array(KEPT).fill('')
  readonly #words = new Uint32Array(KEPT * 2)
  /** Where the next one is kept, and where the next one is looked for. */
  #end = 0
  #next = 0
  #far = LEAST_FAR

  constructor(hash: Hash64) {
    this.#hash = hash
  }

  /** Keeps the hash, in the place of the oldest one. */
  ask(source: string, id: string, out: Uint32Array): void {
    this.#hash(source, id, out)
    if (id.length > LONGEST_ID) return
    const at = this.#end
    this.#end = (at + 1) % KEPT
    if (this.#end === this.#next) this.#next = (this.#next + 1) % KEPT
    this.#sources[at] = source
    this.#ids[at] = id
    this.#words[at * 2] = out[0] ?? 0
    this.#words[at * 2 + 1] = out[1] ?? 0
  }

  readonly hash: Hash64 = (source, id, out) => {
    const left = (this.#end - this.#next + KEPT) % KEPT
    const far = Math.min(left, this.#far)
    for (let i = 0; i < far; i++) {
      const at = (this.#next + i) % KEPT
      if (this.#ids[at] !== id || this.#sources[at] !== source) continue
      this.#next = (at + 1) % KEPT
      this.#far = LEAST_FAR
      out[0] = this.#words[at * 2] ?? 0
      out[1] = this.#words[at * 2 + 1] ?? 0
      return
    }
    // One that is nowhere isn't looked for again and again: what was asked for until now counts as passed.
    if (far === left) this.#next = this.#end
    this.#far = far === left ? LEAST_FAR : this.#far * 2
    this.#hash(source, id, out)
  }
}
