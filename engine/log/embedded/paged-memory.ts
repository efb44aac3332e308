import assert from 'node:assert/strict'

/**
 * Memory that grows by pages of a fixed size, which are never moved or freed: growing copies nothing, needs no second
 * copy while it lasts, and leaves nothing behind to collect.
 */

/** Bytes of a page: as a rule so many pieces share one that what is left over at its end doesn't matter. */
const PAGE_BYTES = 64 * 1024
/** Addresses count units of 8 bytes, so that 32 bits reach 32 GiB. */
const UNIT_BYTES = 8
const PAGE_UNITS = PAGE_BYTES / UNIT_BYTES
const MAX_PAGES = 2 ** 32 / PAGE_UNITS

/** Pieces of memory, zeroed, each in one page. */
export class PagedMemory {
  readonly #pages: Buffer[] = []
  #current = -1
  #usedBytes = PAGE_BYTES
  #sizeBytes = 0

  /** The address of so many bytes; never 0. */
  take(sizeBytes: number): number {
    const neededBytes = Math.max(1, Math.ceil(sizeBytes / UNIT_BYTES)) * UNIT_BYTES
    if (neededBytes > PAGE_BYTES / 2) return this.#addPage(neededBytes) * PAGE_UNITS
    if (this.#usedBytes + neededBytes > PAGE_BYTES) {
      this.#current = this.#addPage(PAGE_BYTES)
      this.#usedBytes = 0
    }
    const address = this.#current * PAGE_UNITS + this.#usedBytes / UNIT_BYTES
    this.#usedBytes += neededBytes
    return address
  }

  page(address: number): Buffer {
    const page = this.#pages[address >>> PAGE_BITS]
    if (page === undefined) assert.fail('an address that was handed out')
    return page
  }

  /** Of the address within its page, in bytes. */
  offset(address: number): number {
    return (address & (PAGE_UNITS - 1)) * UNIT_BYTES
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  #addPage(sizeBytes: number): number {
    // Page 0 stays empty: an address is never 0.
    if (this.#pages.length === 0) this.#pages.push(Buffer.alloc(0))
    assert.ok(this.#pages.length < MAX_PAGES, 'there are addresses left')
    this.#sizeBytes += sizeBytes
    return this.#pages.push(Buffer.from(new ArrayBuffer(sizeBytes))) - 1
  }
}

const PAGE_BITS = Math.log2(PAGE_UNITS)
assert.ok(Number.isInteger(PAGE_BITS))

const RECORD_BITS = 11
const PAGE_RECORDS = 2 ** RECORD_BITS

/** Records of a few numbers, numbered from 0 on; 0 where nothing was set. A record lies in one place, for the cache's sake. */
export class PagedRecords {
  readonly #width: number
  readonly #pages: Float64Array[] = []
  readonly #words: Uint32Array[] = []

  constructor(width: number) {
    this.#width = width
  }

  at(record: number, field: number): number {
    const page = this.#pages[record >>> RECORD_BITS]
    return page?.[(record & (PAGE_RECORDS - 1)) * this.#width + field] ?? 0
  }

  set(record: number, field: number, value: number): void {
    this.page(record)[this.offset(record) + field] = value
  }

  /** What a record lies in, for who reads and writes several of its fields; they begin at its `offset`. */
  page(record: number): Float64Array {
    const number = record >>> RECORD_BITS
    while (this.#pages.length <= number) this.#addPage()
    const page = this.#pages[number]
    if (page === undefined) assert.fail('a page of records')
    return page
  }

  /** The page of a record that there is, as words of 32 bits: two for each field. */
  words(record: number): Uint32Array {
    const page = this.#words[record >>> RECORD_BITS]
    if (page === undefined) assert.fail('a page of records')
    return page
  }

  #addPage(): void {
    const page = new Float64Array(PAGE_RECORDS * this.#width)
    this.#pages.push(page)
    this.#words.push(new Uint32Array(page.buffer))
  }

  offset(record: number): number {
    return (record & (PAGE_RECORDS - 1)) * this.#width
  }

  get sizeBytes(): number {
    return this.#pages.reduce((sum, page) => sum + page.byteLength, 0)
  }
}
