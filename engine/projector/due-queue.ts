/** Deadlines of keys, earliest first: a binary heap with lazy removal. Ties go by key, so that folds are repeatable. */
export class DueQueue {
  readonly #heap: { readonly due: number; readonly key: string }[] = []
  readonly #current = new Map<string, number>()

  /** Asked for every event by every fold that knows deadlines, few of which have any. */
  get isEmpty(): boolean {
    return this.#heap.length === 0
  }

  set(key: string, due: number | undefined): void {
    // Whatever has a deadline stands in the heap.
    if (due === undefined && this.isEmpty) return
    if (this.#current.get(key) === due) return
    if (due === undefined) {
      this.#current.delete(key)
      return
    }
    this.#current.set(key, due)
    this.#push({ due, key })
  }

  next(): number | undefined {
    this.#dropStale()
    return this.#heap[0]?.due
  }

  /** Takes the earliest key that is due at or before `at`. */
  take(at: number): { readonly due: number; readonly key: string } | undefined {
    this.#dropStale()
    const top = this.#heap[0]
    if (top === undefined || top.due > at) return undefined
    this.#current.delete(top.key)
    this.#pop()
    return top
  }

  #dropStale(): void {
    for (
      let top = this.#heap[0];
      top !== undefined && this.#current.get(top.key) !== top.due;
      top = this.#heap[0]
    ) {
      this.#pop()
    }
  }

  #push(entry: { readonly due: number; readonly key: string }): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(entry, heap[parent])) break
      this.#swap(at, parent)
      at = parent
    }
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    heap[0] = last
    let at = 0
    for (;;) {
      let least = at
      if (before(heap[2 * at + 1], heap[least])) least = 2 * at + 1
      if (before(heap[2 * at + 2], heap[least])) least = 2 * at + 2
      if (least === at) return
      this.#swap(at, least)
      at = least
    }
  }

  #swap(i: number, j: number): void {
    const [a, b] = [this.#heap[i], this.#heap[j]]
    if (a === undefined || b === undefined) return
    this.#heap[i] = b
    this.#heap[j] = a
  }
}

type Entry = { readonly due: number; readonly key: string }

function before(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return false
  return a.due < b.due || (a.due === b.due && a.key < b.key)
}
