import type { Either } from 'fp-ts/lib/Either.js'
import type { NewEvent, RecordedEvent } from '../events/event.ts'
import type { IdentityId } from '../events/identity.ts'

/** What the writer believes of the stream: its last revision (-1: no such stream) or its last position (0: none). */
export type Expected = { readonly revision: number } | { readonly position: number }

export interface Appended {
  readonly position: number
  readonly revision: number
}

/** Expected failures; a bug throws instead. */
export type LogFailure =
  | {
      readonly _tag: 'WrongExpected'
      readonly stream: string
      readonly actualRevision: number
      readonly actualPosition: number
    }
  /** An event, or an atomic batch as a whole, is larger than a log stores. */
  | { readonly _tag: 'EventTooLarge'; readonly sizeBytes: number; readonly limitBytes: number }
  /** Where the log lies refuses the event, or an atomic batch as a whole, and would again; nothing of it is in the log. */
  | { readonly _tag: 'Refused'; readonly cause: string }
  /** No room on the disk: nothing was written, reading goes on, appending works again when there is room. */
  | { readonly _tag: 'DiskFull' }
  /** A write or fsync failed: the writer has stopped for good, a restart checks the tail. */
  | { readonly _tag: 'WriterStopped'; readonly cause: string }
  /**
   * Where the log lies can't be reached, or was left in doubt: what was under way may be in the log or not, which
   * `idCandidates` can tell again as soon as appending works again.
   */
  | { readonly _tag: 'Unavailable'; readonly cause: string }
  | { readonly _tag: 'LogClosed' }

/** Damage that was found while reading; nothing is cut or skipped because of it. */
export class LogDamaged extends Error {
  readonly segment: string
  readonly offset: number
  /** First position that can't be read, and the first whole one after it where that is known. */
  readonly fromPosition: number
  readonly untilPosition: number | undefined
  constructor(
    segment: string,
    offset: number,
    fromPosition: number,
    untilPosition: number | undefined,
    why: string,
  ) {
    super(
      `log segment ${segment} is damaged at byte ${offset} (${why}); positions ${fromPosition} to ` +
        `${untilPosition === undefined ? 'the end' : untilPosition - 1} can't be read`,
    )
    this.name = 'LogDamaged'
    this.segment = segment
    this.offset = offset
    this.fromPosition = fromPosition
    this.untilPosition = untilPosition
  }
}

/** Whether an id is in the log can't be told for now: a part of the index is being made anew. Others may be asked for. */
export class IndexUnavailable extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'IndexUnavailable'
  }
}

export interface AppendEvent {
  readonly event: NewEvent
  readonly expected?: Expected | undefined
}

export interface Head {
  /** Last durable position, 0 on an empty log. */
  readonly position: number
  /** `received` of the event there, 0 on an empty log. */
  readonly received: number
}

export interface ReadOptions {
  /** First position to read, inclusive. Forwards: default 1. Backwards: default the head. */
  readonly from?: number | undefined
  /** At most this many events. */
  readonly limit?: number | undefined
  /** Only these types; others are skipped undecoded. */
  readonly types?: ReadonlySet<string> | undefined
}

export interface StreamReadOptions {
  readonly direction?: 'forwards' | 'backwards' | undefined
  /** First position (inclusive) in the direction of reading; default the near end. */
  readonly from?: number | undefined
  readonly limit?: number | undefined
  /** Positions that the caller has already: whoever can tell them apart without reading may leave them out. */
  readonly skip?: ((position: number) => boolean) | undefined
}

export interface SubscribeOptions {
  /** First position to deliver, inclusive; default 1. */
  readonly from?: number | undefined
  readonly types?: ReadonlySet<string> | undefined
  readonly signal: AbortSignal
}

/**
 * One workspace's events in reading order, as any thread may read them.
 *
 * An event's `data`, `normalised` and `sealed` may be decoded when first asked for, and are not among its enumerable
 * properties: spreading, `structuredClone`, `postMessage` and deep comparison miss them. `toPlain` (recorded.ts) copies
 * all; `JSON.stringify` shows all.
 */
export interface LogReader {
  /** The last durable event. */
  head(): Head
  /** The durable events in batches, in order. Batches are never empty. Throws `LogDamaged`. */
  read(options?: ReadOptions): AsyncIterable<readonly RecordedEvent[]>
  readBackwards(options?: ReadOptions): AsyncIterable<readonly RecordedEvent[]>
  /** The event at a position, or undefined where there is none. */
  at(position: number): Promise<RecordedEvent | undefined>
  /** Catches up from `from`, then goes on live, without a gap or repetition, until `signal` aborts. */
  subscribe(options: SubscribeOptions): AsyncIterable<readonly RecordedEvent[]>
  /** Frees handles; further calls throw. */
  close(): Promise<void>
}

/**
 * The append-only log of one workspace. One writer; the caller has already removed duplicates, which `idCandidates`
 * and what it has under way itself tell.
 *
 * `append` checks every event's expectation against what is stored and what is under way, and assigns places in
 * the order given, synchronously, before it returns; the promise resolves when the events are durable, with one
 * result for each. Events fail one by one, unless `atomic`: then either all are appended, in one commit, or none,
 * and the others of a failed batch answer with the failure of the first that failed. The caller must hand in
 * `received` that never decreases; a smaller one is an assertion failure. So is data that isn't plain (see
 * plain-data.ts): undefined in an array, a lone surrogate, the key `__proto__`, a class instance. After such a failure
 * nothing of its batch, atomic or not, is appended, and the log goes on.
 */
export interface Log extends LogReader {
  append(
    events: readonly AppendEvent[],
    options?: { readonly atomic?: boolean },
  ): Promise<readonly Either<LogFailure, Appended>[]>
  /** Last revision and position of a stream, those under way included; undefined if there is no such stream. */
  streamHead(stream: string): Appended | undefined
  /**
   * Positions of durable events that may have this source and id: all that have, and hardly ever others, which the
   * caller tells by reading them. Throws `IndexUnavailable`.
   */
  idCandidates(source: string, id: string): readonly number[]
  /** Durable events of one stream. */
  readStream(stream: string, options?: StreamReadOptions): AsyncIterable<readonly RecordedEvent[]>
  /** Durable events that name this identity, leading or not. */
  readIdentity(id: IdentityId, options?: StreamReadOptions): AsyncIterable<readonly RecordedEvent[]>
}
