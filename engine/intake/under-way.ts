import assert from 'node:assert/strict'
import type { AcceptedEntry, Entry } from './entry.ts'

/**
 * The events under way, by source and id: a repetition waits for the one that is held and is then an ordinary
 * duplicate. By id first: a key made of both would have to be put together and hashed for every event.
 */
export class UnderWay {
  /** The first of those that share an id under different sources; the others hang on it. */
  readonly #byId = new Map<string, Entry>()

  find(source: string, id: string): Entry | undefined {
    let entry = this.#byId.get(id)
    while (entry !== undefined && entry.held?.source !== source) entry = entry.sameId
    return entry
  }

  /** Holds it under its own source and id, which no other is held under. */
  hold(entry: AcceptedEntry): void {
    assert(entry.held === undefined && entry.sameId === undefined)
    const { envelope } = entry.decided
    entry.held = envelope
    const first = this.#byId.get(envelope.id)
    if (first === undefined) this.#byId.set(envelope.id, entry)
    else {
      entry.sameId = first.sameId
      first.sameId = entry
    }
  }

  /** Lets go of an entry, if it is held. */
  release(entry: Entry): void {
    const { held } = entry
    if (held === undefined) return
    const first = this.#byId.get(held.id)
    assert(first !== undefined)
    if (first !== entry) detach(first, entry)
    else if (entry.sameId === undefined) this.#byId.delete(held.id)
    else this.#byId.set(held.id, entry.sameId)
    entry.held = undefined
    entry.sameId = undefined
  }
}

function detach(first: Entry, entry: Entry): void {
  let before: Entry | undefined = first
  while (before !== undefined && before.sameId !== entry) before = before.sameId
  assert(before !== undefined, 'what is held hangs on the first of its id')
  before.sameId = entry.sameId
}
