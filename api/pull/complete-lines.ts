import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { InputFormat, Prefix } from '../import/input-file.ts'

/** What a file that may still be written holds in whole records. */
export interface Complete {
  /** Up to and including the line break of the last whole record; 0 bytes: there is none yet. */
  readonly whole: Prefix
  /** All that was looked at, the beginning of a record included. */
  readonly all: Prefix
  /** True if the file still begins with what was read before. */
  readonly continues: boolean
}

const NEWLINE = 0x0a
const QUOTE = 0x22
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const
/** A quoted field that is open for longer is a missing quote: the importer is to say so. */
const MAX_RECORD_BYTES = 1024 * 1024

/** Looks at the first `sizeBytes` of a file. Throws what reading throws. */
export async function completeLines(
  path: string,
  sizeBytes: number,
  format: InputFormat,
  before: Prefix | undefined,
): Promise<Complete> {
  const records = new Records(format)
  const hash = createHash('sha256')
  let offset = 0
  let whole: Prefix = { bytes: 0, sha256: digest(hash) }
  let continues = before?.bytes === 0
  const chunks =
    sizeBytes === 0 ? [] : createReadStream(path, { end: sizeBytes - 1, highWaterMark: 256 * 1024 })
  const update = (bytes: Buffer): void => {
    const edge = (before?.bytes ?? 0) - offset
    if (edge > 0 && edge <= bytes.length) {
      hash.update(bytes.subarray(0, edge))
      continues = digest(hash) === before?.sha256
      hash.update(bytes.subarray(edge))
    } else hash.update(bytes)
    offset += bytes.length
  }
  for await (const chunk of chunks as AsyncIterable<Buffer>) {
    const end = records.lastEnd(chunk)
    if (end > 0) {
      update(chunk.subarray(0, end))
      whole = { bytes: offset, sha256: digest(hash) }
    }
    update(chunk.subarray(end))
  }
  const all = { bytes: offset, sha256: digest(hash) }
  return { whole: records.runaway ? all : whole, all, continues }
}

/** Of everything so far; the hash goes on. */
function digest(hash: Hash): string {
  return hash.copy().digest('hex')
}

/** Finds where records end, chunk by chunk. In CSV (RFC 4180) a line break between quotes ends none. */
class Records {
  readonly #csv: boolean
  readonly #delimiter: number
  #quoted = false
  #closing = false
  #fieldStart = true
  #start = true
  #openBytes = 0
  /** A record has grown beyond every bound. */
  runaway = false

  constructor({ format, delimiter = ',' }: InputFormat) {
    this.#csv = format === 'csv'
    this.#delimiter = delimiter.charCodeAt(0)
  }

  /** Behind the last record that ends in this chunk; 0: none does. */
  lastEnd(chunk: Buffer): number {
    const end = this.#csv ? this.#lastCsvEnd(chunk) : chunk.lastIndexOf(NEWLINE) + 1
    this.#openBytes = end > 0 ? chunk.length - end : this.#openBytes + chunk.length
    // A long line of NDJSON ends at its line break all the same.
    if (this.#quoted && this.#openBytes > MAX_RECORD_BYTES) this.runaway = true
    return end
  }

  #lastCsvEnd(chunk: Buffer): number {
    let end = 0
    const from =
      this.#start && BYTE_ORDER_MARK.every((byte, i) => chunk[i] === byte) ? BYTE_ORDER_MARK.length : 0
    this.#start = false
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i]
      if (this.#quoted) {
        if (byte !== QUOTE) continue
        this.#quoted = false
        this.#closing = true
      } else if (byte === QUOTE && (this.#closing || this.#fieldStart)) {
        // The second of two within a quoted field, or the first of a field.
        this.#quoted = true
        this.#closing = false
        this.#fieldStart = false
      } else {
        this.#closing = false
        this.#fieldStart = byte === this.#delimiter || byte === NEWLINE
        if (byte === NEWLINE) end = i + 1
      }
    }
    return end
  }
}
