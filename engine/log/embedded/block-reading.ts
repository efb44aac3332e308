import type { Block } from './block-decoder.ts'
import type { EventBlock } from './lone-block.ts'
import type { SegmentList } from './segment-list.ts'
import type { SegmentReader } from './segment-reader.ts'

/** What is read ahead of the blocks handed out. */
const WINDOW_BYTES = 1024 * 1024

/**
 * The verified blocks that hold the positions from `from` up to `head`, in order; the first and the last may hold
 * others besides. Throws `LogDamaged` where a block or positions are missing.
 */
export function* blocksForwards(segments: SegmentList, from: number, head: number): Generator<Block> {
  let position = Math.max(1, from)
  while (position <= head) {
    const { index, segment } = segments.reach(position, head)
    yield* segmentBlocks(segment, position, head)
    if (segment.last >= head) return
    segments.checkEnd(index, head)
    position = Math.max(segment.last, segments.limit(index)) + 1
  }
}

function* segmentBlocks(segment: SegmentReader, position: number, head: number): Generator<Block> {
  const from = segment.indexOf(position)
  const window = segment.window(head, WINDOW_BYTES)
  for (let i = from; i < segment.blockCount; i++) {
    const place = segment.place(i)
    if (place === undefined || place.first > head) return
    const damage = position < place.first ? segment.damageBefore(i) : undefined
    if (damage !== undefined) throw damage
    const block = segment.block(i, window)
    yield block
    position = block.last + 1
  }
}

/** How one block of a segment, by its index there, is read and verified. */
export type ReadBlock<B extends EventBlock> = (segment: SegmentReader, index: number) => B

/** The verified block that holds a position; undefined where the positions around it prove that there is none. */
export function blockAt<B extends EventBlock>(
  segments: SegmentList,
  position: number,
  head: number,
  read: ReadBlock<B>,
): B | undefined {
  if (position < 1 || position > head) return undefined
  const { index, segment } = segments.reach(position, head)
  const at = segment.indexOf(position)
  const place = segment.place(at)
  if (place === undefined) {
    segments.checkEnd(index, head)
    return undefined
  }
  const damage = position < place.first ? segment.damageBefore(at) : undefined
  if (damage !== undefined) throw damage
  return position < place.first ? undefined : read(segment, at)
}
