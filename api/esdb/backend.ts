import type { Either } from 'fp-ts/lib/Either.js'

/** One event as EventStoreDB's clients see it. Commit and prepare position are the same number. */
export interface EsdbRecord {
  readonly stream: string
  /** Place in the stream, from 0. */
  readonly revision: number
  /** Place in `$all`; strictly increases, may have gaps. */
  readonly position: number
  /** A UUID, in lower case. */
  readonly id: string
  readonly type: string
  readonly isJson: boolean
  readonly data: Uint8Array
  /** The writer's own metadata; empty: none. */
  readonly metadata: Uint8Array
  /** When it was written, ms UTC. */
  readonly createdMs: number
}

/** What a client asks to be appended. */
export type ProposedEvent = Pick<EsdbRecord, 'id' | 'type' | 'isJson' | 'data' | 'metadata'>

export type Expectation =
  | { readonly kind: 'any' }
  | { readonly kind: 'no_stream' }
  | { readonly kind: 'stream_exists' }
  | { readonly kind: 'revision'; readonly revision: number }

export type AppendFailure =
  /** `current`: the stream's last revision; undefined: there is no such stream. */
  | { readonly _tag: 'WrongExpectedVersion'; readonly current: number | undefined }
  /** It will never be taken as it is. The reason names rules, never a value. */
  | { readonly _tag: 'Refused'; readonly reason: string }
  /** The stream has a tombstone: it will never be appended to again. */
  | { readonly _tag: 'StreamDeleted' }
  /** Not now; the same append may be sent again. */
  | { readonly _tag: 'Unavailable'; readonly reason: string }

/** The stream's last event after the append; undefined: nothing was to be appended to a stream that doesn't exist. */
export type Appended = { readonly revision: number; readonly position: number } | undefined

export type Direction = 'forwards' | 'backwards'

export interface StreamRead {
  readonly direction: Direction
  /** First revision, inclusive; undefined: the near end in the direction of reading. */
  readonly from: number | undefined
  readonly limit: number
}

export interface AllRead {
  readonly direction: Direction
  /** Forwards the first position, inclusive; backwards the one after the first, as the protocol has it; undefined: the near end. */
  readonly from: number | undefined
  readonly limit: number
}

export type Named = Pick<EsdbRecord, 'stream' | 'type'>

export interface Follow {
  /** The position after which events are delivered. */
  readonly after: number
  /** Whether the subscriber wants an event of this stream and type. */
  readonly accepts: (stream: string, type: string) => boolean
  /** Awaited before `accepts` is asked for these. Rejects with `FilterTooSlow`. */
  readonly prepare?: ((events: readonly Named[]) => Promise<void>) | undefined
  readonly signal: AbortSignal
}

/** One event that a subscription passed; without a record where it isn't accepted. */
export interface Followed {
  readonly position: number
  readonly record: EsdbRecord | undefined
}

/** One event for another stream, of which the last revision is known. */
export interface AppendedBeside {
  readonly stream: string
  /** undefined: there is no such stream. */
  readonly revision: number | undefined
  readonly event: ProposedEvent
}

/**
 * What stands behind the server; what metadata, deletions and tombstones hide is the server's own business (`Streams`). Only durable
 * events are seen, by reading and in `head` and `streamHead`. Batches are never empty, and are read no faster than they are asked
 * for.
 */
export interface EsdbBackend {
  /**
   * All of them or none. An append that was made before, by its events' ids, answers as then. Events whose ids are known in part,
   * or elsewhere than expected, are a wrong expectation, as in EventStoreDB. `beside` is appended with them, behind them and in the
   * same commit; the answer is about the stream.
   */
  append(
    stream: string,
    expectation: Expectation,
    events: readonly ProposedEvent[],
    beside?: AppendedBeside,
  ): Promise<Either<AppendFailure, Appended>>
  /** The last position, 0 for none. */
  head(): number
  /** undefined: no such stream. */
  streamHead(stream: string): Promise<{ readonly revision: number; readonly position: number } | undefined>
  readStream(stream: string, read: StreamRead): AsyncIterable<readonly EsdbRecord[]>
  readAll(read: AllRead): AsyncIterable<readonly EsdbRecord[]>
  /** Catches up, then goes on live, without a gap or repetition, until `signal` aborts. */
  follow(follow: Follow): AsyncIterable<readonly Followed[]>
}

/** Whether a stream with this head is as an append expects it. */
export function holds(
  expectation: Expectation,
  head: Pick<NonNullable<Appended>, 'revision'> | undefined,
): boolean {
  switch (expectation.kind) {
    case 'any':
      return true
    case 'no_stream':
      return head === undefined
    case 'stream_exists':
      return head !== undefined
    case 'revision':
      return head?.revision === expectation.revision
  }
}
