import { PAGE_BYTES } from './index-format.ts'

/** Verified pages that were read lately: at least half of `maxBytes`, in two generations. A page is named by its file and number. */
export class PageCache {
  readonly #each: number
  #young = new Map<number, Buffer>()
  #old = new Map<number, Buffer>()
  #files = 0

  constructor(maxBytes: number) {
    this.#each = Math.max(1, Math.floor(maxBytes / 2 / PAGE_BYTES))
  }

  /** The first of the names of a file's pages; the others follow. */
  newFile(): number {
    return ++this.#files * MAX_PAGES
  }

  get(name: number): Buffer | undefined {
    const young = this.#young.get(name)
    if (young !== undefined) return young
    const old = this.#old.get(name)
    if (old !== undefined) this.set(name, old)
    return old
  }

  set(name: number, page: Buffer): void {
    if (this.#young.size >= this.#each) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(name, page)
  }

  get sizeBytes(): number {
    return (this.#young.size + this.#old.size) * PAGE_BYTES
  }
}

/** Of one file: 4 TiB. */
const MAX_PAGES = 2 ** 30
