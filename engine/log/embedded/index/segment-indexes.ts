import { join } from 'node:path'
import { type Files, isDiskError } from '../files.ts'
import type { SegmentReader } from '../segment-reader.ts'
import { covers } from './cover.ts'
import { IndexDamaged } from './index-file.ts'
import { INDEX_DIRECTORY } from './index-format.ts'
import { type IndexKeys, readIndexKeys } from './index-keys.ts'
import { type BlockTable, SegmentIndex } from './segment-index.ts'

/** What reading the log asks of the index files. Whatever is wrong with one, the segment itself says the same. */
export class SegmentIndexes {
  readonly #files: Files
  readonly #logDirectory: string
  readonly #open = new Map<number, SegmentIndex>()
  /** Found damaged, or another segment's. */
  readonly #useless = new Set<number>()
  #keys: IndexKeys | undefined

  constructor(files: Files, logDirectory: string) {
    this.#files = files
    this.#logDirectory = logDirectory
  }

  /** Where the segment's blocks lie. */
  blocks(segment: SegmentReader): BlockTable | undefined {
    return this.#ask(segment, (index) => index.blocks())
  }

  /** Those of its blocks that hold one of the types are 1. */
  blocksWith(segment: SegmentReader, types: ReadonlySet<string>): Uint8Array | undefined {
    return this.#ask(segment, (index) => {
      const keys = this.#keysOf(index)
      // Blocks that were found otherwise, around damage, aren't numbered as the index numbers them.
      if (keys === undefined || segment.blockCount !== index.blockCount) return undefined
      const marked = new Uint8Array(index.blockCount)
      const words = new Uint32Array(4)
      for (const type of types) {
        keys.name(type, words)
        for (const block of index.types.list(words)) marked[block] = 1
      }
      return marked
    })
  }

  #ask<T>(segment: SegmentReader, ask: (index: SegmentIndex) => T | undefined): T | undefined {
    const { first } = segment.header
    if (this.#useless.has(first)) return undefined
    try {
      return ask(this.#of(segment))
    } catch (error) {
      // One that isn't there yet is looked for again.
      if (error instanceof IndexDamaged) this.#useless.add(first)
      else if (!isDiskError(error)) throw error
      return undefined
    }
  }

  #of(segment: SegmentReader): SegmentIndex {
    const { first } = segment.header
    const known = this.#open.get(first)
    if (known !== undefined) return known
    const index = SegmentIndex.open(this.#files, this.#logDirectory, first)
    if (!covers(index.cover, segment.header) || segment.file.sizeBytes() < index.cover.end) {
      index.close()
      throw new IndexDamaged(index.path, 'another segment')
    }
    this.#open.set(first, index)
    return index
  }

  /** The key may have been lost and made anew since: then the file's hashes mean nothing. */
  #keysOf(index: SegmentIndex): IndexKeys | undefined {
    this.#keys ??= readIndexKeys(this.#files, join(this.#logDirectory, INDEX_DIRECTORY))
    return this.#keys?.check.every((byte, i) => index.keyCheck[i] === byte) ? this.#keys : undefined
  }

  close(): void {
    for (const index of this.#open.values()) index.close()
    this.#open.clear()
  }
}
