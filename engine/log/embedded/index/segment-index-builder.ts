import { join } from 'node:path'
import type { Block } from '../block-decoder.ts'
import type { Files } from '../files.ts'
import { NumberList } from '../number-list.ts'
import type { BlockPlace } from '../segment-reader.ts'
import { type Cover, writeCovers } from './cover.ts'
import { IndexFileWriter } from './index-file-writer.ts'
import {
  BLOCK_RECORD,
  HEAD_RECORD,
  ID_RECORD,
  ID_WORDS,
  INDEX_DIRECTORY,
  KIND,
  NAME_WORDS,
  SECTION,
} from './index-format.ts'
import type { IndexKeys } from './index-keys.ts'
import { keyRunName } from './key-run.ts'
import { writePostings, writePostingTable } from './postings.ts'
import { PostingsCollector } from './postings-collector.ts'
import { segmentIndexName } from './segment-index.ts'
import { sortedOrder } from './sorted-order.ts'
import { TableWriter } from './table-writer.ts'
import { WordList } from './word-list.ts'

/** The filters of the files that were written: they stay in memory, and needn't be read back. */
export interface SegmentFilters {
  readonly streams: Uint32Array<ArrayBuffer>
  readonly identities: Uint32Array<ArrayBuffer>
  readonly ids: Uint32Array<ArrayBuffer>
  readonly heads: Uint32Array<ArrayBuffer>
}

const LEAST = 64
/** Positions below this, counted from a run's first one, take 4 bytes. */
export const NARROW_LIMIT = 2 ** 32

/** Gathers what the index of a sealed segment says, block by block, and writes it: its own file and its run of keys. */
export class SegmentIndexBuilder {
  readonly #keys: IndexKeys
  readonly #first: number
  readonly #streams = new PostingsCollector()
  readonly #identities = new PostingsCollector()
  readonly #types = new PostingsCollector()
  readonly #places: BlockPlace[] = []
  /** Of each event, the two words of its id's hash and its position from the first one. */
  readonly #words = [new WordList(LEAST), new WordList(LEAST)] as const
  readonly #values = new NumberList(LEAST)
  readonly #hashed = new Uint32Array(NAME_WORDS)

  constructor(keys: IndexKeys, first: number) {
    this.#keys = keys
    this.#first = first
  }

  get events(): number {
    return this.#values.length
  }

  /** The segment's next block. */
  add(block: Block, place: BlockPlace): void {
    const { columns } = block
    this.#addTypes(block)
    this.#places.push(place)
    const hashed = this.#hashed
    for (let i = 0; i < block.count; i++) {
      const value = block.first - this.#first + i
      this.#keys.id(columns.source.at(i), columns.id.at(i), hashed)
      this.#words[0].push(hashed[0] ?? 0)
      this.#words[1].push(hashed[1] ?? 0)
      this.#values.push(value)
      this.#keys.name(columns.stream.at(i), hashed)
      this.#streams.add(hashed, value, block.revisionAt(i))
    }
    if (columns.identities !== undefined) this.#addIdentities(block, columns.identities)
  }

