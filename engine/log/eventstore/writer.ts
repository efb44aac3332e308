import * as E from 'fp-ts/lib/Either.js'
import { type Batch, dataBytes, type Encoded, metadataBytes, theirName } from './codec.ts'
import type { Connection, ConnectionFailure, ProposedEvent } from './connection.ts'

/** An event with its place, to be sent. */
export interface Outgoing {
  readonly uuid: string
  readonly type: string
  readonly position: number
  readonly batch: Batch | undefined
  readonly encoded: Encoded
}

export interface WriterOptions {
  readonly connection: Connection
  /** Names this writer in what it writes. */
  readonly name: string
  /** Their last revision of a stream that this writer hasn't written yet, -1: no such stream. */
  readonly theirRevision: (stream: string) => number
  readonly maxCallBytes: number
  readonly pause: (ms: number) => Promise<void>
  /** Milliseconds for which an append is tried again while the server is away. */
  readonly patienceMs: number
  readonly monotonicMs: () => number
  /** Told once, and nothing more is sent: what is under way may or may not be in the log, but for what was refused. */
  readonly onFailed: (stream: string, failure: ConnectionFailure, refused: readonly RefusedEvent[]) => void
}

/** By the server, for itself alone. */
export interface RefusedEvent {
  readonly stream: string
  readonly event: Outgoing
  readonly failure: ConnectionFailure
}

interface Lane {
  /** Their last revision. */
  theirs: number
  readonly waiting: Outgoing[]
  isBusy: boolean
}

const MAX_CALL_EVENTS = 500
/** What a message needs beside an event's data and metadata. */
export const EVENT_OVERHEAD_BYTES = 1024
const MAX_CALLS = 200
const SWEPT_LANES = 10_000
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 2_000

/**
 * Sends events to their streams: one append at a time to a stream, as large as what waits for it, and many streams at once. An
 * append without an answer is sent again as it was, under the same ids and expectation, so it is made once.
 */
export class Writer {
  readonly #options: WriterOptions
  readonly #lanes = new Map<string, Lane>()
  readonly #ready: string[] = []
  #calls = 0
  #isScheduled = false
  #sweepAt = SWEPT_LANES
  #isStopped = false
  #refused: RefusedEvent[] = []

  constructor(options: WriterOptions) {
    this.#options = options
  }

  submit(stream: string, event: Outgoing): void {
    let lane = this.#lanes.get(stream)
    if (lane === undefined) {
      if (this.#lanes.size >= this.#sweepAt) this.#sweep()
      lane = { theirs: this.#options.theirRevision(stream), waiting: [], isBusy: false }
      this.#lanes.set(stream, lane)
    }
    lane.waiting.push(event)
    if (lane.isBusy) return
    lane.isBusy = true
    this.#ready.push(stream)
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#sendReady()
    })
  }

  /** Nothing more is sent. */
  stop(): void {
    this.#isStopped = true
    this.#ready.length = 0
  }

  /** A lane may be forgotten when the index has seen what it sent: until then it alone knows the stream's revision. */
  #sweep(): void {
    for (const [stream, lane] of this.#lanes) {
      if (!lane.isBusy && this.#options.theirRevision(stream) >= lane.theirs) this.#lanes.delete(stream)
    }
    this.#sweepAt = Math.max(SWEPT_LANES, 2 * this.#lanes.size)
  }

  #sendReady(): void {
    while (this.#calls < MAX_CALLS && !this.#isStopped && this.#refused.length === 0) {
      const stream = this.#ready.shift()
      if (stream === undefined) return
      const lane = this.#lanes.get(stream)
      if (lane === undefined) continue
      this.#calls++
      void this.#send(stream, lane)
    }
  }

  async #send(stream: string, lane: Lane): Promise<void> {
    const { maxCallBytes } = this.#options
    await this.#call(stream, lane, takeCall(lane.waiting, maxCallBytes))
    if (this.#refused.some((refused) => refused.stream === stream))
      await this.#callApart(stream, lane, takeCall(lane.waiting, maxCallBytes))
    this.#calls--
    if (this.#isStopped) return
    const [refused] = this.#refused
    if (refused !== undefined) {
      if (this.#calls === 0) this.#fail(refused.stream, refused.failure)
      return
    }
    if (lane.waiting.length > 0) this.#ready.push(stream)
    else lane.isBusy = false
    this.#sendReady()
  }

  async #call(stream: string, lane: Lane, events: readonly Outgoing[]): Promise<void> {
    const failure = await this.#append(stream, lane, events)
    if (failure === undefined) return
    if (!isRefusal(failure)) return this.#fail(stream, failure)
    const [event] = events
    if (event !== undefined && events.length === 1) this.#refused.push({ stream, event, failure })
    else await this.#callApart(stream, lane, events)
  }

  /**
   * What is refused together is sent one by one: no event is refused for its neighbour. Every refusal interrupts the log, so all of
   * them are found, and told when the calls of the other streams are over too.
   */
  async #callApart(stream: string, lane: Lane, events: readonly Outgoing[]): Promise<void> {
    for (const event of events) if (!this.#isStopped) await this.#call(stream, lane, [event])
  }

  async #append(
    stream: string,
    lane: Lane,
    events: readonly Outgoing[],
  ): Promise<ConnectionFailure | undefined> {
    const sent = events.map((event) => proposed(event, this.#options.name))
    const { connection, pause, monotonicMs, patienceMs } = this.#options
    const since = monotonicMs()
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
      const result = await connection.append(theirName(stream), lane.theirs, sent)
      if (E.isRight(result)) {
        lane.theirs += events.length
        return undefined
      }
      // Whoever was refused something doesn't wait for the server to come back.
      const isImpatient = this.#isStopped || this.#refused.length > 0
      if (result.left._tag !== 'Away' || isImpatient || monotonicMs() - since > patienceMs) return result.left
      await pause(pauseMs)
    }
  }

  #fail(stream: string, failure: ConnectionFailure): void {
    if (this.#isStopped) return
    this.stop()
    this.#options.onFailed(stream, failure, this.#refused)
  }
}

/** Of these events, by a server that is there: where the call failed that carried them nobody looked at them. */
function isRefusal(failure: ConnectionFailure): boolean {
  return failure._tag === 'TooLarge' || (failure._tag === 'Refused' && failure.isOfCall !== true)
}

/** As many as one call takes, at least one. */
function takeCall(waiting: Outgoing[], maxBytes: number): readonly Outgoing[] {
  let sizeBytes = 0
  let count = 0
  for (const { encoded } of waiting) {
    sizeBytes += encoded.sentBytes + EVENT_OVERHEAD_BYTES
    if (count > 0 && (sizeBytes > maxBytes || count >= MAX_CALL_EVENTS)) break
    count++
  }
  return waiting.splice(0, count)
}

function proposed({ uuid, type, position, batch, encoded }: Outgoing, writer: string): ProposedEvent {
  return {
    id: uuid,
    type,
    data: dataBytes(encoded),
    metadata: metadataBytes(encoded, { writer, position, batch }),
  }
}
