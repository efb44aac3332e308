import { BoundedCache } from '../bounded-cache.ts'
import { NAMESPACES } from '../events/identity.ts'

/** Longer values are looked up anew each time: a cache that counts entries must not hold megabytes. */
export const LONGEST_CACHED_VALUE = 256

/**
 * Something known of identities, by namespace and value; bounded. The known namespaces have a cache each: to look up
 * a name made of both, the name would have to be put together and hashed anew each time.
 */
export class NamesCache<V> {
  readonly #known = new Map<string, BoundedCache<string, V>>()
  /** Senders may invent namespaces without end. */
  readonly #others: BoundedCache<string, V>

  /** `capacity`: of two namespaces at their fullest; seldom do more than two grow without end. */
  constructor(capacity: number) {
    const each = Math.ceil(capacity / 2)
    for (const namespace of NAMESPACES.keys()) this.#known.set(namespace, new BoundedCache(each))
    this.#others = new BoundedCache(each)
  }

  get(namespace: string, value: string): V | undefined {
    const known = this.#known.get(namespace)
    return known === undefined ? this.#others.get(joined(namespace, value)) : known.get(value)
  }

  set(namespace: string, value: string, found: V): void {
    if (value.length > LONGEST_CACHED_VALUE) return
    const known = this.#known.get(namespace)
    if (known === undefined) this.#others.set(joined(namespace, value), found)
    else known.set(value, found)
  }

  drop(unwanted: (found: V) => boolean): void {
    for (const cache of this.#caches()) {
      for (const [name, found] of cache.entries()) if (unwanted(found)) cache.delete(name)
    }
  }

  clear(): void {
    for (const cache of this.#caches()) cache.clear()
  }

  #caches(): readonly BoundedCache<string, V>[] {
    return [...this.#known.values(), this.#others]
  }
}

function joined(namespace: string, value: string): string {
  return `${namespace.length}:${namespace}${value}`
}
