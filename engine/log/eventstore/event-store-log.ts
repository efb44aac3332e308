import { randomUUID } from 'node:crypto'
import { setTimeout as timer } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../../clock.ts'
import type { RecordedEvent } from '../../events/event.ts'
import type { IdentityId } from '../../events/identity.ts'
import { LocalHead } from '../follow.ts'
import type {
  AppendEvent,
  Appended,
  Head,
  Log,
  LogFailure,
  ReadOptions,
  StreamReadOptions,
  SubscribeOptions,
} from '../log.ts'
import { type Assigned, assign, type Limits } from './assign.ts'
import { MARKER_STREAM, MARKER_TYPE, markerOf } from './codec.ts'
import { type Connection, ConnectionFailed, type Followed } from './connection.ts'
import { keyOf } from './event-id.ts'
import { type Fed, Feed } from './feed.ts'
import { IndexFile } from './index-file.ts'
import { Reads } from './reads.ts'
import { UnderWay } from './under-way.ts'
import { Writer } from './writer.ts'

export interface EventStoreLogOptions {
  /** Of the index, which can be made anew from the log. */
  readonly indexPath: string
  readonly clock: Clock
  /** Milliseconds for which the server may be away before appends fail for good; default a minute. */
  readonly patienceMs?: number | undefined
}

export type OpenFailure =
  /** The server can't be reached, or refuses us. */
  | { readonly _tag: 'Unreachable'; readonly cause: string }
  /** A stream's metadata makes EventStoreDB forget events ($maxAge, $maxCount, $tb), which a log never may. */
  | { readonly _tag: 'Forgetful'; readonly streams: readonly string[] }

type AppendResult = E.Either<LogFailure, Appended>

const PATIENCE_MS = 60_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5_000
/** Appends that are put together are kept below this, and below what the server takes. */
const CALL_BYTES = 768 * 1024

/**
 * Opens the log that an EventStoreDB holds, and takes it over from whoever wrote it before: `$all`, apart from the system's own
 * streams, is the log. Resolves when the index has caught up. The connection is closed with the log, or when it doesn't open.
 */
export async function openEventStoreLog(
  connection: Connection & { maxAppendBytes(stream: string): Promise<E.Either<string, number>> },
  options: EventStoreLogOptions,
): Promise<E.Either<OpenFailure, Log>> {
  const limit = await connection.maxAppendBytes(MARKER_STREAM)
  if (E.isLeft(limit)) {
    await connection.close()
    return E.left({ _tag: 'Unreachable', cause: limit.left })
  }
  const log = new EventStoreLog(connection, { maxSentBytes: limit.right }, options)
  const failure = await log.open()
  if (failure === undefined) return E.right(log)
  await log.close()
  return E.left(failure)
}

class EventStoreLog implements Log {
  readonly #connection: Connection
  readonly #limits: Limits
  readonly #options: EventStoreLogOptions
  readonly #name = randomUUID()
  readonly #index: IndexFile
  readonly #head: LocalHead
  readonly #underWay = new UnderWay()
  readonly #closing = new AbortController()
  readonly #opened = Promise.withResolvers<OpenFailure | undefined>()
  readonly #writer: Writer
  readonly #reads: Reads
  #feed: Feed
  #following: Promise<void> = Promise.resolve()
  #isOpen = false
  #nextPosition = 1
  #received = 0
  #ended: LogFailure | undefined
  #closed: Promise<void> | undefined

