import assert from 'node:assert/strict'
import {
  type AllStreamRecordedEvent,
  type AllStreamSubscription,
  binaryEvent,
  ErrorType,
  EventStoreDBClient,
  isCommandError,
  type JSONEventData,
  MaxAppendSizeExceededError,
  StreamNotFoundError,
  streamNameFilter,
} from '@eventstore/db-client'
import * as E from 'fp-ts/lib/Either.js'
import { answered, letGo } from './eventstore/answered.ts'
import { Arrivals } from './eventstore/arrivals.ts'
import { isAway, isOfCall, said } from './eventstore/away.ts'
import { MARKER_STREAM } from './eventstore/codec.ts'
import {
  ConnectionFailed,
  type ConnectionFailure,
  type Followed,
  type ProposedEvent,
  type StoredEvent,
} from './eventstore/connection.ts'
import { openEventStoreLog } from './eventstore/event-store-log.ts'
import { type Examined, examine } from './eventstore/examine.ts'
import { JsonEvent } from './eventstore/json-event.ts'
import type { EventStoreLogOptions, OpenFailure, RemoteLog } from './eventstore/remote-log.ts'
import { type LogSnapshot, openEventStoreSnapshot } from './eventstore/snapshot.ts'

/** Before the name of a stream: its metadata. */
const METADATA_PREFIX = '$$'
/** Longer than the client gives the server. */
const ANSWER_MS = 12_000
/** Events and checkpoints that are handed on at once. */
const FOLLOWED_BATCH = 500
const CLOSED: ConnectionFailure = { _tag: 'Refused', cause: 'the connection was closed' }
const DROPPED: ConnectionFailure = { _tag: 'Away', cause: 'the subscription was dropped' }
/** Revision that no stream has: an append that expects it is measured by the server, and never made. */
const NO_REVISION = 2n ** 52n
/** The largest event of ours, its sealed parts in base64, and some more. */
const LARGEST_APPEND_BYTES = 1.5 * 1024 * 1024

/**
 * The log that an EventStoreDB (KurrentDB) holds, by its client's connection string: `esdb://` for one node,
 * `esdb+discover://` for a cluster. The server's `$all` must be ours alone. Throws on a string that can't be read.
 */
export function openEventStore(
  connectionString: string,
  options: EventStoreLogOptions,
): Promise<E.Either<OpenFailure, RemoteLog>> {
  const [writer, reader] = [0, 1].map(() => EventStoreDBClient.connectionString(connectionString))
  assert.ok(writer !== undefined)
  return openEventStoreLog(connectionOf(writer, '', reader), options)
}

export function isConnectionString(text: string): boolean {
  try {
    EventStoreDBClient.connectionString(text)
    return true
  } catch {
    return false
  }
}

/** Whether that log is there, and is the one that the index follows; nothing is written. */
export function examineEventStore(
  connectionString: string,
  indexPath: string,
  timeoutMs: number,
): Promise<Examined> {
  const client = EventStoreDBClient.connectionString(connectionString)
  return examine(connectionOf(client), indexPath, timeoutMs)
}

/** That log as it is now, whoever writes it; `indexPath`: where to keep an index meanwhile. */
export function openEventStoreAsIs(
  connectionString: string,
  indexPath: string,
): Promise<E.Either<OpenFailure, LogSnapshot>> {
  const client = EventStoreDBClient.connectionString(connectionString)
  return openEventStoreSnapshot(connectionOf(client), indexPath)
}

type ProbingConnection = Parameters<typeof openEventStoreLog>[0]

/**
 * `prefix`: letters, digits and hyphens that the log's streams begin with; others are then none of its business.
 *
 * Reads may go over a client of their own, and wherever a node may go away they must. A client changes its connection when any
 * call fails, while its appends go on over the old one; when these fail too it forgets the appends of both, and throws, where
 * nobody can catch it, at the next answer to one.
 *
 * The client forgets an append where the call that carries it ends well, or ends just before the append is put into it, and a read
 * that is cut off from this side ends as if it were whole. So nothing here waits for the client alone.
 */
export function connectionOf(
  client: EventStoreDBClient,
  prefix = '',
  reader: EventStoreDBClient = client,
  answerMs = ANSWER_MS,
): ProbingConnection {
  assert.match(prefix, /^[\w-]*$/)
  const closing = new AbortController()
  const { signal: closed } = closing
  const appending: Appending = {
    client,
    answer: (asked) => answered(asked, answerMs, closed),
  }
  return {
    append: (stream, expectedRevision, events) =>
      append(appending, prefix + stream, expectedRevision, events),
    readAll: (from, maxCount) => readAll(reader, from, maxCount, prefix, closed),
    follow: (after, signal) => follow(reader, after, signal, prefix),
    ask: (withinMs) => ask(reader, withinMs, closed, prefix + MARKER_STREAM),
    maxAppendBytes: (stream) => maxAppendBytes(appending, prefix + stream),
    close: async () => {
      closing.abort()
      await letGo(Promise.all([...new Set([client, reader])].map((each) => each.dispose())))
    },
  }
}

