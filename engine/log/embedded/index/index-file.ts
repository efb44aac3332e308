import { crc32 } from 'node:zlib'
import type { Files, LogFile } from '../files.ts'
import { ENTRY, HEADER, INDEX_VERSION, type Kind, MAGIC, PAGE_BYTES, PAGE_PAYLOAD } from './index-format.ts'
import type { PageCache } from './page-cache.ts'

/** An index file doesn't hold what was written. It is rebuilt from the log, so nothing is lost. */
export class IndexDamaged extends Error {
  readonly path: string
  constructor(path: string, why: string) {
    super(`${path} is damaged (${why})`)
    this.name = 'IndexDamaged'
    this.path = path
  }
}

export interface Section {
  readonly recordBytes: number
  readonly firstPage: number
  readonly pages: number
  /** Records, or bytes where the section is a stream of them. */
  readonly count: number
}

const SCAN_PAGES = 64
const NOTHING: Section = { recordBytes: 0, firstPage: 0, pages: 0, count: 0 }

/** An index file that is read page by page, each verified. */
export class IndexFile {
  readonly path: string
  readonly level: number
  readonly keyCheck: Buffer
  readonly #file: LogFile
  readonly #seed: number
  readonly #sections: ReadonlyMap<number, Section>
  readonly #cache: PageCache | undefined
  readonly #cacheName: number

  private constructor(path: string, file: LogFile, header: Buffer, cache: PageCache | undefined) {
    this.path = path
    this.#file = file
    this.level = header.readUInt32LE(HEADER.LEVEL)
    this.keyCheck = header.subarray(HEADER.KEY_CHECK, HEADER.KEY_CHECK + 8)
    this.#seed = header.readUInt32LE(HEADER.SEED)
    this.#sections = readSections(header)
    this.#cache = cache
    this.#cacheName = cache?.newFile() ?? 0
  }

  /** Throws `IndexDamaged`; also where a release wrote it that puts things otherwise. */
  static open(files: Files, path: string, kind: Kind, cache?: PageCache): IndexFile {
    const file = files.openRead(path)
    try {
      const page = Buffer.alloc(PAGE_BYTES)
      if (file.read(page, 0) < PAGE_BYTES || !isSound(page, 0)) throw new IndexDamaged(path, 'its header')
      const known =
        page.toString('latin1', 0, MAGIC.length) === MAGIC &&
        page.readUInt32LE(HEADER.VERSION) === INDEX_VERSION &&
        page.readUInt32LE(HEADER.KIND) === kind
      if (!known) throw new IndexDamaged(path, 'another format')
      if (file.sizeBytes() !== page.readDoubleLE(HEADER.PAGES) * PAGE_BYTES) {
        throw new IndexDamaged(path, 'its size')
      }
      return new IndexFile(path, file, page, cache)
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** Empty where the file has none of this number. */
  section(id: number): Section {
    return this.#sections.get(id) ?? NOTHING
  }

  /** One of a section's pages, counted from 0. */
  page(section: Section, page: number): Buffer {
    const number = section.firstPage + page
    const known = this.#cache?.get(this.#cacheName + number)
    if (known !== undefined) return known
    const bytes = Buffer.allocUnsafeSlow(PAGE_BYTES)
    const whole = page < section.pages && this.#file.read(bytes, number * PAGE_BYTES) === PAGE_BYTES
    if (!whole || !isSound(bytes, (this.#seed + number) >>> 0)) {
      throw new IndexDamaged(this.path, `page ${number}`)
    }
    this.#cache?.set(this.#cacheName + number, bytes)
    return bytes
  }

  /** A section's pages in order, from the one given on, read several at a time. A page is valid until the next one. */
  *pages(section: Section, from = 0): Generator<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(Math.min(SCAN_PAGES, Math.max(1, section.pages - from)) * PAGE_BYTES)
    for (let page = from; page < section.pages; page += SCAN_PAGES) {
      const piece = bytes.subarray(0, Math.min(SCAN_PAGES, section.pages - page) * PAGE_BYTES)
      const number = section.firstPage + page
      if (this.#file.read(piece, number * PAGE_BYTES) < piece.length) {
        throw new IndexDamaged(this.path, `page ${number}`)
      }
      for (let at = 0, i = 0; at < piece.length; at += PAGE_BYTES, i++) {
        const one = piece.subarray(at, at + PAGE_BYTES)
        if (!isSound(one, (this.#seed + number + i) >>> 0))
          throw new IndexDamaged(this.path, `page ${number + i}`)
        yield one
      }
    }
  }

  /** The words of a section that is a stream of bytes. */
  words(section: Section): Uint32Array<ArrayBuffer> {
    const bytes = new Uint8Array(section.count)
    let at = 0
    for (const page of this.pages(section)) {
      const part = page.subarray(0, Math.min(PAGE_PAYLOAD, section.count - at))
      bytes.set(part, at)
      at += part.length
    }
    if (at !== section.count) throw new IndexDamaged(this.path, 'a section')
    return new Uint32Array(bytes.buffer)
  }

  /** Reads and checks every page. */
  verify(): void {
    for (const section of this.#sections.values()) for (const _ of this.pages(section));
  }

  close(): void {
    this.#file.close()
  }
}

function isSound(page: Buffer, seed: number): boolean {
  return crc32(page.subarray(0, PAGE_PAYLOAD), seed) === page.readUInt32LE(PAGE_PAYLOAD)
}

function readSections(header: Buffer): ReadonlyMap<number, Section> {
  const sections = new Map<number, Section>()
  for (let i = 0; i < header.readUInt32LE(HEADER.SECTIONS); i++) {
    const at = HEADER.ENTRIES + i * ENTRY.BYTES
    sections.set(header.readUInt32LE(at + ENTRY.ID), {
      recordBytes: header.readUInt32LE(at + ENTRY.RECORD),
      firstPage: header.readDoubleLE(at + ENTRY.FIRST_PAGE),
      pages: header.readDoubleLE(at + ENTRY.PAGES),
      count: header.readDoubleLE(at + ENTRY.COUNT),
    })
  }
  return sections
}
