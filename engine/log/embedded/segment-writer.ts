import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { blockChecksum, readBlockHeader } from './block-header.ts'
import { errorCode, type Files, type LogFile, writeFully } from './files.ts'
import { BLOCK, UNFINISHED_SUFFIX } from './format.ts'
import { segmentName, writeSegmentHeader } from './segment.ts'

export interface SegmentWriterOptions {
  readonly directory: string
  readonly workspace: string
  /** A block that would make a segment longer than this begins another one. */
  readonly segmentBytes: number
  /** Segments grow by this much at once, in zeros. */
  readonly chunkBytes: number
}

/** Where writing goes on: the last segment as it was found; none in an empty log. */
export interface WriterStart {
  readonly first: number
  readonly salt: number
  /** End of its last whole block. */
  readonly end: number
  readonly hasBlocks: boolean
}

export type WriteOutcome =
  | { readonly _tag: 'Durable'; readonly segment: number; readonly offset: number }
  /** No room: nothing of the block is left, the next one may be tried. */
  | { readonly _tag: 'DiskFull' }
  /** Nothing may be written any more. */
  | { readonly _tag: 'Stopped'; readonly cause: string }

interface OpenSegment {
  readonly first: number
  readonly salt: number
  readonly file: LogFile
  end: number
  sizeBytes: number
  hasBlocks: boolean
}

/** The disk has no room, or the quota or size limit is reached. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Puts blocks on the disk, one by one: each is durable when `write` answers. Synchronous: it has its own thread. */
export class SegmentWriter {
  readonly #files: Files
  readonly #options: SegmentWriterOptions
  #segment: OpenSegment | undefined
  #stopped: string | undefined

  constructor(files: Files, options: SegmentWriterOptions, start: WriterStart | undefined) {
    this.#files = files
    this.#options = options
    if (start === undefined) return
    const file = files.openWrite(join(options.directory, segmentName(start.first)))
    this.#segment = { ...start, file, sizeBytes: file.sizeBytes() }
  }

  /**
   * `block`: finished but for its checksum, which is filled in. `firstReceived`: `received` of its first event. A write
   * or fsync that failed is never repeated.
   */
  write(block: Buffer, firstReceived: number): WriteOutcome {
    if (this.#stopped !== undefined) return { _tag: 'Stopped', cause: this.#stopped }
    try {
      const current = this.#current(block)
      return current === undefined ? this.#begin(block, firstReceived) : this.#append(current, block)
    } catch (error) {
      if (error instanceof NoRoom) return { _tag: 'DiskFull' }
      return this.#stop(error)
    }
  }

  #stop(error: unknown): WriteOutcome {
    const cause = error instanceof Error ? error.message : String(error)
    this.#stopped = cause
    return { _tag: 'Stopped', cause }
  }

  /** The open segment, if the block goes there. */
  #current(block: Buffer): OpenSegment | undefined {
    const current = this.#segment
    if (current === undefined) return undefined
    if (current.hasBlocks) {
      return current.end + block.length <= this.#options.segmentBytes ? current : undefined
    }
    assert.equal(readBlockHeader(block, 0)?.first, current.first)
    return current
  }

  /** A segment gets its name only with its first block: one that finds no room leaves no header that tells of it. */
  #begin(block: Buffer, firstReceived: number): WriteOutcome {
    const stated = readBlockHeader(block, 0)
    assert.ok(stated !== undefined && firstReceived <= stated.received)
    const { first, previous } = stated
    const { workspace } = this.#options
    const salt = randomBytes(4).readUInt32BE()
    const header = writeSegmentHeader({ workspace, first, previous, created: firstReceived, salt })
    block.writeUInt32BE(blockChecksum(block, salt), BLOCK.CHECKSUM + 1)
    this.#cutUnused()
    const created = this.#create(segmentName(first), Buffer.concat([header, block]))
    this.#segment?.file.close()
    this.#segment = { ...created, first, salt, end: header.length + block.length, hasBlocks: true }
    return { _tag: 'Durable', segment: first, offset: header.length }
  }

  /** Frees the zeros at the open segment's end; whether that survives a crash doesn't matter. */
  #cutUnused(): void {
    if (this.#segment === undefined) return
    this.#segment.file.truncate(this.#segment.end)
    this.#segment.sizeBytes = this.#segment.end
  }

  /** Named only when `content` is durable: a named segment without a whole header is damaged. */
  #create(name: string, content: Buffer): Pick<OpenSegment, 'file' | 'sizeBytes'> {
    const { directory, chunkBytes } = this.#options
    const path = join(directory, name)
    const unfinished = path.replace(/\.hwl$/, UNFINISHED_SUFFIX)
    const file = orNoRoom(() => this.#files.create(unfinished))
    try {
      const sizeBytes = Math.ceil(content.length / chunkBytes) * chunkBytes
      const chunk = Buffer.alloc(sizeBytes)
      content.copy(chunk)
      writeOrNoRoom(file, chunk, 0)
      file.sync()
      orNoRoom(() => this.#files.rename(unfinished, path))
      this.#files.syncDirectory(directory)
      return { file, sizeBytes }
    } catch (error) {
      file.close()
      if (error instanceof NoRoom) this.#files.remove(unfinished)
      throw error
    }
  }

  #append(segment: OpenSegment, block: Buffer): WriteOutcome {
    block.writeUInt32BE(blockChecksum(block, segment.salt), BLOCK.CHECKSUM + 1)
    const offset = segment.end
    try {
      this.#extend(segment, offset + block.length)
      writeOrNoRoom(segment.file, block, offset)
    } catch (error) {
      if (error instanceof NoRoom) this.#takeBack(segment)
      throw error
    }
    segment.file.sync()
    segment.end = offset + block.length
    segment.hasBlocks = true
    return { _tag: 'Durable', segment: segment.first, offset }
  }

  /** Later blocks then change no size, which makes their fsync cheaper. */
  #extend(segment: OpenSegment, neededBytes: number): void {
    if (neededBytes <= segment.sizeBytes) return
    const { chunkBytes } = this.#options
    const grownBytes = Math.ceil(neededBytes / chunkBytes) * chunkBytes
    writeOrNoRoom(segment.file, Buffer.alloc(grownBytes - segment.sizeBytes), segment.sizeBytes)
    segment.sizeBytes = grownBytes
  }

  /** Cutting needs no room. */
  #takeBack(segment: OpenSegment): void {
    segment.file.truncate(segment.end)
    segment.file.sync()
    segment.sizeBytes = segment.end
  }

  close(): void {
    this.#segment?.file.close()
    this.#segment = undefined
    this.#stopped ??= 'the log is closed'
  }
}

class NoRoom extends Error {}

/** Throws `NoRoom` when the disk is full. */
function orNoRoom<T>(step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw FULL.has(errorCode(error)) ? new NoRoom() : error
  }
}

/** Throws `NoRoom` when the disk is full, which may be after a part was written. */
function writeOrNoRoom(file: LogFile, bytes: Uint8Array, offset: number): void {
  orNoRoom(() => writeFully(file, bytes, offset))
}
