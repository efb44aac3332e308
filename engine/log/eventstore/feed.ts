import { type Envelope, envelopeOf, openedBy, streamOf, workspaceOf } from './codec.ts'
import type { Followed, StoredEvent } from './connection.ts'
import { keyOf, uuidOf } from './event-id.ts'
import type { IndexFile } from './index-file.ts'
import { Order, type Placed } from './order.ts'
import type { Settled } from './recent.ts'

interface Arrived extends Placed {
  readonly arrival: number
  readonly event: StoredEvent
  readonly envelope: Envelope
}

/** What became known by reading on. */
export interface Fed {
  /** What has become part of the log, in order; `uuid`: what its id comes to. */
  readonly settled: readonly (Settled & { readonly uuid: string })[]
  /** Who opened the log, in order. */
  readonly opened: readonly string[]
  /** Streams that forget events by their metadata, where that changed or the log was opened. */
  readonly forgetful: readonly string[]
  /** Ids of events of ours that never count: earlier writers', come late. */
  readonly strays: readonly string[]
}

const METADATA_PREFIX = '$$'
const FORGETTING = ['$maxAge', '$maxCount', '$tb']

/** Brings `$all` into the index, in order, each batch with its checkpoint in one transaction. */
export class Feed {
  readonly #index: IndexFile
  readonly #isOurs: ((writer: string) => boolean) | undefined
  readonly #order: Order<Arrived>
  #arrival: number

  /** `isOurs`: whether this process writes under a name. */
  constructor(index: IndexFile, isOurs?: (writer: string) => boolean) {
    this.#index = index
    this.#isOurs = isOurs
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
    const strays: string[] = []
    let isForgetfulAsked = false
    this.#index.transaction(() => {
      let commit: number | undefined
      let arrival = this.#arrival
      for (const followed of batch) {
        if (followed._tag === 'Event') {
          const { event } = followed
          this.#arrival++
          const writer = openedBy(event)
          if (writer !== undefined) opened.push(writer)
          if (this.#noteMetadata(event) || writer !== undefined) isForgetfulAsked = true
          for (const arrived of this.#settledBy(event, writer, strays)) settled.push(this.#add(arrived))
        }
        // Never before a marker that has been taken: read again, it would settle again what it left behind.
        if (!this.#order.isSettled) continue
        commit = followed._tag === 'Event' ? followed.event.commit : followed.commit
        arrival = this.#arrival
      }
      const { next, writer } = this.#order
      this.#index.moveCheckpoint({ commit, next, writer, arrival })
    })
    return { settled, opened, strays, forgetful: isForgetfulAsked ? this.#index.forgetful() : [] }
  }

  #settledBy(event: StoredEvent, opener: string | undefined, strays: string[]): readonly Arrived[] {
    if (opener !== undefined) return this.#open(event, opener)
    if (event.stream.startsWith('$')) return []
    this.#index.sawRevision(streamOf(event.stream), event.revision)
    const envelope = envelopeOf(event, this.#isOurs)
    if (envelope === undefined) return []
    if (envelope.writer !== this.#order.writer) {
      this.#index.addStray(event.id)
      strays.push(event.id)
      return []
    }
    const { position, batch } = envelope
    return this.#order.take(envelope.writer, {
      ...{ position, batch, event, envelope },
      arrival: this.#arrival,
    })
  }

  #open(marker: StoredEvent, opener: string): readonly Arrived[] {
    const { settled, dropped } = this.#order.open(opener)
    for (const { event } of dropped) this.#index.addStray(event.id)
    const workspace = workspaceOf(marker)
    if (workspace !== undefined) this.#index.noteWorkspace(workspace)
    return settled
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
    const place = this.#index.add({
      position,
      commit: event.commit,
      arrival,
      eventId: event.id,
      stream: streamOf(event.stream),
      type: event.type,
      received: envelope.received,
      key: keyOf(uuid),
      identities: new Set(envelope.identities.map(({ id }) => id)),
    })
    return { uuid, event, envelope, place }
  }
}

/** `data` of the metadata of a stream that may be ours. */
function forgets(data: unknown): boolean {
  return typeof data === 'object' && data !== null && FORGETTING.some((key) => key in data)
}
