import { LogDamaged } from '../../log.ts'
import type { Block } from '../block-decoder.ts'
import type { Files } from '../files.ts'
import { segmentName } from '../segment.ts'
import { SegmentReader } from '../segment-reader.ts'
import { Window } from '../window.ts'
import type { Cover } from './cover.ts'
import type { IndexKeys } from './index-keys.ts'
import { SegmentIndexBuilder } from './segment-index-builder.ts'

const READ_BYTES = 1024 * 1024

/** Visits a sealed segment's verified blocks. Throws `LogDamaged`. */
export function readSegment(
  files: Files,
  logDirectory: string,
  first: number,
  last: number,
  visit: (block: Block, segment: SegmentReader, index: number) => void,
): Cover {
  const segment = SegmentReader.open(files, logDirectory, segmentName(first), first)
  try {
    segment.extend(last)
    const window = new Window(segment.file, READ_BYTES)
    let received = 0
    let events = 0
    for (let i = 0; i < segment.blockCount; i++) {
      const damage = segment.damageBefore(i)
      if (damage !== undefined) throw damage
      const block = segment.block(i, window)
      visit(block, segment, i)
      received = block.received
      events += block.count
    }
    return coverOf(segment, { last, received, events })
  } finally {
    segment.close()
  }
}

/** A segment that was read to its end. */
export function coverOf(
  segment: SegmentReader,
  { last, received, events }: Pick<Cover, 'last' | 'received' | 'events'>,
): Cover {
  const { first, previous, salt } = segment.header
  if (segment.last !== last) {
    throw new LogDamaged(segment.name, segment.end, segment.last + 1, last + 1, 'positions are missing')
  }
  return { first, previous, last, received, end: segment.end, events, salt }
}

/** Reads a sealed segment and gathers its index. Throws `LogDamaged`. */
export function gatherSegment(
  files: Files,
  logDirectory: string,
  keys: IndexKeys,
  place: { readonly first: number; readonly last: number },
): { readonly builder: SegmentIndexBuilder; readonly cover: Cover } {
  const builder = new SegmentIndexBuilder(keys, place.first)
  const cover = readSegment(files, logDirectory, place.first, place.last, (block, segment, index) => {
    const at = segment.place(index)
    if (at !== undefined) builder.add(block, at)
  })
  return { builder, cover }
}
