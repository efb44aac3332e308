import assert from 'node:assert/strict'
import { PagedMemory, PagedRecords } from './paged-memory.ts'

/**
 * Sizes of a list's pieces, from its oldest on: each about 1.4 times the one before it, so that some 15 % of a list are
 * room for more. The last size repeats.
 */
const PIECE_BYTES = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1_024, 1_536, 2_048, 4_096]
const LAST_RANK = PIECE_BYTES.length - 1

/** A piece begins with the address of the one before it (u32, 0: none), and its place in `PIECE_BYTES` (u8). */
const PIECE_RANK = 4
const PIECE_HEAD = 5

/** Fields of a record: the newest position, the caller's note with it, where new ones are added; then the caller's own. */
const NEWEST = 0
const NOTE = 1
const END = 2
export const OWN_FIELDS = 3

/** An end is the newest piece's address (32 bits) and how much of the piece is used. */
const END_BYTES = 2 ** 13
assert.ok(Math.max(...PIECE_BYTES) < END_BYTES)

/**
 * Lists of positions, one for each slot. Of a list its newest position is kept, and what each position is beyond the one
 * before it: 7 bits a byte (LEB128, https://dwarfstd.org), in pieces that are chained backwards. No position follows
 * itself, so a byte 0 ends a piece. A position costs 2 to 4 bytes, rarely more.
 */
export class SlotPostings {
  /** By slot. */
  readonly records: PagedRecords
  readonly #memory = new PagedMemory()

  /** `ownFields`: fields of a record, from `OWN_FIELDS` on, that are the caller's. */
  constructor(ownFields: number) {
    this.records = new PagedRecords(OWN_FIELDS + ownFields)
  }

  /** Positions come in order; one that came last only changes the note. */
  add(slot: number, position: number, note: number): void {
    const record = this.records.page(slot)
    const at = this.records.offset(slot)
    const newest = record[at + NEWEST] ?? 0
    record[at + NOTE] = note
    if (newest === position) return
    if (position < newest) assert.fail('positions of a list only rise')
    if (newest > 0) record[at + END] = this.#append(record[at + END] ?? 0, position - newest)
    record[at + NEWEST] = position
  }

  /** The newest position, 0 for none. */
  newest(slot: number): number {
    return this.records.at(slot, NEWEST)
  }

  /** The note that came with the newest position. */
  note(slot: number): number {
    return this.records.at(slot, NOTE)
  }

  /** Oldest first. */
  list(slot: number): readonly number[] {
    let position = this.newest(slot)
    if (position === 0) return []
    const positions = [position]
    let address = Math.floor(this.records.at(slot, END) / END_BYTES)
    while (address !== 0) {
      for (const delta of this.#deltas(address).reverse()) {
        position -= delta
        positions.push(position)
      }
      address = this.#memory.page(address).readUInt32LE(this.#memory.offset(address))
    }
    return positions.reverse()
  }

  get sizeBytes(): number {
    return this.records.sizeBytes + this.#memory.sizeBytes
  }

  /** Answers where the list ends now. */
  #append(end: number, delta: number): number {
    let address = Math.floor(end / END_BYTES)
    let used = end % END_BYTES
    if (address === 0 || used + deltaBytes(delta) > this.#pieceBytes(address)) {
      address = this.#addPiece(address)
      used = PIECE_HEAD
    }
    const page = this.#memory.page(address)
    used += writeDelta(page, this.#memory.offset(address) + used, delta)
    return address * END_BYTES + used
  }

  #pieceBytes(address: number): number {
    return PIECE_BYTES[this.#rank(address)] ?? 0
  }

  #rank(address: number): number {
    return this.#memory.page(address)[this.#memory.offset(address) + PIECE_RANK] ?? 0
  }

  #addPiece(before: number): number {
    const rank = before === 0 ? 0 : Math.min(this.#rank(before) + 1, LAST_RANK)
    const address = this.#memory.take(PIECE_BYTES[rank] ?? 0)
    const page = this.#memory.page(address)
    const offset = this.#memory.offset(address)
    page.writeUInt32LE(before, offset)
    page[offset + PIECE_RANK] = rank
    return address
  }

  /** What a piece holds, oldest first. */
  #deltas(address: number): number[] {
    const page = this.#memory.page(address)
    const offset = this.#memory.offset(address)
    const end = offset + this.#pieceBytes(address)
    const deltas: number[] = []
    let at = offset + PIECE_HEAD
    while (at < end && page[at] !== 0) {
      let delta = 0
      let scale = 1
      for (; ((page[at] ?? 0) & 0x80) !== 0; at++) {
        delta += ((page[at] ?? 0) & 0x7f) * scale
        scale *= 128
      }
      deltas.push(delta + (page[at++] ?? 0) * scale)
    }
    return deltas
  }
}

function deltaBytes(delta: number): number {
  let bytes = 1
  for (let rest = delta; rest >= 128; rest /= 128) bytes += 1
  return bytes
}

/** Answers the bytes written. */
function writeDelta(page: Buffer, start: number, delta: number): number {
  let at = start
  let rest = delta
  for (; rest >= 128; rest = Math.floor(rest / 128)) page[at++] = (rest % 128) | 0x80
  page[at++] = rest
  return at - start
}
