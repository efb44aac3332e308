import type { IndexFile, Section } from './index-file.ts'
import { FENCES, FILTER, PAGE_PAYLOAD } from './index-format.ts'
import { filterWords, mayContain } from './key-filter.ts'

/** Where a record was found. */
export interface Found {
  readonly page: Buffer
  readonly at: number
}

/**
 * A section of records that are sorted by their keys, which are words of 32 bits. Its fences (the first two words of each
 * page's first key) stay in memory from the first look-up on, its filter when it may; a look-up that the filter doesn't
 * end reads one page.
 */
export class KeyTable {
  readonly #file: IndexFile
  readonly #section: Section
  readonly #fenceSection: Section
  readonly #filterSection: Section
  readonly #words: number
  #fences: Uint32Array | undefined
  #filter: Uint32Array | undefined

  constructor(file: IndexFile, id: number, words: number) {
    this.#file = file
    this.#section = file.section(id)
    this.#fenceSection = file.section(id + FENCES)
    this.#filterSection = file.section(id + FILTER)
    this.#words = words
  }

  get section(): Section {
    return this.#section
  }

  get count(): number {
    return this.#section.count
  }

  /** What the filter takes in memory. */
  get filterBytes(): number {
    return this.#filterSection.count
  }

  get residentBytes(): number {
    return (this.#fences?.byteLength ?? 0) + (this.#filter?.byteLength ?? 0)
  }

  get hasFilter(): boolean {
    return this.#filter !== undefined
  }

  /** Hands over a filter that was just written, instead of reading it. */
  useFilter(words: Uint32Array): void {
    this.#filter = words
  }

  loadFilter(): void {
    this.#filter ??= this.filterBytes === 0 ? undefined : this.#file.words(this.#filterSection)
  }

  dropFilter(): void {
    this.#filter = undefined
  }

  loadFences(): Uint32Array {
    this.#fences ??= this.#file.words(this.#fenceSection)
    return this.#fences
  }

  /** False only for keys that are not in the table. */
  mayContain(key: Uint32Array): boolean {
    if (this.#section.count === 0) return false
    return this.#filter === undefined || mayContain(this.#filter, key[0] ?? 0, key[1] ?? 0)
  }

  /** The first record with this key. */
  find(key: Uint32Array): Found | undefined {
    if (!this.mayContain(key)) return undefined
    for (const found of this.records(key)) return found
    return undefined
  }

  /** All records with this key, in order. */
  *records(key: Uint32Array): Generator<Found> {
    const { recordBytes, pages } = this.#section
    const perPage = Math.floor(PAGE_PAYLOAD / recordBytes)
    for (let number = this.#firstPage(key); number < pages; number++) {
      const page = this.#file.page(this.#section, number)
      const count = Math.min(perPage, this.#section.count - number * perPage)
      for (let i = this.#lowerBound(page, count, key); i < count; i++) {
        if (this.#compare(page, i * recordBytes, key) !== 0) return
        yield { page, at: i * recordBytes }
      }
      if (!this.#mayGoOn(number + 1, key)) return
    }
  }

  /** The page that holds the first record with this key, if there is one. */
  #firstPage(key: Uint32Array): number {
    const fences = this.loadFences()
    let low = 0
    let high = this.#section.pages
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareFence(fences, middle, key) < 0) low = middle + 1
      else high = middle
    }
    // The page before the first whose fence isn't below the key may end with it.
    return Math.max(0, low - 1)
  }

  #mayGoOn(page: number, key: Uint32Array): boolean {
    return page < this.#section.pages && compareFence(this.loadFences(), page, key) <= 0
  }

  #lowerBound(page: Buffer, count: number, key: Uint32Array): number {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(page, middle * this.#section.recordBytes, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Of the record's key with `key`. */
  #compare(page: Buffer, at: number, key: Uint32Array): number {
    for (let word = 0; word < this.#words; word++) {
      const mine = page.readUInt32LE(at + word * 4)
      const other = key[word] ?? 0
      if (mine !== other) return mine < other ? -1 : 1
    }
    return 0
  }

  /** Bytes of a filter for that many keys. */
  static filterBytesFor(keys: number): number {
    return filterWords(keys) * 4
  }
}

/** Of two words alone: equal ones may differ in the rest. */
function compareFence(fences: Uint32Array, page: number, key: Uint32Array): number {
  const first = fences[page * 2] ?? 0
  const wanted = key[0] ?? 0
  if (first !== wanted) return first < wanted ? -1 : 1
  const second = fences[page * 2 + 1] ?? 0
  const other = key[1] ?? 0
  return second === other ? 0 : second < other ? -1 : 1
}
