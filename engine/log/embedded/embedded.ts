import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../events/event.ts'
import type { IdentityId } from '../../events/identity.ts'
import { LocalHead } from '../follow.ts'
import type { AppendEvent, Appended, Head, Log, StreamReadOptions } from '../log.ts'
import { selectPositions } from '../positions.ts'
import type { AppendResult } from './append-ticket.ts'
import { type CommitSide, commitInline, startWriterThread } from './commit-side.ts'
import { type Files, systemFiles } from './files.ts'
import { MIB } from './format.ts'
import { createHeadSignal, type HeadSignal, publishHead } from './head-signal.ts'
import { type DirectoryLock, lockDirectory } from './lock.ts'
import { createMemoryIndex, type IndexedBlock, type LogIndex } from './log-index.ts'
import { readPositions } from './log-reading.ts'
import { type OpenFailure, type Recovered, recover, removeUnfinished, type TornTail } from './recovery.ts'
import { SegmentList } from './segment-list.ts'
import type { SegmentWriterOptions } from './segment-writer.ts'
import { SegmentsLog } from './segments-log.ts'
import { createSyncTimes, type SyncTimes } from './sync-times.ts'
import { type DurablePlace, Writer } from './writer.ts'

export interface EmbeddedLogOptions {
  /** Default `default`. A directory holds one workspace. */
  readonly workspace?: string | undefined
  /** Length of a segment; default 256 MiB. */
  readonly segmentBytes?: number | undefined
  /** Segments grow by this much; default 4 MiB. */
  readonly chunkBytes?: number | undefined
  /** A disk of the caller's own. Writing then happens on the calling thread, and the directory isn't locked. */
  readonly files?: Files | undefined
}

export interface EmbeddedLog extends Log {
  /** For `openEmbeddedReader` on other threads. */
  readonly headSignal: HeadSignal
  /** What the writing thread's disk has done; stays 0 with `files` of the caller's own. */
  readonly syncTimes: SyncTimes
  /** What was cut when the log was opened. */
  readonly tornTail: TornTail | undefined
  /** Bytes of events that were appended and aren't durable yet; whoever feeds the log bounds it. */
  pendingBytes(): number
  /** Memory of the index of streams and identities. */
  indexBytes(): number
}

const DEFAULT_SEGMENT_BYTES = 256 * MIB
const DEFAULT_CHUNK_BYTES = 4 * MIB

/**
 * Opens the log in a directory, which is created if need be, as its one writer. Verifies every block, so it takes
 * about as long as reading the log; a torn tail is cut.
 */
export async function openEmbeddedLog(
  directory: string,
  options: EmbeddedLogOptions = {},
): Promise<E.Either<OpenFailure, EmbeddedLog>> {
  const { workspace = 'default', files = systemFiles } = options
  files.makeDirectory(directory)
  const lock = options.files === undefined ? lockDirectory(directory) : NO_LOCK
  if (lock === undefined) return E.left({ _tag: 'AlreadyOpen', directory })
  const segments = new SegmentList(files, directory)
  const index = createMemoryIndex()
  try {
    removeUnfinished(files, directory)
    const recovered = recover(files, directory, workspace, segments, index)
    if ('head' in recovered) {
      const { segmentBytes = DEFAULT_SEGMENT_BYTES, chunkBytes = DEFAULT_CHUNK_BYTES } = options
      const writing = { directory, workspace, segmentBytes, chunkBytes }
      return E.right(new SegmentedLog(segments, index, lock, recovered, writing, options.files))
    }
    segments.close()
    lock.release()
    return E.left(recovered)
  } catch (error) {
    segments.close()
    lock.release()
    throw error
  }
}

const NO_LOCK: DirectoryLock = { release: () => {} }

class SegmentedLog extends SegmentsLog implements EmbeddedLog {
  readonly headSignal: HeadSignal = createHeadSignal()
  readonly syncTimes: SyncTimes = createSyncTimes()
  readonly tornTail: TornTail | undefined
  readonly #segments: SegmentList
  readonly #index: LogIndex
  readonly #lock: DirectoryLock
  readonly #writer: Writer
  #closed: Promise<void> | undefined

  constructor(
    segments: SegmentList,
    index: LogIndex,
    lock: DirectoryLock,
    { head, start, tornTail }: Recovered,
    writing: SegmentWriterOptions,
    files: Files | undefined,
  ) {
    const source = new LocalHead(head)
    super(segments, source)
    this.#segments = segments
    this.#index = index
    this.#lock = lock
    this.tornTail = tornTail
    publishHead(this.headSignal, head)
    const listener = {
      onDurable: (block: IndexedBlock, moved: Head, sizeBytes: number, { segment, offset }: DurablePlace) => {
        segments.note(segment, { offset, sizeBytes, first: block.first, last: moved.position })
        index.add(block)
        source.move(moved)
      },
    }
    this.#writer = new Writer(
      head,
      index,
      listener,
      (reports): CommitSide =>
        files === undefined
          ? startWriterThread(writing, start, this.headSignal, this.syncTimes, reports)
          : commitInline(files, writing, start, this.headSignal, reports),
    )
  }

  append(
    events: readonly AppendEvent[],
    options: { readonly atomic?: boolean } = {},
  ): Promise<readonly AppendResult[]> {
    return this.#writer.append(events, options.atomic === true)
  }

  streamHead(stream: string): Appended | undefined {
    return this.#writer.streamHead(stream)
  }

  pendingBytes(): number {
    return this.#writer.pendingBytes
  }

  indexBytes(): number {
    return this.#index.sizeBytes()
  }

  readStream(stream: string, options?: StreamReadOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#readPositions(this.#index.streamPositions(stream), options)
  }

  readIdentity(id: IdentityId, options?: StreamReadOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#readPositions(this.#index.identityPositions(id), options)
  }

  #readPositions(
    positions: readonly number[],
    options: StreamReadOptions = {},
  ): AsyncIterable<readonly RecordedEvent[]> {
    return readPositions(this.#segments, selectPositions(positions, options), this.head().position)
  }

  /** Waits for what is under way, frees the directory; calling it again changes nothing. */
  override close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#writer.close()
    await super.close()
    this.#lock.release()
  }
}
