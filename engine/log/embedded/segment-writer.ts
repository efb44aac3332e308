import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { blockChecksum, readBlockHeader } from './block-header.ts'
import { errorCode, type Files, type LogFile } from './files.ts'
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

  /** `block`: finished but for its checksum, which is filled in. A write or fsync that failed is never repeated. */
  write(block: Buffer): WriteOutcome {
    if (this.#stopped !== undefined) return { _tag: 'Stopped', cause: this.#stopped }
    try {
      const segment = this.#segmentFor(block)
      return this.#append(segment, block)
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

  #segmentFor(block: Buffer): OpenSegment {
    const current = this.#segment
    const fits = current !== undefined && current.end + block.length <= this.#options.segmentBytes
    const header = readBlockHeader(block, 0)
    assert.ok(header !== undefined)
    if (current !== undefined && !current.hasBlocks) assert.equal(header.first, current.first)
    if (current !== undefined && (fits || !current.hasBlocks)) return current
    if (current !== undefined) {
      // Frees the zeros that were never used; whether that survives a crash doesn't matter.
      current.file.truncate(current.end)
      current.sizeBytes = current.end
    }
    const created = this.#create(header.first, header.previous, header.received)
    current?.file.close()
    this.#segment = created
    return created
  }

  /** The segment gets its name only when its header is durable: a named segment without header is damaged. */
  #create(first: number, previous: number, created: number): OpenSegment {
    const { directory, workspace, chunkBytes } = this.#options
    const salt = randomBytes(4).readUInt32BE()
    const header = writeSegmentHeader({ workspace, first, previous, created, salt })
    const path = join(directory, segmentName(first))
    const unfinished = path.replace(/\.hwl$/, UNFINISHED_SUFFIX)
    const file = orNoRoom(() => this.#files.create(unfinished))
    try {
      const chunk = Buffer.alloc(Math.max(chunkBytes, header.length))
      header.copy(chunk)
      writeFully(file, chunk, 0)
      file.sync()
      orNoRoom(() => this.#files.rename(unfinished, path))
      this.#files.syncDirectory(directory)
      return { first, salt, file, end: header.length, sizeBytes: chunk.length, hasBlocks: false }
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
      writeFully(segment.file, block, offset)
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
    writeFully(segment.file, Buffer.alloc(grownBytes - segment.sizeBytes), segment.sizeBytes)
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
function writeFully(file: LogFile, bytes: Uint8Array, offset: number): void {
  let done = 0
  while (done < bytes.length) {
    const count = orNoRoom(() => file.write(bytes.subarray(done), offset + done))
    assert.ok(count > 0, 'a write wrote nothing')
    done += count
  }
}
