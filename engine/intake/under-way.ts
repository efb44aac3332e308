import assert from 'node:assert/strict'
import type { AcceptedEntry, Entry } from './entry.ts'

/** The events under way, by source and id: a repetition waits for the one that is held and is then an ordinary duplicate. */
export class UnderWay {
  /** By id within each source that has any: a name made of both would have to be put together and hashed for each look. */
  readonly #bySource = new Map<string, Map<string, Entry>>()

  find(source: string, id: string): Entry | undefined {
    return this.#bySource.get(source)?.get(id)
  }

  /** Holds it under its own source and id, which no other is held under. */
  hold(entry: AcceptedEntry): void {
    assert(entry.heldAs === undefined)
    const { envelope } = entry.decided
    entry.heldAs = envelope
    let ofSource = this.#bySource.get(envelope.source)
    if (ofSource === undefined) {
      ofSource = new Map()
      this.#bySource.set(envelope.source, ofSource)
    }
    ofSource.set(envelope.id, entry)
  }

  /** Lets go of an entry, if it is held. */
  release(entry: Entry): void {
    const { heldAs } = entry
    if (heldAs === undefined) return
    entry.heldAs = undefined
    const ofSource = this.#bySource.get(heldAs.source)
    ofSource?.delete(heldAs.id)
    // Senders may name any number of sources.
    if (ofSource?.size === 0) this.#bySource.delete(heldAs.source)
  }
}
