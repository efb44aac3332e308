import assert from 'node:assert/strict'
import type { NewEvent } from '../../events/event.ts'
import { Block } from './block-decoder.ts'
import { ByteSink } from './byte-sink.ts'
import {
  DictionaryColumnWriter,
  IdentityColumnWriter,
  NumberColumnWriter,
  TextColumnWriter,
} from './column-writer.ts'
import {
  BLOCK,
  BLOCK_OVERHEAD_BYTES,
  BLOCK_PREFIX,
  EVENT_FIXED_BYTES,
  IDENTITY_COLUMN_BYTES,
  MAX_BLOCK_BYTES,
  MAX_EVENT_BYTES,
} from './format.ts'
import { PayloadWriter } from './payload-writer.ts'

const COLUMN_BYTES = 16 * 1024

export interface EncoderMark {
  readonly count: number
  readonly otherBytes: number
}

/** Fills one block after the other. `add` events, then `finish`, which leaves it empty for the next. */
export class BlockEncoder {
  readonly #time = new NumberColumnWriter()
  readonly #received = new NumberColumnWriter()
  readonly #revision = new NumberColumnWriter()
  readonly #schema = new NumberColumnWriter()
  readonly #normaliser = new NumberColumnWriter()
  readonly #sequence = new NumberColumnWriter()
  readonly #basedOn = new NumberColumnWriter()
  readonly #originalTime = new NumberColumnWriter()
  readonly #sentTime = new NumberColumnWriter()
  readonly #stream = new TextColumnWriter(COLUMN_BYTES)
  readonly #id = new TextColumnWriter(COLUMN_BYTES)
  readonly #causation = new TextColumnWriter(64)
  readonly #correlation = new TextColumnWriter(64)
  readonly #source = new DictionaryColumnWriter()
  readonly #type = new DictionaryColumnWriter()
  readonly #actor = new DictionaryColumnWriter()
  readonly #origin = new DictionaryColumnWriter()
  readonly #identities = new IdentityColumnWriter()
  readonly #payloads = new PayloadWriter()
  /** Those that are left out where all events have the default. */
  readonly #numbers = [
    { name: 'revision', column: this.#revision, byDefault: 0 },
    { name: 'schema', column: this.#schema, byDefault: 1 },
    { name: 'normaliser', column: this.#normaliser, byDefault: 0 },
    { name: 'sequence', column: this.#sequence, byDefault: undefined },
    { name: 'based_on', column: this.#basedOn, byDefault: undefined },
    { name: 'original_time', column: this.#originalTime, byDefault: undefined },
    { name: 'sent_time', column: this.#sentTime, byDefault: undefined },
  ] as const
  readonly #texts = [this.#stream, this.#id, this.#causation, this.#correlation] as const
  readonly #dictionaries = [this.#source, this.#type, this.#actor, this.#origin] as const
  readonly #columns = this.#allColumns()
  #count = 0
  #otherBytes = 0

  get count(): number {
    return this.#count
  }

  /** The last event's, which is the greatest. */
  get #lastReceived(): number {
    return this.#received.last
  }

  /** At least what the finished block will take. */
  get sizeBytes(): number {
    const texts = this.#stream.sizeBytes + this.#id.sizeBytes
    const rare = this.#causation.sizeBytes + this.#correlation.sizeBytes
    return BLOCK_OVERHEAD_BYTES + texts + rare + this.#payloads.sizeBytes + this.#otherBytes
  }

  /**
   * Adds an event; answers its size: what it takes in a block of its own, without the block's header. An event above
   * `MAX_EVENT_BYTES` is not added. Throws, without adding it, when the event isn't plain data.
   */
  add(event: NewEvent, revision: number): number {
    const before = this.#count
    const otherBytes = this.#otherBytes
    try {
      const sizeBytes = this.#add(event, revision)
      if (sizeBytes > MAX_EVENT_BYTES) this.#restore(before, otherBytes)
      return sizeBytes
    } catch (error) {
      this.#restore(before, otherBytes)
      throw error
    }
  }

  #add(event: NewEvent, revision: number): number {
    const timed = Number.isSafeInteger(event.time) && Number.isSafeInteger(event.received)
    if (!timed || !Number.isSafeInteger(revision)) assert.fail('instants and revisions are safe integers')
    const textsBefore = this.#textBytes()
    const type = this.#type.add(event.type)
    const payloadBytes = this.#payloads.add(event, type)
    this.#addNumbers(event, revision)
    const namesBytes = this.#type.sizeBytes(type) + this.#addTexts(event)
    this.#identities.add(event.identities)
    const fixedBytes = namesBytes + event.identities.length * IDENTITY_COLUMN_BYTES + EVENT_FIXED_BYTES
    this.#count++
    this.#otherBytes += fixedBytes
    return payloadBytes + this.#textBytes() - textsBefore + fixedBytes
  }

  #addNumbers(event: NewEvent, revision: number): void {
    this.#time.add(event.time)
    this.#received.add(event.received)
    this.#revision.add(revision)
    this.#schema.add(event.schema)
    this.#normaliser.add(event.normaliser)
    this.#sequence.add(event.sequence)
    this.#basedOn.add(event.basedOn)
    this.#originalTime.add(event.originalTime)
    this.#sentTime.add(event.sentTime)
  }

  /** Answers the size of the strings that stand in dictionaries. */
  #addTexts(event: NewEvent): number {
    this.#stream.add(event.stream)
    this.#id.add(event.id)
    this.#causation.add(event.causation)
    this.#correlation.add(event.correlation)
    let namesBytes = this.#source.sizeBytes(this.#source.add(event.source))
    namesBytes += this.#actor.sizeBytes(this.#actor.add(event.actor))
    namesBytes += this.#origin.sizeBytes(this.#origin.add(event.origin))
    for (const identity of event.identities) namesBytes += identity.namespace.length * 3
    return namesBytes
  }

  #textBytes(): number {
    const common = this.#stream.sizeBytes + this.#id.sizeBytes
    return common + this.#causation.sizeBytes + this.#correlation.sizeBytes
  }

  #restore(count: number, otherBytes: number): void {
    this.#truncate(count)
    this.#otherBytes = otherBytes
  }

