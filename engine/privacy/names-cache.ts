/** Longer values are looked up anew each time: a cache that counts entries must not hold megabytes. */
export const LONGEST_CACHED_VALUE = 256

type Names<V> = Map<string, Map<string, V>>

/**
 * Something known of identities, by namespace and value; bounded as `BoundedCache` is, all namespaces together. Each has a
 * map of its own: to look up a name made of both, the name would have to be put together and hashed anew each time.
 */
export class NamesCache<V> {
  readonly #half: number
  #young: Names<V> = new Map()
  #youngSize = 0
  #old: Names<V> = new Map()

  /** `capacity`: the most entries that it holds. */
  constructor(capacity: number) {
    this.#half = Math.max(1, Math.floor(capacity / 2))
  }

  get(namespace: string, value: string): V | undefined {
    const young = this.#young.get(namespace)?.get(value)
    if (young !== undefined) return young
    const old = this.#old.get(namespace)?.get(value)
    if (old !== undefined) this.set(namespace, value, old)
    return old
  }

  set(namespace: string, value: string, found: V): void {
    if (value.length > LONGEST_CACHED_VALUE) return
    let values = this.#young.get(namespace)
    if (values?.has(value) !== true) {
      if (this.#youngSize >= this.#half) {
        this.#old = this.#young
        this.#young = new Map()
        this.#youngSize = 0
        values = undefined
      }
      this.#youngSize += 1
    }
    if (values === undefined) {
      values = new Map()
      this.#young.set(namespace, values)
    }
    values.set(value, found)
  }

  drop(unwanted: (found: V) => boolean): void {
    for (const values of this.#young.values()) this.#youngSize -= without(values, unwanted)
    for (const values of this.#old.values()) without(values, unwanted)
  }

  clear(): void {
    this.#young = new Map()
    this.#youngSize = 0
    this.#old = new Map()
  }
}

/** How many were dropped. */
function without<V>(values: Map<string, V>, unwanted: (found: V) => boolean): number {
  const before = values.size
  for (const [value, found] of values) if (unwanted(found)) values.delete(value)
  return before - values.size
}
