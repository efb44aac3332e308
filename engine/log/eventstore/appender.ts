import assert from 'node:assert/strict'
import type * as E from 'fp-ts/lib/Either.js'
import type { AppendEvent, Appended, LogFailure } from '../log.ts'
import { assign, type Limits } from './assign.ts'
import type { Connection } from './connection.ts'
import { keyOf } from './event-id.ts'
import type { Fed } from './feed.ts'
import type { IndexFile } from './index-file.ts'
import { type Refused, UnderWay } from './under-way.ts'
import { Writer, type WriterOptions } from './writer.ts'

export type AppendResult = E.Either<LogFailure, Appended>

export interface AppenderOptions {
  readonly connection: Connection
  readonly index: IndexFile
  readonly limits: Limits
  readonly pause: (ms: number) => Promise<void>
  readonly patienceMs: number
  readonly monotonicMs: () => number
  /** Told once for each beginning. */
  readonly onFailed: WriterOptions['onFailed']
}

/** Appends that are put together are kept below this, and below what the server takes. */
const CALL_BYTES = 768 * 1024

/** Gives events their places, sends them, and answers when they have been read back. Takes events from `begin` on. */
export class Appender {
  readonly #options: AppenderOptions
  readonly #underWay = new UnderWay()
  #writer: Writer | undefined
  #name = ''
  #nextPosition = 1
  #received = 0

  constructor(options: AppenderOptions) {
    this.#options = options
  }

  /** Under a new name, behind all that counts; nothing is under way. */
  begin(name: string, nextPosition: number): void {
    this.#name = name
    this.#nextPosition = nextPosition
    this.#received = this.#options.index.head().received
    this.#writer = this.#newWriter()
    this.#underWay.begin()
  }

  #newWriter(): Writer {
    const { connection, index, limits, pause, patienceMs, monotonicMs, onFailed } = this.#options
    const writer: Writer = new Writer({
      ...{ connection, pause, patienceMs, monotonicMs, name: this.#name },
      theirRevision: (stream) => index.theirRevision(stream),
      maxCallBytes: Math.min(CALL_BYTES, limits.maxSentBytes),
      onFailed: (...told) => {
        if (writer === this.#writer) onFailed(...told)
      },
    })
    return writer
  }

  append(appends: readonly AppendEvent[], atomic: boolean): Promise<readonly AppendResult[]> {
    const writer = this.#writer
    assert.ok(writer !== undefined, 'nothing is appended before the log is open')
    const { events, results, nextPosition, received } = assign(appends, {
      ...{ atomic, writer: this.#name, nextPosition: this.#nextPosition, received: this.#received },
      limits: this.#options.limits,
      streamHead: (stream) => this.streamHead(stream),
      taken: (uuids) => this.#taken(uuids),
    })
    if (events.length === 0) return Promise.resolve(results)
    this.#nextPosition = nextPosition
    this.#received = received
    for (const event of events) {
      this.#underWay.add(event)
      writer.submit(event.stream, event.outgoing)
    }
    return this.#underWay.wait(nextPosition - 1, results)
  }

  #taken(uuids: readonly string[]): ReadonlySet<string> {
    const { index } = this.#options
    const keys = uuids.map(keyOf)
    const known = index.keysAmong(keys)
    return new Set(
      uuids.filter((uuid, i) => this.isUnderWay(uuid) || known.has(keys[i] ?? 0) || index.isStray(uuid)),
    )
  }

  isUnderWay(uuid: string): boolean {
    return this.#underWay.hasUuid(uuid)
  }

  streamHead(stream: string): Appended | undefined {
    return this.#underWay.streamHead(stream) ?? this.#options.index.streamHead(stream)
  }

  /** They are durable, as is everything up to the head. */
  settle(settled: Fed['settled'], head: number): void {
    this.#underWay.settle(settled, head)
  }

  /** Nothing more is sent, and whatever isn't durable fails, where it was refused for that. */
  fail(failure: LogFailure, refused?: readonly Refused[]): void {
    this.#writer?.stop()
    this.#underWay.fail(failure, refused)
  }

  /** The beginning is not in sight: nobody waits for it any longer. */
  putOff(): void {
    this.#underWay.putOff()
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    return this.#underWay.idle()
  }
}
