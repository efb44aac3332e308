import assert from 'node:assert/strict'
import { assertText } from '../plain-data.ts'
import { ByteSink } from './byte-sink.ts'
import { IDENTITY_BYTES, NIL, type Width } from './format.ts'
import { NumberList } from './number-list.ts'

/**
 * The columns of a block while it is being filled. Each has `add`, `truncate` (takes back what was added last) and
 * `write`, which puts the finished column down as one MessagePack value. FORMAT.md tells the kinds.
 */

const UINT_LIMITS: readonly (readonly [Width, number])[] = [
  [0, 0],
  [1, 0xff],
  [2, 0xffff],
  [4, 0xffff_ffff],
]

function widthFor(greatest: number): Width {
  for (const [width, limit] of UINT_LIMITS) if (greatest <= limit) return width
  return 8
}

/** Values of a column's numbers at first: as many as a usual block has. */
const USUAL_COUNT = 1024

/** Unsigned integers below 2^32, little-endian, as one bin of the narrowest width. */
export function writeUnsigned(sink: ByteSink, values: NumberList, greatest: number): void {
  const width = widthFor(greatest)
  sink.binHead(width * values.length)
  sink.reserve(width * values.length)
  writeOffsets(sink, values, 0, width)
}

/** A NaN, which stands for what is absent, becomes 0. */
function writeOffsets(sink: ByteSink, list: NumberList, base: number, width: Width): void {
  const { bytes } = sink
  const { values, length } = list
  let at = sink.length
  sink.length += width * length
  if (width === 0) return
  for (let i = 0; i < length; i++) {
    const offset = ((values[i] ?? 0) || 0) - base
    switch (width) {
      case 1:
        bytes[at++] = offset
        break
      case 2:
        bytes[at++] = offset
        bytes[at++] = offset >>> 8
        break
      case 4:
        bytes[at++] = offset
        bytes[at++] = offset >>> 8
        bytes[at++] = offset >>> 16
        bytes[at++] = offset >>> 24
        break
      case 8:
        at = bytes.writeDoubleLE(offset, at)
    }
  }
}

/** A bit for each value that `isPresent`. */
function writePresence(sink: ByteSink, count: number, isPresent: (index: number) => boolean): void {
  const bits = Buffer.alloc(Math.ceil(count / 8))
  for (let i = 0; i < count; i++) {
    if (isPresent(i)) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7))
  }
  sink.bin(bits)
}

/** Numbers; absent ones are possible. */
export class NumberColumnWriter {
  /** NaN: absent. Empty while all are the same, as most columns are: then only how many there are is kept. */
  readonly #values = new NumberList(USUAL_COUNT)
  #same = Number.NaN
  #sameCount = 0

