import { assertText } from '../plain-data.ts'
import { ByteSink } from './byte-sink.ts'
import { IDENTITY_BYTES, NIL, type Width } from './format.ts'

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

/** Unsigned integers below 2^32, little-endian, as one bin of the narrowest width. */
export function writeUnsigned(sink: ByteSink, values: readonly number[], greatest: number): void {
  const width = widthFor(greatest)
  sink.binHead(width * values.length)
  sink.reserve(width * values.length)
  writeOffsets(sink, values, 0, width)
}

function writeOffsets(
  sink: ByteSink,
  values: readonly (number | undefined)[],
  base: number,
  width: Width,
): void {
  const { bytes } = sink
  let at = sink.length
  sink.length += width * values.length
  switch (width) {
    case 0:
      return
    case 1:
      for (const value of values) bytes[at++] = (value ?? base) - base
      return
    case 2:
      for (const value of values) {
        const offset = (value ?? base) - base
        bytes[at++] = offset
        bytes[at++] = offset >>> 8
      }
      return
    case 4:
      for (const value of values) at = bytes.writeUInt32LE((value ?? base) - base, at)
      return
    case 8:
      for (const value of values) at = bytes.writeDoubleLE((value ?? base) - base, at)
  }
}

function writePresence(sink: ByteSink, values: readonly unknown[]): void {
  const bits = Buffer.alloc(Math.ceil(values.length / 8))
  values.forEach((value, i) => {
    if (value !== undefined) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7))
  })
  sink.bin(bits)
}

/** Numbers; absent ones are possible. */
export class NumberColumnWriter {
  readonly values: (number | undefined)[] = []

  add(value: number | undefined): void {
    this.values.push(value)
  }

  truncate(count: number): void {
    this.values.length = count
  }

  /** True if all values are `value`. */
  isAll(value: number | undefined): boolean {
    return this.values.every((each) => each === value)
  }

  write(sink: ByteSink): void {
    let least = Number.POSITIVE_INFINITY
    let greatest = Number.NEGATIVE_INFINITY
    let integers = true
    let present = 0
    for (const value of this.values) {
      if (value === undefined) continue
      present++
      if (value < least) least = value
      if (value > greatest) greatest = value
      integers &&= Number.isSafeInteger(value)
    }
    const narrow = integers && greatest - least <= 0xffff_ffff
    const base = narrow ? least : 0
    const width = narrow ? widthFor(greatest - least) : 8
    const absences = present < this.values.length
    sink.array(absences ? 3 : 2)
    sink.number(base)
    sink.binHead(width * this.values.length)
    sink.reserve(width * this.values.length)
    writeOffsets(sink, this.values, base, width)
    if (absences) writePresence(sink, this.values)
  }
}

/** Strings that mostly differ; absent ones are possible. */
export class TextColumnWriter {
  readonly #bytes: ByteSink
  readonly #ends: (number | undefined)[] = []
  #present = 0

  constructor(capacityBytes: number) {
    this.#bytes = ByteSink.ofCapacity(capacityBytes)
  }

  get sizeBytes(): number {
    return this.#bytes.length
  }

  get used(): boolean {
    return this.#present > 0
  }

  add(value: string | undefined): void {
    if (value === undefined) {
      this.#ends.push(undefined)
      return
    }
    this.#bytes.utf8(value)
    this.#present++
    this.#ends.push(this.#bytes.length)
  }

  truncate(count: number): void {
    while (this.#ends.length > count) if (this.#ends.pop() !== undefined) this.#present--
    let last = this.#ends.length - 1
    while (last >= 0 && this.#ends[last] === undefined) last--
    this.#bytes.length = this.#ends[last] ?? 0
  }

  write(sink: ByteSink): void {
    const absences = this.#present < this.#ends.length
    sink.array(absences ? 3 : 2)
    let end = 0
    const ends = this.#ends.map((each) => {
      end = each ?? end
      return end
    })
    writeUnsigned(sink, ends, end)
    sink.bin(this.#bytes.bytes.subarray(0, this.#bytes.length))
    if (absences) writePresence(sink, this.#ends)
  }
}

/** Strings of which there are few; nil in the dictionary stands for absent. */
export class DictionaryColumnWriter {
  readonly #entries = new Map<string | undefined, number>()
  /** Entry → the first value that uses it. */
  readonly #firstUses: number[] = []
  readonly #indexes: number[] = []
  readonly #sizes: number[] = []

  /** Size of the value that has this place in the dictionary. */
  sizeBytes(index: number): number {
    return this.#sizes[index] ?? 0
  }

  /** The value's place in the dictionary. */
  add(value: string | undefined): number {
    let index = this.#entries.get(value)
    if (index === undefined) {
      if (value !== undefined) assertText(value)
      index = this.#entries.size
      this.#entries.set(value, index)
      this.#firstUses.push(this.#indexes.length)
      this.#sizes.push(value === undefined ? 0 : Buffer.byteLength(value))
    }
    this.#indexes.push(index)
    return index
  }

  truncate(count: number): void {
    this.#indexes.length = count
    if (count === 0) this.#entries.clear()
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
  readonly #ends: number[] = []
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
    this.#count = this.#ends[count - 1] ?? 0
    this.#ids.length = this.#count * IDENTITY_BYTES
    this.#namespaces.truncate(this.#count)
  }

  write(sink: ByteSink): void {
    sink.array(3)
    writeUnsigned(sink, this.#ends, this.#count)
    sink.bin(this.#ids.bytes.subarray(0, this.#ids.length))
    this.#namespaces.write(sink)
  }
}