  #addTypes({ columns: { type }, count }: Block): void {
    const used = new Uint8Array(type.entries.length)
    for (let i = 0; i < count; i++) used[type.indexes.at(i)] = 1
    for (const [i, name] of type.entries.entries()) {
      if (used[i] !== 1 || name === undefined) continue
      this.#keys.name(name, this.#hashed)
      this.#types.add(this.#hashed, this.#places.length)
    }
  }

  #addIdentities(block: Block, column: NonNullable<Block['columns']['identities']>): void {
    const hashed = this.#hashed
    for (let i = 0; i < block.count; i++) {
      const [from, until] = column.range(i)
      for (let at = from; at < until; at++) {
        const bytes = column.idBytes(at)
        for (let word = 0; word < NAME_WORDS; word++) hashed[word] = bytes.readUInt32BE(word * 4)
        this.#identities.add(hashed, block.first - this.#first + i)
      }
    }
  }

  /** Writes both files, each durable under its name. Throws the system's errors. */
  write(files: Files, logDirectory: string, cover: Cover): SegmentFilters {
    return { ...this.writeSegment(files, logDirectory, cover), ...this.writeKeys(files, logDirectory, cover) }
  }

  /** The segment's own file alone. */
  writeSegment(
    files: Files,
    logDirectory: string,
    cover: Cover,
  ): Pick<SegmentFilters, 'streams' | 'identities'> {
    const path = join(logDirectory, INDEX_DIRECTORY, segmentIndexName(cover.first))
    return written(files, path, { kind: KIND.SEGMENT, level: 0, keyCheck: this.#keys.check }, (file) => {
      writeCovers(file, [cover])
      this.#writeBlocks(file)
      file.begin(SECTION.POSTINGS, 0)
      const state = { bytes: 0 }
      const parts = [this.#streams, this.#identities, this.#types].map((collected) => {
        const order = collected.order()
        return { collected, order, postings: writePostings(file, collected, order, state) }
      })
      const [streams, identities] = [SECTION.STREAMS, SECTION.IDENTITIES, SECTION.TYPES].map((id, i) => {
        const part = parts[i]
        if (part === undefined) return new Uint32Array(0)
        return writePostingTable(file, id, part.collected, part.order, part.postings, id !== SECTION.TYPES)
      })
      return { streams: streams ?? new Uint32Array(0), identities: identities ?? new Uint32Array(0) }
    })
  }

  #writeBlocks(file: IndexFileWriter): void {
    file.begin(SECTION.BLOCKS, BLOCK_RECORD.BYTES)
    for (const { offset, sizeBytes, first, last } of this.#places) {
      const at = file.record()
      file.view.setFloat64(at + BLOCK_RECORD.OFFSET, offset, true)
      file.view.setFloat64(at + BLOCK_RECORD.FIRST, first, true)
      file.view.setUint32(at + BLOCK_RECORD.COUNT, last - first + 1, true)
      file.view.setUint32(at + BLOCK_RECORD.SIZE, sizeBytes, true)
    }
  }

  /** The run of keys alone. */
  writeKeys(files: Files, logDirectory: string, cover: Cover): Pick<SegmentFilters, 'ids' | 'heads'> {
    const path = join(logDirectory, INDEX_DIRECTORY, keyRunName(cover.first, cover.last))
    return written(files, path, { kind: KIND.KEYS, level: 0, keyCheck: this.#keys.check }, (file) => {
      writeCovers(file, [cover])
      return { ids: this.#writeIds(file, cover), heads: this.#writeHeads(file) }
    })
  }

  #writeIds(file: IndexFileWriter, cover: Cover): Uint32Array<ArrayBuffer> {
    const table = new TableWriter(file, idTable(cover.last - cover.first), this.events)
    const narrow = cover.last - cover.first < NARROW_LIMIT
    const [words0, words1] = this.#words
    for (const number of sortedOrder([words0.values, words1.values], this.events)) {
      const at = table.add(words0.at(number), words1.at(number), 0, 0)
      if (narrow) file.view.setUint32(at + ID_RECORD.VALUE, this.#values.at(number), true)
      else file.view.setFloat64(at + ID_RECORD.VALUE, this.#values.at(number), true)
    }
    return table.finish()
  }

  #writeHeads(file: IndexFileWriter): Uint32Array<ArrayBuffer> {
    const streams = this.#streams
    const table = new TableWriter(file, HEAD_TABLE, streams.keys)
    for (const number of streams.order()) {
      const [a, b, c, d] = [0, 1, 2, 3].map((word) => streams.word(number, word))
      const at = table.add(a ?? 0, b ?? 0, c ?? 0, d ?? 0)
      file.view.setFloat64(at + HEAD_RECORD.POSITION, this.#first + streams.newest(number), true)
      file.view.setFloat64(at + HEAD_RECORD.REVISION, streams.note(number), true)
    }
    return table.finish()
  }
}

export const HEAD_TABLE = { id: SECTION.HEADS, words: NAME_WORDS, recordBytes: HEAD_RECORD.BYTES }

/** `span`: the greatest position counted from the run's first one. */
export function idTable(span: number): { id: number; words: number; recordBytes: number } {
  const recordBytes = span < NARROW_LIMIT ? ID_RECORD.NARROW_BYTES : ID_RECORD.WIDE_BYTES
  return { id: SECTION.IDS, words: ID_WORDS, recordBytes }
}

/** A file that `write` fills; nothing is left of it when that fails. */
export function written<T>(
  files: Files,
  path: string,
  about: ConstructorParameters<typeof IndexFileWriter>[2],
  write: (file: IndexFileWriter) => T,
): T {
  const file = new IndexFileWriter(files, path, about)
  try {
    const result = write(file)
    file.finish()
    return result
  } finally {
    file.discard()
  }
}
