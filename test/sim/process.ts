/** The process has ended: whatever it still does changes nothing, and nobody hears of it. */
export class Dead extends Error {}

/** One process's life, as its parts know it. */
export class Process {
  readonly #ends: (() => void)[] = []
  #alive = true
  /** Store calls until it dies in one; undefined: it doesn't. */
  #doom: { calls: number; readonly after: boolean } | undefined
  readonly #onDoom: () => void
  /** Told of what a death has cut off. */
  readonly note: (what: string) => void

  constructor(onDoom: () => void, note: (what: string) => void) {
    this.#onDoom = onDoom
    this.note = note
  }

  get alive(): boolean {
    return this.#alive
  }

  /** To be done when it ends, in this order; at once if it has. */
  whenEnded(end: () => void): void {
    if (this.#alive) this.#ends.push(end)
    else end()
  }

  end(): void {
    if (!this.#alive) return
    this.#alive = false
    for (const end of this.#ends) end()
  }

  /** It will die in a store call, before or after what that call does. */
  doom(calls: number, after: boolean): void {
    this.#doom = { calls, after }
  }

  /** Does something durable, unless the process has ended, or ends here. */
  doing<T>(act: () => T): T {
    if (!this.#alive) throw new Dead('the process has ended')
    const doom = this.#doom
    const isLast = doom !== undefined && --doom.calls <= 0
    if (isLast && !doom.after) this.#die()
    const result = act()
    if (isLast) this.#die()
    return result
  }

  #die(): never {
    this.#doom = undefined
    this.#onDoom()
    throw new Dead('died in the middle of it')
  }

  /** What a dead process waits for never comes. */
  async awaited<T>(promise: Promise<T>): Promise<T> {
    try {
      const value = await promise
      if (this.#alive) return value
    } catch (error) {
      if (this.#alive) throw error
    }
    return new Promise<never>(() => undefined)
  }
}
