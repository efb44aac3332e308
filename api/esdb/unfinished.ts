import type { ProposedEvent } from './backend.ts'
import type { CallFailure } from './errors.ts'
import { appendSizeBytes } from './wire.ts'

const LIMIT_BYTES = 64 * 1024 * 1024
/** About what an append, and an event, takes beside its bytes. */
const APPEND_BYTES = 1_024
const EVENT_BYTES = 512

export const TOO_MUCH_UNFINISHED: CallFailure = {
  _tag: 'Unavailable',
  reason: 'too many appends wait for their last part; send it again later',
}

/** What all calls together hold of appends of which the last part hasn't come: a client may begin any number and end none. */
export class Unfinished {
  #heldBytes = 0

  /** False: there is no room, and nothing more is held. */
  hold(bytes: number): boolean {
    if (this.#heldBytes + bytes > LIMIT_BYTES) return false
    this.#heldBytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes
  }
}

/** Of an append that begins; `names`: what its sender may have made long. */
export function beginningBytes(...names: readonly string[]): number {
  return names.reduce((bytes, { length }) => bytes + 2 * length, APPEND_BYTES)
}

export function heldBytes(event: ProposedEvent): number {
  return appendSizeBytes(event) + EVENT_BYTES
}
