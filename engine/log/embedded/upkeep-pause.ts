const FIRST_MS = 1_000
const LONGEST_MS = 60_000

/** Waits longer after each failure, up to a minute, until something succeeds. Keeps no process alive. */
export class Pause {
  readonly #over: () => void
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /** `over`: called at the end of each pause. */
  constructor(over: () => void) {
    this.#over = over
  }

  get lasts(): boolean {
    return this.#timer !== undefined
  }

  /** Whether the last attempt failed. */
  get failing(): boolean {
    return this.#failures > 0
  }

  failed(): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    const waitMs = Math.min(FIRST_MS * 2 ** this.#failures, LONGEST_MS)
    this.#failures += 1
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#over()
    }, waitMs)
    this.#timer.unref()
  }

  succeeded(): void {
    this.#failures = 0
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
