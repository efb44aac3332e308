import { AssertionError } from 'node:assert'
import { join } from 'node:path'
import { LogDamaged } from '../log.ts'
import { cutIntoFrames } from './block-frames.ts'
import { blockChecksum, readBlockHeader } from './block-header.ts'
import { isZeroFrom } from './block-search.ts'
import { plainFiles, withCompressed } from './compressed-files.ts'
import { errorCode, type Files, type LogFile, UnreadableBytes } from './files.ts'
import { COMPRESSED_SUFFIX, SEGMENT_SUFFIX, UNFINISHED_COMPRESSED_SUFFIX } from './format.ts'
import { FrameCache } from './frame-cache.ts'
import { FRAME_TARGET_BYTES, SeekableWriter } from './seekable-zstd.ts'
import { openSeekable } from './seekable-zstd-reader.ts'
import { segmentName } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import type { SegmentReader } from './segment-reader.ts'
import { compressFrame } from './zstd-codec.ts'

/**
 * zstd's level. Of blocks of the simulated company 1 leaves 63 % at 230–370 MB/s on one core, 3 leaves 62 % at half the
 * speed, 9 leaves 61 % at a third: most of what is left are sealed parts, which no level makes smaller.
 */
const LEVEL = 1
/** A segment is compressed when no more than this share of it is left. */
const WORTHWHILE = 0.9
/** Pieces, spread over the segment, that tell whether compressing it is worthwhile before anything is written. */
const SAMPLES = 8

export type CompressOutcome =
  | { readonly _tag: 'Compressed'; readonly plainBytes: number; readonly compressedBytes: number }
  | { readonly _tag: 'AlreadyCompressed' }
  /** It would save too little: of `plainBytes`, all or a sample, `compressedBytes` would be left. */
  | { readonly _tag: 'NotWorthwhile'; readonly plainBytes: number; readonly compressedBytes: number }
  /** No segment follows it: the log may still write to it. */
  | { readonly _tag: 'NotSealed' }
  | { readonly _tag: 'Damaged'; readonly damage: LogDamaged }
  /** The disk failed, or what was written didn't read back. `code`: the system's (`ENOSPC`), '' where there is none. */
  | { readonly _tag: 'Failed'; readonly code: string; readonly cause: string }

/** What is read, and compared, at once: bytes of the segment, and the blocks among them. */
interface Piece {
  readonly from: number
  readonly until: number
  readonly firstBlock: number
  readonly untilBlock: number
}

/**
 * Replaces a sealed segment by its compressed copy. Synchronous, and as long as the segment is large: for a thread of
 * its own, one at a time for a directory.
 *
 * The copy is written under a name that means nothing, synced, read back and compared, and named; the name is durable
 * before the plain file is removed. So after a crash at any point one whole copy is there, or both, of which the plain
 * one counts; calling this again finishes the work. On any failure the plain segment stays as it was.
 */
export function compressSegment(files: Files, directory: string, first: number): CompressOutcome {
  const disk = plainFiles(files)
  let segments: SegmentList | undefined
  try {
    segments = new SegmentList(withCompressed(disk), directory)
    const names = disk.list(directory)
    if (!names.includes(segmentName(first)) && names.includes(compressedName(first))) {
      return { _tag: 'AlreadyCompressed' }
    }
    const index = segments.firsts.indexOf(first)
    const segment = segments.at(index)
    if (segment === undefined || index === segments.firsts.length - 1) return { _tag: 'NotSealed' }
    const pieces = piecesOf(segment)
    segments.checkEnd(index, Number.POSITIVE_INFINITY)
    return compress(disk, directory, segment, pieces, names.includes(compressedName(first)))
  } catch (error) {
    if (error instanceof AssertionError) throw error
    if (error instanceof LogDamaged) return { _tag: 'Damaged', damage: error }
    return failed(error)
  } finally {
    segments?.close()
  }
}

function compressedName(first: number): string {
  return segmentName(first).slice(0, -SEGMENT_SUFFIX.length) + COMPRESSED_SUFFIX
}

function failed(error: unknown): CompressOutcome {
  const cause = error instanceof Error ? error.message : String(error)
  return { _tag: 'Failed', code: errorCode(error), cause }
}

/** Whole blocks up to a frame's size, or a larger one, the header with the first; then what zeros the segment ends in. */
function piecesOf(segment: SegmentReader): Piece[] {
  segment.extend(Number.POSITIVE_INFINITY)
  const pieces: Piece[] = []
  let from = 0
  let firstBlock = 0
  for (let i = 0; i < segment.blockCount; i++) {
    const damage = segment.damageBefore(i)
    const place = segment.place(i)
    if (damage !== undefined) throw damage
    if (place === undefined || i === firstBlock) continue
    if (place.offset + place.sizeBytes - from <= FRAME_TARGET_BYTES) continue
    pieces.push({ from, until: place.offset, firstBlock, untilBlock: i })
    from = place.offset
    firstBlock = i
  }
  const { blockCount, end, file } = segment
  pieces.push({ from, until: end, firstBlock, untilBlock: blockCount })
  if (!isZeroFrom(file, end)) throw segment.damageAt(blockCount, 'no whole block begins there')
  const sizeBytes = file.sizeBytes()
  for (let at = end; at < sizeBytes; at += FRAME_TARGET_BYTES) {
    const until = Math.min(sizeBytes, at + FRAME_TARGET_BYTES)
    pieces.push({ from: at, until, firstBlock: blockCount, untilBlock: blockCount })
  }
  return pieces
}

