import { setImmediate } from 'node:timers/promises'
import type { RecordedEvent } from '../../events/event.ts'
import { LogDamaged } from '../log.ts'
import { blockAt, type ReadBlock } from './block-reading.ts'
import type { EventBlock } from './lone-block.ts'
import type { SegmentList } from './segment-list.ts'
import type { BlockPlace, SegmentReader } from './segment-reader.ts'
import type { StoredEvent } from './stored-event.ts'

/** A batch holds the events of about this much of the log, or of one larger block. */
const BATCH_BYTES = 256 * 1024
/** Events of a stream or identity in a batch. */
const BATCH_EVENTS = 256
/** Blocks that such a batch is read from: each takes about a quarter of a millisecond, and whoever shares the thread waits. */
const BATCH_BLOCKS = 32

/** So many more events in a block make reading all of it cheaper than reading parts. */
const WHOLE_EVENTS = 3

export interface Reading {
  /** First position in the direction of reading, inclusive. */
  readonly from: number
  /** The durable head when reading began: nothing beyond it is looked at. */
  readonly head: number
  readonly limit: number
  readonly types: ReadonlySet<string> | undefined
}

type Batch = StoredEvent[]

/** The segment's events from `position` on, in batches; stops when `room` events were collected. */
function* segmentForwards(
  segments: SegmentList,
  segment: SegmentReader,
  position: number,
  reading: Reading,
  room: number,
): Generator<Batch> {
  const from = segment.indexOf(position)
  const wanted = segments.blocksWith(segment, reading.types)
  const window = segment.window(reading.head, BATCH_BYTES)
  let batch: Batch = []
  let readBytes = 0
  for (let i = from; i < segment.blockCount; i++) {
    const place = segment.place(i)
    if (place === undefined || place.first > reading.head) break
    if (wanted !== undefined && wanted[i] !== 1) {
      position = place.last + 1
      continue
    }
    const block = yield* orAfter(batch, () => {
      const damage = position < place.first ? segment.damageBefore(i) : undefined
      if (damage !== undefined) throw damage
      return segment.block(i, window)
    })
    const until = Math.min(block.count, reading.head - block.first + 1)
    block.collect(batch, Math.max(0, position - block.first), until, reading.types, room)
    position = block.last + 1
    readBytes += place.sizeBytes
    if (readBytes < BATCH_BYTES && batch.length < room) continue
    yield batch
    room -= batch.length
    if (room <= 0) return
    batch = []
    readBytes = 0
  }
  yield batch
}

/** Does `step`; should it fail, first hands out what was read before. */
function* orAfter<T>(batch: Batch, step: () => T): Generator<Batch, T> {
  try {
    return step()
  } catch (error) {
    if (batch.length > 0) yield batch
    throw error
  }
}

/** The event loop gets its turn after each batch, empty ones too. */
async function* politely(batches: Iterable<Batch>): AsyncGenerator<readonly RecordedEvent[]> {
  for (const batch of batches) {
    if (batch.length > 0) yield batch
    await setImmediate()
  }
}

export function readForwards(
  segments: SegmentList,
  reading: Reading,
): AsyncIterable<readonly RecordedEvent[]> {
  return politely(forwards(segments, reading))
}

function* forwards(segments: SegmentList, reading: Reading): Generator<Batch> {
  let position = Math.max(1, reading.from)
  let room = reading.limit
  while (position <= reading.head && room > 0) {
    const { index, segment } = segments.reach(position, reading.head)
    for (const batch of segmentForwards(segments, segment, position, reading, room)) {
      room -= batch.length
      yield batch
    }
    if (room <= 0 || segment.last >= reading.head) return
    segments.checkEnd(index, reading.head)
    position = Math.max(segment.last, segments.limit(index)) + 1
  }
}

export function readBackwards(
  segments: SegmentList,
  reading: Reading,
): AsyncIterable<readonly RecordedEvent[]> {
  return politely(backwards(segments, reading))
}

