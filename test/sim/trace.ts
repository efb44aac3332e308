import { createHash } from 'node:crypto'

/** What happened, in order; two runs of a seed are the same if their digests are. */
export class Trace {
  readonly #hash = createHash('sha256')
  readonly #last: string[] = []

  note(line: string): void {
    this.#hash.update(`${line}\n`)
    this.#last.push(line)
    if (this.#last.length > MOST_KEPT) this.#last.shift()
  }

  /** The newest lines. */
  get lines(): readonly string[] {
    return this.#last
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}

const MOST_KEPT = 2_000
