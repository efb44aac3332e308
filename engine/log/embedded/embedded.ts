import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../events/event.ts'
import type { IdentityId } from '../../events/identity.ts'
import { LocalHead } from '../follow.ts'
import type { AppendEvent, Appended, Head, Log, StreamReadOptions } from '../log.ts'
import type { AppendResult } from './append-ticket.ts'
import { type CommitSide, commitInline, type InTurn, startWriterThread } from './commit-side.ts'
import { withCompressed } from './compressed-files.ts'
import { type Files, systemFiles } from './files.ts'
import { MIB } from './format.ts'
import { createHeadSignal, type HeadSignal, publishHead } from './head-signal.ts'
import type { LogIndex, Subject } from './index/log-index.ts'
import { type OpenIndex, openLogIndex } from './index/open-log-index.ts'
import type { HashedBlock } from './index/segment-memory.ts'
import { type DirectoryLock, lockDirectory } from './lock.ts'
import { readPositions } from './log-reading.ts'
import { type OpenFailure, type Recovered, recover, removeUnfinished, type TornTail } from './recovery.ts'
import { SegmentList } from './segment-list.ts'
import type { SegmentWriterOptions } from './segment-writer.ts'
import { SegmentsLog } from './segments-log.ts'
import { createSyncTimes, type SyncTimes } from './sync-times.ts'
import { UpkeepQueue, type UpkeepQueueOptions } from './upkeep-queue.ts'
import { upkeepInline, upkeepThread } from './upkeep-side.ts'
import { type DurablePlace, Writer } from './writer.ts'

export type Compression = 'zstd' | 'off'

export interface EmbeddedLogOptions {
  /** Default `default`. A directory holds one workspace. */
  readonly workspace?: string | undefined
  /** Length of a segment; default 64 MiB. */
  readonly segmentBytes?: number | undefined
  /** Segments grow by this much; default 4 MiB. */
  readonly chunkBytes?: number | undefined
  /**
   * Whether sealed segments are compressed; default `zstd`, on a disk of the caller's own `off`. Compressed ones are read
   * either way.
   */
  readonly compression?: Compression | undefined
  /**
   * Memory for the filters of sealed segments' indexes; default 256 MiB. With less than 1.5 bytes for each event and as
   * much for each stream and identity of each segment, look-ups in the older ones read their files.
   */
  readonly indexMemoryBytes?: number | undefined
  /** Told what an operator should know of the index, which never costs an answer. */
  readonly onNotice?: ((message: string) => void) | undefined
  /**
   * A disk of the caller's own. Writing and upkeep then happen on the calling thread, and the directory isn't locked.
   */
  readonly files?: Files | undefined
  /** With `files`: when a block is written; default at once. So a simulated disk takes time, as the writing thread does. */
  readonly inTurn?: InTurn | undefined
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
  /** Memory of the index of ids, streams and identities. */
  indexBytes(): number
  /** Sealed segments that wait for their index files or for compression. */
  upkeepWaiting(): number
}

const DEFAULT_SEGMENT_BYTES = 64 * MIB
const DEFAULT_CHUNK_BYTES = 4 * MIB
const DEFAULT_INDEX_MEMORY_BYTES = 256 * MIB

/**
 * Opens the log in a directory, which is created if need be, as its one writer. Reads and verifies the last segment, and
 * those without a sound index, which they get; a torn tail is cut.
 */
export async function openEmbeddedLog(
  directory: string,
  options: EmbeddedLogOptions = {},
): Promise<E.Either<OpenFailure, EmbeddedLog>> {
  const { workspace = 'default' } = options
  const files = withCompressed(options.files ?? systemFiles)
  files.makeDirectory(directory)
  const lock = options.files === undefined ? lockDirectory(directory) : NO_LOCK
  if (lock === undefined) return E.left({ _tag: 'AlreadyOpen', directory })
  const segments = new SegmentList(files, directory)
  const { indexMemoryBytes: memoryBytes = DEFAULT_INDEX_MEMORY_BYTES, onNotice = () => {} } = options
  const opened = openLogIndex(files, directory, segments, { memoryBytes, onNotice })
  try {
    removeUnfinished(files, directory)
    const recovered = recover(files, directory, workspace, segments, opened.index)
    if ('head' in recovered) {
      const { segmentBytes = DEFAULT_SEGMENT_BYTES, chunkBytes = DEFAULT_CHUNK_BYTES } = options
      const writing = { directory, workspace, segmentBytes, chunkBytes }
      return E.right(new SegmentedLog(segments, opened, lock, recovered, writing, options))
    }
    opened.index.close()
    segments.close()
    lock.release()
    return E.left(recovered)
  } catch (error) {
    opened.index.close()
    segments.close()
    lock.release()
    throw error
  }
}

