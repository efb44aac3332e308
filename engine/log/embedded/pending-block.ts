import assert from 'node:assert/strict'
import type { NewEvent } from '../../events/event.ts'
import type { Identity } from '../../events/identity.ts'
import type { Appended, Head } from '../log.ts'
import { BlockTickets } from './append-ticket.ts'
import type { IndexedBlock } from './index/segment-memory.ts'

/** A block from its first event on, until it is durable or given up. */
export class PendingBlock implements IndexedBlock {
  readonly tickets = new BlockTickets()
  readonly number: number
  /** Position of its first event. */
  readonly first: number
  /** The streams' slots of its events. */
  slots: number[] = []
  sizeBytes = 0
  encoded: Buffer<ArrayBuffer> | undefined
  // What is encoded is let go: payloads that wait for the disk would be moved about by every garbage collection.
  readonly #streams: string[] = []
  readonly #sources: string[] = []
  readonly #ids: string[] = []
  readonly #identities: (readonly Identity[])[] = []
  readonly #received: number[] = []
  readonly #revisions: number[] = []

  constructor(number: number, first: number) {
    this.number = number
    this.first = first
  }

  add(event: NewEvent, place: Appended, slot: number): void {
    if (place.position !== this.first + this.count) assert.fail('positions in a block follow each other')
    this.#streams.push(event.stream)
    this.#sources.push(event.source)
    this.#ids.push(event.id)
    this.#identities.push(event.identities)
    this.#received.push(event.received)
    this.#revisions.push(place.revision)
    this.slots.push(slot)
  }

  /** Takes back all but the first `count` events, at least one. Their ticket stays: nobody waits for it any more. */
  reopen(count: number): void {
    assert.ok(count > 0 && count <= this.count)
    this.#streams.length = count
    this.#sources.length = count
    this.#ids.length = count
    this.#identities.length = count
    this.#received.length = count
    this.#revisions.length = count
    this.slots.length = count
    this.encoded = undefined
    this.sizeBytes = 0
  }

  get count(): number {
    return this.#streams.length
  }

  get head(): Head {
    return { position: this.first + this.count - 1, received: at(this.#received, this.count - 1) }
  }

  get firstReceived(): number {
    return at(this.#received, 0)
  }

  streamAt(index: number): string {
    return at(this.#streams, index)
  }

  sourceAt(index: number): string {
    return at(this.#sources, index)
  }

  idAt(index: number): string {
    return at(this.#ids, index)
  }

  revisionAt(index: number): number {
    return this.#revisions[index] ?? 0
  }

  identitiesAt(index: number): readonly Identity[] {
    return at(this.#identities, index)
  }

  slotAt(index: number): number {
    return at(this.slots, index)
  }
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index]
  if (value === undefined) assert.fail('an event of the block')
  return value
}
