import type { Clock } from '../clock.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { Head, LogReader } from '../log/log.ts'
import type { StoreWriter } from '../store/store.ts'
import type { Place } from './builds.ts'
import { markOf } from './mark.ts'
import type { Batch } from './pace.ts'

/** How far a projector has folded, and what of it no commit holds yet. */
export class Folded {
  readonly #store: Pick<StoreWriter, 'checkpoint'>
  readonly #clock: Clock
  #position: number
  #received: number
  /** The event at `#position`; undefined as long as that is the checkpoint that this began at. */
  #last: RecordedEvent | undefined
  #batch: Batch = emptyBatch()

  /** As far as the store. */
  constructor(store: Pick<StoreWriter, 'checkpoint'>, clock: Clock) {
    this.#store = store
    this.#clock = clock
    const { position, received } = store.checkpoint()
    this.#position = position
    this.#received = received
  }

  get position(): number {
    return this.#position
  }

  get received(): number {
    return this.#received
  }

  get head(): Head {
    return { position: this.#position, received: this.#received }
  }

  /** What no commit holds yet. */
  get batch(): Batch {
    return this.#batch
  }

  get place(): Place {
    return { position: this.#position, received: this.#received, mark: this.mark }
  }

  get mark(): string {
    return this.#last === undefined ? this.#store.checkpoint().mark : markOf(this.#last)
  }

  add(recorded: RecordedEvent): void {
    const batch = this.#batch
    if (batch.events === 0) {
      batch.sinceMs = this.#clock.monotonicMs()
      batch.firstReceived = recorded.received
    }
    batch.events += 1
    this.skipTo(recorded)
  }

  /** Everything up to here is in the store already. */
  skipTo(recorded: RecordedEvent): void {
    this.#position = recorded.position
    this.#received = Math.max(this.#received, recorded.received)
    this.#last = recorded
  }

  /** A commit takes it. */
  takeBatch(): Batch {
    const batch = this.#batch
    this.#batch = emptyBatch()
    return batch
  }

  /** Nothing is folded, and the store holds nothing. */
  restart(): void {
    this.#position = 0
    this.#received = 0
  }

  /** False if the store was folded from another log, or from more of it than there is now (a restored backup). */
  async followsFrom(log: Pick<LogReader, 'at'>): Promise<boolean> {
    if (this.#position === 0) return true
    const recorded = await log.at(this.#position)
    return recorded !== undefined && markOf(recorded) === this.#store.checkpoint().mark
  }
}

function emptyBatch(): Batch {
  return { events: 0, sinceMs: 0, firstReceived: undefined }
}
