import assert from 'node:assert/strict'
import { assertText } from '../plain-data.ts'
import {
  ARRAY16,
  ARRAY32,
  BIN8,
  BIN16,
  BIN32,
  FIXARRAY,
  FIXMAP,
  FIXSTR,
  FLOAT64,
  MAP16,
  MAP32,
  STR8,
  STR16,
  STR32,
  UINT32,
  UINT64,
} from './format.ts'

const TWO_32 = 0x1_0000_0000
/** Below this length a loop beats the call into the runtime. */
const SHORT_STRING = 12
const SHORT_PART = 64

/** A buffer that grows while MessagePack is written to it. Everything before `length` is written. */
export class ByteSink {
  bytes: Buffer<ArrayBuffer>
  length = 0
  #view: DataView

  constructor(memory: ArrayBuffer) {
    this.bytes = Buffer.from(memory)
    this.#view = new DataView(memory)
  }

  static ofCapacity(capacityBytes: number): ByteSink {
    return new ByteSink(new ArrayBuffer(capacityBytes))
  }

  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const grown = Buffer.from(new ArrayBuffer(Math.max(this.bytes.length * 2, this.length + count)))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
    this.#view = new DataView(grown.buffer)
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  /** The bytes [from, until) of others. */
  part(bytes: Uint8Array, from: number, until: number): void {
    const count = until - from
    this.reserve(count)
    if (count > SHORT_PART) {
      this.bytes.set(bytes.subarray(from, until), this.length)
    } else {
      const into = this.bytes
      const shift = this.length - from
      for (let at = from; at < until; at++) into[at + shift] = bytes[at] ?? 0
    }
    this.length += count
  }

  /** uint 32, always five bytes. */
  wide32(value: number): void {
    this.reserve(5)
    this.#view.setUint8(this.length, UINT32)
    this.#view.setUint32(this.length + 1, value)
    this.length += 5
  }

  /** uint 64, always nine bytes. */
  wide64(value: number): void {
    assert.ok(Number.isSafeInteger(value) && value >= 0, `${value} is no position or instant`)
    this.reserve(9)
    this.#view.setUint8(this.length, UINT64)
    this.#view.setUint32(this.length + 1, Math.floor(value / TWO_32))
    this.#view.setUint32(this.length + 5, value % TWO_32)
    this.length += 9
  }

