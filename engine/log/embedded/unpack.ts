import assert from 'node:assert/strict'
import { assertKey } from '../plain-data.ts'

const TWO_32 = 0x1_0000_0000
const SHORT_STRING = 16
/** A power of two. */
const LATELY_COUNT = 4096

/** The bytes are no MessagePack that this format allows, or end too early. */
export class MalformedError extends Error {
  constructor(what: string, offset: number) {
    super(`${what} at byte ${offset}`)
    this.name = 'MalformedError'
  }
}

/** Reads standard MessagePack values out of bytes, at `position`. Throws `MalformedError` or `RangeError`. */
export class Unpacker {
  readonly bytes: Buffer
  readonly view: DataView
  position: number

  constructor(bytes: Buffer, position = 0) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.position = position
  }

  value(): unknown {
    const code = this.#u8()
    if (code < 0x80) return code
    if (code < 0x90) return this.#map(code & 0x0f)
    if (code < 0xa0) return this.#array(code & 0x0f)
    if (code < 0xc0) return this.#text(code & 0x1f)
    if (code >= 0xe0) return code - 0x100
    return this.#coded(code)
  }

  #coded(code: number): unknown {
    switch (code) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return new Uint8Array(this.#bin(this.#size(code - 0xc4)))
      case 0xca:
        this.position += 4
        return this.view.getFloat32(this.position - 4)
      case 0xcb:
        this.position += 8
        return this.view.getFloat64(this.position - 8)
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#size(code - 0xd9))
      case 0xdc:
      case 0xdd:
        return this.#array(this.#size(code - 0xdb))
      case 0xde:
      case 0xdf:
        return this.#map(this.#size(code - 0xdd))
      default:
        return this.#integer(code)
    }
  }

  #integer(code: number): number {
    const at = this.position
    switch (code) {
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#size(code - 0xcc)
      case 0xcf:
        this.position += 8
        return this.view.getUint32(at) * TWO_32 + this.view.getUint32(at + 4)
      case 0xd0:
        this.position += 1
        return this.view.getInt8(at)
      case 0xd1:
        this.position += 2
        return this.view.getInt16(at)
      case 0xd2:
        this.position += 4
        return this.view.getInt32(at)
      case 0xd3:
        this.position += 8
        return this.view.getInt32(at) * TWO_32 + this.view.getUint32(at + 4)
      default:
        throw new MalformedError(`code 0x${code.toString(16)}`, at - 1)
    }
  }

  #u8(): number {
    const value = this.bytes[this.position++]
    if (value === undefined) throw new MalformedError('the bytes end', this.position)
    return value
  }

  /** An unsigned number of 1, 2 or 4 bytes. */
  #size(log2Width: number): number {
    const at = this.position
    if (log2Width === 0) return this.#u8()
    this.position += 1 << log2Width
    return log2Width === 1 ? this.view.getUint16(at) : this.view.getUint32(at)
  }

  #take(count: number): number {
    const start = this.position
    this.position += count
    if (this.position > this.bytes.length) throw new MalformedError('the bytes end', start)
    return start
  }

  #text(sizeBytes: number): string {
    const start = this.#take(sizeBytes)
    return textAt(this.bytes, start, this.position)
  }

  #bin(sizeBytes: number): Buffer {
    const start = this.#take(sizeBytes)
    return this.bytes.subarray(start, this.position)
  }

  #array(count: number): unknown[] {
    const values: unknown[] = []
    for (let i = 0; i < count; i++) values.push(this.value())
    return values
  }

  #map(count: number): Record<string, unknown> {
    const record: Record<string, unknown> = {}
    for (let i = 0; i < count; i++) {
      const key = this.string()
      assertKey(key)
      record[key] = this.value()
    }
    return record
  }

  string(): string {
    const value = this.value()
    if (typeof value !== 'string') throw new MalformedError('no string', this.position)
    return value
  }

  number(): number {
    const value = this.value()
    if (typeof value !== 'number') throw new MalformedError('no number', this.position)
    return value
  }

  /** Bytes as a view of the buffer, not a copy. */
  binary(): Buffer {
    const code = this.#u8()
    if (code < 0xc4 || code > 0xc6) throw new MalformedError('no bytes', this.position - 1)
    return this.#bin(this.#size(code - 0xc4))
  }

  /** The number of elements of the array that begins here; reading goes on with the first of them. */
  arrayHead(): number {
    const code = this.#u8()
    if (code >= 0x90 && code < 0xa0) return code & 0x0f
    if (code === 0xdc || code === 0xdd) return this.#size(code - 0xdb)
    throw new MalformedError('no array', this.position - 1)
  }

  mapHead(): number {
    const code = this.#u8()
    if (code >= 0x80 && code < 0x90) return code & 0x0f
    if (code === 0xde || code === 0xdf) return this.#size(code - 0xdd)
    throw new MalformedError('no map', this.position - 1)
  }

  /** uint 64 at a fixed place, as `ByteSink.wide64` writes it. */
  wide64At(offset: number): number {
    const value = this.view.getUint32(offset + 1) * TWO_32 + this.view.getUint32(offset + 5)
    assert.ok(Number.isSafeInteger(value))
    return value
  }
}

/** Short strings repeat (keys, currencies, states): these were decoded last, each at its slot. */
const lately: string[] = new Array<string>(LATELY_COUNT).fill('')

/** What `Buffer.toString` calls for an encoding; its own look at the arguments takes a fifth of a short string's time. */
interface Slices {
  utf8Slice(start: number, end: number): string
  latin1Slice(start: number, end: number): string
  hexSlice(start: number, end: number): string
}
const slices = Buffer.prototype as Buffer & Slices
const { utf8Slice, latin1Slice, hexSlice } = slices

/** Decodes UTF-8. */
export function textAt(bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length === 0) return ''
  if (length > SHORT_STRING) return utf8Slice.call(bytes, start, end)
  const slot = slotOf(bytes, start, end)
  const known = lately[slot] ?? ''
  if (isAt(known, bytes, start, end)) return known
  if (!isAscii(bytes, start, end)) return utf8Slice.call(bytes, start, end)
  const text = latin1Slice.call(bytes, start, end)
  lately[slot] = text
  return text
}

/** Lower-case hexadecimal. */
export function hexAt(bytes: Buffer, start: number, end: number): string {
  return hexSlice.call(bytes, start, end)
}

/** By four of the bytes: names that are much alike differ at their ends or in the middle. */
function slotOf(bytes: Buffer, start: number, end: number): number {
  const first = bytes[start] ?? 0
  const middle = bytes[(start + end) >> 1] ?? 0
  const last = bytes[end - 1] ?? 0
  const beforeLast = bytes[Math.max(start, end - 2)] ?? 0
  const mixed = (((first * 31 + last) * 31 + beforeLast) * 31 + middle) * 31 + end - start
  return mixed & (LATELY_COUNT - 1)
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((bytes[i] ?? 0x80) >= 0x80) return false
  return true
}

function isAt(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}
