/** Appends that are under way. */
interface Group {
  count: number
  whenIdle: (() => void)[]
}

/**
 * Lets appends through, and holds those to a stream of which something is decided: whether it was deleted must not change between
 * an append's look at it and its place in the log. Costs an append two additions.
 */
export class AppendGate {
  readonly #held = new Map<string, Promise<void>>()
  readonly #busy = new Set<Group>()
  #group: Group = { count: 0, whenIdle: [] }

  /** Waits while the stream is held. */
  async append<T>(stream: string, work: () => Promise<T>): Promise<T> {
    for (let held = this.#held.get(stream); held !== undefined; held = this.#held.get(stream)) await held
    const group = this.#group
    group.count += 1
    try {
      return await work()
    } finally {
      group.count -= 1
      if (group.count === 0) for (const resolve of group.whenIdle.splice(0)) resolve()
    }
  }

  /** Holds the stream while `work` is done, which is handed a way to wait for the appends that were let through before. */
  async hold<T>(stream: string, work: (drained: () => Promise<void>) => Promise<T>): Promise<T> {
    for (let held = this.#held.get(stream); held !== undefined; held = this.#held.get(stream)) await held
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held.set(stream, promise)
    try {
      return await work(() => this.#drained())
    } finally {
      this.#held.delete(stream)
      resolve()
    }
  }

  async #drained(): Promise<void> {
    const group = this.#group
    if (group.count > 0) {
      this.#group = { count: 0, whenIdle: [] }
      this.#busy.add(group)
      group.whenIdle.push(() => this.#busy.delete(group))
    }
    await Promise.all(
      [...this.#busy].map((busy) => new Promise<void>((resolve) => busy.whenIdle.push(resolve))),
    )
  }
}
