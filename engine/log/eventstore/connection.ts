import type { Either } from 'fp-ts/lib/Either.js'

/** What the log asks of an EventStoreDB client. Positions are commit positions, asserted to be safe integers. */
export interface Connection {
  /** All or none; idempotent by the events' ids. */
  append(
    stream: string,
    expectedRevision: number | 'any',
    events: readonly ProposedEvent[],
  ): Promise<Either<ConnectionFailure, undefined>>
  /** `$all` forwards from a position, inclusive. Throws `ConnectionFailed`. */
  readAll(from: number, maxCount: number): AsyncIterable<StoredEvent>
  /**
   * `$all` behind a position (undefined: from its beginning), live, in batches, without the system's own events. Ends when
   * `signal` aborts. Throws `ConnectionFailed`.
   */
  follow(after: number | undefined, signal: AbortSignal): AsyncIterable<readonly Followed[]>
  /** Resolves when the server answers a small question. Throws `ConnectionFailed`, at the latest after so long. */
  ask(withinMs: number): Promise<void>
  close(): Promise<void>
}

export interface ProposedEvent {
  /** A UUID. */
  readonly id: string
  readonly type: string
  /** The bytes of JSON; no `Buffer`, here or below, since the client would make JSON of it. */
  readonly data: Uint8Array
  /** JSON, or its bytes. */
  readonly metadata: Readonly<Record<string, unknown>> | Uint8Array
}

export interface StoredEvent {
  readonly stream: string
  /** Theirs, from 0. */
  readonly revision: number
  readonly commit: number
  readonly id: string
  readonly type: string
  readonly data: unknown
  readonly metadata: unknown
}

/** An event, or only how far the server has looked. */
export type Followed =
  | { readonly _tag: 'Event'; readonly event: StoredEvent }
  | { readonly _tag: 'Checkpoint'; readonly commit: number }

export type ConnectionFailure =
  /** The server is away, busy or not the leader, or didn't answer in time: the same may be asked again. */
  | { readonly _tag: 'Away'; readonly cause: string }
  | { readonly _tag: 'WrongExpected'; readonly cause: string }
  | { readonly _tag: 'TooLarge'; readonly limitBytes: number }
  /**
   * It will be refused again: credentials, a deleted stream, an unknown answer. `isOfCall`: nobody has answered what was asked, only
   * the call that carried it failed, with all that it carried.
   */
  | { readonly _tag: 'Refused'; readonly cause: string; readonly isOfCall?: boolean }

export class ConnectionFailed extends Error {
  readonly failure: ConnectionFailure
  constructor(failure: ConnectionFailure) {
    super(`EventStoreDB: ${causeOf(failure)}`)
    this.name = 'ConnectionFailed'
    this.failure = failure
  }
}

export function causeOf(failure: ConnectionFailure): string {
  switch (failure._tag) {
    case 'Away':
    case 'WrongExpected':
    case 'Refused':
      return failure.cause
    case 'TooLarge':
      return `an append is larger than the server takes (${failure.limitBytes} bytes)`
  }
}
