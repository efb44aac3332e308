/** The process has ended: whatever it still does changes nothing, and nobody hears of it. */
export class Dead extends Error {}

/** What is called: the read models' store, or the files of the log. */
type Call = 'store' | 'files'

/** The call that a process will die in, so many away, before or after what that call does. */
export interface Doom {
  calls: number
  readonly after: boolean
  readonly of: Call | 'any'
}

/** One process's life, as its parts know it. */
export class Process {
  readonly #ends: (() => void)[] = []
  #alive = true
  #isOrderly = false
  /** undefined: it lives on. */
  #doom: Doom | undefined
  readonly #onDoom: () => void
  /** Told of what a death has cut off. */
  readonly note: (what: string) => void

  constructor(onDoom: () => void, note: (what: string) => void) {
    this.#onDoom = onDoom
    this.note = note
  }

  /** It has ended, and nothing was under way. */
  get isOrderly(): boolean {
    return this.#isOrderly
  }

  get alive(): boolean {
    return this.#alive
  }

  /** To be done when it ends, in this order; at once if it has. */
  whenEnded(end: () => void): void {
    if (this.#alive) this.#ends.push(end)
    else end()
  }

  /** `orderly`: it has stopped by itself. */
  end(orderly = false): void {
    if (!this.#alive) return
    this.#alive = false
    this.#isOrderly = orderly
    for (const end of this.#ends) end()
  }

  doom(doom: Doom): void {
    this.#doom = { ...doom }
  }

  /** Does something durable, unless the process has ended, or ends here. */
  doing<T>(act: () => T, of: Call = 'store'): T {
    if (!this.#alive) throw new Dead('the process has ended')
    const doom = this.#doom
    const isMeant = doom !== undefined && (doom.of === 'any' || doom.of === of)
    const isLast = isMeant && --doom.calls <= 0
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
