import { join } from 'node:path'
import type { Appended } from '../../log.ts'
import type { Files } from '../files.ts'
import { SEGMENT_NAME_DIGITS } from '../format.ts'
import { type Cover, readCovers } from './cover.ts'
import { IndexFile, type Section } from './index-file.ts'
import {
  HEAD_RECORD,
  ID_RECORD,
  ID_WORDS,
  INDEX_DIRECTORY,
  KEY_RUN_SUFFIX,
  KIND,
  NAME_WORDS,
  SECTION,
} from './index-format.ts'
import { KeyTable } from './key-table.ts'
import type { PageCache } from './page-cache.ts'

export function keyRunName(first: number, last: number): string {
  const digits = (position: number): string => String(position).padStart(SEGMENT_NAME_DIGITS, '0')
  return `${digits(first)}-${digits(last)}${KEY_RUN_SUFFIX}`
}

/** The ids and the stream heads of one sealed segment, or of several neighbours that were merged. */
export class KeyRun {
  readonly name: string
  readonly covers: readonly Cover[]
  readonly level: number
  readonly keyCheck: Buffer
  readonly ids: KeyTable
  readonly heads: KeyTable
  readonly #file: IndexFile

  private constructor(name: string, file: IndexFile, covers: readonly Cover[]) {
    this.name = name
    this.covers = covers
    this.level = file.level
    this.keyCheck = file.keyCheck
    this.#file = file
    this.ids = new KeyTable(file, SECTION.IDS, ID_WORDS)
    this.heads = new KeyTable(file, SECTION.HEADS, NAME_WORDS)
  }

  /** Throws `IndexDamaged`, or the system's error where there is none. */
  static open(files: Files, logDirectory: string, name: string, cache?: PageCache): KeyRun {
    const file = IndexFile.open(files, join(logDirectory, INDEX_DIRECTORY, name), KIND.KEYS, cache)
    try {
      return new KeyRun(name, file, readCovers(file))
    } catch (error) {
      file.close()
      throw error
    }
  }

  get path(): string {
    return this.#file.path
  }

  get first(): number {
    return this.covers[0]?.first ?? 0
  }

  get last(): number {
    return this.covers.at(-1)?.last ?? 0
  }

  /** Adds the positions of events with this hash. Throws `IndexDamaged`. */
  candidates(id: Uint32Array, into: number[]): void {
    if (!this.ids.mayContain(id)) return
    for (const { page, at } of this.ids.records(id))
      into.push(this.first + idValue(this.ids.section, page, at))
  }

  /** Throws `IndexDamaged`. */
  head(stream: Uint32Array): Appended | undefined {
    const found = this.heads.find(stream)
    if (found === undefined) return undefined
    const { page, at } = found
    return {
      position: page.readDoubleLE(at + HEAD_RECORD.POSITION),
      revision: page.readDoubleLE(at + HEAD_RECORD.REVISION),
    }
  }

  /** The pages of a table in order, verified. A page is valid until the next one. */
  pages(table: 'ids' | 'heads'): { readonly section: Section; readonly pages: Generator<Buffer> } {
    const { section } = this[table]
    return { section, pages: this.#file.pages(section) }
  }

  get residentBytes(): number {
    return this.ids.residentBytes + this.heads.residentBytes
  }

  verify(): void {
    this.#file.verify()
  }

  close(): void {
    this.#file.close()
  }
}

/** A position, counted from the run's first one. */
export function idValue(section: Section, page: Buffer, at: number): number {
  return section.recordBytes === ID_RECORD.NARROW_BYTES
    ? page.readUInt32LE(at + ID_RECORD.VALUE)
    : page.readDoubleLE(at + ID_RECORD.VALUE)
}
