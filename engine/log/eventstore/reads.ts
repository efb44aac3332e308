import type { RecordedEvent } from '../../events/event.ts'
import type { IdentityId } from '../../events/identity.ts'
import { follow, type HeadSource } from '../follow.ts'
import type { Head, ReadOptions, StreamReadOptions, SubscribeOptions } from '../log.ts'
import { keyOf, uuidOf } from './event-id.ts'
import { type FetchOptions, fetchEvents } from './fetch.ts'
import type { IndexFile, Row } from './index-file.ts'
import type { Recent } from './recent.ts'

type Direction = NonNullable<StreamReadOptions['direction']>
type Batches = AsyncGenerator<readonly RecordedEvent[]>

interface Range {
  readonly direction: Direction
  readonly from: number
  /** Inclusive. */
  readonly until: number
  readonly limit: number | undefined
}

const BATCH_EVENTS = 256
/** Of events that needn't be read. */
const RECENT_EVENTS = 1_024

/** Reading: the index tells which events, EventStoreDB has them. */
export class Reads {
  readonly #index: IndexFile
  readonly #head: HeadSource
  readonly #fetching: FetchOptions
  readonly #closed: AbortSignal
  readonly #recent: Recent | undefined

  /** `recent`: what needn't be read where events are followed. */
  constructor(
    index: IndexFile,
    head: HeadSource,
    fetching: FetchOptions,
    closed: AbortSignal,
    recent?: Recent,
  ) {
    this.#index = index
    this.#recent = recent
    this.#head = head
    this.#fetching = fetching
    this.#closed = closed
  }

  head(): Head {
    this.assertOpen()
    return this.#head.head()
  }

  assertOpen(): void {
    if (this.#closed.aborted) throw new Error('the log is closed')
  }

  read({ from, limit, types }: ReadOptions): Batches {
    const range = this.#range('forwards', from, limit)
    return this.#batches(range, (next, count) => this.#index.range('forwards', next, count, types))
  }

  readBackwards({ from, limit, types }: ReadOptions): Batches {
    const range = this.#range('backwards', from, limit)
    return this.#batches(range, (next, count) => this.#index.range('backwards', next, count, types))
  }

  async at(position: number): Promise<RecordedEvent | undefined> {
    this.assertOpen()
    const row = this.#index.at(position)
    return row === undefined ? undefined : (await fetchEvents([row], this.#fetching))[0]
  }

  idCandidates(source: string, id: string): readonly number[] {
    this.assertOpen()
    return this.#index.byKey(keyOf(uuidOf(source, id)))
  }

  readStream(stream: string, { direction = 'forwards', from, limit }: StreamReadOptions): Batches {
    const range = this.#range(direction, from, limit)
    return this.#batches(range, (next, count) => this.#index.ofStream(stream, direction, next, count))
  }

  readIdentity(id: IdentityId, { direction = 'forwards', from, limit }: StreamReadOptions): Batches {
    const range = this.#range(direction, from, limit)
    return this.#batches(range, (next, count) => this.#index.ofIdentity(id, direction, next, count))
  }

  subscribe(options: SubscribeOptions): Batches {
    this.assertOpen()
    const signal = AbortSignal.any([options.signal, this.#closed])
    return this.#follow({ ...options, signal })
  }

  async *#follow(options: SubscribeOptions): Batches {
    const leave = this.#recent?.join()
    try {
      yield* follow(this.#head, (...range) => this.#newest(...range), options)
    } catch (error) {
      // Reading is cut off when the log is closed.
      if (!options.signal.aborted) throw error
    } finally {
      leave?.()
    }
  }

  /** From the server what isn't among the recent ones. */
  async *#newest(from: number, until: number, types: ReadonlySet<string> | undefined): Batches {
    for (let next = from; next <= until; ) {
      const taken = this.#recent?.take(next, until, RECENT_EVENTS, types)
      if (taken !== undefined && taken.next > next) {
        next = taken.next
        if (taken.events.length > 0) yield taken.events
        continue
      }
      const first = this.#recent?.first() ?? 0
      const end = first > next ? Math.min(until, first - 1) : until
      yield* this.#batches({ direction: 'forwards', from: next, until: end, limit: undefined }, (at, count) =>
        this.#index.range('forwards', at, count, types),
      )
      next = end + 1
    }
  }

  #range(direction: Direction, from: number | undefined, limit: number | undefined): Range {
    const head = this.head().position
    if (direction === 'forwards') return { direction, from: Math.max(1, from ?? 1), until: head, limit }
    return { direction, from: Math.min(head, from ?? head), until: 1, limit }
  }

  async *#batches(range: Range, rowsFrom: (next: number, count: number) => readonly Row[]): Batches {
    const { direction, until } = range
    const step = direction === 'forwards' ? 1 : -1
    let left = range.limit ?? Number.POSITIVE_INFINITY
    for (let next = range.from; left > 0 && (until - next) * step >= 0; ) {
      this.assertOpen()
      const rows = rowsFrom(next, Math.min(left, BATCH_EVENTS)).filter(
        ({ position }) => (until - position) * step >= 0,
      )
      const last = rows.at(-1)
      if (last === undefined) return
      yield await fetchEvents(rows, this.#fetching)
      left -= rows.length
      next = last.position + step
    }
  }
}