  constructor(connection: Connection, limits: Limits, options: EventStoreLogOptions) {
    this.#connection = connection
    this.#limits = limits
    this.#options = options
    this.#index = new IndexFile(options.indexPath)
    this.#feed = new Feed(this.#index)
    this.#head = new LocalHead(this.#index.head())
    const fetching = { connection, pause: this.#pause }
    this.#reads = new Reads(this.#index, this.#head, fetching, this.#closing.signal)
    this.#writer = new Writer({
      connection,
      name: this.#name,
      theirRevision: (stream) => this.#index.theirRevision(stream),
      maxCallBytes: Math.min(CALL_BYTES, limits.maxSentBytes),
      pause: this.#pause,
      patienceMs: options.patienceMs ?? PATIENCE_MS,
      monotonicMs: () => options.clock.monotonicMs(),
      onStopped: (failure) => this.#stop(failure),
    })
  }

  /** Catches up with everything that was written before. */
  async open(): Promise<OpenFailure | undefined> {
    try {
      await this.#checkIndex()
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      return { _tag: 'Unreachable', cause: error.message }
    }
    const marker = { id: this.#name, type: MARKER_TYPE, data: {}, metadata: markerOf(this.#name) }
    const marked = await this.#connection.append(MARKER_STREAM, 'any', [marker])
    if (E.isLeft(marked)) return { _tag: 'Unreachable', cause: new ConnectionFailed(marked.left).message }
    this.#following = this.#follow()
    const failure = await this.#opened.promise
    this.#nextPosition = this.#feed.next
    this.#received = this.#index.head().received
    return failure
  }

  /** An index of another log, or of one that was since restored from a backup, is made anew. */
  async #checkIndex(): Promise<void> {
    const newest = this.#index.newest()
    if (newest === undefined) return
    for await (const event of this.#connection.readAll(newest.commit, 1)) {
      if (event.commit === newest.commit && event.id === newest.eventId) return
    }
    this.#index.clear()
    this.#feed = new Feed(this.#index)
    this.#head.move(this.#index.head())
  }

  async append(
    appends: readonly AppendEvent[],
    options: { readonly atomic?: boolean } = {},
  ): Promise<readonly AppendResult[]> {
    const ended = this.#ended
    if (ended !== undefined) return appends.map(() => E.left(ended))
    const assigned = assign(appends, {
      atomic: options.atomic === true,
      nextPosition: this.#nextPosition,
      received: this.#received,
      limits: this.#limits,
      streamHead: (stream) => this.streamHead(stream),
      hasUuid: (uuid) => this.#underWay.hasUuid(uuid) || this.#index.byKey(keyOf(uuid)).length > 0,
    })
    if (assigned.events.length === 0) return assigned.results
    return this.#send(assigned)
  }

  #send({ events, results, nextPosition, received }: Assigned): Promise<readonly AppendResult[]> {
    this.#nextPosition = nextPosition
    this.#received = received
    for (const event of events) {
      this.#underWay.add(event)
      this.#writer.submit(event.stream, event.outgoing)
    }
    return this.#underWay.wait(nextPosition - 1, results)
  }

  streamHead(stream: string): Appended | undefined {
    return this.#underWay.streamHead(stream) ?? this.#index.streamHead(stream)
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing
    let pauseMs = FIRST_PAUSE_MS
    while (!signal.aborted) {
      try {
        for await (const batch of this.#connection.follow(this.#index.checkpoint().commit, signal)) {
          if (signal.aborted) return
          this.#take(batch)
          pauseMs = FIRST_PAUSE_MS
        }
      } catch (error) {
        if (signal.aborted) return
        this.#lostTouch(error)
      }
      // What isn't settled is read again from the checkpoint.
      this.#feed = new Feed(this.#index)
      await this.#pause(pauseMs)
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)
    }
  }

  #lostTouch(error: unknown): void {
    const isAway = error instanceof ConnectionFailed && error.failure._tag === 'Away'
    if (isAway && this.#isOpen) return
    const cause = error instanceof Error ? error.message : String(error)
    if (!isAway) this.#stop({ _tag: 'WriterStopped', cause })
    this.#opened.resolve({ _tag: 'Unreachable', cause })
  }

  #take(batch: readonly Followed[]): void {
    const fed = this.#feed.feed(batch)
    if (fed.forgetful.length > 0) this.#refuseForgetful(fed.forgetful)
    for (const writer of fed.opened) this.#heardOf(writer)
    this.#settle(fed)
  }

  #heardOf(writer: string): void {
    if (writer === this.#name) {
      this.#isOpen = true
      this.#opened.resolve(undefined)
    } else if (this.#isOpen)
      this.#stop({ _tag: 'WriterStopped', cause: 'another process has opened this log' })
  }

  #refuseForgetful(streams: readonly string[]): void {
    this.#opened.resolve({ _tag: 'Forgetful', streams })
    const cause = `EventStoreDB is told to forget events of ${streams.join(', ')} ($maxAge, $maxCount or $tb)`
    if (this.#isOpen) this.#stop({ _tag: 'WriterStopped', cause })
  }

  #settle({ settled }: Fed): void {
    const head = this.#index.head()
    if (head.position <= this.#head.head().position) return
    this.#head.move(head)
    this.#underWay.settle(settled, head.position)
  }

  #stop(failure: Extract<LogFailure, { _tag: 'WriterStopped' }>): void {
    this.#ended ??= failure
    this.#writer.stop()
    this.#underWay.fail(failure)
  }

  readonly #pause = (ms: number): Promise<void> => {
    const { clock } = this.#options
    if (clock.sleep !== undefined) return clock.sleep(ms)
    return timer(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined)
  }

  head(): Head {
    return this.#reads.head()
  }

  read(options: ReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    return this.#reads.read(options)
  }

  readBackwards(options: ReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    return this.#reads.readBackwards(options)
  }

  at(position: number): Promise<RecordedEvent | undefined> {
    return this.#reads.at(position)
  }

  idCandidates(source: string, id: string): readonly number[] {
    return this.#reads.idCandidates(source, id)
  }

  readStream(stream: string, options: StreamReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    return this.#reads.readStream(stream, options)
  }

  readIdentity(id: IdentityId, options: StreamReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    return this.#reads.readIdentity(id, options)
  }

  subscribe(options: SubscribeOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#reads.subscribe(options)
  }

  close(): Promise<void> {
    this.#ended ??= { _tag: 'LogClosed' }
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#underWay.idle()
    this.#writer.stop()
    this.#closing.abort()
    await this.#following
    await this.#connection.close()
    this.#index.close()
  }
}