function compress(
  disk: Files,
  directory: string,
  segment: SegmentReader,
  pieces: readonly Piece[],
  named: boolean,
): CompressOutcome {
  const target = join(directory, compressedName(segment.header.first))
  const unfinished = target.slice(0, -COMPRESSED_SUFFIX.length) + UNFINISHED_COMPRESSED_SUFFIX
  // A crash came between naming the copy and removing the plain file; or the copy is an old one.
  const finished = named && restores(disk, target, segment, pieces)
  const sample = finished ? undefined : sampled(segment, pieces)
  if (sample !== undefined) return sample
  if (!finished) {
    const written = writeCopy(disk, unfinished, segment, pieces)
    if (written._tag !== 'Compressed') return written
    disk.rename(unfinished, target)
  }
  disk.syncDirectory(directory)
  disk.remove(join(directory, segment.name))
  // Should the name come back after a crash, then as the whole plain segment.
  disk.syncDirectory(directory)
  const compressed = disk.openRead(target)
  const compressedBytes = compressed.sizeBytes()
  compressed.close()
  return { _tag: 'Compressed', plainBytes: segment.file.sizeBytes(), compressedBytes }
}

/** The outcome if a few frames already tell that compressing isn't worthwhile. */
function sampled(segment: SegmentReader, pieces: readonly Piece[]): CompressOutcome | undefined {
  let plainBytes = 0
  let compressedBytes = 0
  const step = Math.max(1, Math.floor(pieces.length / SAMPLES))
  for (let i = 0; i < pieces.length; i += step) {
    const piece = pieces[i]
    if (piece === undefined) continue
    const bytes = readPiece(segment.file, piece)
    plainBytes += bytes.length
    for (const part of framesOf(segment, piece, bytes)) compressedBytes += compressFrame(part, LEVEL).length
  }
  return compressedBytes > plainBytes * WORTHWHILE
    ? { _tag: 'NotWorthwhile', plainBytes, compressedBytes }
    : undefined
}

/** Writes, syncs and verifies the copy; nothing is left of it unless the outcome is `Compressed`. */
function writeCopy(
  disk: Files,
  path: string,
  segment: SegmentReader,
  pieces: readonly Piece[],
): CompressOutcome {
  let outcome: CompressOutcome | undefined
  try {
    const compressedBytes = writeFrames(disk, path, segment, pieces)
    const plainBytes = segment.file.sizeBytes()
    if (compressedBytes > plainBytes * WORTHWHILE) {
      outcome = { _tag: 'NotWorthwhile', plainBytes, compressedBytes }
    } else if (restores(disk, path, segment, pieces)) {
      outcome = { _tag: 'Compressed', plainBytes, compressedBytes }
      return outcome
    } else {
      outcome = { _tag: 'Failed', code: '', cause: 'the compressed copy does not read back' }
    }
  } finally {
    if (outcome?._tag !== 'Compressed') removeIfThere(disk, path)
  }
  return outcome
}

function writeFrames(disk: Files, path: string, segment: SegmentReader, pieces: readonly Piece[]): number {
  const file = disk.create(path)
  try {
    const writer = new SeekableWriter(file, LEVEL)
    for (const piece of pieces) {
      const bytes = readPiece(segment.file, piece)
      const broken = brokenBlock(segment, piece, bytes)
      if (broken !== undefined) throw segment.damageAt(broken, 'its checksum is wrong')
      for (const part of framesOf(segment, piece, bytes)) writer.add(part)
    }
    const compressedBytes = writer.finish()
    file.sync()
    return compressedBytes
  } finally {
    file.close()
  }
}

/** Where a piece that was read is cut. Only a piece of one block is longer than a frame. */
function framesOf(segment: SegmentReader, piece: Piece, bytes: Buffer): readonly Buffer[] {
  const place = segment.place(piece.firstBlock)
  if (bytes.length <= FRAME_TARGET_BYTES || place === undefined) return [bytes]
  const start = place.offset - piece.from
  return cutIntoFrames(bytes, start)
}

function readPiece(file: LogFile, { from, until }: Piece): Buffer {
  const bytes = Buffer.allocUnsafeSlow(until - from)
  return bytes.subarray(0, file.read(bytes, from))
}

/** Index of the first block of the piece that isn't whole. */
function brokenBlock(segment: SegmentReader, piece: Piece, bytes: Buffer): number | undefined {
  for (let i = piece.firstBlock; i < piece.untilBlock; i++) {
    const place = segment.place(i)
    if (place === undefined) return i
    const start = place.offset - piece.from
    const block = bytes.subarray(start, start + place.sizeBytes)
    const header = readBlockHeader(block, 0)
    const whole = header?.sizeBytes === block.length
    if (!whole || blockChecksum(block, segment.header.salt) !== header.checksum) return i
  }
  return undefined
}

/** Whether a compressed copy restores every byte of the segment, and the blocks among them are whole. */
function restores(disk: Files, path: string, segment: SegmentReader, pieces: readonly Piece[]): boolean {
  const copy = openSeekable(disk.openRead(path), new FrameCache())
  try {
    if (copy.sizeBytes() !== segment.file.sizeBytes()) return false
    return pieces.every((piece) => {
      const bytes = readPiece(copy, piece)
      return bytes.equals(readPiece(segment.file, piece)) && brokenBlock(segment, piece, bytes) === undefined
    })
  } catch (error) {
    if (error instanceof UnreadableBytes) return false
    throw error
  } finally {
    copy.close()
  }
}

/** The failure that led here is what is told. */
function removeIfThere(disk: Files, path: string): void {
  try {
    disk.remove(path)
  } catch {
    // What is left means nothing, and is removed when the log is opened.
  }
}
