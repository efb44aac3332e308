import { join } from 'node:path'
import type { Files } from '../files.ts'
import { SEGMENT_NAME_DIGITS } from '../format.ts'
import { type Cover, readCovers } from './cover.ts'
import { IndexDamaged, IndexFile } from './index-file.ts'
import {
  BLOCK_RECORD,
  INDEX_DIRECTORY,
  KIND,
  PAGE_PAYLOAD,
  SECTION,
  SEGMENT_INDEX_SUFFIX,
} from './index-format.ts'
import type { PageCache } from './page-cache.ts'
import { PostingTable } from './postings.ts'

export function segmentIndexName(first: number): string {
  return String(first).padStart(SEGMENT_NAME_DIGITS, '0') + SEGMENT_INDEX_SUFFIX
}

/** Where a segment's blocks lie: parallel lists, without an object for each. */
export interface BlockTable {
  readonly offsets: Float64Array
  readonly firsts: Float64Array
  readonly counts: Uint32Array
  readonly sizes: Uint32Array
}

/** The index file of one sealed segment. */
export class SegmentIndex {
  readonly cover: Cover
  readonly keyCheck: Buffer
  /** Positions, counted from the segment's first one. */
  readonly streams: PostingTable
  readonly identities: PostingTable
  /** Numbers of the blocks that hold a type. */
  readonly types: PostingTable
  readonly #file: IndexFile

  private constructor(file: IndexFile, cover: Cover) {
    this.#file = file
    this.cover = cover
    this.keyCheck = file.keyCheck
    this.streams = new PostingTable(file, SECTION.STREAMS, SECTION.POSTINGS)
    this.identities = new PostingTable(file, SECTION.IDENTITIES, SECTION.POSTINGS)
    this.types = new PostingTable(file, SECTION.TYPES, SECTION.POSTINGS)
  }

  /** Throws `IndexDamaged`, or the system's error where there is none. */
  static open(files: Files, logDirectory: string, first: number, cache?: PageCache): SegmentIndex {
    const path = join(logDirectory, INDEX_DIRECTORY, segmentIndexName(first))
    const file = IndexFile.open(files, path, KIND.SEGMENT, cache)
    try {
      const [cover] = readCovers(file)
      if (cover?.first !== first) throw new IndexDamaged(path, 'it covers another segment')
      return new SegmentIndex(file, cover)
    } catch (error) {
      file.close()
      throw error
    }
  }

  get path(): string {
    return this.#file.path
  }

  get blockCount(): number {
    return this.#file.section(SECTION.BLOCKS).count
  }

  /** Throws `IndexDamaged`. */
  blocks(): BlockTable {
    const section = this.#file.section(SECTION.BLOCKS)
    const table: BlockTable = {
      offsets: new Float64Array(section.count),
      firsts: new Float64Array(section.count),
      counts: new Uint32Array(section.count),
      sizes: new Uint32Array(section.count),
    }
    const perPage = Math.floor(PAGE_PAYLOAD / BLOCK_RECORD.BYTES)
    let number = 0
    for (const page of this.#file.pages(section)) {
      for (let i = 0; i < perPage && number < section.count; i++, number++) {
        const at = i * BLOCK_RECORD.BYTES
        table.offsets[number] = page.readDoubleLE(at + BLOCK_RECORD.OFFSET)
        table.firsts[number] = page.readDoubleLE(at + BLOCK_RECORD.FIRST)
        table.counts[number] = page.readUInt32LE(at + BLOCK_RECORD.COUNT)
        table.sizes[number] = page.readUInt32LE(at + BLOCK_RECORD.SIZE)
      }
    }
    return table
  }

  get residentBytes(): number {
    return [this.streams, this.identities, this.types].reduce(
      (sum, { table }) => sum + table.residentBytes,
      0,
    )
  }

  verify(): void {
    this.#file.verify()
  }

  close(): void {
    this.#file.close()
  }
}
