import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type Head, LogDamaged } from '../log.ts'
import type { Block } from './block-decoder.ts'
import { readBlockHeader } from './block-header.ts'
import { isZeroFrom } from './block-search.ts'
import { type Files, type LogFile, UnreadableBytes, writeFully } from './files.ts'
import { BLOCK, UNFINISHED_COMPRESSED_SUFFIX, UNFINISHED_SUFFIX } from './format.ts'
import { coverOf } from './index/build-segment-index.ts'
import type { Cover } from './index/cover.ts'
import { segmentName } from './segment.ts'
import type { SegmentList } from './segment-list.ts'
import { type BlockPlace, type SegmentReader, UnsupportedFormat } from './segment-reader.ts'
import type { WriterStart } from './segment-writer.ts'
import { Window } from './window.ts'

/** Why a log doesn't open. Nothing was changed. */
export type OpenFailure =
  /** Another log of this or another process writes to the directory. */
  | { readonly _tag: 'AlreadyOpen'; readonly directory: string }
  | { readonly _tag: 'Damaged'; readonly damage: LogDamaged }
  /** The positions after `after` and before `before` are in no segment. */
  | {
      readonly _tag: 'SegmentMissing'
      readonly after: number
      readonly before: number
      readonly next: string
    }
  /** The segment's file has another one's content, or repeats positions of those before it. */
  | { readonly _tag: 'SegmentDuplicated'; readonly segment: string; readonly first: number }
  | { readonly _tag: 'UnsupportedFormat'; readonly segment: string; readonly version: number }
  | { readonly _tag: 'OtherWorkspace'; readonly expected: string; readonly found: string }

/** The end of the log was not a whole block and was cut: what a crash leaves of a commit nobody was told of. */
export interface TornTail {
  readonly _tag: 'TornTail'
  readonly segment: string
  readonly offset: number
  /** Bytes from there to the end of the file, zeros included. */
  readonly cutBytes: number
  /** The last position that is left. */
  readonly position: number
}

export interface Recovered {
  readonly head: Head
  readonly start: WriterStart | undefined
  readonly tornTail: TornTail | undefined
}

const SCAN_BYTES = 1024 * 1024

class OpenRefused extends Error {
  readonly failure: OpenFailure
  constructor(failure: OpenFailure) {
    super(failure._tag)
    this.failure = failure
  }
}

/** What becomes of the blocks. Whoever only verifies a log indexes nothing. */
export interface Indexing {
  /** A block of the last segment; without `read` of any. */
  add(block: Block): void
  /** What is known of a sealed segment that needn't be read. */
  trusted?(first: number): Cover | undefined
  /** A sealed segment begins that is read. */
  read?(first: number): { add(block: Block, place: BlockPlace): void; done(cover: Cover): void }
}

const UNFINISHED = [UNFINISHED_SUFFIX, UNFINISHED_COMPRESSED_SUFFIX]

/** Segments and compressed copies that were never finished hold nothing. */
export function removeUnfinished(files: Files, directory: string): void {
  for (const name of files.list(directory)) {
    if (UNFINISHED.some((suffix) => name.endsWith(suffix))) files.remove(join(directory, name))
  }
}

/**
 * Verifies every block of the last segment, and of those sealed ones that no index vouches for; of the others only that
 * they follow each other. Fills the index, and cuts a torn tail.
 */
export function recover(
  files: Files,
  directory: string,
  workspace: string,
  segments: SegmentList,
  index: Indexing,
): Recovered | OpenFailure {
  try {
    let head: Head = { position: 0, received: 0 }
    const last = segments.firsts.length - 1
    for (let i = 0; i < last; i++) {
      head = recoverSealed(openSegment(segments, i, workspace, head), index, head)
    }
    if (last < 0) return { head, start: undefined, tornTail: undefined }
    return recoverLast(files, directory, openSegment(segments, last, workspace, head), index, head)
  } catch (error) {
    if (error instanceof OpenRefused) return error.failure
    if (error instanceof LogDamaged) return { _tag: 'Damaged', damage: error }
    if (!(error instanceof UnsupportedFormat)) throw error
    return { _tag: 'UnsupportedFormat', segment: error.segment, version: error.version }
  }
}

