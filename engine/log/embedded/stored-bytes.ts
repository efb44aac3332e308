import assert from 'node:assert/strict'
import type { Block } from './block-decoder.ts'
import { ByteSink } from './byte-sink.ts'
import type { DictionaryColumn, NumberColumn, TextColumn } from './column-reader.ts'
import { IDENTITY_BYTES, NIL } from './format.ts'
import type { Shape } from './payload-reader.ts'

/** Elements of the array that the stored bytes of an event are. */
export const STORED_ELEMENTS = 21

/**
 * Writes the stored bytes of a block's events (FORMAT.md), the same as `eventBytes`, without decoding them: text is
 * copied, what repeats is encoded once a block. For those who hash whole logs.
 */
export class StoredBytes {
  readonly #block: Block
  readonly #dictionaries = new Map<DictionaryColumn, readonly Buffer[]>()
  readonly #shapes = new Map<Shape, Buffer>()

  constructor(block: Block) {
    assert.deepEqual(block.columns.unknown, [], 'a newer release wrote this block')
    this.#block = block
  }

  /** Appends those of the event at `index`. */
  write(sink: ByteSink, index: number): void {
    const { columns, received } = this.#block
    sink.array(STORED_ELEMENTS)
    text(sink, columns.stream, index)
    text(sink, columns.id, index)
    this.#named(sink, columns.source, index)
    this.#named(sink, columns.type, index)
    sink.number(columns.schema?.at(index) ?? 1)
    sink.number(columns.time.at(index))
    sink.number(columns.received?.at(index) ?? received)
    sink.number(columns.revision?.at(index) ?? 0)
    this.#identities(sink, index)
    number(sink, columns.sequence, index)
    number(sink, columns.basedOn, index)
    number(sink, columns.originalTime, index)
    number(sink, columns.sentTime, index)
    this.#named(sink, columns.actor, index)
    this.#named(sink, columns.origin, index)
    text(sink, columns.causation, index)
    text(sink, columns.correlation, index)
    sink.number(columns.normaliser?.at(index) ?? 0)
    sink.raw(this.#keys(this.#block.shapeAt(index)))
    this.#block.writePayload(sink, index)
  }

  #named(sink: ByteSink, column: DictionaryColumn | undefined, index: number): void {
    if (column === undefined) sink.byte(NIL)
    else this.#entry(sink, column, index)
  }

  #entry(sink: ByteSink, column: DictionaryColumn, index: number): void {
    let encoded = this.#dictionaries.get(column)
    if (encoded === undefined) {
      encoded = column.entries.map((entry) => encode((into) => optional(into, entry)))
      this.#dictionaries.set(column, encoded)
    }
    const bytes = encoded[column.indexes.at(index)]
    assert.ok(bytes !== undefined, 'the dictionary was checked when the block was read')
    sink.part(bytes, 0, bytes.length)
  }

  #identities(sink: ByteSink, index: number): void {
    const column = this.#block.columns.identities
    const [from, until] = column?.range(index) ?? [0, 0]
    sink.array(until - from)
    if (column === undefined) return
    for (let at = from; at < until; at++) {
      sink.array(2)
      this.#entry(sink, column.namespaces, at)
      sink.binHead(IDENTITY_BYTES)
      column.writeId(sink, at)
    }
  }

  #keys(shape: Shape): Buffer {
    let encoded = this.#shapes.get(shape)
    if (encoded === undefined) {
      encoded = encode((into) => {
        for (const keys of [shape.data, shape.normalised]) {
          into.array(keys.length)
          for (const key of keys) into.string(key)
        }
      })
      this.#shapes.set(shape, encoded)
    }
    return encoded
  }
}

function encode(write: (sink: ByteSink) => void): Buffer {
  const sink = ByteSink.ofCapacity(256)
  write(sink)
  return Buffer.from(sink.bytes.subarray(0, sink.length))
}

function optional(sink: ByteSink, value: string | undefined): void {
  if (value === undefined) sink.byte(NIL)
  else sink.string(value)
}

function text(sink: ByteSink, column: TextColumn | undefined, index: number): void {
  if (column?.write(sink, index) !== true) sink.byte(NIL)
}

function number(sink: ByteSink, column: NumberColumn | undefined, index: number): void {
  const value = column?.find(index)
  if (value === undefined) sink.byte(NIL)
  else sink.number(value)
}
