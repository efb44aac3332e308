import { BIN8, BIN16, BIN32, BLOCK } from './format.ts'
import { MalformedError } from './unpack.ts'

/** The longest head of a MessagePack value. */
const HEAD_BYTES = 9
/** The elements of a block behind its header: columns, shapes, payloads. */
const COLUMNS_AND_SHAPES = 2
/** Columns with an element of which an event needs a small part: `[ends, bytes …]`, `[ends, ids, namespaces]`. */
const LONG: ReadonlySet<string> = new Set(['stream', 'id', 'causation', 'correlation', 'identities'])
const LONG_ELEMENT = 2

/** Bytes [from, until) are needed. */
export type Need = (from: number, until: number) => void

/**
 * Tells which bytes of a block are needed to decode its columns and shapes: all of them, up to where its payloads begin,
 * but what long columns hold of its events one after the other. Reads nothing that it didn't tell of before. Throws
 * `MalformedError`.
 */
export function needColumns(bytes: Buffer, need: Need): void {
  const heads = new Heads(bytes, need)
  need(0, BLOCK.COLUMNS)
  for (let left = COLUMNS_AND_SHAPES; left > 0; left--) heads.skip(left === COLUMNS_AND_SHAPES)
  // How many payloads there are.
  heads.head()
}

/** A stretch of a block. */
export interface Stretch {
  readonly from: number
  readonly until: number
}

/** What `needColumns` leaves out in front of the payloads. `bytes`: a whole block. */
export function longStretches(bytes: Buffer): readonly Stretch[] {
  const long: Stretch[] = []
  let at = 0
  needColumns(bytes, (from, until) => {
    if (from > at) long.push({ from: at, until: from })
    at = Math.max(at, until)
  })
  return long
}

/** A value's head: what follows it, in bytes and in values. */
interface Head {
  readonly sizeBytes: number
  readonly values: number
}

class Heads {
  readonly #bytes: Buffer
  readonly #need: Need
  #at: number = BLOCK.COLUMNS

  constructor(bytes: Buffer, need: Need) {
    this.#bytes = bytes
    this.#need = need
  }

  /** Passes over a value and all in it. `columns`: it is the map of the columns. */
  skip(columns: boolean): void {
    let { values } = this.#pass()
    if (!columns) {
      for (; values > 0; values--) values += this.#pass().values
      return
    }
    for (; values > 0; values -= 2) this.#skipColumn(this.#name())
  }

  #skipColumn(name: string): void {
    if (!LONG.has(name)) {
      this.skip(false)
      return
    }
    const { values } = this.#pass()
    for (let element = 1; element <= values; element++) {
      if (element === LONG_ELEMENT) this.#leap()
      else this.skip(false)
    }
  }

  /** Passes over a value's bytes without a need for them. */
  #leap(): void {
    const { sizeBytes } = this.head()
    this.#at += sizeBytes
  }

  #name(): string {
    const { sizeBytes } = this.#pass()
    return this.#bytes.toString('latin1', this.#at - sizeBytes, this.#at)
  }

  /** Passes over a value's head, and over its bytes where it has any. */
  #pass(): Head {
    const head = this.head()
    this.#need(this.#at, this.#at + head.sizeBytes)
    this.#at += head.sizeBytes
    return head
  }

  /** Passes over a value's head. */
  head(): Head {
    const at = this.#at
    if (at >= this.#bytes.length) throw new MalformedError('the bytes end', at)
    this.#need(at, Math.min(this.#bytes.length, at + HEAD_BYTES))
    const head = headOf(this.#bytes, at)
    if (at + head.headBytes + head.sizeBytes > this.#bytes.length)
      throw new MalformedError('the bytes end', at)
    this.#at += head.headBytes
    return head
  }
}

function headOf(bytes: Buffer, at: number): Head & { readonly headBytes: number } {
  const code = bytes[at] ?? 0
  if (code < 0x80 || code >= 0xe0) return { headBytes: 1, sizeBytes: 0, values: 0 }
  if (code < 0x90) return { headBytes: 1, sizeBytes: 0, values: 2 * (code & 0x0f) }
  if (code < 0xa0) return { headBytes: 1, sizeBytes: 0, values: code & 0x0f }
  if (code < 0xc0) return { headBytes: 1, sizeBytes: code & 0x1f, values: 0 }
  return codedHead(bytes, at, code)
}

function codedHead(bytes: Buffer, at: number, code: number): Head & { readonly headBytes: number } {
  switch (code) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return { headBytes: 1, sizeBytes: 0, values: 0 }
    case BIN8:
    case BIN16:
    case BIN32:
      return { headBytes: 1 + (1 << (code - BIN8)), sizeBytes: count(bytes, at, code - BIN8), values: 0 }
    case 0xca:
    case 0xcb:
      return { headBytes: 1 + (4 << (code - 0xca)), sizeBytes: 0, values: 0 }
    case 0xd9:
    case 0xda:
    case 0xdb:
      return { headBytes: 1 + (1 << (code - 0xd9)), sizeBytes: count(bytes, at, code - 0xd9), values: 0 }
    case 0xdc:
    case 0xdd:
      return { headBytes: 1 + (2 << (code - 0xdc)), sizeBytes: 0, values: count(bytes, at, code - 0xdb) }
    case 0xde:
    case 0xdf:
      return { headBytes: 1 + (2 << (code - 0xde)), sizeBytes: 0, values: 2 * count(bytes, at, code - 0xdd) }
    default:
      if (code >= 0xcc && code <= 0xd3) return { headBytes: 1 + (1 << (code & 3)), sizeBytes: 0, values: 0 }
      throw new MalformedError(`code 0x${code.toString(16)}`, at)
  }
}

/** An unsigned number of 1, 2 or 4 bytes behind the code. */
function count(bytes: Buffer, at: number, log2Width: number): number {
  const width = 1 << log2Width
  if (at + 1 + width > bytes.length) throw new MalformedError('the bytes end', at)
  return bytes.readUIntBE(at + 1, width)
}
