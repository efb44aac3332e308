import assert from 'node:assert/strict'
import type { NewEvent } from '../../events/event.ts'
import type { Identity } from '../../events/identity.ts'
import type { Appended, Head } from '../log.ts'
import { BlockTickets } from './append-ticket.ts'
import type { IndexedBlock } from './log-index.ts'

/** An event with the place that it gets if everything before it succeeds. */
export interface Planned {
  readonly event: NewEvent
  readonly place: Appended
}

/** A block from its first event on, until it is durable or given up. */
export class PendingBlock implements IndexedBlock {
  readonly events: Planned[] = []
  readonly tickets = new BlockTickets()
  readonly number: number
  sizeBytes = 0
  encoded: Buffer<ArrayBuffer> | undefined

  constructor(number: number) {
    this.number = number
  }

  get first(): number {
    return this.#at(0).place.position
  }
  get count(): number {
    return this.events.length
  }
  get head(): Head {
    const { event, place } = this.#at(this.count - 1)
    return { position: place.position, received: event.received }
  }
  streamAt(index: number): string {
    return this.#at(index).event.stream
  }
  revisionAt(index: number): number {
    return this.#at(index).place.revision
  }
  identitiesAt(index: number): readonly Identity[] {
    return this.#at(index).event.identities
  }
  #at(index: number): Planned {
    const planned = this.events[index]
    assert.ok(planned !== undefined)
    return planned
  }
}