/** What the client says → what the log makes of it. Whatever isn't a failure that may pass is one that stays. */
export function failureOf(error: unknown): ConnectionFailure {
  if (error instanceof ConnectionFailed) return error.failure
  if (!(error instanceof Error)) return { _tag: 'Refused', cause: String(error), isOfCall: true }
  const cause = error.message
  if (!isCommandError(error))
    return isAway(error) ? { _tag: 'Away', cause } : { _tag: 'Refused', cause, isOfCall: true }
  if (error instanceof MaxAppendSizeExceededError)
    return { _tag: 'TooLarge', limitBytes: error.maxAppendSize }
  // The client's union of its errors lacks one of its types.
  const type = error.type as ErrorType
  switch (type) {
    case ErrorType.TIMEOUT:
    case ErrorType.DEADLINE_EXCEEDED:
    case ErrorType.UNAVAILABLE:
    case ErrorType.CANCELLED:
    case ErrorType.NOT_LEADER:
      return { _tag: 'Away', cause }
    case ErrorType.UNKNOWN:
      return isAway(error)
        ? { _tag: 'Away', cause: said(error) }
        : { _tag: 'Refused', cause: said(error), isOfCall: isOfCall(error) }
    case ErrorType.WRONG_EXPECTED_VERSION:
      return { _tag: 'WrongExpected', cause }
    case ErrorType.STREAM_NOT_FOUND:
    case ErrorType.NO_STREAM:
    case ErrorType.NOT_FOUND:
    case ErrorType.MAXIMUM_APPEND_SIZE_EXCEEDED:
    case ErrorType.ACCESS_DENIED:
    case ErrorType.INVALID_ARGUMENT:
    case ErrorType.INVALID_TRANSACTION:
    case ErrorType.STREAM_DELETED:
    case ErrorType.SCAVENGE_NOT_FOUND:
    case ErrorType.MISSING_REQUIRED_METADATA_PROPERTY:
    case ErrorType.PERSISTENT_SUBSCRIPTION_FAILED:
    case ErrorType.PERSISTENT_SUBSCRIPTION_DOES_NOT_EXIST:
    case ErrorType.PERSISTENT_SUBSCRIPTION_EXISTS:
    case ErrorType.PERSISTENT_SUBSCRIPTION_DROPPED:
    case ErrorType.MAXIMUM_SUBSCRIBERS_REACHED:
    case ErrorType.USER_NOT_FOUND:
    case ErrorType.USER_CONFLICT:
    case ErrorType.UNSUPPORTED:
      return { _tag: 'Refused', cause, isOfCall: isOfCall(error) }
  }
}

interface Appending {
  readonly client: EventStoreDBClient
  /** What is asked comes to, in good time. */
  readonly answer: <Answer>(asked: Promise<Answer>) => Promise<Answer>
}

async function append(
  { client, answer }: Appending,
  stream: string,
  expected: number | 'any',
  events: readonly ProposedEvent[],
): Promise<E.Either<ConnectionFailure, undefined>> {
  const expectedRevision = expected === 'any' ? expected : expected < 0 ? 'no_stream' : BigInt(expected)
  // The client's types know values alone as data that are JSON.
  const proposed = events.map((event) => new JsonEvent(event) as JSONEventData)
  try {
    const { success } = await answer(client.appendToStream(stream, proposed, { expectedRevision }))
    return success
      ? E.right(undefined)
      : E.left({ _tag: 'WrongExpected', cause: 'the stream is not as expected' })
  } catch (error) {
    return E.left(failureOf(error))
  }
}

async function* readAll(
  client: EventStoreDBClient,
  from: number,
  maxCount: number,
  prefix: string,
  closed: AbortSignal,
): AsyncGenerator<StoredEvent> {
  if (closed.aborted) throw new ConnectionFailed(CLOSED)
  const position = { commit: BigInt(from), prepare: BigInt(from) }
  const read = client.readAll({ fromPosition: position, maxCount })
  const stop = (): unknown => read.destroy(new ConnectionFailed(CLOSED))
  closed.addEventListener('abort', stop, { once: true })
  try {
    for await (const { event } of read) {
      const stored = event === undefined ? undefined : storedOf(event, prefix)
      if (stored !== undefined) yield stored
    }
  } catch (error) {
    throw new ConnectionFailed(failureOf(error))
  } finally {
    closed.removeEventListener('abort', stop)
    await letGo(read.cancel())
  }
}

