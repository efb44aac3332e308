import type { Hash64 } from '../../../keyed-hash.ts'

/** So many are kept: more than a few batches that are under way. */
const KEPT = 8_192
/** Longer ids are hashed anew: what is kept must not hold megabytes. */
const LONGEST_ID = 64

/**
 * The hashes of ids that were asked for lately. Who asks for an event's id appends it next, and when it is durable the
 * index needs the same hash again, which takes longer than to find it here.
 */
export class AskedIds {
  readonly #hash: Hash64
  readonly #sources: string[] = new Array(KEPT).fill('')
  readonly #ids: string[] = new Array(KEPT).fill('')
  readonly #words = new Uint32Array(KEPT * 2)

  constructor(hash: Hash64) {
    this.#hash = hash
  }

  /** Keeps the hash, whatever else it takes the place of. */
  ask(source: string, id: string, out: Uint32Array): void {
    this.#hash(source, id, out)
    if (id.length > LONGEST_ID) return
    const at = placeOf(id)
    this.#sources[at] = source
    this.#ids[at] = id
    this.#words[at * 2] = out[0] ?? 0
    this.#words[at * 2 + 1] = out[1] ?? 0
  }

  readonly hash: Hash64 = (source, id, out) => {
    const at = placeOf(id)
    // No id that is kept is empty; an empty place is never taken for one.
    if (id === '' || this.#ids[at] !== id || this.#sources[at] !== source) {
      this.#hash(source, id, out)
      return
    }
    out[0] = this.#words[at * 2] ?? 0
    out[1] = this.#words[at * 2 + 1] ?? 0
  }
}

/** By the last four units, which differ most: chosen ones take places from each other, and cost what hashing costs. */
function placeOf(id: string): number {
  const { length } = id
  let mixed = length
  for (let i = Math.max(0, length - 4); i < length; i++) mixed = Math.imul(mixed, 0x2f) + id.charCodeAt(i)
  return (Math.imul(mixed, 0x9e3779b1) >>> 16) % KEPT
}
