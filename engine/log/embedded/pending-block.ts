import assert from 'node:assert/strict'
import type { NewEvent } from '../../events/event.ts'
import type { Identity } from '../../events/identity.ts'
import type { Appended, Head } from '../log.ts'
import { BlockTickets } from './append-ticket.ts'
import type { IndexedBlock } from './log-index.ts'

/** A block from its first event on, until it is durable or given up. */
export class PendingBlock implements IndexedBlock {
  readonly tickets = new BlockTickets()
  readonly number: number
  /** Position of its first event. */
  readonly first: number
  /** The streams' slots of its events. */
  readonly slots: number[] = []
  sizeBytes = 0
  encoded: Buffer<ArrayBuffer> | undefined
  readonly #events: NewEvent[] = []
  readonly #revisions: number[] = []

  constructor(number: number, first: number) {
    this.number = number
    this.first = first
  }

  add(event: NewEvent, place: Appended, slot: number): void {
    if (place.position !== this.first + this.count) assert.fail('positions in a block follow each other')
    this.#events.push(event)
    this.#revisions.push(place.revision)
    this.slots.push(slot)
  }

  /** Takes back all but the first `count` events, at least one. Their ticket stays: nobody waits for it any more. */
  reopen(count: number): void {
    assert.ok(count > 0 && count <= this.count)
    this.#events.length = count
    this.#revisions.length = count
    this.slots.length = count
    this.encoded = undefined
    this.sizeBytes = 0
  }

  get count(): number {
    return this.#events.length
  }

  get head(): Head {
    return { position: this.first + this.count - 1, received: this.#at(this.count - 1).received }
  }

  get firstReceived(): number {
    return this.#at(0).received
  }

  streamAt(index: number): string {
    return this.#at(index).stream
  }

  revisionAt(index: number): number {
    return this.#revisions[index] ?? 0
  }

  identitiesAt(index: number): readonly Identity[] {
    return this.#at(index).identities
  }

  slotAt(index: number): number {
    const slot = this.slots[index]
    assert.ok(slot !== undefined)
    return slot
  }

  #at(index: number): NewEvent {
    const event = this.#events[index]
    assert.ok(event !== undefined)
    return event
  }
}
