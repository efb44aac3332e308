import assert from 'node:assert/strict'
import type { Identity } from '../../events/identity.ts'
import { readBlockHeader } from './block-header.ts'
import type { ByteSink } from './byte-sink.ts'
import { type Columns, readColumns } from './columns.ts'
import { BLOCK } from './format.ts'
import { binHeadBytes, type Payload, readPayload, readShapes, type Shape } from './payload-reader.ts'
import { type PayloadSource, StoredEvent } from './stored-event.ts'
import { MalformedError, Unpacker } from './unpack.ts'

/**
 * A whole block whose checksum was verified, or as much of one as it is asked about. Columns are views of its bytes;
 * nothing is decoded before it is asked for. An event keeps the bytes alive until its payload was read.
 */
export class Block implements PayloadSource {
  readonly first: number
  readonly count: number
  readonly received: number
  readonly previous: number
  readonly columns: Columns
  readonly #unpacker: Unpacker
  readonly #shapes: readonly Shape[]
  readonly #payloadsAt: number

  /** `bytes`: exactly the block. Throws where it breaks the format although its checksum is right. */
  constructor(bytes: Buffer) {
    const header = readBlockHeader(bytes, 0)
    assert.ok(header !== undefined && header.sizeBytes === bytes.length, 'these bytes are no block')
    this.first = header.first
    this.count = header.count
    this.received = header.received
    this.previous = header.previous
    const unpacker = new Unpacker(bytes, BLOCK.COLUMNS)
    this.columns = readColumns(unpacker, this.count)
    this.#shapes = readShapes(unpacker)
    if (unpacker.arrayHead() !== this.count) throw new MalformedError('payloads', unpacker.position)
    this.#payloadsAt = unpacker.position
    this.#unpacker = unpacker
    if (this.#payloadEnd(this.count - 1) !== bytes.length) throw new MalformedError('payloads', bytes.length)
  }

  get last(): number {
    return this.first + this.count - 1
  }

  event(index: number): StoredEvent {
    assert.ok(index >= 0 && index < this.count)
    return new StoredEvent(this, index)
  }

  /** Adds to `into` the events of these types (all where `types` is absent) at [from, until), up to `room` in all. */
  collect(
    into: StoredEvent[],
    from: number,
    until: number,
    types: ReadonlySet<string> | undefined,
    room: number,
  ): void {
    const { entries, indexes } = this.columns.type
    const wanted = entries.map((type) => types === undefined || (type !== undefined && types.has(type)))
    if (!wanted.includes(true)) return
    for (let i = from; i < until && into.length < room; i++) {
      if (wanted[indexes.at(i)]) into.push(new StoredEvent(this, i))
    }
  }

  streamAt(index: number): string {
    return this.columns.stream.at(index)
  }

  sourceAt(index: number): string {
    return this.columns.source.at(index)
  }

  idAt(index: number): string {
    return this.columns.id.at(index)
  }

  revisionAt(index: number): number {
    return this.columns.revision?.at(index) ?? 0
  }

  identitiesAt(index: number): readonly Identity[] {
    return this.columns.identities?.at(index) ?? []
  }

  shapeAt(index: number): Shape {
    const shape = this.#shapes[this.columns.shape?.at(index) ?? 0]
    if (shape === undefined) throw new MalformedError('no such shape', index)
    return shape
  }

  #payloadEnd(index: number): number {
    return this.#payloadsAt + (index < 0 ? 0 : this.columns.payloadEnd.at(index))
  }

  /** Where the payload stands in the block. */
  payloadRange(index: number): readonly [from: number, until: number] {
    return [this.#payloadEnd(index - 1), this.#payloadEnd(index)]
  }

  /** What the payload's bin holds. */
  payloadBytes(index: number): Buffer {
    const start = this.#payloadEnd(index - 1)
    const { bytes } = this.#unpacker
    return bytes.subarray(start + binHeadBytes(bytes[start]), this.#payloadEnd(index))
  }

  /** The same, written as a `bin` in its shortest encoding. */
  writePayload(sink: ByteSink, index: number): void {
    const start = this.#payloadEnd(index - 1)
    const end = this.#payloadEnd(index)
    const { bytes } = this.#unpacker
    const from = start + binHeadBytes(bytes[start])
    sink.binHead(end - from)
    sink.part(bytes, from, end)
  }

  payload(index: number): Payload {
    const unpacker = this.#unpacker
    const start = this.#payloadEnd(index - 1)
    unpacker.position = start + binHeadBytes(unpacker.bytes[start])
    const payload = readPayload(unpacker, this.shapeAt(index))
    if (unpacker.position !== this.#payloadEnd(index)) throw new MalformedError('a payload', start)
    return payload
  }
}
