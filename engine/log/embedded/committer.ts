import type { Head } from '../log.ts'
import { type HeadSignal, publishHead } from './head-signal.ts'
import type { SegmentWriter, WriteOutcome } from './segment-writer.ts'

/** What the appending side asks of the committing side. */
export type CommitOrder =
  | {
      readonly kind: 'block'
      readonly number: number
      /** Holds the block, from its beginning; comes back with the report. */
      readonly memory: ArrayBuffer
      readonly sizeBytes: number
      /** `received` of its first event. */
      readonly firstReceived: number
      /** The log's head once the block is durable. */
      readonly head: Head
    }
  /** The failure of a block was seen; those behind it were given up. */
  | { readonly kind: 'resume' }
  | { readonly kind: 'close' }

export interface CommitReport {
  readonly number: number
  readonly outcome: WriteOutcome
  readonly memory: ArrayBuffer
}

/**
 * Commits blocks strictly in order. Behind a block that failed nothing is written before `resume`: positions were
 * assigned on the assumption that it would succeed.
 */
export class Committer {
  readonly #writer: SegmentWriter
  readonly #signal: HeadSignal
  #refusing: WriteOutcome | undefined

  constructor(writer: SegmentWriter, signal: HeadSignal) {
    this.#writer = writer
    this.#signal = signal
  }

  handle(order: CommitOrder): CommitReport | undefined {
    switch (order.kind) {
      case 'block': {
        const { number, memory, sizeBytes, firstReceived, head } = order
        const block = Buffer.from(memory, 0, sizeBytes)
        const outcome = this.#refusing ?? this.#writer.write(block, firstReceived)
        if (outcome._tag === 'Durable') publishHead(this.#signal, head)
        else this.#refusing = outcome
        return { number, outcome, memory }
      }
      case 'resume':
        this.#refusing = undefined
        return undefined
      case 'close':
        this.#writer.close()
        return undefined
    }
  }
}
