import assert from 'node:assert/strict'
import { HashTable } from '../../hash-table.ts'
import { PagedMemory, type PagedRecords } from './paged-memory.ts'

/** A name's address (32 bits) and length in bytes stand in one number. */
const MAX_NAME_BYTES = 2 ** 21

/** A stream that is written to is written to again soon; finding its name here takes a quarter of the time. */
const RECENT = 1_024
const LONGEST_RECENT = 64

/** By the last three units, which differ most; who chooses them badly only goes without. */
function recentPlaceOf(name: string): number {
  const { length } = name
  let mixed = length
  for (let i = Math.max(0, length - 3); i < length; i++) mixed = Math.imul(mixed, 0x2f) + name.charCodeAt(i)
  return (Math.imul(mixed, 0x9e3779b1) >>> 16) % RECENT
}

/** 64 bits in two halves, written to `out`. Nobody outside may be able to choose names that collide. */
export type NameHash = (name: string, out: Uint32Array) => void

/**
 * Names, numbered from 0 on as they come. A name costs its bytes in UTF-8, some 15 more and a field of its record, outside
 * the heap: strings in a `Map` take 100, and whatever lives on the heap lets it grow by a multiple of itself.
 */
export class NameTable {
  readonly #hash: NameHash
  readonly #hashed = new Uint32Array(2)
  readonly #table = new HashTable()
  readonly #memory = new PagedMemory()
  readonly #records: PagedRecords
  readonly #field: number
  #wanted = ''
  /** Whether `#hashed` is what was looked for last. */
  #isHashed = false
  /** Names that were found or made lately, by their last units; and their numbers. */
  readonly #recent: string[] = new Array(RECENT).fill('')
  readonly #recentNumbers = new Uint32Array(RECENT)
  readonly #isWanted = (number: number): boolean =>
    this.#holds(this.#records.at(number, this.#field), this.#wanted)

  /** Where a name stands is kept in this field of the record of its number. */
  constructor(hash: NameHash, records: PagedRecords, field: number) {
    this.#hash = hash
    this.#records = records
    this.#field = field
  }

  find(name: string): number | undefined {
    const at = recentPlaceOf(name)
    if (this.#recent[at] === name && name !== '') return this.#recentNumbers[at]
    if (this.#wanted !== name || !this.#isHashed) this.#hash(name, this.#hashed)
    this.#wanted = name
    this.#isHashed = true
    const number = this.#table.find(this.#hashed, this.#isWanted)
    if (number !== undefined) this.#remember(name, at, number)
    return number
  }

  #remember(name: string, at: number, number: number): void {
    if (name.length > LONGEST_RECENT) return
    this.#recent[at] = name
    this.#recentNumbers[at] = number
  }

  /** The name's number; a new one if it has none. */
  make(name: string): number {
    const known = this.find(name)
    if (known !== undefined) return known
    const sizeBytes = Buffer.byteLength(name)
    assert.ok(sizeBytes < MAX_NAME_BYTES, 'a name is no larger than an event')
    const address = this.#memory.take(sizeBytes)
    this.#memory.page(address).write(name, this.#memory.offset(address))
    const number = this.#table.size
    this.#records.set(number, this.#field, address * MAX_NAME_BYTES + sizeBytes)
    this.#table.add(this.#hashed, number)
    this.#remember(name, recentPlaceOf(name), number)
    return number
  }

  /** Without the records. */
  get sizeBytes(): number {
    return this.#table.sizeBytes + this.#memory.sizeBytes
  }

  #holds(place: number, name: string): boolean {
    const sizeBytes = place % MAX_NAME_BYTES
    if (name.length > sizeBytes) return false
    const address = Math.floor(place / MAX_NAME_BYTES)
    const page = this.#memory.page(address)
    const start = this.#memory.offset(address)
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i)
      if (unit >= 0x80) return page.toString('utf8', start, start + sizeBytes) === name
      if (page[start + i] !== unit) return false
    }
    return name.length === sizeBytes
  }
}
