import type { Files } from '../files.ts'
import { readSegment } from './build-segment-index.ts'
import { IndexDamaged } from './index-file.ts'
import { type IndexKeys, identityWords } from './index-keys.ts'
import type { SegmentIndex } from './segment-index.ts'

export interface KeyCounts {
  readonly events: number
}

/**
 * Compares an index file with its segment: every page's checksum, every block's place, and that each event is found under
 * its stream, its identities and its type. Throws `IndexDamaged` where they differ, `LogDamaged` where the segment can't
 * be read.
 */
export function verifySegmentIndex(
  files: Files,
  logDirectory: string,
  index: SegmentIndex,
  keys: IndexKeys,
): KeyCounts {
  index.verify()
  const differs = (what: string): never => {
    throw new IndexDamaged(index.path, `${what} differs from the segment`)
  }
  const { cover } = index
  const blocks = index.blocks()
  const expected = new Expected(index, keys)
  let number = 0
  const found = readSegment(files, logDirectory, cover.first, cover.last, (block, segment, at) => {
    const place = segment.place(at)
    if (blocks.offsets[number] !== place?.offset || blocks.firsts[number] !== block.first) differs('a block')
    if (blocks.counts[number] !== block.count || blocks.sizes[number] !== place?.sizeBytes) differs('a block')
    for (let i = 0; i < block.count; i++) {
      const value = block.first - cover.first + i
      if (!expected.stream(block.streamAt(i), value)) differs('a stream')
      for (const { id } of block.identitiesAt(i)) if (!expected.identity(id, value)) differs('an identity')
      if (!expected.type(block.columns.type.at(i), number)) differs('a type')
    }
    number += 1
  })
  if (number !== blocks.offsets.length || found.end !== cover.end || found.events !== cover.events)
    differs('the end')
  return { events: found.events }
}

/** Lists that were read once; those of the keys that come again are at hand. */
class Expected {
  readonly #index: SegmentIndex
  readonly #keys: IndexKeys
  readonly #words = new Uint32Array(4)
  readonly #lists = new Map<string, ReadonlySet<number>>()

  constructor(index: SegmentIndex, keys: IndexKeys) {
    this.#index = index
    this.#keys = keys
  }

  stream(name: string, value: number): boolean {
    this.#keys.name(name, this.#words)
    return this.#holds(`s${name}`, this.#index.streams, value)
  }

  type(name: string, value: number): boolean {
    this.#keys.name(name, this.#words)
    return this.#holds(`t${name}`, this.#index.types, value)
  }

  identity(id: string, value: number): boolean {
    return identityWords(id, this.#words) && this.#holds(`i${id}`, this.#index.identities, value)
  }

  #holds(key: string, table: SegmentIndex['streams'], value: number): boolean {
    let list = this.#lists.get(key)
    if (list === undefined) {
      list = new Set(table.list(this.#words))
      this.#lists.set(key, list)
    }
    return list.has(value)
  }
}
