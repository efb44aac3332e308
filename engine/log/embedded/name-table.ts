import assert from 'node:assert/strict'
import { HashTable } from '../../hash-table.ts'
import { PagedMemory, type PagedRecords } from './paged-memory.ts'

/** A name's address (32 bits) and length in bytes stand in one number. */
const MAX_NAME_BYTES = 2 ** 21

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
  readonly #isWanted = (number: number): boolean =>
    this.#holds(this.#records.at(number, this.#field), this.#wanted)

  /** Where a name stands is kept in this field of the record of its number. */
  constructor(hash: NameHash, records: PagedRecords, field: number) {
    this.#hash = hash
    this.#records = records
    this.#field = field
  }

  find(name: string): number | undefined {
    this.#wanted = name
    this.#hash(name, this.#hashed)
    return this.#table.find(this.#hashed, this.#isWanted)
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
