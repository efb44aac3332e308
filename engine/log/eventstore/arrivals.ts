import { setImmediate } from 'node:timers/promises'

/** So long after a batch more of them are expected. */
const BUSY_MS = 5

/** What a producer pushes and a consumer takes in batches; the producer is paused while too much waits. */
export class Arrivals<Item> {
  readonly #most: number
  readonly #source: { pause(): unknown; resume(): unknown }
  #items: Item[] = []
  #wake = Promise.withResolvers<void>()
  #end: { readonly error?: unknown } | undefined
  #isPaused = false
  #isBusy = false
  #calm: NodeJS.Timeout | undefined

  constructor(most: number, source: { pause(): unknown; resume(): unknown }) {
    this.#most = most
    this.#source = source
  }

  push(item: Item): void {
    if (this.#end !== undefined) return
    this.#items.push(item)
    if (this.#items.length >= this.#most && !this.#isPaused) {
      this.#isPaused = true
      this.#source.pause()
    }
    this.#wake.resolve()
  }

  /** Nothing more is taken; the source runs dry, since a stream that is cancelled ends only when it has been read. */
  end(error?: unknown): void {
    this.#end ??= { error }
    this.#isPaused = false
    this.#source.resume()
    this.#wake.resolve()
  }

  /**
   * The next batch; undefined: the end. Throws what it ended with, after what came before. What comes after a silence is handed on
   * at once; while much comes, all that comes in one turn of the event loop.
   */
  async take(): Promise<readonly Item[] | undefined> {
    while (this.#items.length === 0 && this.#end === undefined) {
      this.#wake = Promise.withResolvers<void>()
      await this.#wake.promise
      if (this.#isBusy && this.#end === undefined) await setImmediate()
    }
    if (this.#items.length === 0) {
      if (this.#end?.error !== undefined) throw this.#end.error
      return undefined
    }
    const batch = this.#items
    this.#items = []
    this.#isBusy = true
    clearTimeout(this.#calm)
    this.#calm = setTimeout(() => {
      this.#isBusy = false
    }, BUSY_MS).unref()
    if (this.#isPaused) {
      this.#isPaused = false
      this.#source.resume()
    }
    return batch
  }
}