function openSegment(segments: SegmentList, index: number, workspace: string, head: Head): SegmentReader {
  const named = segments.firsts[index] ?? 0
  const segment = segments.at(index)
  if (segment === undefined) throw new LogDamaged(segmentName(named), 0, named, undefined, 'it is missing')
  const { header, name } = segment
  if (header.workspace !== workspace) {
    throw new OpenRefused({ _tag: 'OtherWorkspace', expected: workspace, found: header.workspace })
  }
  if (header.first !== named || header.previous < head.position) {
    throw new OpenRefused({ _tag: 'SegmentDuplicated', segment: name, first: header.first })
  }
  if (header.previous > head.position) {
    const before = header.first
    throw new OpenRefused({ _tag: 'SegmentMissing', after: head.position, before, next: name })
  }
  return segment
}

function recoverSealed(segment: SegmentReader, index: Indexing, before: Head): Head {
  const trusted = index.trusted?.(segment.header.first)
  if (trusted !== undefined) return { position: trusted.last, received: trusted.received }
  const reading = index.read?.(segment.header.first)
  let events = 0
  const add = (block: Block, place: BlockPlace): void => {
    events += block.count
    if (reading === undefined) index.add(block)
    else reading.add(block, place)
  }
  const { head, tornAt } = recoverSegment(segment, add, before)
  if (tornAt !== undefined) throw damagedEnd(segment, head)
  reading?.done(coverOf(segment, { last: head.position, received: head.received, events }))
  return head
}

/** Hands over a segment's blocks. `tornAt`: where something begins that no whole block follows. */
function recoverSegment(
  segment: SegmentReader,
  add: (block: Block, place: BlockPlace) => void,
  before: Head,
): { readonly head: Head; readonly tornAt: number | undefined } {
  segment.extend(Number.POSITIVE_INFINITY)
  const window = new Window(segment.file, SCAN_BYTES)
  let head = before
  for (let i = 0; i < segment.blockCount; i++) {
    const damage = segment.damageBefore(i)
    if (damage !== undefined) throw damage
    const block = segment.block(i, window)
    const place = segment.place(i)
    assert.ok(place !== undefined)
    add(block, place)
    head = { position: block.last, received: block.received }
  }
  const { end } = segment
  if (endsInZeros(segment, head)) return { head, tornAt: undefined }
  const stated = readBlockHeader(window.bytes(end, BLOCK.COLUMNS), 0)
  // A block is begun when the one before it is durable: then that one was acknowledged, and isn't torn but damaged.
  const begun = stated?.previous === head.position && !isZeroFrom(segment.file, end + stated.sizeBytes)
  if (begun) throw damagedEnd(segment, head)
  return { head, tornAt: end }
}

/** Bytes that can't be restored from a compressed file are damage: neither zeros nor a torn tail. */
function endsInZeros(segment: SegmentReader, head: Head): boolean {
  try {
    return isZeroFrom(segment.file, segment.end)
  } catch (error) {
    throw error instanceof UnreadableBytes ? damagedEnd(segment, head) : error
  }
}

function damagedEnd(segment: SegmentReader, head: Head): LogDamaged {
  const why = 'no whole block begins there'
  return new LogDamaged(segment.name, segment.end, head.position + 1, undefined, why)
}

/**
 * After an fsync that failed, Linux keeps what wasn't written in its page cache and calls it clean: it can be read, later
 * fsyncs succeed, and it never gets to the disk. Only writing it again makes it durable, or fails again. Blocks are
 * written one after another, each when the one before is durable, so that only the last one can be such.
 */
function writeAgain(file: LogFile, segment: SegmentReader): void {
  const last = segment.blockCount - 1
  const place = segment.place(last)
  const block = segment.verified(last)
  if (place !== undefined && block !== undefined) writeFully(file, block, place.offset)
}

function recoverLast(
  files: Files,
  directory: string,
  segment: SegmentReader,
  index: Indexing,
  before: Head,
): Recovered {
  const { head, tornAt } = recoverSegment(segment, (block) => index.add(block), before)
  const sizeBytes = segment.file.sizeBytes()
  const file = files.openWrite(join(directory, segment.name))
  try {
    if (tornAt !== undefined) file.truncate(tornAt)
    writeAgain(file, segment)
    // What a killed process wrote may not be durable yet, and readers are about to rely on it.
    file.sync()
  } finally {
    file.close()
  }
  files.syncDirectory(directory)
  const { first, salt } = segment.header
  const start: WriterStart = { first, salt, end: segment.end, hasBlocks: segment.blockCount > 0 }
  if (tornAt === undefined) return { head, start, tornTail: undefined }
  const { position } = head
  const cutBytes = sizeBytes - tornAt
  const tornTail: TornTail = { _tag: 'TornTail', segment: segment.name, offset: tornAt, cutBytes, position }
  return { head, start, tornTail }
}
