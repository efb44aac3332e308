import assert from 'node:assert/strict'
import type { AcceptedEntry, Entry } from './entry.ts'

/** The events under way, by source and id: a repetition waits for the one that is held and is then an ordinary duplicate. */
export class UnderWay {
  readonly #entries = new Map<string, Entry>()

  find(source: string, id: string): Entry | undefined {
    return this.#entries.get(keyOf(source, id))
  }

  /** Holds it under its own source and id, which no other is held under. */
  hold(entry: AcceptedEntry): void {
    assert(entry.heldAs === undefined)
    const { source, id } = entry.decided.envelope
    entry.heldAs = keyOf(source, id)
    this.#entries.set(entry.heldAs, entry)
  }

  /** Lets go of an entry, if it is held. */
  release(entry: Entry): void {
    if (entry.heldAs === undefined) return
    this.#entries.delete(entry.heldAs)
    entry.heldAs = undefined
  }
}

function keyOf(source: string, id: string): string {
  return `${source.length} ${source}${id}`
}
