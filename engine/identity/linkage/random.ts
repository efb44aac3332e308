/**
 * Numbers that look random and depend on the seed alone: the finaliser of MurmurHash3 (Appleby) over a Weyl sequence, as in
 * SplitMix (Steele, Lea & Flood 2014). For choosing samples, nothing else.
 */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = mixed(seed | 0)
  }

  /** Whole, from 0 to below the bound. */
  below(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0
    return Math.floor((mixed(this.#state) / 4_294_967_296) * bound)
  }
}

/** In [0, 1): the same for the same three numbers. */
export function chanceOf(seed: number, a: number, b: number): number {
  return mixed(mixed(mixed(seed | 0) ^ a) ^ b) / 4_294_967_296
}

function mixed(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
