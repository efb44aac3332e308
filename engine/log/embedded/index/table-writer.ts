import type { IndexFileWriter } from './index-file-writer.ts'
import { FENCES, FILTER } from './index-format.ts'
import { addToFilter, filterWords } from './key-filter.ts'

/** Writes one table of an index file: records in the order of their keys, then its fences and its filter. */
export class TableWriter {
  readonly #file: IndexFileWriter
  readonly #id: number
  readonly #words: number
  readonly #filter: Uint32Array<ArrayBuffer>
  #fences = new Uint32Array(64)
  #fenceWords = 0

  /** `keys`: how many come at most. `filtered`: false for a table that is too small to want a filter. */
  constructor(
    file: IndexFileWriter,
    table: { readonly id: number; readonly words: number; readonly recordBytes: number },
    keys: number,
    filtered = true,
  ) {
    this.#file = file
    this.#id = table.id
    this.#words = table.words
    this.#filter = new Uint32Array(filtered ? filterWords(keys) : 0)
    file.begin(table.id, table.recordBytes)
  }

  /** Where the record of the next key begins in the file's bytes; the key is written. */
  add(word0: number, word1: number, word2: number, word3: number): number {
    const { view, atPageStart } = this.#file
    if (atPageStart) this.#fence(word0, word1)
    const at = this.#file.record()
    view.setUint32(at, word0, true)
    view.setUint32(at + 4, word1, true)
    if (this.#words > 2) {
      view.setUint32(at + 8, word2, true)
      view.setUint32(at + 12, word3, true)
    }
    if (this.#filter.length > 0) addToFilter(this.#filter, word0, word1)
    return at
  }

  #fence(word0: number, word1: number): void {
    if (this.#fenceWords === this.#fences.length) {
      const grown = new Uint32Array(this.#fences.length * 2)
      grown.set(this.#fences)
      this.#fences = grown
    }
    this.#fences[this.#fenceWords++] = word0
    this.#fences[this.#fenceWords++] = word1
  }

  /** Answers the filter. */
  finish(): Uint32Array<ArrayBuffer> {
    this.#file.begin(this.#id + FENCES, 0)
    this.#file.append(new Uint8Array(this.#fences.buffer, 0, this.#fenceWords * 4))
    this.#file.begin(this.#id + FILTER, 0)
    this.#file.append(new Uint8Array(this.#filter.buffer))
    return this.#filter
  }
}
