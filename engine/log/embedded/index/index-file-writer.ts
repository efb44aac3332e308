import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { type Files, type LogFile, writeFully } from '../files.ts'
import {
  ENTRY,
  HEADER,
  INDEX_VERSION,
  type Kind,
  MAGIC,
  PAGE_BYTES,
  PAGE_PAYLOAD,
  UNFINISHED_INDEX_SUFFIX,
} from './index-format.ts'

const BUFFERED_PAGES = 32

interface Entry {
  readonly id: number
  readonly recordBytes: number
  readonly firstPage: number
  pages: number
  count: number
}

export interface IndexFileKind {
  readonly kind: Kind
  /** Of a run of keys: how often it was merged. */
  readonly level: number
  readonly keyCheck: Uint8Array
}

/**
 * Writes an index file section by section, each from a page boundary on. It gets its name only when it is durable, so a
 * named file is whole.
 */
export class IndexFileWriter {
  readonly bytes: Buffer<ArrayBuffer> = Buffer.from(new ArrayBuffer(BUFFERED_PAGES * PAGE_BYTES))
  readonly view: DataView = new DataView(this.bytes.buffer)
  readonly #files: Files
  readonly #path: string
  readonly #file: LogFile
  readonly #about: IndexFileKind
  readonly #seed = randomBytes(4).readUInt32LE()
  readonly #entries: Entry[] = []
  /** Number of the page that is filled. */
  #page = 1
  /** Where it begins in `bytes`, and how much of it is used. */
  #start = 0
  #used = 0
  #closed = false

  constructor(files: Files, path: string, about: IndexFileKind) {
    this.#files = files
    this.#path = path
    this.#about = about
    this.#file = files.create(path + UNFINISHED_INDEX_SUFFIX)
  }

  /** `recordBytes`: 0 for a section that is a stream of bytes. */
  begin(id: number, recordBytes: number): void {
    if (this.#used > 0) this.#endPage()
    this.#entries.push({ id, recordBytes, firstPage: this.#page, pages: 0, count: 0 })
  }

  /** Room for the next record of the section: where it begins in `bytes`. */
  record(): number {
    const entry = this.#entry()
    if (this.#used + entry.recordBytes > PAGE_PAYLOAD) this.#endPage()
    const at = this.#start + this.#used
    this.#used += entry.recordBytes
    entry.count += 1
    return at
  }

  /** True if the next record begins a page. */
  get atPageStart(): boolean {
    return this.#used === 0 || this.#used + this.#entry().recordBytes > PAGE_PAYLOAD
  }

  /** Adds to a section that is a stream of bytes. */
  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      if (this.#used === PAGE_PAYLOAD) this.#endPage()
      const part = bytes.subarray(done, done + PAGE_PAYLOAD - this.#used)
      this.bytes.set(part, this.#start + this.#used)
      this.#used += part.length
      done += part.length
    }
    this.#entry().count += bytes.length
  }

  #entry(): Entry {
    const entry = this.#entries.at(-1)
    assert.ok(entry !== undefined, 'a section was begun')
    return entry
  }

  #endPage(): void {
    this.bytes.fill(0, this.#start + this.#used, this.#start + PAGE_PAYLOAD)
    this.#seal(this.#start, this.#page, this.#seed)
    this.#entry().pages += 1
    this.#page += 1
    this.#used = 0
    this.#start += PAGE_BYTES
    if (this.#start === this.bytes.length) this.#flush()
  }

  #seal(start: number, page: number, seed: number): void {
    const payload = this.bytes.subarray(start, start + PAGE_PAYLOAD)
    this.bytes.writeUInt32LE(crc32(payload, (seed + page) >>> 0), start + PAGE_PAYLOAD)
  }

  #flush(): void {
    const offset = this.#page * PAGE_BYTES - this.#start
    writeFully(this.#file, this.bytes.subarray(0, this.#start), offset)
    this.#start = 0
  }

  /** Makes the file durable under its name. */
  finish(): void {
    if (this.#used > 0) this.#endPage()
    this.#flush()
    this.#writeHeader()
    this.#file.sync()
    this.#file.close()
    this.#closed = true
    this.#files.rename(this.#path + UNFINISHED_INDEX_SUFFIX, this.#path)
    this.#files.syncDirectory(dirname(this.#path))
  }

  #writeHeader(): void {
    const { bytes } = this
    bytes.fill(0, 0, PAGE_BYTES)
    bytes.write(MAGIC, 0, 'latin1')
    bytes.writeUInt32LE(INDEX_VERSION, HEADER.VERSION)
    bytes.writeUInt32LE(this.#about.kind, HEADER.KIND)
    bytes.writeUInt32LE(this.#seed, HEADER.SEED)
    bytes.writeUInt32LE(this.#about.level, HEADER.LEVEL)
    bytes.set(this.#about.keyCheck, HEADER.KEY_CHECK)
    bytes.writeUInt32LE(this.#entries.length, HEADER.SECTIONS)
    bytes.writeDoubleLE(this.#page, HEADER.PAGES)
    for (const [i, entry] of this.#entries.entries()) {
      const at = HEADER.ENTRIES + i * ENTRY.BYTES
      bytes.writeUInt32LE(entry.id, at + ENTRY.ID)
      bytes.writeUInt32LE(entry.recordBytes, at + ENTRY.RECORD)
      bytes.writeDoubleLE(entry.firstPage, at + ENTRY.FIRST_PAGE)
      bytes.writeDoubleLE(entry.pages, at + ENTRY.PAGES)
      bytes.writeDoubleLE(entry.count, at + ENTRY.COUNT)
    }
    this.#seal(0, 0, 0)
    writeFully(this.#file, bytes.subarray(0, PAGE_BYTES), 0)
  }

  /** Gives the file up; does nothing once it is finished. */
  discard(): void {
    if (this.#closed) return
    this.#closed = true
    this.#file.close()
    try {
      this.#files.remove(this.#path + UNFINISHED_INDEX_SUFFIX)
    } catch {
      // Whoever opens the log next removes it.
    }
  }
}