  /** Any number, as the shortest integer encoding or as a float 64. */
  number(value: number): void {
    this.reserve(9)
    if (value >= 0 && value < 0x80 && Number.isInteger(value) && !Object.is(value, -0)) {
      this.bytes[this.length++] = value
    } else if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.#integer(value)
    } else {
      this.#view.setUint8(this.length, FLOAT64)
      this.#view.setFloat64(this.length + 1, value)
      this.length += 9
    }
  }

  #integer(value: number): void {
    const at = this.length
    const view = this.#view
    if (value >= -0x20 && value < 0) {
      view.setInt8(at, value)
      this.length += 1
    } else if (value >= -0x80 && value <= 0xff) {
      view.setUint8(at, value < 0 ? 0xd0 : 0xcc)
      view.setUint8(at + 1, value)
      this.length += 2
    } else if (value >= -0x8000 && value <= 0xffff) {
      view.setUint8(at, value < 0 ? 0xd1 : 0xcd)
      view.setUint16(at + 1, value)
      this.length += 3
    } else if (value >= -0x8000_0000 && value <= 0xffff_ffff) {
      view.setUint8(at, value < 0 ? 0xd2 : 0xce)
      view.setUint32(at + 1, value)
      this.length += 5
    } else {
      view.setUint8(at, value < 0 ? 0xd3 : 0xcf)
      view.setUint32(at + 1, Math.floor(value / TWO_32))
      view.setUint32(at + 5, value - Math.floor(value / TWO_32) * TWO_32)
      this.length += 9
    }
  }

  #head(count: number, fix: number, fixLimit: number, code16: number): void {
    this.reserve(5)
    if (count < fixLimit) {
      this.bytes[this.length++] = fix | count
    } else if (count <= 0xffff) {
      this.#view.setUint8(this.length, code16)
      this.#view.setUint16(this.length + 1, count)
      this.length += 3
    } else {
      this.#view.setUint8(this.length, code16 + 1)
      this.#view.setUint32(this.length + 1, count)
      this.length += 5
    }
  }

  array(count: number): void {
    this.#head(count, FIXARRAY, 16, ARRAY16)
  }

  map(count: number): void {
    this.#head(count, FIXMAP, 16, MAP16)
  }

  binHead(sizeBytes: number): void {
    this.reserve(5)
    if (sizeBytes <= 0xff) {
      this.#view.setUint16(this.length, (BIN8 << 8) | sizeBytes)
      this.length += 2
    } else if (sizeBytes <= 0xffff) {
      this.#view.setUint8(this.length, BIN16)
      this.#view.setUint16(this.length + 1, sizeBytes)
      this.length += 3
    } else {
      this.#view.setUint8(this.length, BIN32)
      this.#view.setUint32(this.length + 1, sizeBytes)
      this.length += 5
    }
  }

  bin(bytes: Uint8Array): void {
    this.binHead(bytes.length)
    this.raw(bytes)
  }

  /** Utf-8 without a header. Strings with a lone surrogate can't be stored: the intake refuses them. */
  utf8(value: string): void {
    this.reserve(value.length * 3)
    if (value.length < SHORT_STRING && this.#ascii(value)) return
    const written = this.bytes.write(value, this.length, 'utf8')
    if (written !== value.length) assertText(value)
    this.length += written
  }

  #ascii(value: string): boolean {
    const bytes = this.bytes
    const at = this.length
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i)
      if (unit >= 0x80) return false
      bytes[at + i] = unit
    }
    this.length = at + value.length
    return true
  }

  string(value: string): void {
    const headBytes = strHeadBytes(value.length)
    this.reserve(value.length * 3 + 5)
    const at = this.length
    this.length = at + headBytes
    this.utf8(value)
    const sizeBytes = this.length - at - headBytes
    const neededBytes = strHeadBytes(sizeBytes)
    if (neededBytes !== headBytes) {
      this.bytes.copyWithin(at + neededBytes, at + headBytes, this.length)
      this.length += neededBytes - headBytes
    }
    this.#strHead(at, sizeBytes)
  }

  /** A string whose UTF-8 bytes are [from, until) of others. */
  stringPart(bytes: Uint8Array, from: number, until: number): void {
    this.reserve(5)
    this.#strHead(this.length, until - from)
    this.length += strHeadBytes(until - from)
    this.part(bytes, from, until)
  }

  #strHead(at: number, sizeBytes: number): void {
    if (sizeBytes < 32) {
      this.#view.setUint8(at, FIXSTR | sizeBytes)
    } else if (sizeBytes <= 0xff) {
      this.#view.setUint16(at, (STR8 << 8) | sizeBytes)
    } else if (sizeBytes <= 0xffff) {
      this.#view.setUint8(at, STR16)
      this.#view.setUint16(at + 1, sizeBytes)
    } else {
      this.#view.setUint8(at, STR32)
      this.#view.setUint32(at + 1, sizeBytes)
    }
  }

  /** Writes over four bytes that were reserved before. */
  patch32(at: number, value: number): void {
    this.#view.setUint32(at, value)
  }

  /** 32 lower-case hexadecimal digits as 16 bytes. */
  hex16(digits: string): void {
    if (digits.length !== 32) assert.fail('an id has 32 hexadecimal digits')
    this.reserve(16)
    const { bytes } = this
    let at = this.length
    let seen = 0
    for (let i = 0; i < 32; i += 2) {
      const high = HEX_VALUES[digits.charCodeAt(i) & 0x7f] ?? INVALID
      const low = HEX_VALUES[digits.charCodeAt(i + 1) & 0x7f] ?? INVALID
      seen |= high | low | (digits.charCodeAt(i) & NO_ASCII) | (digits.charCodeAt(i + 1) & NO_ASCII)
      bytes[at++] = (high << 4) | low
    }
    if (seen >= INVALID) assert.fail('an id is lower-case hexadecimal')
    this.length = at
  }
}

const NO_ASCII = 0xff80
const INVALID = 16
const HEX_VALUES: Uint8Array = new Uint8Array(128).fill(INVALID)
for (let value = 0; value < 16; value++) HEX_VALUES[value.toString(16).charCodeAt(0)] = value

function strHeadBytes(sizeBytes: number): number {
  if (sizeBytes < 32) return 1
  if (sizeBytes <= 0xff) return 2
  return sizeBytes <= 0xffff ? 3 : 5
}

assert.equal(ARRAY32, ARRAY16 + 1)
assert.equal(MAP32, MAP16 + 1)