const NO_LOCK: DirectoryLock = { release: () => {} }

function startUpkeep(
  { index, set, keys }: OpenIndex,
  directory: string,
  { files, compression, onNotice = () => {} }: EmbeddedLogOptions,
  { onBehind, onCompressed }: Pick<UpkeepQueueOptions, 'onBehind' | 'onCompressed'>,
): UpkeepQueue {
  const start =
    files === undefined ? upkeepThread(directory, keys) : upkeepInline(withCompressed(files), directory, keys)
  const standard: Compression = files === undefined ? 'zstd' : 'off'
  const upkeep = new UpkeepQueue({
    index,
    set,
    start,
    compress: (compression ?? standard) === 'zstd',
    onNotice,
    onBehind,
    onCompressed,
  })
  upkeep.compress([...set.segments.keys()])
  return upkeep
}

function* without(positions: Iterable<number>, skip: StreamReadOptions['skip']): Generator<number> {
  for (const position of positions) if (skip === undefined || !skip(position)) yield position
}

class SegmentedLog extends SegmentsLog implements EmbeddedLog {
  readonly headSignal: HeadSignal = createHeadSignal()
  readonly syncTimes: SyncTimes = createSyncTimes()
  readonly tornTail: TornTail | undefined
  readonly #segments: SegmentList
  readonly #index: LogIndex
  readonly #lock: DirectoryLock
  readonly #writer: Writer
  readonly #upkeep: UpkeepQueue
  #closed: Promise<void> | undefined

  constructor(
    segments: SegmentList,
    opened: OpenIndex,
    lock: DirectoryLock,
    { head, start, tornTail }: Recovered,
    writing: SegmentWriterOptions,
    options: EmbeddedLogOptions,
  ) {
    const { files } = options
    const { index } = opened
    const source = new LocalHead(head)
    super(segments, source)
    this.#segments = segments
    this.#index = index
    this.#lock = lock
    this.tornTail = tornTail
    publishHead(this.headSignal, head)
    if (start !== undefined) index.enter(start.first)
    const upkeep = startUpkeep(opened, writing.directory, options, {
      onBehind: (behind) => this.#writer.hold(behind),
      onCompressed: () => segments.letGo(),
    })
    this.#upkeep = upkeep
    let sealed: ReturnType<LogIndex['enter']>
    const listener = {
      onSegment: (first: number) => {
        sealed = index.enter(first)
        return sealed !== undefined
      },
      onDurable: (block: HashedBlock, moved: Head, sizeBytes: number, { segment, offset }: DurablePlace) => {
        segments.note(segment, { offset, sizeBytes, first: block.first, last: moved.position })
        index.addHashed(block)
        source.move(moved)
        if (sealed !== undefined) upkeep.sealed(sealed)
        sealed = undefined
      },
    }
    this.#writer = new Writer(
      head,
      index,
      listener,
      (reports): CommitSide =>
        files === undefined
          ? startWriterThread(writing, start, this.headSignal, this.syncTimes, reports)
          : commitInline(files, writing, start, this.headSignal, reports, options.inTurn),
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

  upkeepWaiting(): number {
    return this.#upkeep.waiting
  }

  idCandidates(source: string, id: string): readonly number[] {
    return this.#index.candidates(source, id)
  }

  readStream(stream: string, options?: StreamReadOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#readPositions({ kind: 'stream', name: stream }, options)
  }

  readIdentity(id: IdentityId, options?: StreamReadOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#readPositions({ kind: 'identity', name: id }, options)
  }

  #readPositions(subject: Subject, options: StreamReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    const head = this.head().position
    const positions = this.#index.positions(subject, options, head)
    return readPositions(this.#segments, without(positions, options.skip), head)
  }

  /** Waits for what is under way, frees the directory; calling it again changes nothing. */
  override close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#writer.close()
    await this.#upkeep.close()
    await super.close()
    this.#index.close()
    this.#lock.release()
  }
}
