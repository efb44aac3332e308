import { setTimeout as timer } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../events/event.ts'
import type { EmbeddedLog } from './embedded/embedded.ts'
import { ConnectionFailed } from './eventstore/connection.ts'
import type { Appended, Log, LogFailure } from './log.ts'
import { newEventOf, Waiting } from './mirrored-parts.ts'

export interface FillerOptions {
  readonly remote: Pick<Log, 'subscribe'>
  readonly replica: Pick<EmbeddedLog, 'append' | 'head'>
  readonly signal: AbortSignal
  readonly onNotice: ((message: string) => void) | undefined
}

type Refusal = Extract<LogFailure, { _tag: 'DiskFull' } | { _tag: 'WriterStopped' }>

const RETRY_MS = 1_000

/** Fills a replica with what the remote log holds, in its order, at equal positions. */
export class ReplicaFiller {
  readonly #options: FillerOptions
  readonly #waiting = new Waiting()
  /** The replica has no room: nothing is taken before it has what the remote log has. */
  #stuck: Extract<Refusal, { _tag: 'DiskFull' }> | undefined
  #stopped: Extract<Refusal, { _tag: 'WriterStopped' }> | undefined
  #over: LogFailure | undefined

  constructor(options: FillerOptions) {
    this.#options = options
  }

  /** Why nothing is to be taken now. */
  refusal(): Refusal | undefined {
    return this.#stopped ?? this.#stuck
  }

  /** Resolves when the replica has the position, or with what keeps it from having it. */
  until(position: number): Promise<LogFailure | undefined> {
    const reached = this.#position()
    const refusal = position > reached ? (this.#over ?? this.refusal()) : undefined
    return refusal === undefined ? this.#waiting.until(position, reached) : Promise.resolve(refusal)
  }

  /** Nobody waits any more. */
  giveUp(failure: LogFailure): void {
    this.#over = failure
    this.#waiting.fail(failure)
  }

  #position(): number {
    return this.#options.replica.head().position
  }

  /** Until the signal aborts, or the replica can't be filled any more. */
  async run(): Promise<void> {
    const { remote, signal } = this.#options
    while (!signal.aborted && this.#stopped === undefined) {
      try {
        for await (const batch of remote.subscribe({ from: this.#position() + 1, signal })) {
          await this.#store(batch)
          if (signal.aborted || this.#stopped !== undefined) return
        }
      } catch (error) {
        if (signal.aborted) return
        const cause = error instanceof Error ? error.message : String(error)
        if (!(error instanceof ConnectionFailed)) {
          this.#stop(cause)
          return
        }
        this.#options.onNotice?.(`log/ can't follow EventStoreDB for now: ${cause}`)
        await this.#pause()
      }
    }
  }

  /** Tried again until there is room for all of them. */
  async #store(batch: readonly RecordedEvent[]): Promise<void> {
    for (let left = batch; left.length > 0; left = this.#beyondReplica(left)) {
      if (this.#options.signal.aborted) return
      const gap = this.#gapBefore(left)
      if (gap !== undefined) {
        this.#stop(gap)
        return
      }
      const results = await this.#options.replica.append(left.map((event) => ({ event: newEventOf(event) })))
      this.#waiting.reached(this.#position())
      const failed = results.find(E.isLeft)?.left
      if (failed?._tag === 'DiskFull') await this.#wait(failed)
      else if (failed !== undefined) this.#stop(causeOf(failed))
      else this.#check(left, results)
      if (this.#stopped !== undefined) return
    }
    if (this.#stuck !== undefined) this.#options.onNotice?.('there is room for log/ again: events are taken')
    this.#stuck = undefined
  }

  #beyondReplica(events: readonly RecordedEvent[]): readonly RecordedEvent[] {
    const position = this.#position()
    return events.filter((event) => event.position > position)
  }

  #gapBefore(events: readonly RecordedEvent[]): string | undefined {
    const next = this.#position() + 1
    const found = events.find(({ position }, i) => position !== next + i)
    return found && `position ${found.position} follows a gap, which log/ can't hold`
  }

  #check(events: readonly RecordedEvent[], results: readonly E.Either<LogFailure, Appended>[]): void {
    for (const [i, { position, revision }] of events.entries()) {
      const result = results[i]
      const isSame = result !== undefined && E.isRight(result) && result.right.revision === revision
      if (!isSame) this.#stop(`the event at position ${position} has another revision than in log/`)
    }
  }

  async #wait(failure: Extract<LogFailure, { _tag: 'DiskFull' }>): Promise<void> {
    if (this.#stuck === undefined)
      this.#options.onNotice?.("there is no room for log/: events are refused until it has EventStoreDB's")
    this.#stuck = failure
    this.#waiting.fail(failure)
    await this.#pause()
  }

  #stop(cause: string): void {
    const failure = { _tag: 'WriterStopped', cause } as const
    this.#stopped ??= failure
    this.#options.onNotice?.(`log/ follows EventStoreDB no more: ${cause}`)
    this.#waiting.fail(failure)
  }

  async #pause(): Promise<void> {
    await timer(RETRY_MS, undefined, { signal: this.#options.signal }).catch(() => undefined)
  }
}

export function causeOf(failure: LogFailure): string {
  return 'cause' in failure ? failure.cause : failure._tag
}
