import { setTimeout as timer } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../events/event.ts'
import type { IdentityId } from '../../events/identity.ts'
import { LocalHead, whenAborted } from '../follow.ts'
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
import { Appender, type AppendResult } from './appender.ts'
import type { Limits } from './assign.ts'
import { catchUp } from './catch-up.ts'
import { MARKER_STREAM } from './codec.ts'
import { type Connection, ConnectionFailed, type ConnectionFailure, causeOf } from './connection.ts'
import { type Fed, Feed } from './feed.ts'
import { Follower } from './follower.ts'
import { IndexFile } from './index-file.ts'
import { isIndexOf, Markers, openRefusal } from './opening.ts'
import { Pulse } from './pulse.ts'
import { Reads } from './reads.ts'
import { Recent } from './recent.ts'
import type { EventStoreLogOptions, OpenFailure, RemoteLog } from './remote-log.ts'
import type { Refused } from './under-way.ts'
import type { RefusedEvent } from './writer.ts'

const PATIENCE_MS = 60_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5_000
const CLOSED: LogFailure = { _tag: 'LogClosed' }

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
  readonly #options: EventStoreLogOptions
  readonly #index: IndexFile
  readonly #head: LocalHead
  readonly #appender: Appender
  readonly #recent = new Recent()
  readonly #closing = new AbortController()
  readonly #opened = Promise.withResolvers<OpenFailure | undefined>()
  readonly #reads: Reads
  readonly #markers: Markers
  readonly #follower: Follower
  readonly #pulse: Pulse
  #following: Promise<void> = Promise.resolve()
  #asking: Promise<void> = Promise.resolve()
  #recovering: Promise<void> = Promise.resolve()
  #isOpen = false
  #lost: Extract<LogFailure, { _tag: 'Unavailable' }> | undefined
  #interruptions = 0
  #ended: LogFailure | undefined
  #closed: Promise<void> | undefined
  #onGivenUp: (() => void) | undefined

  constructor(connection: Connection, limits: Limits, options: EventStoreLogOptions) {
    this.#connection = connection
    this.#options = options
    this.#index = new IndexFile(options.indexPath)
    this.#head = new LocalHead(this.#index.head())
    const fetching = { connection, pause: this.#pause }
    this.#reads = new Reads(this.#index, this.#head, fetching, this.#closing.signal, this.#recent)
    this.#markers = new Markers(connection, options.workspace)
    this.#follower = new Follower({
      ...{ connection, index: this.#index, signal: this.#closing.signal, pause: this.#pause },
      isOurs: (writer) => this.#markers.isOurs(writer),
      onFed: (fed) => this.#take(fed),
      onFailed: (error) => this.#lostTouch(error),
    })
    this.#pulse = new Pulse({
      ...{ connection, signal: this.#closing.signal, pause: this.#pause },
      onSilent: () => this.#giveUpInTime(),
    })
    this.#appender = new Appender({
      ...{ connection, limits, index: this.#index, pause: this.#pause },
      patienceMs: options.patienceMs ?? PATIENCE_MS,
      monotonicMs: () => options.clock.monotonicMs(),
      onFailed: (...told) => this.#appendFailed(...told),
    })
  }

  /** Catches up with everything that was written before, and takes the log over. */
  async open(): Promise<OpenFailure | undefined> {
    try {
      if (!(await isIndexOf(this.#connection, this.#index))) this.#index.clear()
      await catchUp(this.#connection, new Feed(this.#index), this.#index.checkpoint().commit)
      this.#head.move(this.#index.head())
      const refusal = await openRefusal(this.#index, this.#reads, this.#options)
      if (refusal !== undefined) return refusal
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      return { _tag: 'Unreachable', cause: error.message }
    }
    const marked = await this.#markers.mark()
    if (marked !== undefined) return { _tag: 'Unreachable', cause: new ConnectionFailed(marked).message }
    this.#following = this.#follower.run()
    this.#asking = this.#pulse.run()
    return this.#opened.promise
  }

  async append(
    appends: readonly AppendEvent[],
    options: { readonly atomic?: boolean } = {},
  ): Promise<readonly AppendResult[]> {
    const ended = this.#ended ?? this.#lost
    if (ended !== undefined) return appends.map(() => E.left(ended))
    return this.#appender.append(appends, options.atomic === true)
  }

  streamHead(stream: string): Appended | undefined {
    return this.#appender.streamHead(stream)
  }

  #lostTouch(error: unknown): void {
    const isAway = error instanceof ConnectionFailed && error.failure._tag === 'Away'
    if (isAway && this.#isOpen) return
    const cause = error instanceof Error ? error.message : String(error)
    if (!isAway) this.#stop({ _tag: 'WriterStopped', cause })
    this.#opened.resolve({ _tag: 'Unreachable', cause })
  }

  #take(fed: Fed): void {
    if (fed.forgetful.length > 0) this.#refuseForgetful(fed.forgetful)
    this.#settle(fed)
    for (const writer of fed.opened) this.#heardOf(writer)
    // The server may have taken ours for that one, and ours is then nowhere.
    if (fed.strays.some((id) => this.#appender.isUnderWay(id)))
      this.#lose('an event that was sent before the log was taken up came late')
  }

  #heardOf(writer: string): void {
    if (writer === this.#markers.name && (this.#lost !== undefined || !this.#isOpen)) this.#begin()
    else if (!this.#markers.isOurs(writer)) {
      if (this.#isOpen) this.#stop({ _tag: 'WriterStopped', cause: 'another process has opened this log' })
    } else if (this.#lost === undefined) this.#lose('a marker of ours came late')
  }

  /** Everything before our marker is in the index, and nothing else counts behind it than what this writer sends. */
  #begin(): void {
    this.#appender.begin(this.#markers.name, this.#follower.next)
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
    this.#recent.add(settled)
    this.#head.move(head)
    this.#appender.settle(settled, head.position)
  }

  #appendFailed(stream: string, failure: ConnectionFailure, refused: readonly RefusedEvent[]): void {
    const isOthers = failure._tag === 'WrongExpected'
    const cause = `stream ${stream}: ${isOthers ? 'somebody else writes to it; ' : ''}${causeOf(failure)}`
    this.#lose(cause, refused.map(refusedOf))
  }

  /**
   * What is under way may be in the log or not: nothing gets a place until all of it has been read up to a new marker. The place of
   * a refused event stays empty, so nothing behind it counts either.
   */
  #lose(cause: string, refused: readonly Refused[] = []): void {
    if (this.#ended !== undefined || this.#lost !== undefined) return
    this.#lost = { _tag: 'Unavailable', cause }
    this.#interruptions++
    this.#appender.fail(this.#lost, refused)
    const until = refused.length === 0 ? 'it has been reached again' : 'the log is taken up anew behind that'
    this.#options.onNotice?.(`EventStoreDB: ${cause}. Events are refused until ${until}`)
    this.#recovering = this.#recover()
  }

  async #recover(): Promise<void> {
    const { signal } = this.#closing
    const closed = whenAborted(signal)
    const isNeeded = (): boolean => this.#ended === undefined && this.#lost !== undefined && !signal.aborted
    for (let pauseMs = FIRST_PAUSE_MS; isNeeded(); pauseMs *= 2) {
      // Closing waits for this, and the server may never answer.
      const failure = await Promise.race([this.#markers.mark(), closed.promise.then(() => undefined)])
      if (failure === undefined) break
      if (failure._tag !== 'Away')
        this.#stop({ _tag: 'WriterStopped', cause: new ConnectionFailed(failure).message })
      else {
        this.#appender.putOff()
        await this.#pause(Math.min(LONGEST_PAUSE_MS, pauseMs))
      }
    }
    closed.stop()
  }

  #stop(failure: Extract<LogFailure, { _tag: 'WriterStopped' }>): void {
    this.#ended ??= failure
    this.#appender.fail(failure)
  }

  state(): 'writing' | 'away' | 'stopped' {
    if (this.#ended !== undefined) return 'stopped'
    return this.#lost === undefined && !this.#pulse.isSilent ? 'writing' : 'away'
  }

  hurry(onGivenUp: () => void): void {
    this.#onGivenUp = onGivenUp
    if (this.#lost === undefined) this.#pulse.hurry()
    else this.#giveUpInTime()
  }

  /** Whoever only waits for the end doesn't wait for a server that is away. */
  #giveUpInTime(): void {
    if (this.#onGivenUp === undefined) return
    this.#ended ??= CLOSED
    this.#appender.fail(CLOSED)
    this.#onGivenUp()
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
    this.#ended ??= CLOSED
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    // Whatever the server never tells of must not keep the log open.
    await Promise.race([this.#appender.idle(), this.#pause(this.#options.patienceMs ?? PATIENCE_MS)])
    this.#appender.fail(CLOSED)
    this.#closing.abort()
    await Promise.all([this.#following, this.#recovering])
    await this.#connection.close()
    // Closing the connection ends what is asked.
    await this.#asking
    this.#index.close()
  }
}

/** The event, and whatever must stand or fall with it. */
function refusedOf({ event: { batch, position }, failure }: RefusedEvent): Refused {
  const { first, last } = batch ?? { first: position, last: position }
  return { first, last, failure: { _tag: 'Refused', cause: causeOf(failure) } }
}