function* backwards(segments: SegmentList, reading: Reading): Generator<Batch> {
  let position = Math.min(reading.from, reading.head)
  let room = reading.limit
  if (position < 1 || room <= 0) return
  const reached = segments.reach(position, reading.head)
  for (let index = reached.index; index >= 0; index--) {
    const segment = segments.at(index)
    if (segment === undefined) return
    segments.extend(index, segment, Math.min(reading.head, segments.limit(index)))
    if (segment.last < position) segments.checkEnd(index, position)
    for (const batch of segmentBackwards(segments, segment, position, reading, room)) {
      room -= batch.length
      yield batch
    }
    if (room <= 0) return
    position = segment.header.previous
    segments.checkBeginning(index, position)
  }
}

function* segmentBackwards(
  segments: SegmentList,
  segment: SegmentReader,
  position: number,
  reading: Reading,
  room: number,
): Generator<Batch> {
  const wanted = segments.blocksWith(segment, reading.types)
  for (let i = Math.min(segment.indexOf(position), segment.blockCount - 1); i >= 0 && room > 0; i--) {
    if (wanted !== undefined && wanted[i] !== 1) continue
    const block = segment.block(i)
    const batch: Batch = []
    const until = Math.max(0, Math.min(block.count, position - block.first + 1))
    block.collect(batch, 0, until, reading.types, Number.POSITIVE_INFINITY)
    batch.reverse()
    if (batch.length > room) batch.length = room
    room -= batch.length
    yield batch
    const damage = room > 0 ? segment.damageBefore(i) : undefined
    if (damage !== undefined) throw damage
  }
}

/** The event at a position, or undefined where the positions around it prove that there is none. */
export function eventAt(
  segments: SegmentList,
  position: number,
  head: number,
  read: ReadBlock<EventBlock>,
): StoredEvent | undefined {
  const block = blockAt(segments, position, head, read)
  return block?.event(position - block.first)
}

/** The events at these positions, in the order given. */
export function readPositions(
  segments: SegmentList,
  positions: Iterable<number>,
  head: number,
): AsyncIterable<readonly RecordedEvent[]> {
  return politely(atPositions(segments, positions, head))
}

function* atPositions(segments: SegmentList, positions: Iterable<number>, head: number): Generator<Batch> {
  let batch: Batch = []
  let blocks = 0
  let last: EventBlock | undefined
  const ahead = new Ahead(positions)
  const lone = segments.lone((place) => ahead.among(place) >= WHOLE_EVENTS)
  const read: ReadBlock<EventBlock> = (segment, index) => {
    const block = lone(segment, index)
    if (block !== last) blocks += 1
    last = block
    return block
  }
  for (const position of ahead.all()) {
    const event = yield* orAfter(batch, () => wholeEvent(eventAt(segments, position, head, read)))
    if (event === undefined) throw new LogDamaged('', 0, position, undefined, 'an indexed event is missing')
    batch.push(event)
    if (batch.length < BATCH_EVENTS && blocks < BATCH_BLOCKS) continue
    yield batch
    batch = []
    blocks = 0
  }
  yield batch
}

/** Positions, of which the next few can be looked at before it is their turn. */
class Ahead {
  readonly #positions: Iterator<number>
  readonly #queue: number[] = []

  constructor(positions: Iterable<number>) {
    this.#positions = positions[Symbol.iterator]()
  }

  *all(): Generator<number> {
    try {
      for (;;) {
        if (this.#queue.length === 0) this.#fill(1)
        const next = this.#queue.shift()
        if (next === undefined) return
        yield next
      }
    } finally {
      this.#positions.return?.()
    }
  }

  /** How many of the next few lie within. */
  among({ first, last }: BlockPlace): number {
    this.#fill(WHOLE_EVENTS)
    const outside = this.#queue.findIndex((position) => position < first || position > last)
    return outside < 0 ? this.#queue.length : outside
  }

  #fill(count: number): void {
    while (this.#queue.length < count) {
      const { done, value } = this.#positions.next()
      if (done === true) return
      this.#queue.push(value)
    }
  }
}

/** Decodes the payload, for which the block is needed. */
function wholeEvent(event: StoredEvent | undefined): StoredEvent | undefined {
  void event?.data
  return event
}
