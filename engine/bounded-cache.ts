/**
 * A bounded map that forgets what wasn't used for long: two generations, the older one dropped when the younger
 * one is full. A hit costs one or two look-ups and no bookkeeping.
 */
export class BoundedCache<K, V> {
  readonly #half: number
  #young = new Map<K, V>()
  #youngWeight = 0
  #old = new Map<K, V>()
  readonly #weigh: (value: V) => number

  /** `capacity`: the most that it holds, in whatever unit `weigh` weighs an entry; entries where there is no `weigh`. */
  constructor(capacity: number, weigh: (value: V) => number = one) {
    this.#half = Math.max(1, Math.floor(capacity / 2))
    this.#weigh = weigh
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: K, value: V): void {
    const weight = this.#weigh(value)
    const before = this.#young.get(key)
    if (before !== undefined) this.#youngWeight -= this.#weigh(before)
    else if (this.#youngWeight > 0 && this.#youngWeight + weight > this.#half) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngWeight = 0
    }
    this.#young.set(key, value)
    this.#youngWeight += weight
  }

  delete(key: K): void {
    const before = this.#young.get(key)
    if (before !== undefined) this.#youngWeight -= this.#weigh(before)
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#young.clear()
    this.#youngWeight = 0
    this.#old.clear()
  }

  /** May name an entry twice. */
  *entries(): IterableIterator<[K, V]> {
    yield* this.#young
    yield* this.#old
  }
}

function one(): number {
  return 1
}
