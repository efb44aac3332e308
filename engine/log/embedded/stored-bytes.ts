import assert from 'node:assert/strict'
import type { Block } from './block-decoder.ts'
import { ByteSink } from './byte-sink.ts'
import type { DictionaryColumn, IdentityColumn, NumberColumn, TextColumn } from './column-reader.ts'
import { IDENTITY_BYTES, NIL } from './format.ts'
import type { Shape } from './payload-reader.ts'

/** Elements of the array that the stored bytes of an event are. */
export const STORED_ELEMENTS = 21

/** A dictionary with its entries as they are written. */
interface Encoded {
  readonly entries: readonly Buffer[]
  readonly column: DictionaryColumn
}

/**
 * Writes the stored bytes of a block's events (FORMAT.md), the same as `eventBytes`, without decoding them: text is
 * copied, what repeats is encoded once a block. For those who hash whole logs.
 */
export class StoredBytes {
  readonly #block: Block
  readonly #stream: TextColumn
  readonly #id: TextColumn
  readonly #source: Encoded
  readonly #type: Encoded
  readonly #schema: NumberColumn | undefined
  readonly #time: NumberColumn
  readonly #received: NumberColumn | undefined
  readonly #revision: NumberColumn | undefined
  readonly #identities: IdentityColumn | undefined
  /** Up to where its id begins, by its namespace. */
  readonly #identityHeads: readonly Buffer[]
  readonly #actor: Encoded | undefined
  readonly #origin: Encoded | undefined
  /** Whether what follows the identities is the same for all events of a shape, as in most blocks. */
  readonly #sameTails: boolean
  readonly #tails = new Map<Shape, Buffer>()

  constructor(block: Block) {
    const { columns } = block
    assert.deepEqual(columns.unknown, [], 'a newer release wrote this block')
    this.#block = block
    this.#stream = columns.stream
    this.#id = columns.id
    this.#source = encoded(columns.source)
    this.#type = encoded(columns.type)
    this.#schema = columns.schema
    this.#time = columns.time
    this.#received = columns.received
    this.#revision = columns.revision
    this.#identities = columns.identities
    this.#identityHeads = identityHeads(columns.identities)
    this.#actor = columns.actor && encoded(columns.actor)
    this.#origin = columns.origin && encoded(columns.origin)
    const { sequence, basedOn, originalTime, sentTime, causation, correlation, normaliser } = columns
    const numbers = sequence ?? basedOn ?? originalTime ?? sentTime
    const texts = columns.actor ?? columns.origin ?? causation ?? correlation
    const same = normaliser === undefined || normaliser.same !== undefined
    this.#sameTails = same && numbers === undefined && texts === undefined
  }

  /** Appends those of the event at `index`. */
  write(sink: ByteSink, index: number): void {
    sink.array(STORED_ELEMENTS)
    text(sink, this.#stream, index)
    text(sink, this.#id, index)
    named(sink, this.#source, index)
    named(sink, this.#type, index)
    sink.number(this.#schema?.at(index) ?? 1)
    sink.number(this.#time.at(index))
    sink.number(this.#received?.at(index) ?? this.#block.received)
    sink.number(this.#revision?.at(index) ?? 0)
    this.#writeIdentities(sink, index)
    if (this.#sameTails) sink.raw(this.#sameTail(index))
    else this.#writeTail(sink, index)
    this.#block.writePayload(sink, index)
  }

  #writeIdentities(sink: ByteSink, index: number): void {
    const column = this.#identities
    if (column === undefined) {
      sink.array(0)
      return
    }
    const [from, until] = column.range(index)
    sink.array(until - from)
    for (let at = from; at < until; at++) {
      const head = this.#identityHeads[column.namespaces.indexes.at(at)]
      if (head === undefined) assert.fail('the dictionary was checked when the block was read')
      sink.part(head, 0, head.length)
      column.writeId(sink, at)
    }
  }

  #sameTail(index: number): Buffer {
    const shape = this.#block.shapeAt(index)
    let tail = this.#tails.get(shape)
    if (tail === undefined) {
      tail = encode((into) => this.#writeTail(into, index))
      this.#tails.set(shape, tail)
    }
    return tail
  }

  /** From the sequence to the keys. */
  #writeTail(sink: ByteSink, index: number): void {
    const { columns } = this.#block
    number(sink, columns.sequence, index)
    number(sink, columns.basedOn, index)
    number(sink, columns.originalTime, index)
    number(sink, columns.sentTime, index)
    named(sink, this.#actor, index)
    named(sink, this.#origin, index)
    text(sink, columns.causation, index)
    text(sink, columns.correlation, index)
    sink.number(columns.normaliser?.at(index) ?? 0)
    const { data, normalised } = this.#block.shapeAt(index)
    for (const keys of [data, normalised]) {
      sink.array(keys.length)
      for (const key of keys) sink.string(key)
    }
  }
}

function encoded(column: DictionaryColumn): Encoded {
  const entries = column.entries.map((entry) => encode((into) => optional(into, entry)))
  return { entries, column }
}

function identityHeads(column: IdentityColumn | undefined): readonly Buffer[] {
  if (column === undefined) return []
  return column.namespaces.entries.map((namespace) =>
    encode((into) => {
      into.array(2)
      optional(into, namespace)
      into.binHead(IDENTITY_BYTES)
    }),
  )
}

function named(sink: ByteSink, dictionary: Encoded | undefined, index: number): void {
  if (dictionary === undefined) {
    sink.byte(NIL)
    return
  }
  const bytes = dictionary.entries[dictionary.column.indexes.at(index)]
  if (bytes === undefined) assert.fail('the dictionary was checked when the block was read')
  sink.part(bytes, 0, bytes.length)
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
