import type { BenchEvent } from '../events.ts'

/** Somebody who stores events durably: the log itself or one that it is compared with. */
export interface Contender {
  readonly name: string
  /** Batches that may be under way at once; 1 for one that works on the calling thread. */
  readonly inFlight: number
  /** What stands in for the events where only their bytes are written; not part of what is measured. */
  prepare?(batches: readonly (readonly BenchEvent[])[]): void
  /** Stores a batch in one commit; resolves when it is durable, as far as the contender's durability goes. */
  append(batch: readonly BenchEvent[], index: number): Promise<void>
  close(): Promise<void>
}

/** Why a peer can't be measured: a sentence without its name. */
export interface MissingPeer {
  readonly name: string
  readonly missing: string
}

/** A peer that is there, with what the reader must know of it. */
export interface PresentPeer {
  readonly contender: Contender
  /** Versions, settings, durability and constraints: one line. */
  readonly about: string
}

export function isMissing(peer: PresentPeer | MissingPeer): peer is MissingPeer {
  return 'missing' in peer
}

export function isPresent(peer: PresentPeer | MissingPeer): peer is PresentPeer {
  return !isMissing(peer)
}
