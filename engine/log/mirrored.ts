import assert from 'node:assert/strict'
import { setTimeout as timer } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../events/event.ts'
import type { IdentityId } from '../events/identity.ts'
import { BlockEncoder } from './embedded/block-encoder.ts'
import type { EmbeddedLog } from './embedded/embedded.ts'
import { MAX_EVENT_BYTES } from './embedded/format.ts'
import type { RemoteLog } from './eventstore/remote-log.ts'
import {
  type AppendEvent,
  type Appended,
  type Head,
  IndexUnavailable,
  type LogFailure,
  type ReadOptions,
  type StreamReadOptions,
  type SubscribeOptions,
} from './log.ts'
import { causeOf, ReplicaFiller } from './mirrored-filler.ts'

/** How the remote log and its replica stand to each other. */
export interface MirrorStatus {
  /** `away`: the server doesn't answer, or nothing is taken until it has been reached again. `stopped`: only a restart helps. */
  readonly state: 'writing' | 'away' | 'stopped'
  /** Last position of the remote log, and of the replica. */
  readonly remote: number
  readonly replica: number
  /** Times that the writer lost touch and took the log up again. */
  readonly interruptions: number
}

/** An embedded log that holds what another log holds, event by event, at equal positions. */
export interface MirroredLog extends EmbeddedLog {
  mirror(): MirrorStatus
  /** The log will be closed soon: from now on nothing waits for a server that is away, or doesn't answer. */
  hurry(): void
}

export interface MirrorOptions {
  readonly onNotice?: ((message: string) => void) | undefined
}

type AppendResult = E.Either<LogFailure, Appended>

/** For what is under way, when the log is closed. */
const CLOSE_PATIENCE_MS = 10_000
const CLOSED: LogFailure = { _tag: 'LogClosed' }

/**
 * The remote log is the truth; the replica is filled with nothing but what that holds, in its order. Appends go to the remote log,
 * and are answered when the events are durable there and in the replica, from which everything is read: whoever reads after the
 * acknowledgement finds them. Resolves when the replica has caught up; closes both with itself.
 *
 * The replica must follow from the remote log (`replicaObjection`).
 */
export async function openMirroredLog(
  remote: RemoteLog,
  replica: EmbeddedLog,
  options: MirrorOptions = {},
): Promise<MirroredLog> {
  const log = new Mirrored(remote, replica, options)
  await log.caughtUp()
  return log
}

class Mirrored implements MirroredLog {
  readonly #remote: RemoteLog
  readonly #replica: EmbeddedLog
  readonly #measuring = new BlockEncoder()
  readonly #closing = new AbortController()
  readonly #filler: ReplicaFiller
  readonly #copying: Promise<void>
  readonly #appending = new Set<Promise<unknown>>()
  #closed: Promise<void> | undefined

  constructor(remote: RemoteLog, replica: EmbeddedLog, options: MirrorOptions) {
    this.#remote = remote
    this.#replica = replica
    const { signal } = this.#closing
    this.#filler = new ReplicaFiller({ remote, replica, signal, onNotice: options.onNotice })
    this.#copying = this.#filler.run()
  }

  /** Throws where the replica can't be filled. */
  async caughtUp(): Promise<void> {
    const failure = await this.#filler.until(this.#remote.head().position)
    if (failure === undefined) return
    await this.close()
    throw new Error(`log/ can't be filled from EventStoreDB: ${causeOf(failure)}`)
  }

  append(
    events: readonly AppendEvent[],
    options: { readonly atomic?: boolean } = {},
  ): Promise<readonly AppendResult[]> {
    const appending = this.#append(events, options.atomic === true)
    this.#appending.add(appending)
    const done = (): boolean => this.#appending.delete(appending)
    appending.then(done, done)
    return appending
  }