  /** The identities of the events that were added, as the index takes them. */
  identities(): ReturnType<IdentityColumnWriter['words']> {
    return this.#identities.words()
  }

  /** What `rewind` needs to take back the events that are added after this. */
  mark(): EncoderMark {
    return { count: this.#count, otherBytes: this.#otherBytes }
  }

  rewind(mark: EncoderMark): void {
    this.#restore(mark.count, mark.otherBytes)
  }

  /** Goes on behind the first `count` events of a block that was finished; all else is given up. */
  resume(finished: Buffer, count: number): void {
    this.clear()
    if (count === 0) return
    const block = new Block(finished)
    for (let i = 0; i < count; i++) this.add(block.event(i), block.revisionAt(i))
  }

  clear(): void {
    this.#restore(0, 0)
  }

  #truncate(count: number): void {
    this.#time.truncate(count)
    this.#received.truncate(count)
    for (const { column } of this.#numbers) column.truncate(count)
    for (const column of this.#texts) column.truncate(count)
    for (const column of this.#dictionaries) column.truncate(count)
    this.#identities.truncate(count)
    this.#payloads.truncate(count)
    this.#count = count
  }

  /**
   * The block, in `memory` if it is large enough, with the checksum still zero: that is seeded by the segment it goes
   * to. `previous`: the last position before it.
   */
  finish(first: number, previous: number, memory: ArrayBuffer): Buffer<ArrayBuffer> {
    assert.ok(this.#count > 0 && previous < first)
    const sink = new ByteSink(memory)
    sink.raw(BLOCK_PREFIX)
    sink.length = BLOCK.CHECKSUM
    sink.wide32(0)
    sink.wide64(first)
    sink.wide32(this.#count)
    sink.wide64(this.#lastReceived)
    sink.wide64(previous)
    assert.equal(sink.length, BLOCK.COLUMNS)
    this.#writeColumns(sink)
    this.#payloads.writeShapes(sink)
    this.#payloads.writePayloads(sink)
    sink.patch32(BLOCK.LENGTH + 1, sink.length - BLOCK.CHECKSUM)
    assert.ok(sink.length <= MAX_BLOCK_BYTES, 'a block is larger than its limit')
    this.#restore(0, 0)
    return sink.bytes.subarray(0, sink.length)
  }

  /** In the order in which they stand in a block. */
  #allColumns(): readonly Column[] {
    const always = (name: string, column: Written): Column => columnOf(name, column, () => true)
    const ifUsed = (name: string, column: Written & { readonly used: boolean }): Column =>
      columnOf(name, column, () => column.used)
    const payloads = this.#payloads
    return [
      always('stream', this.#stream),
      always('id', this.#id),
      always('source', this.#source),
      always('type', this.#type),
      columnOf('received', this.#received, () => !this.#received.isAll(this.#lastReceived)),
      ...this.#numbers.map(({ name, column, byDefault }) =>
        columnOf(name, column, () => !column.isAll(byDefault)),
      ),
      always('time', this.#time),
      ifUsed('causation', this.#causation),
      ifUsed('correlation', this.#correlation),
      ifUsed('actor', this.#actor),
      ifUsed('origin', this.#origin),
      ifUsed('identities', this.#identities),
      columnOf('shape', { write: (sink) => payloads.writeShapeColumn(sink) }, () => payloads.hasManyShapes),
      always('payload_end', { write: (sink) => payloads.writeEndColumn(sink) }),
    ]
  }

  #writeColumns(sink: ByteSink): void {
    const used = this.#columns.filter((column) => column.isUsed())
    sink.map(used.length)
    for (const column of used) {
      sink.raw(column.name)
      column.write(sink)
    }
  }
}

interface Written {
  write(sink: ByteSink): void
}

interface Column extends Written {
  /** Encoded. */
  readonly name: Uint8Array
  isUsed(): boolean
}

function columnOf(name: string, column: Written, isUsed: () => boolean): Column {
  const encoded = ByteSink.ofCapacity(5 + 3 * name.length)
  encoded.string(name)
  return {
    name: encoded.bytes.subarray(0, encoded.length),
    isUsed,
    write: (sink) => column.write(sink),
  }
}
