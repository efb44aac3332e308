import type { RecordedEvent } from '../../events/event.ts'
import { follow, type HeadSource } from '../follow.ts'
import type { Head, LogReader, ReadOptions, SubscribeOptions } from '../log.ts'
import type { Block } from './block-decoder.ts'
import { blockAt, blocksForwards } from './block-reading.ts'
import { eventBytes } from './event-bytes.ts'
import { eventAt, type Reading, readBackwards, readForwards } from './log-reading.ts'
import type { SegmentList } from './segment-list.ts'

/** Reads a directory of segments up to the head that its source names. */
export class SegmentsLog implements LogReader {
  readonly #segments: SegmentList
  readonly #source: HeadSource
  readonly #closing = new AbortController()

  constructor(segments: SegmentList, source: HeadSource) {
    this.#segments = segments
    this.#source = source
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw new Error('the log is closed')
  }

  head(): Head {
    this.#assertOpen()
    return this.#source.head()
  }

  read(options: ReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    return readForwards(this.#segments, this.#reading(options, 1))
  }

  readBackwards(options: ReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    return readBackwards(this.#segments, this.#reading(options, Number.POSITIVE_INFINITY))
  }

  #reading(options: ReadOptions, from: number): Reading {
    const head = this.head().position
    const { limit = Number.POSITIVE_INFINITY, types } = options
    return { from: options.from ?? from, head, limit, types }
  }

  /** The verified blocks that hold positions from `from` up to the head. Throws `LogDamaged`. */
  blocks(from: number): Iterable<Block> {
    return blocksForwards(this.#segments, from, this.head().position)
  }

  /** The stored bytes of the event at a position (FORMAT.md), or undefined where there is none. Throws `LogDamaged`. */
  storedAt(position: number): Buffer | undefined {
    const block = blockAt(this.#segments, position, this.head().position, this.#segments.cachedBlock)
    return block === undefined ? undefined : eventBytes(block, position - block.first)
  }

  /** Resolves when the head is beyond `position`, or `signal` aborts. */
  beyond(position: number, signal: AbortSignal): Promise<void> {
    this.#assertOpen()
    return this.#source.beyond(position, AbortSignal.any([signal, this.#closing.signal]))
  }

  async at(position: number): Promise<RecordedEvent | undefined> {
    return eventAt(this.#segments, position, this.head().position, this.#segments.cachedBlock)
  }

  subscribe(options: SubscribeOptions): AsyncIterable<readonly RecordedEvent[]> {
    this.#assertOpen()
    const signal = AbortSignal.any([options.signal, this.#closing.signal])
    const limit = Number.POSITIVE_INFINITY
    return follow(
      this.#source,
      (from, head, types) => readForwards(this.#segments, { from, head, limit, types }),
      { ...options, signal },
    )
  }

  /** Ends subscriptions. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#segments.close()
  }
}