  /** 0 where there is none. */
  get last(): number {
    if (this.#values.length === 0) return this.#sameCount > 0 ? this.#same : 0
    return this.#values.at(this.#values.length - 1)
  }

  add(value: number | undefined): void {
    if (Number.isNaN(value)) assert.fail('NaN is no number of an event')
    const number = value ?? Number.NaN
    if (this.#values.length === 0) {
      if (this.#sameCount === 0) this.#same = number
      if (Object.is(number, this.#same)) {
        this.#sameCount++
        return
      }
      this.#spread()
    }
    this.#values.push(number)
  }

  #spread(): void {
    for (; this.#sameCount > 0; this.#sameCount--) this.#values.push(this.#same)
  }

  truncate(count: number): void {
    this.#values.length = Math.min(count, this.#values.length)
    this.#sameCount = Math.min(count, this.#sameCount)
  }

  /** True if all values are `value`. */
  isAll(value: number | undefined): boolean {
    const wanted = value ?? Number.NaN
    if (this.#values.length === 0) return isSame(this.#same, wanted)
    const { values, length } = this.#values
    for (let i = 0; i < length; i++) {
      if (!isSame(values[i] ?? Number.NaN, wanted)) return false
    }
    return true
  }

  write(sink: ByteSink): void {
    this.#spread()
    const { values, length } = this.#values
    let least = Number.POSITIVE_INFINITY
    let greatest = Number.NEGATIVE_INFINITY
    let integers = true
    let present = 0
    for (let i = 0; i < length; i++) {
      const value = values[i] ?? Number.NaN
      if (Number.isNaN(value)) continue
      present++
      if (value < least) least = value
      if (value > greatest) greatest = value
      integers &&= Number.isSafeInteger(value)
    }
    const narrow = integers && greatest - least <= 0xffff_ffff
    const base = narrow ? least : 0
    const width = narrow ? widthFor(greatest - least) : 8
    const absences = present < length
    sink.array(absences ? 3 : 2)
    sink.number(base)
    sink.binHead(width * length)
    sink.reserve(width * length)
    writeOffsets(sink, this.#values, base, width)
    if (absences) writePresence(sink, length, (i) => !Number.isNaN(values[i]))
  }
}

/** Equal, or both absent. */
function isSame(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b))
}

/** Strings that mostly differ; absent ones are possible. */
export class TextColumnWriter {
  readonly #bytes: ByteSink
  /** Where each ends; what is absent ends where it begins. */
  readonly #ends = new NumberList(USUAL_COUNT)
  /** Indexes of those that are absent, but for those before the first that is present. */
  readonly #absent: number[] = []
  #absentAtFirst = 0

  constructor(capacityBytes: number) {
    this.#bytes = ByteSink.ofCapacity(capacityBytes)
  }

  get sizeBytes(): number {
    return this.#bytes.length
  }

  get used(): boolean {
    return this.#ends.length > this.#absentAtFirst + this.#absent.length
  }

  add(value: string | undefined): void {
    if (value !== undefined) {
      if (this.#ends.length === 0) for (let i = 0; i < this.#absentAtFirst; i++) this.#ends.push(0)
      this.#bytes.utf8(value)
    } else if (this.#ends.length === 0) {
      this.#absentAtFirst++
      return
    } else this.#absent.push(this.#ends.length)
    this.#ends.push(this.#bytes.length)
  }

  truncate(count: number): void {
    this.#ends.length = Math.min(count, this.#ends.length)
    this.#absentAtFirst = Math.min(count, this.#absentAtFirst)
    while ((this.#absent.at(-1) ?? -1) >= count) this.#absent.pop()
    this.#bytes.length = this.#ends.at(count - 1)
  }

  /** Only of one that is `used`. */
  write(sink: ByteSink): void {
    const first = this.#absentAtFirst
    const absences = first + this.#absent.length > 0
    sink.array(absences ? 3 : 2)
    writeUnsigned(sink, this.#ends, this.#bytes.length)
    sink.bin(this.#bytes.bytes.subarray(0, this.#bytes.length))
    if (!absences) return
    const absent = new Set(this.#absent)
    writePresence(sink, this.#ends.length, (i) => i >= first && !absent.has(i))
  }
}

/** Strings of which there are few; nil in the dictionary stands for absent. */
export class DictionaryColumnWriter {
  readonly #entries = new Map<string | undefined, number>()
  /** Entry → the first value that uses it. */
  readonly #firstUses: number[] = []
  readonly #indexes = new NumberList(USUAL_COUNT)
  readonly #sizes: number[] = []
  /** What was added last, and its place: most events are like the one before. */
  #last: string | undefined
  #lastIndex = -1

  /** Size of the value that has this place in the dictionary. */
  sizeBytes(index: number): number {
    return this.#sizes[index] ?? 0
  }

  /** The value's place in the dictionary. */
  add(value: string | undefined): number {
    let index = value === this.#last && this.#lastIndex >= 0 ? this.#lastIndex : this.#entries.get(value)
    if (index === undefined) {
      if (value !== undefined) assertText(value)
      index = this.#entries.size
      this.#entries.set(value, index)
      this.#firstUses.push(this.#indexes.length)
      this.#sizes.push(value === undefined ? 0 : Buffer.byteLength(value))
    }
    this.#indexes.push(index)
    this.#last = value
    this.#lastIndex = index
    return index
  }

  truncate(count: number): void {
    this.#indexes.length = count
    this.#lastIndex = -1
    if (count === 0) {
      this.#entries.clear()
      this.#firstUses.length = 0
      this.#sizes.length = 0
      return
    }
    for (const [value, index] of this.#entries) {
      if ((this.#firstUses[index] ?? 0) >= count) this.#entries.delete(value)
    }
    this.#firstUses.length = this.#entries.size
    this.#sizes.length = this.#entries.size
  }

  /** True if any value is present. */
  get used(): boolean {
    return this.#entries.size > (this.#entries.has(undefined) ? 1 : 0)
  }

  write(sink: ByteSink): void {
    sink.array(2)
    writeUnsigned(sink, this.#indexes, this.#entries.size - 1)
    sink.array(this.#entries.size)
    for (const entry of this.#entries.keys()) {
      if (entry === undefined) sink.byte(NIL)
      else sink.string(entry)
    }
  }
}

/** Lists of identities: all ids behind each other, with their namespaces, and where each event's list ends. */
export class IdentityColumnWriter {
  readonly #ids = ByteSink.ofCapacity(1024)
  readonly #namespaces = new DictionaryColumnWriter()
  readonly #ends = new NumberList(USUAL_COUNT)
  #count = 0

  get used(): boolean {
    return this.#count > 0
  }

  add(identities: readonly { readonly id: string; readonly namespace: string }[]): void {
    for (const identity of identities) {
      this.#ids.hex16(identity.id)
      this.#namespaces.add(identity.namespace)
      this.#count++
    }
    this.#ends.push(this.#count)
  }

  truncate(count: number): void {
    this.#ends.length = count
    this.#count = this.#ends.at(count - 1)
    this.#ids.length = this.#count * IDENTITY_BYTES
    this.#namespaces.truncate(this.#count)
  }

  /** A copy of the ids as words of 32 bits, as they stand in the column, and of where each event's end. */
  words(): { readonly words: Uint32Array; readonly ends: Uint32Array } {
    const { bytes } = this.#ids
    const words = new Uint32Array((this.#count * IDENTITY_BYTES) / 4)
    for (let i = 0, at = 0; i < words.length; i++, at += 4) {
      const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
      words[i] = (high << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
    }
    const ends = new Uint32Array(this.#ends.length)
    for (let i = 0; i < ends.length; i++) ends[i] = this.#ends.values[i] ?? 0
    return { words, ends }
  }

  write(sink: ByteSink): void {
    sink.array(3)
    writeUnsigned(sink, this.#ends, this.#count)
    sink.bin(this.#ids.bytes.subarray(0, this.#ids.length))
    this.#namespaces.write(sink)
  }
}
