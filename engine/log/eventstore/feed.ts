import { type Envelope, envelopeOf, openedBy, streamOf } from './codec.ts'
import type { Followed, StoredEvent } from './connection.ts'
import { keyOf, uuidOf } from './event-id.ts'
import type { IndexFile } from './index-file.ts'
import { Order, type Placed } from './order.ts'

interface Arrived extends Placed {
  readonly arrival: number
  readonly event: StoredEvent
  readonly envelope: Envelope
}

/** What became known by reading on. */
export interface Fed {
  /** Keys' UUIDs and streams of the events that have become part of the log. */
  readonly settled: readonly { readonly uuid: string; readonly stream: string; readonly position: number }[]
  /** Who opened the log, in order. */
  readonly opened: readonly string[]
  /** Streams that forget events by their metadata, where that changed or the log was opened. */
  readonly forgetful: readonly string[]
}

const METADATA_PREFIX = '$$'
const FORGETTING = ['$maxAge', '$maxCount', '$tb']

/** Brings `$all` into the index, in order, each batch with its checkpoint in one transaction. */
export class Feed {
  readonly #index: IndexFile
  readonly #order: Order<Arrived>
  #arrival: number

  constructor(index: IndexFile) {
    this.#index = index
    const { next, writer, arrival } = index.checkpoint()
    this.#arrival = arrival
    this.#order = new Order(next, writer)
  }

  /** The position that the next writer begins at. */
  get next(): number {
    return this.#order.next
  }

  feed(batch: readonly Followed[]): Fed {
    const settled: Fed['settled'][number][] = []
    const opened: string[] = []
    let isForgetfulAsked = false
    this.#index.transaction(() => {
      let commit: number | undefined
      for (const followed of batch) {
        commit = followed._tag === 'Event' ? followed.event.commit : followed.commit
        if (followed._tag === 'Checkpoint') continue
        const { event } = followed
        this.#arrival++
        const writer = openedBy(event)
        if (writer !== undefined) opened.push(writer)
        if (this.#noteMetadata(event) || writer !== undefined) isForgetfulAsked = true
        for (const arrived of this.#settledBy(event, writer)) settled.push(this.#add(arrived))
      }
      const { next, writer } = this.#order
      this.#index.moveCheckpoint({
        commit: this.#order.isSettled ? commit : undefined,
        next,
        writer,
        arrival: this.#arrival,
      })
    })
    return { settled, opened, forgetful: isForgetfulAsked ? this.#index.forgetful() : [] }
  }

  #settledBy(event: StoredEvent, opener: string | undefined): readonly Arrived[] {
    if (opener !== undefined) return this.#order.open(opener)
    if (event.stream.startsWith('$')) return []
    this.#index.sawRevision(streamOf(event.stream), event.revision)
    const envelope = envelopeOf(event)
    if (envelope === undefined) return []
    const { position, batch } = envelope
    return this.#order.take(envelope.writer, {
      ...{ position, batch, event, envelope },
      arrival: this.#arrival,
    })
  }

  /** Whether it is a stream's metadata. System streams may forget as they like. */
  #noteMetadata({ stream, data }: StoredEvent): boolean {
    if (!stream.startsWith(METADATA_PREFIX)) return false
    const name = stream.slice(METADATA_PREFIX.length)
    if (!name.startsWith('$')) this.#index.setForgetful(name, forgets(data))
    return true
  }

  #add({ event, envelope, position, arrival }: Arrived): Fed['settled'][number] {
    const uuid = uuidOf(envelope.source, envelope.id)
    const stream = streamOf(event.stream)
    this.#index.add({
      position,
      commit: event.commit,
      arrival,
      eventId: event.id,
      stream,
      type: event.type,
      received: envelope.received,
      key: keyOf(uuid),
      identities: new Set(envelope.identities.map(({ id }) => id)),
    })
    return { uuid, stream, position }
  }
}

/** `data` of the metadata of a stream that may be ours. */
function forgets(data: unknown): boolean {
  return typeof data === 'object' && data !== null && FORGETTING.some((key) => key in data)
}
