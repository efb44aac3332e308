import assert from 'node:assert/strict'
import type { NewEvent, SealedPart } from '../../events/event.ts'
import { assertKey, assertPlain } from '../plain-data.ts'
import { ByteSink } from './byte-sink.ts'
import { writeUnsigned } from './column-writer.ts'
import { BIN16, BIN32, KEY_ID_BYTES, MAX_BLOCK_BYTES, MIB } from './format.ts'
import { NumberList } from './number-list.ts'
import { packValue } from './pack.ts'

type Fields = Readonly<Record<string, unknown>>

/** The keys whose values a payload holds, in this order. */
interface Shape {
  readonly index: number
  readonly data: readonly string[]
  readonly normalised: readonly string[]
  readonly sizeBytes: number
  /** The first payload that has it. */
  readonly firstUse: number
}

const INITIAL_BYTES = 256 * 1024
const USUAL_COUNT = 1024
/** A sink that one large event blew up is given back. */
const KEPT_BYTES = 2 * MIB
const SHORT_HEAD = 3
const LONG_HEAD = 5

/** The payloads of a block and their shapes: values without keys, each event's in a bin of its own. */
export class PayloadWriter {
  #sink = ByteSink.ofCapacity(INITIAL_BYTES)
  readonly #ends = new NumberList(USUAL_COUNT)
  readonly #shapeIndexes = new NumberList(USUAL_COUNT)
  readonly #shapes = new Map<string, Shape>()
  /** Event type's index → the shape that it had last. */
  readonly #lastShapes: (Shape | undefined)[] = []
  #shapeBytes = 0

  get sizeBytes(): number {
    return this.#sink.length + this.#shapeBytes
  }

  /** Encodes one payload; answers what it and its keys take. */
  add(event: NewEvent, type: number): number {
    const shape = this.#shapeOf(event, type)
    const start = this.#sink.length
    this.#sink.reserve(LONG_HEAD)
    this.#sink.length += SHORT_HEAD
    this.#values(event, shape)
    this.#head(start)
    this.#ends.push(this.#sink.length)
    this.#shapeIndexes.push(shape.index)
    return this.#sink.length - start + shape.sizeBytes
  }

  #values(event: NewEvent, shape: Shape): void {
    const sink = this.#sink
    const sealed = event.sealed.length > 0 ? 1 : 0
    sink.array(shape.data.length + shape.normalised.length + sealed)
    for (const key of shape.data) packValue(sink, event.data[key])
    for (const key of shape.normalised) packValue(sink, event.normalised[key])
    if (sealed === 1) packSealed(sink, event.sealed)
  }

  #head(start: number): void {
    const sink = this.#sink
    let sizeBytes = sink.length - start - SHORT_HEAD
    if (sizeBytes <= 0xffff) {
      sink.bytes[start] = BIN16
      sink.bytes[start + 1] = sizeBytes >>> 8
      sink.bytes[start + 2] = sizeBytes
      return
    }
    sink.reserve(LONG_HEAD - SHORT_HEAD)
    sink.bytes.copyWithin(start + LONG_HEAD, start + SHORT_HEAD, sink.length)
    sink.length += LONG_HEAD - SHORT_HEAD
    sizeBytes = sink.length - start - LONG_HEAD
    sink.bytes[start] = BIN32
    sink.patch32(start + 1, sizeBytes)
  }

  #shapeOf(event: NewEvent, type: number): Shape {
    const last = this.#lastShapes[type]
    if (last !== undefined && hasKeys(event.data, last.data) && hasKeys(event.normalised, last.normalised)) {
      return last
    }
    const data = presentKeys(event.data)
    const normalised = presentKeys(event.normalised)
    const name = JSON.stringify([data, normalised])
    let shape = this.#shapes.get(name)
    if (shape === undefined) {
      // The keys' encodings are never longer than their text in JSON, apart from their heads.
      const sizeBytes = Buffer.byteLength(name) + 5 * (data.length + normalised.length + 3)
      shape = { index: this.#shapes.size, data, normalised, sizeBytes, firstUse: this.#ends.length }
      this.#shapes.set(name, shape)
      this.#shapeBytes += sizeBytes
    }
    this.#lastShapes[type] = shape
    return shape
  }

  /** Takes back all but the first `count` payloads, and the shapes that only those had. */
  truncate(count: number): void {
    this.#ends.length = count
    this.#shapeIndexes.length = count
    this.#sink.length = this.#ends.at(count - 1)
    this.#lastShapes.length = 0
    for (const [name, shape] of this.#shapes) {
      if (shape.firstUse < count) continue
      this.#shapes.delete(name)
      this.#shapeBytes -= shape.sizeBytes
    }
    if (count === 0 && this.#sink.bytes.length > KEPT_BYTES) this.#sink = ByteSink.ofCapacity(INITIAL_BYTES)
  }

  get hasManyShapes(): boolean {
    return this.#shapes.size > 1
  }

  writeShapeColumn(sink: ByteSink): void {
    writeUnsigned(sink, this.#shapeIndexes, this.#shapes.size - 1)
  }

  writeEndColumn(sink: ByteSink): void {
    assert.ok(this.#sink.length <= MAX_BLOCK_BYTES)
    writeUnsigned(sink, this.#ends, this.#sink.length)
  }

  writeShapes(sink: ByteSink): void {
    sink.array(this.#shapes.size)
    for (const shape of this.#shapes.values()) {
      sink.array(2)
      writeKeys(sink, shape.data)
      writeKeys(sink, shape.normalised)
    }
  }

  writePayloads(sink: ByteSink): void {
    sink.array(this.#ends.length)
    sink.raw(this.#sink.bytes.subarray(0, this.#sink.length))
  }
}

function writeKeys(sink: ByteSink, keys: readonly string[]): void {
  sink.array(keys.length)
  for (const key of keys) sink.string(key)
}

function hasKeys(fields: Fields, keys: readonly string[]): boolean {
  let i = 0
  for (const key in fields) {
    if (key !== keys[i] || fields[key] === undefined) return false
    i++
  }
  return i === keys.length
}

function presentKeys(fields: Fields): string[] {
  assertPlain(fields)
  const keys = Object.keys(fields).filter((key) => fields[key] !== undefined)
  for (const key of keys) assertKey(key)
  return keys
}

function packSealed(sink: ByteSink, sealed: readonly SealedPart[]): void {
  sink.array(sealed.length)
  for (const part of sealed) {
    sink.array(2)
    sink.binHead(KEY_ID_BYTES)
    sink.hex16(part.keyId)
    sink.bin(part.blob)
  }
}