/** For the newest event of a stream, that there needn't be. */
async function ask(
  client: EventStoreDBClient,
  withinMs: number,
  closed: AbortSignal,
  stream: string,
): Promise<void> {
  const read = client.readStream(stream, { direction: 'backwards', fromRevision: 'end', maxCount: 1 })
  const over = Promise.withResolvers<void>()
  read.on('end', over.resolve).on('error', (error) => {
    if (error instanceof StreamNotFoundError) over.resolve()
    else over.reject(new ConnectionFailed(failureOf(error)))
  })
  read.resume()
  try {
    await answered(over.promise, withinMs, closed)
  } finally {
    // What is answered too late is nobody's. Destroyed alone, the client would keep its call.
    void letGo(read.cancel())
    read.destroy()
  }
}

/** undefined: it isn't of the log that the prefix names. */
function storedOf(event: AllStreamRecordedEvent, prefix: string): StoredEvent | undefined {
  const { streamId, revision, id, type, data, metadata, position } = event
  const system = streamId.startsWith(METADATA_PREFIX) ? METADATA_PREFIX : ''
  const name = streamId.slice(system.length)
  if (!name.startsWith(prefix)) return undefined
  // Equal for whatever is written through gRPC; transactions of the old TCP protocol can't have been ours.
  assert.equal(position.commit, position.prepare, 'commit and prepare position differ')
  return {
    stream: system + name.slice(prefix.length),
    revision: revision === TOMBSTONE_REVISION ? Number.MAX_SAFE_INTEGER : safeInteger(revision),
    commit: safeInteger(position.commit),
    ...{ id, type, data, metadata },
  }
}

/** EventStoreDB's greatest: nothing follows it in its stream. */
const TOMBSTONE_REVISION = 2n ** 63n - 1n

/** Never rounded. */
export function safeInteger(value: bigint): number {
  const number = Number(value)
  assert.ok(Number.isSafeInteger(number), `${value} is no safe integer`)
  return number
}

/** Of an expression that the server looks at stream names with: the log's streams and their metadata, never the system's own. */
function followedStreams(prefix: string): string {
  return prefix === '' ? '^(\\$\\$|[^$])' : `^(\\$\\$)?${prefix}`
}

async function* follow(
  client: EventStoreDBClient,
  after: number | undefined,
  signal: AbortSignal,
  prefix: string,
): AsyncGenerator<readonly Followed[]> {
  const checkpointReached = (_: AllStreamSubscription, { commit }: { commit: bigint }): void =>
    arrivals.push({ _tag: 'Checkpoint', commit: safeInteger(commit) })
  const filter = streamNameFilter({
    regex: followedStreams(prefix),
    checkpointReached,
    checkpointInterval: 100,
  })
  const fromPosition = after === undefined ? 'start' : { commit: BigInt(after), prepare: BigInt(after) }
  const subscription = client.subscribeToAll({ fromPosition, filter })
  const arrivals = new Arrivals<Followed>(FOLLOWED_BATCH, subscription)
  const stop = (): void => arrivals.end()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  subscription.on('data', ({ event }) => {
    const stored = event === undefined ? undefined : storedOf(event, prefix)
    if (stored !== undefined) arrivals.push({ _tag: 'Event', event: stored })
  })
  subscription.on('error', (error) => arrivals.end(new ConnectionFailed(failureOf(error))))
  subscription.on('end', () => arrivals.end(new ConnectionFailed(DROPPED)))
  subscription.on('close', () => arrivals.end(new ConnectionFailed(DROPPED)))
  try {
    for (let batch = await arrivals.take(); batch !== undefined; batch = await arrivals.take()) yield batch
  } finally {
    signal.removeEventListener('abort', stop)
    arrivals.end()
    await letGo(subscription.unsubscribe())
  }
}

/** The largest append that the server takes, as far as we need to know; left: why it can't be asked. */
async function maxAppendBytes(
  { client, answer }: Appending,
  stream: string,
): Promise<E.Either<string, number>> {
  const probe = binaryEvent({ type: 'headwater.probe', data: new Uint8Array(LARGEST_APPEND_BYTES) })
  try {
    await answer(client.appendToStream(stream, probe, { expectedRevision: NO_REVISION }))
    return E.left('an append that expects a revision that there is not was taken')
  } catch (error) {
    if (error instanceof MaxAppendSizeExceededError) return E.right(error.maxAppendSize)
    const failure = failureOf(error)
    return failure._tag === 'WrongExpected'
      ? E.right(LARGEST_APPEND_BYTES)
      : E.left(new ConnectionFailed(failure).message)
  }
}
