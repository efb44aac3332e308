import { randomUUID } from 'node:crypto'
import { setTimeout as timer } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../events/event.ts'
import type { IdentityId } from '../../events/identity.ts'
import { LocalHead } from '../follow.ts'
import {
  type AppendEvent,
  type Appended,
  type Head,
  IndexUnavailable,
  type LogFailure,
  type ReadOptions,
  type StreamReadOptions,
  type SubscribeOptions,
} from '../log.ts'
import { type Assigned, assign, type Limits } from './assign.ts'
import { catchUp } from './catch-up.ts'
import { MARKER_STREAM, MARKER_TYPE, markerOf } from './codec.ts'
import {
  type Connection,
  ConnectionFailed,
  type ConnectionFailure,
  causeOf,
  type Followed,
} from './connection.ts'
import { keyOf } from './event-id.ts'
import { type Fed, Feed } from './feed.ts'
import { IndexFile } from './index-file.ts'
import { Reads } from './reads.ts'
import type { EventStoreLogOptions, OpenFailure, RemoteLog } from './remote-log.ts'
import { UnderWay } from './under-way.ts'
import { Writer } from './writer.ts'

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
): Promise<E.Either<OpenFailure, RemoteLog>> {
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

class EventStoreLog implements RemoteLog {
  readonly #connection: Connection
  readonly #limits: Limits
  readonly #options: EventStoreLogOptions
  readonly #index: IndexFile
  readonly #head: LocalHead
  readonly #underWay = new UnderWay()
  readonly #closing = new AbortController()
  readonly #opened = Promise.withResolvers<OpenFailure | undefined>()
  readonly #reads: Reads
  /** Of this opening: each marker has a name of its own, and what is written under the others doesn't count. */
  readonly #names = new Set<string>()
  #name = ''
  #writer: Writer
  #feed: Feed
  #following: Promise<void> = Promise.resolve()
  #recovering: Promise<void> = Promise.resolve()
  #isOpen = false
  #lost: Extract<LogFailure, { _tag: 'Unavailable' }> | undefined
  #interruptions = 0
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
    this.#writer = this.#newWriter()
  }

  #newWriter(): Writer {
    const { patienceMs = PATIENCE_MS, clock } = this.#options
    const writer: Writer = new Writer({
      connection: this.#connection,
      name: this.#name,
      theirRevision: (stream) => this.#index.theirRevision(stream),
      maxCallBytes: Math.min(CALL_BYTES, this.#limits.maxSentBytes),
      pause: this.#pause,
      patienceMs,
      monotonicMs: () => clock.monotonicMs(),
      onFailed: (stream, failure) => {
        if (writer === this.#writer) this.#appendFailed(stream, failure)
      },
    })
    return writer
  }

  /** Catches up with everything that was written before, and takes the log over. */
  async open(): Promise<OpenFailure | undefined> {
    try {
      await this.#checkIndex()
      await catchUp(this.#connection, this.#feed, this.#index.checkpoint().commit)
      this.#feed = new Feed(this.#index)
      this.#head.move(this.#index.head())
      const refusal = await this.#refusal()
      if (refusal !== undefined) return refusal
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      return { _tag: 'Unreachable', cause: error.message }
    }
    const marked = await this.#mark()
    if (marked !== undefined) return { _tag: 'Unreachable', cause: new ConnectionFailed(marked).message }
    this.#following = this.#follow()
    const failure = await this.#opened.promise
    this.#received = this.#index.head().received
    return failure
  }

  /** Whoever writes the log now goes on doing so. */
  async #refusal(): Promise<OpenFailure | undefined> {
    const { workspace, objection } = this.#options
    const streams = this.#index.forgetful()
    if (streams.length > 0) return { _tag: 'Forgetful', streams }
    const found = this.#index.workspace()
    if (workspace !== undefined && found !== undefined && found !== workspace)
      return { _tag: 'OtherWorkspace', expected: workspace, found }
    const cause = await objection?.(this.#reads)
    return cause === undefined ? undefined : { _tag: 'Objection', cause }
  }

  /** Tells `$all` who writes from here on. Each time by another name: a marker that comes late is then known for what it is. */
  #mark(): Promise<ConnectionFailure | undefined> {
    const name = randomUUID()
    this.#name = name
    this.#names.add(name)
    const metadata = markerOf(name, this.#options.workspace)
    const marker = { id: name, type: MARKER_TYPE, data: {}, metadata }
    return this.#connection
      .append(MARKER_STREAM, 'any', [marker])
      .then((marked) => (E.isLeft(marked) ? marked.left : undefined))
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
    const ended = this.#ended ?? this.#lost
    if (ended !== undefined) return appends.map(() => E.left(ended))
    const assigned = assign(appends, {
      atomic: options.atomic === true,
      writer: this.#name,
      nextPosition: this.#nextPosition,
      received: this.#received,
      limits: this.#limits,
      streamHead: (stream) => this.streamHead(stream),
      hasUuid: (uuid) => this.#isTaken(uuid),
    })
    if (assigned.events.length === 0) return assigned.results
    return this.#send(assigned)
  }

  #isTaken(uuid: string): boolean {
    if (this.#underWay.hasUuid(uuid) || this.#index.hasKey(keyOf(uuid))) return true
    return this.#index.isStray(uuid)
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
    this.#settle(fed)
    for (const writer of fed.opened) this.#heardOf(writer)
    // The server may have taken ours for that one, and ours is then nowhere.
    if (fed.strays.some((id) => this.#underWay.hasUuid(id)))
      this.#lose('an event that was sent before the log was taken up came late')
  }

  #heardOf(writer: string): void {
    if (writer === this.#name && (this.#lost !== undefined || !this.#isOpen)) this.#begin()
    else if (!this.#names.has(writer)) {
      if (this.#isOpen) this.#stop({ _tag: 'WriterStopped', cause: 'another process has opened this log' })
    } else if (this.#lost === undefined) this.#lose('a marker of ours came late')
  }

  /** Everything before our marker is in the index, and nothing else counts behind it than what this writer sends. */
  #begin(): void {
    this.#nextPosition = this.#feed.next
    this.#received = this.#index.head().received
    this.#writer = this.#newWriter()
    if (this.#lost !== undefined) this.#options.onNotice?.('EventStoreDB is there again: events are taken')
    this.#lost = undefined
    this.#isOpen = true
    this.#opened.resolve(undefined)
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

  #appendFailed(stream: string, failure: ConnectionFailure): void {
    const cause = `stream ${stream}: ${causeOf(failure)}`
    switch (failure._tag) {
      case 'Away':
        this.#lose(cause)
        break
      case 'WrongExpected':
        this.#lose(`stream ${stream}: somebody else writes to it; ${causeOf(failure)}`)
        break
      case 'TooLarge':
      case 'Refused':
        // It would be refused again.
        this.#stop({ _tag: 'WriterStopped', cause })
    }
  }

  /** What is under way may be in the log or not: nothing gets a place until all of it has been read up to a new marker. */
  #lose(cause: string): void {
    if (this.#ended !== undefined || this.#lost !== undefined) return
    this.#lost = { _tag: 'Unavailable', cause }
    this.#interruptions++
    this.#writer.stop()
    this.#underWay.fail(this.#lost)
    this.#options.onNotice?.(`EventStoreDB: ${cause}. Events are refused until it has been reached again`)
    this.#recovering = this.#recover()
  }

  async #recover(): Promise<void> {
    const { signal } = this.#closing
    for (let pauseMs = FIRST_PAUSE_MS; this.state() === 'away'; pauseMs *= 2) {
      const failure = await this.#mark()
      if (failure === undefined || signal.aborted) return
      if (failure._tag !== 'Away')
        return this.#stop({ _tag: 'WriterStopped', cause: new ConnectionFailed(failure).message })
      await this.#pause(Math.min(LONGEST_PAUSE_MS, pauseMs))
    }
  }

  #stop(failure: Extract<LogFailure, { _tag: 'WriterStopped' }>): void {
    this.#ended ??= failure
    this.#writer.stop()
    this.#underWay.fail(failure)
  }

  state(): 'writing' | 'away' | 'stopped' {
    if (this.#ended !== undefined) return 'stopped'
    return this.#lost === undefined ? 'writing' : 'away'
  }

  interruptions(): number {
    return this.#interruptions
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
    if (this.#lost !== undefined)
      throw new IndexUnavailable('EventStoreDB, which has the log, cannot be reached')
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
    // Whatever the server never tells of must not keep the log open.
    await Promise.race([this.#underWay.idle(), this.#pause(this.#options.patienceMs ?? PATIENCE_MS)])
    this.#underWay.fail({ _tag: 'LogClosed' })
    this.#writer.stop()
    this.#closing.abort()
    await Promise.all([this.#following, this.#recovering])
    await this.#connection.close()
    this.#index.close()
  }
}
