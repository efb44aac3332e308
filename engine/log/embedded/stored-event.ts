import assert from 'node:assert/strict'
import type { RecordedEvent, SealedPart } from '../../events/event.ts'
import type { Identity } from '../../events/identity.ts'
import { toPlain } from '../recorded.ts'
import type { Columns } from './columns.ts'
import type { Payload } from './payload-reader.ts'

/** Where an event gets its payload from. */
export interface PayloadSource {
  readonly first: number
  readonly received: number
  readonly columns: Columns
  payload(index: number): Payload
}

const NO_IDENTITIES: readonly Identity[] = []

/**
 * An event of a block: its envelope as properties, `data`, `normalised` and `sealed` decoded when first asked for.
 * Spreading it loses those three; see `toPlain`.
 */
export class StoredEvent implements RecordedEvent {
  readonly position: number
  readonly revision: number
  readonly stream: string
  readonly id: string
  readonly source: string
  readonly type: string
  readonly schema: number
  readonly time: number
  readonly received: number
  readonly sequence: number | undefined
  readonly identities: readonly Identity[]
  readonly actor: string | undefined
  readonly origin: string | undefined
  readonly causation: string | undefined
  readonly correlation: string | undefined
  readonly basedOn: number | undefined
  readonly originalTime: number | undefined
  readonly sentTime: number | undefined
  readonly normaliser: number
  #block: PayloadSource | undefined
  #payload: Payload | undefined

  constructor(block: PayloadSource, index: number) {
    const { columns } = block
    this.#block = block
    this.position = block.first + index
    this.revision = columns.revision?.at(index) ?? 0
    this.stream = columns.stream.at(index)
    this.id = columns.id.at(index)
    this.source = columns.source.at(index)
    this.type = columns.type.at(index)
    this.schema = columns.schema?.at(index) ?? 1
    this.time = columns.time.at(index)
    this.received = columns.received?.at(index) ?? block.received
    this.sequence = columns.sequence?.find(index)
    this.identities = columns.identities?.at(index) ?? NO_IDENTITIES
    this.actor = columns.actor?.find(index)
    this.origin = columns.origin?.find(index)
    this.causation = columns.causation?.find(index)
    this.correlation = columns.correlation?.find(index)
    this.basedOn = columns.basedOn?.find(index)
    this.originalTime = columns.originalTime?.find(index)
    this.sentTime = columns.sentTime?.find(index)
    this.normaliser = columns.normaliser?.at(index) ?? 0
  }

  get data(): Readonly<Record<string, unknown>> {
    return this.#decoded().data
  }

  get normalised(): Readonly<Record<string, unknown>> {
    return this.#decoded().normalised
  }

  get sealed(): readonly SealedPart[] {
    return this.#decoded().sealed
  }

  toJSON(): RecordedEvent {
    return toPlain(this)
  }

  #decoded(): Payload {
    if (this.#payload === undefined) {
      assert.ok(this.#block !== undefined)
      this.#payload = this.#block.payload(this.position - this.#block.first)
      // Lets the block's bytes go while the event is kept.
      this.#block = undefined
    }
    return this.#payload
  }
}
