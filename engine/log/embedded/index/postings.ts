import type { IndexFile, Section } from './index-file.ts'
import type { IndexFileWriter } from './index-file-writer.ts'
import { NAME_WORDS, PAGE_PAYLOAD, POSTING_RECORD } from './index-format.ts'
import { KeyTable } from './key-table.ts'
import type { PostingsCollector } from './postings-collector.ts'
import { TableWriter } from './table-writer.ts'

/** A LEB128 number below 2^53 takes at most this much. */
const MAX_DELTA_BYTES = 8

/**
 * Appends the lists of more than one number to the section that is open, each number as what it is beyond the one before
 * it (the first: beyond 0) in LEB128. Answers where each key's list begins; for a list of one number, the number.
 */
export function writePostings(
  file: IndexFileWriter,
  collected: PostingsCollector,
  order: Uint32Array,
  state: { bytes: number },
): { readonly places: Float64Array; readonly counts: Uint32Array } {
  const list = collected.lists()
  const places = new Float64Array(order.length)
  const counts = new Uint32Array(order.length)
  let buffer = Buffer.alloc(4096)
  for (const [i, number] of order.entries()) {
    const values = list(number)
    counts[i] = values.length
    if (values.length === 1) {
      places[i] = values[0] ?? 0
      continue
    }
    places[i] = state.bytes
    if (values.length * MAX_DELTA_BYTES > buffer.length)
      buffer = Buffer.alloc(values.length * MAX_DELTA_BYTES * 2)
    const sizeBytes = encodeDeltas(values, buffer)
    file.append(buffer.subarray(0, sizeBytes))
    state.bytes += sizeBytes
  }
  return { places, counts }
}

function encodeDeltas(values: Float64Array, into: Buffer): number {
  let at = 0
  let before = 0
  for (const value of values) {
    let rest = value - before
    before = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) into[at++] = (rest % 128) | 0x80
    into[at++] = rest
  }
  return at
}

/** Answers the table's filter. */
export function writePostingTable(
  file: IndexFileWriter,
  id: number,
  collected: PostingsCollector,
  order: Uint32Array,
  { places, counts }: ReturnType<typeof writePostings>,
  filtered = true,
): Uint32Array<ArrayBuffer> {
  const shape = { id, words: NAME_WORDS, recordBytes: POSTING_RECORD.BYTES }
  const table = new TableWriter(file, shape, order.length, filtered)
  for (const [i, number] of order.entries()) {
    const [a, b, c, d] = [0, 1, 2, 3].map((word) => collected.word(number, word))
    const at = table.add(a ?? 0, b ?? 0, c ?? 0, d ?? 0)
    file.view.setUint32(at + POSTING_RECORD.COUNT, counts[i] ?? 0, true)
    file.view.setFloat64(at + POSTING_RECORD.PLACE, places[i] ?? 0, true)
  }
  return table.finish()
}

/** Lists of numbers by keys of 128 bits, as an index file holds them. */
export class PostingTable {
  readonly table: KeyTable
  readonly #file: IndexFile
  readonly #postings: Section

  constructor(file: IndexFile, id: number, postingsId: number) {
    this.#file = file
    this.table = new KeyTable(file, id, NAME_WORDS)
    this.#postings = file.section(postingsId)
  }

  /** Rising; empty for an unknown key. Throws `IndexDamaged`. */
  list(key: Uint32Array): readonly number[] {
    const found = this.table.find(key)
    if (found === undefined) return []
    const count = found.page.readUInt32LE(found.at + POSTING_RECORD.COUNT)
    const place = found.page.readDoubleLE(found.at + POSTING_RECORD.PLACE)
    return count === 1 ? [place] : this.#decode(place, count)
  }

  #decode(place: number, count: number): readonly number[] {
    const numbers: number[] = []
    let pageNumber = Math.floor(place / PAGE_PAYLOAD)
    let page = this.#file.page(this.#postings, pageNumber)
    let at = place % PAGE_PAYLOAD
    let number = 0
    let scale = 1
    let delta = 0
    while (numbers.length < count) {
      if (at === PAGE_PAYLOAD) {
        page = this.#file.page(this.#postings, ++pageNumber)
        at = 0
      }
      const byte = page[at++] ?? 0
      delta += (byte & 0x7f) * scale
      scale *= 128
      if (byte >= 128) continue
      number += delta
      numbers.push(number)
      delta = 0
      scale = 1
    }
    return numbers
  }
}