  async #append(events: readonly AppendEvent[], atomic: boolean): Promise<readonly AppendResult[]> {
    const refusal = this.#closed === undefined ? this.#filler.refusal() : CLOSED
    if (refusal !== undefined) return events.map(() => E.left(refusal))
    const large = events.map(({ event }) => this.#tooLarge(event))
    const first = large.find((failure) => failure !== undefined)
    if (atomic && first !== undefined) return events.map(() => E.left(first))
    const taken = events.filter((_, i) => large[i] === undefined)
    const results = (await this.#remote.append(taken, { atomic }))[Symbol.iterator]()
    const merged = large.map((failure): AppendResult => {
      const result = failure === undefined ? results.next().value : E.left(failure)
      assert.ok(result !== undefined, 'each has its result')
      return result
    })
    return this.#copied(merged)
  }

  /** What fits into the remote log as JSON may not fit into the replica. Throws on data that isn't plain. */
  #tooLarge(event: AppendEvent['event']): LogFailure | undefined {
    const sizeBytes = this.#measuring.add(event, 0)
    this.#measuring.clear()
    if (sizeBytes <= MAX_EVENT_BYTES) return undefined
    return { _tag: 'EventTooLarge', sizeBytes, limitBytes: MAX_EVENT_BYTES }
  }

  /** What is durable in the remote log alone isn't acknowledged: it can't be read yet. */
  async #copied(results: readonly AppendResult[]): Promise<readonly AppendResult[]> {
    const last = Math.max(0, ...results.map((result) => (E.isRight(result) ? result.right.position : 0)))
    const failure = await this.#filler.until(last)
    if (failure === undefined) return results
    const { position } = this.#replica.head()
    return results.map((result) =>
      E.isRight(result) && result.right.position > position ? E.left(failure) : result,
    )
  }

  mirror(): MirrorStatus {
    return {
      state: this.#state(),
      remote: this.#remote.head().position,
      replica: this.#replica.head().position,
      interruptions: this.#remote.interruptions(),
    }
  }

  hurry(): void {
    this.#remote.hurry(() => this.#filler.giveUp(CLOSED))
  }

  #state(): MirrorStatus['state'] {
    const refusal = this.#filler.refusal()
    if (refusal?._tag === 'WriterStopped') return 'stopped'
    const state = this.#remote.state()
    return state === 'writing' && refusal !== undefined ? 'away' : state
  }

  /** Also of events that the replica is still to get: who can't read them yet can't be told whether they are the same. */
  idCandidates(source: string, id: string): readonly number[] {
    const candidates = this.#remote.idCandidates(source, id)
    const { position } = this.#replica.head()
    if (candidates.some((candidate) => candidate > position))
      throw new IndexUnavailable('the event is in EventStoreDB, and not in log/ yet')
    return candidates
  }

  streamHead(stream: string): Appended | undefined {
    return this.#remote.streamHead(stream)
  }

  get headSignal(): EmbeddedLog['headSignal'] {
    return this.#replica.headSignal
  }

  get syncTimes(): EmbeddedLog['syncTimes'] {
    return this.#replica.syncTimes
  }

  get tornTail(): EmbeddedLog['tornTail'] {
    return this.#replica.tornTail
  }

  /** Of the replica. */
  pendingBytes(): number {
    return this.#replica.pendingBytes()
  }

  indexBytes(): number {
    return this.#replica.indexBytes()
  }

  upkeepWaiting(): number {
    return this.#replica.upkeepWaiting()
  }

  head(): Head {
    return this.#replica.head()
  }

  read(options?: ReadOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#replica.read(options)
  }

  readBackwards(options?: ReadOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#replica.readBackwards(options)
  }

  at(position: number): Promise<RecordedEvent | undefined> {
    return this.#replica.at(position)
  }

  readStream(stream: string, options?: StreamReadOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#replica.readStream(stream, options)
  }

  readIdentity(id: IdentityId, options?: StreamReadOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#replica.readIdentity(id, options)
  }

  subscribe(options: SubscribeOptions): AsyncIterable<readonly RecordedEvent[]> {
    return this.#replica.subscribe(options)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const patience = new AbortController()
    const late = timer(CLOSE_PATIENCE_MS, undefined, patience).catch(() => undefined)
    await Promise.race([Promise.allSettled(this.#appending), late])
    patience.abort()
    this.#closing.abort()
    this.#filler.giveUp(CLOSED)
    // What is being read of the remote log is cut off by closing it.
    await Promise.all([this.#copying, this.#remote.close()])
    await this.#replica.close()
  }
}
