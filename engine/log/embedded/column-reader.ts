import type { ByteSink } from './byte-sink.ts'
import { IDENTITY_BYTES } from './format.ts'
import { hexAt, MalformedError, textAt, type Unpacker } from './unpack.ts'

/**
 * The columns of a block that was read: views of its bytes, decoded one value at a time. Their constructors check
 * that sizes fit together, so that `at` can't leave the column.
 */

/** Unsigned integers of width 0, 1, 2 or 4 bytes, little-endian; width = bytes / count. */
export class UnsignedColumn {
  readonly #bytes: Buffer
  readonly #view: DataView
  readonly #width: number

  constructor(bytes: Buffer, count: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#width = widthOf(bytes, count)
    if (this.#width === 8) throw new MalformedError('a column of width 8', 0)
  }

  /** Whether all values are 0, and take no bytes. */
  get isZero(): boolean {
    return this.#width === 0
  }

  at(index: number): number {
    switch (this.#width) {
      case 0:
        return 0
      case 1:
        return this.#bytes[index] ?? 0
      case 2:
        return this.#view.getUint16(index * 2, true)
      default:
        return this.#view.getUint32(index * 4, true)
    }
  }

  /** The greatest of the first `count` values; 0 of none. Each width has a loop: whole blocks are checked before one event is read. */
  greatest(count: number): number {
    const [bytes, view] = [this.#bytes, this.#view]
    let found = 0
    if (this.#width === 1) for (let i = 0; i < count; i++) found = Math.max(found, bytes[i] ?? 0)
    if (this.#width === 2)
      for (let i = 0; i < count * 2; i += 2) found = Math.max(found, view.getUint16(i, true))
    if (this.#width === 4)
      for (let i = 0; i < count * 4; i += 4) found = Math.max(found, view.getUint32(i, true))
    return found
  }

  /** Whether none of the first `count` values is less than the one before it. */
  rises(count: number): boolean {
    const [bytes, view] = [this.#bytes, this.#view]
    let last = 0
    // Negative once a value was less.
    let steps = 0
    if (this.#width === 1)
      for (let i = 0; i < count; i++) {
        const value = bytes[i] ?? 0
        steps |= value - last
        last = value
      }
    if (this.#width === 2)
      for (let i = 0; i < count * 2; i += 2) {
        const value = view.getUint16(i, true)
        steps |= value - last
        last = value
      }
    if (this.#width === 4)
      for (let i = 0; i < count * 4; i += 4) {
        const value = view.getUint32(i, true)
        if (value < last) return false
        last = value
      }
    return steps >= 0
  }
}

function widthOf(bytes: Buffer, count: number): number {
  const width = bytes.length / count
  if (bytes.length === 0) return 0
  if (width === 1 || width === 2 || width === 4 || width === 8) return width
  throw new MalformedError(`a column of ${bytes.length} bytes for ${count} values`, 0)
}

/** One bit for each value, least significant first; set: present. */
class Presence {
  readonly #bits: Buffer

  constructor(bits: Buffer, count: number) {
    if (bits.length !== Math.ceil(count / 8)) throw new MalformedError('a presence of the wrong size', 0)
    this.#bits = bits
  }

  at(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
  }
}

function presence(unpacker: Unpacker, elements: number, count: number): Presence | undefined {
  if (elements === 2) return undefined
  if (elements === 3) return new Presence(unpacker.binary(), count)
  throw new MalformedError('a column of the wrong shape', unpacker.position)
}

export class NumberColumn {
  readonly #base: number
  readonly #offsets: UnsignedColumn | undefined
  readonly #doubles: DataView | undefined
  readonly #presence: Presence | undefined

  constructor(unpacker: Unpacker, count: number) {
    const elements = unpacker.arrayHead()
    this.#base = unpacker.number()
    const bytes = unpacker.binary()
    const doubles = bytes.length > 0 && bytes.length === count * 8
    this.#offsets = doubles ? undefined : new UnsignedColumn(bytes, count)
    this.#doubles = doubles ? new DataView(bytes.buffer, bytes.byteOffset, bytes.length) : undefined
    this.#presence = presence(unpacker, elements, count)
  }

  /** The value, where all have the same. */
  get same(): number | undefined {
    return this.#offsets?.isZero === true && this.#presence === undefined ? this.#base : undefined
  }

  /** The value, for columns without absences. */
  at(index: number): number {
    if (this.#offsets !== undefined) return this.#base + this.#offsets.at(index)
    return this.#doubles?.getFloat64(index * 8, true) ?? 0
  }

  find(index: number): number | undefined {
    if (this.#presence !== undefined && !this.#presence.at(index)) return undefined
    return this.at(index)
  }
}

/** Ends must not decrease, and the last one is the size of what they divide. */
function checkEnds(ends: UnsignedColumn, count: number, sizeBytes: number): void {
  if (!ends.rises(count)) throw new MalformedError('ends that decrease', count)
  const last = count === 0 ? 0 : ends.at(count - 1)
  if (last !== sizeBytes) throw new MalformedError('ends that miss their bytes', last)
}

export class TextColumn {
  readonly #ends: UnsignedColumn
  readonly #bytes: Buffer
  readonly #presence: Presence | undefined

  constructor(unpacker: Unpacker, count: number) {
    const elements = unpacker.arrayHead()
    this.#ends = new UnsignedColumn(unpacker.binary(), count)
    this.#bytes = unpacker.binary()
    this.#presence = presence(unpacker, elements, count)
    checkEnds(this.#ends, count, this.#bytes.length)
  }

  at(index: number): string {
    return textAt(this.#bytes, index === 0 ? 0 : this.#ends.at(index - 1), this.#ends.at(index))
  }

  find(index: number): string | undefined {
    if (this.#presence !== undefined && !this.#presence.at(index)) return undefined
    return this.at(index)
  }

  /** Where the text stands, without looking at it. */
  bytesOf(index: number): Buffer {
    return this.#bytes.subarray(index === 0 ? 0 : this.#ends.at(index - 1), this.#ends.at(index))
  }

  /** Writes the UTF-8 bytes as stored, as a string; false where absent. */
  write(sink: ByteSink, index: number): boolean {
    if (this.#presence !== undefined && !this.#presence.at(index)) return false
    sink.stringPart(this.#bytes, index === 0 ? 0 : this.#ends.at(index - 1), this.#ends.at(index))
    return true
  }
}

export class DictionaryColumn {
  readonly entries: readonly (string | undefined)[]
  readonly indexes: UnsignedColumn

  constructor(unpacker: Unpacker, count: number) {
    if (unpacker.arrayHead() !== 2) throw new MalformedError('a dictionary of the wrong shape', 0)
    this.indexes = new UnsignedColumn(unpacker.binary(), count)
    const size = unpacker.arrayHead()
    const entries: (string | undefined)[] = []
    for (let i = 0; i < size; i++) {
      const entry = unpacker.value()
      if (entry !== null && typeof entry !== 'string') throw new MalformedError('a dictionary entry', i)
      entries.push(entry ?? undefined)
    }
    this.entries = entries
    if (count > 0 && this.indexes.greatest(count) >= size)
      throw new MalformedError('an index beyond its dictionary', size)
  }

  find(index: number): string | undefined {
    return this.entries[this.indexes.at(index)]
  }

  at(index: number): string {
    const value = this.find(index)
    if (value === undefined) throw new MalformedError('a missing value', index)
    return value
  }
}

export class IdentityColumn {
  readonly #ends: UnsignedColumn
  readonly #ids: Buffer
  readonly #namespaces: DictionaryColumn

  constructor(unpacker: Unpacker, count: number) {
    if (unpacker.arrayHead() !== 3) throw new MalformedError('identities of the wrong shape', 0)
    this.#ends = new UnsignedColumn(unpacker.binary(), count)
    this.#ids = unpacker.binary()
    const total = this.#ids.length / IDENTITY_BYTES
    this.#namespaces = new DictionaryColumn(unpacker, total)
    checkEnds(this.#ends, count, total)
  }

  at(index: number): { readonly id: string; readonly namespace: string }[] {
    const identities: { id: string; namespace: string }[] = []
    const end = this.#ends.at(index)
    for (let i = index === 0 ? 0 : this.#ends.at(index - 1); i < end; i++) {
      identities.push({ id: this.#id(i), namespace: this.#namespaces.at(i) })
    }
    return identities
  }

  /** Where the event's identities stand among all: [from, until). */
  range(index: number): readonly [from: number, until: number] {
    return [index === 0 ? 0 : this.#ends.at(index - 1), this.#ends.at(index)]
  }

  /** Where the ids of the event's identities stand, without looking at them. */
  bytesOf(index: number): Buffer {
    const [from, until] = this.range(index)
    return this.#ids.subarray(from * IDENTITY_BYTES, until * IDENTITY_BYTES)
  }

  idBytes(at: number): Buffer {
    return this.#ids.subarray(at * IDENTITY_BYTES, (at + 1) * IDENTITY_BYTES)
  }

  writeId(sink: ByteSink, at: number): void {
    sink.part(this.#ids, at * IDENTITY_BYTES, (at + 1) * IDENTITY_BYTES)
  }

  get namespaces(): DictionaryColumn {
    return this.#namespaces
  }

  #id(at: number): string {
    return hexAt(this.#ids, at * IDENTITY_BYTES, (at + 1) * IDENTITY_BYTES)
  }
}
