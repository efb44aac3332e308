import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Block } from '../../engine/log/embedded/block-decoder.ts'
import { blockChecksum, readBlockHeader } from '../../engine/log/embedded/block-header.ts'
import { findWholeBlock, isZeroFrom } from '../../engine/log/embedded/block-search.ts'
import { errorCode, type Files, type LogFile, UnreadableBytes } from '../../engine/log/embedded/files.ts'
import { BLOCK, FORMAT_VERSION, MIB, SEGMENT } from '../../engine/log/embedded/format.ts'
import {
  parseSegmentName,
  readSegmentHeader,
  type SegmentHeader,
  segmentName,
} from '../../engine/log/embedded/segment.ts'
import { Window } from '../../engine/log/embedded/window.ts'
import { LogDamaged } from '../../engine/log/log.ts'
import { markOf } from '../../engine/projector/mark.ts'
import { BackupRefused } from './failure.ts'
import type { BackupHead } from './manifest.ts'

/**
 * A log up to a moment, read beside the engine that may be writing it. A block that is seen whole is wholly there for
 * good: blocks are written one after the other, and only the last may be half written when it is looked at.
 */
export interface LogCut {
  /** Names this log; undefined while it is empty. */
  readonly logId: string | undefined
  readonly workspace: string | undefined
  /** The last event before the cut. */
  readonly head: BackupHead
  /** Oldest first. */
  readonly segments: readonly SegmentCut[]
}

export interface SegmentCut {
  /** First position; names the segment. */
  readonly first: number
  /** Bytes of the last segment that belong to the cut; undefined: the whole file, which no longer changes. */
  readonly untilBytes: number | undefined
}

export interface Walked {
  readonly header: SegmentHeader
  /** Behind the last whole block. */
  readonly end: number
  /** Last position and `received` there; those before the segment where it has no block. */
  readonly last: number
  readonly received: number
  /** `markOf` the last event. */
  readonly mark: string | null
  /** Nothing but zeros behind its last block. */
  readonly ends: boolean
}

const EMPTY: BackupHead = { position: 0, received: 0, mark: null }

/** Throws `LogDamaged`. */
export function cutLog(files: Files, directory: string): LogCut {
  const firsts = segmentFirsts(files, directory)
  const oldest = firsts[0]
  for (let at = firsts.length - 1; oldest !== undefined && at >= 0; at--) {
    const last = firsts[at] ?? 0
    const walked = walkSegment(files, directory, last)
    // A segment gets its name with its first block: one without any has lost it, and it was never acknowledged.
    if (walked.mark === null) continue
    const segments = firsts
      .slice(0, at + 1)
      .map((first) => ({ first, untilBytes: first === last ? walked.end : undefined }))
    const { last: position, received, mark } = walked
    const logId = logIdOf(files, directory, oldest)
    return { logId, workspace: walked.header.workspace, head: { position, received, mark }, segments }
  }
  return { logId: undefined, workspace: undefined, head: EMPTY, segments: [] }
}

/** First positions of the segments, in order. */
export function segmentFirsts(files: Files, directory: string): readonly number[] {
  return listed(files, directory)
    .map(parseSegmentName)
    .filter((first) => first !== undefined)
    .sort((a, b) => a - b)
}

function listed(files: Files, directory: string): readonly string[] {
  try {
    return files.list(directory)
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return []
    throw error
  }
}

/** The header of a log's first segment is random enough to name the log. */
function logIdOf(files: Files, directory: string, oldest: number): string {
  const file = files.openRead(join(directory, segmentName(oldest)))
  try {
    const bytes = headerBytes(file)
    const { sizeBytes } = headerOf(bytes, oldest)
    return createHash('sha256').update(bytes.subarray(0, sizeBytes)).digest('hex').slice(0, 32)
  } finally {
    file.close()
  }
}

function headerBytes(file: LogFile): Buffer {
  const bytes = Buffer.alloc(SEGMENT.MAX_BYTES)
  return bytes.subarray(0, file.read(bytes, 0))
}

function headerOf(bytes: Buffer, first: number): SegmentHeader {
  let header: SegmentHeader
  try {
    header = readSegmentHeader(bytes)
  } catch (error) {
    const why = error instanceof Error ? error.message : 'its header'
    throw new LogDamaged(segmentName(first), 0, first, undefined, why)
  }
  if (header.version !== FORMAT_VERSION)
    throw new BackupRefused(
      `log segment ${segmentName(first)} has format ${header.version}, this release reads ${FORMAT_VERSION}: use the release that wrote it`,
    )
  if (header.first !== first)
    throw new LogDamaged(segmentName(first), 0, first, undefined, `its header is that of ${header.first}`)
  return header
}

/** Verifies every block of a segment, up to the last whole one. Throws `LogDamaged` where another one follows. */
export function walkSegment(files: Files, directory: string, first: number): Walked {
  const file = files.openRead(join(directory, segmentName(first)))
  try {
    return walk(file, segmentName(first), headerOf(headerBytes(file), first))
  } catch (error) {
    if (!(error instanceof UnreadableBytes)) throw error
    throw new LogDamaged(segmentName(first), error.from, first, undefined, error.message)
  } finally {
    file.close()
  }
}

/** Throws `LogDamaged` unless a segment's blocks reach to its end. */
export function assertEnds({ ends, end, last }: Walked, first: number): void {
  if (ends) return
  throw new LogDamaged(segmentName(first), end, last + 1, undefined, 'no whole block begins there')
}

interface Place {
  readonly end: number
  readonly last: number
  readonly received: number
  readonly block: Buffer | undefined
}

function walk(file: LogFile, name: string, header: SegmentHeader): Walked {
  let place: Place = { end: header.sizeBytes, last: header.previous, received: 0, block: undefined }
  const onwards = (): void => {
    const window = new Window(file, MIB)
    for (let next = blockAt(window, header.salt, place); next !== undefined; ) {
      place = next
      next = blockAt(window, header.salt, place)
    }
  }
  onwards()
  const { end, last } = place
  const behind = findWholeBlock(file, end, header.salt, last)
  if ((behind !== undefined && behind.offset > end) || isBegunBehind(file, place)) {
    // What follows was begun when the block here was whole: it has become so since, or it is damaged.
    onwards()
    if (place.end === end)
      throw new LogDamaged(name, end, last + 1, behind?.first, 'no whole block begins there')
  }
  return {
    header,
    end: place.end,
    last: place.last,
    received: place.received,
    mark: markIn(place.block),
    ends: isZeroFrom(file, place.end),
  }
}

/** Whether another block was begun behind the one that isn't whole: then that one was acknowledged. */
function isBegunBehind(file: LogFile, { end, last }: Place): boolean {
  const stated = readBlockHeader(new Window(file, 0).bytes(end, BLOCK.COLUMNS), 0)
  return stated?.previous === last && !isZeroFrom(file, end + stated.sizeBytes)
}

/** The block that begins where `before` ends, if it is whole. */
function blockAt(window: Window, salt: number, before: Place): Place | undefined {
  const header = readBlockHeader(window.bytes(before.end, BLOCK.COLUMNS), 0)
  if (header === undefined || header.previous !== before.last) return undefined
  const block = window.bytes(before.end, header.sizeBytes)
  if (block.length < header.sizeBytes || blockChecksum(block, salt) !== header.checksum) return undefined
  const last = header.first + header.count - 1
  return { end: before.end + block.length, last, received: header.received, block }
}

function markIn(bytes: Buffer | undefined): string | null {
  if (bytes === undefined) return null
  const block = new Block(bytes)
  return markOf(block.event(block.count - 1))
}
