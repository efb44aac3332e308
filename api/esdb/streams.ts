import { randomUUID } from 'node:crypto'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import { AppendGate } from './append-gate.ts'
import type {
  AllRead,
  Appended,
  AppendedBeside,
  AppendFailure,
  EsdbBackend,
  EsdbRecord,
  Expectation,
  Follow,
  Followed,
  ProposedEvent,
} from './backend.ts'
import { cutBefore, DELETED_METADATA, narrowedRight, TOMBSTONE_REVISION } from './stream-metadata.ts'
import { type Control, StreamStates, type StreamView } from './stream-states.ts'
import { DELETED_TYPE, isSystemName, METADATA_TYPE, metastreamOf, originalOf } from './system-names.ts'

type Append = Either<AppendFailure, Appended>

const STREAM_DELETED: Append = E.left({ _tag: 'StreamDeleted' })
const NO_METADATA: Uint8Array = new Uint8Array()

/**
 * Streams as EventStoreDB's clients see them: with metadata, which hide events, and deleted or ended by a tombstone. All of it stands
 * in events of the metastreams, so it is as durable as they are. It hides from reads of streams alone; `$all` shows everything, as
 * EventStoreDB's does until it scavenges, which this log never does.
 */
export class Streams {
  readonly #backend: EsdbBackend
  readonly #states: StreamStates
  readonly #gate = new AppendGate()

  constructor(backend: EsdbBackend, nowMs: () => number) {
    this.#backend = backend
    this.#states = new StreamStates(backend, nowMs)
  }

  head(): number {
    return this.#backend.head()
  }

  /** What of a stream is seen. */
  view(stream: string): Promise<StreamView> {
    return this.#states.view(stream)
  }

  async append(
    stream: string,
    expectation: Expectation,
    events: readonly ProposedEvent[],
  ): Promise<Either<AppendFailure, Appended>> {
    const original = originalOf(stream)
    if (original !== undefined) return this.#appendMetadata(original, expectation, events)
    const done = await this.#gate.append(stream, () => this.#appendUnlessDeleted(stream, expectation, events))
    return done ?? this.#recreate(stream, expectation, events)
  }

  /** undefined: the stream is deleted, and has to be made anew. */
  async #appendUnlessDeleted(
    stream: string,
    expectation: Expectation,
    events: readonly ProposedEvent[],
  ): Promise<Append | undefined> {
    const control = await this.#states.controlOf(stream)
    if (control === undefined) return this.#backend.append(stream, expectation, events)
    if (control.isTombstone) return STREAM_DELETED
    if (control.metadata.truncateBefore === 'deleted' && events.length > 0) return undefined
    // To EventStoreDB a stream exists that has metadata.
    const expected = expectation.kind === 'stream_exists' ? ANY : expectation
    return this.#backend.append(stream, expected, events)
  }

  /** Appends to a deleted stream: its revisions go on, and what was there before stays hidden. */
  #recreate(stream: string, expectation: Expectation, events: readonly ProposedEvent[]): Promise<Append> {
    return this.#gate.hold(stream, async (drained) => {
      await drained()
      const control = await this.#states.controlOf(stream)
      if (control === undefined) return this.#backend.append(stream, expectation, events)
      if (control.isTombstone) return STREAM_DELETED
      const [head, isDeleted] = [
        await this.#backend.streamHead(stream),
        await this.#states.isDeleted(stream, control),
      ]
      if (isDeleted && expectation.kind === 'stream_exists') return STREAM_DELETED
      const expected =
        isDeleted && expectation.kind === 'no_stream' && head !== undefined
          ? ({ kind: 'revision', revision: head.revision } as const)
          : expectation
      const beside = await this.#undeletion(stream, control)
      const done = await this.#backend.append(stream, expected, events, beside)
      // A repetition of what stood there before it was deleted makes nothing anew.
      return isWrong(done) ? this.#backend.append(stream, expectation, events) : done
    })
  }

  /** Metadata that show what is appended from now on; undefined: the stream isn't deleted any more. */
  async #undeletion(stream: string, control: Control): Promise<AppendedBeside | undefined> {
    if (control.metadata.truncateBefore !== 'deleted') return undefined
    const revision = await this.#states.firstAfterDeletion(stream, control)
    const data = cutBefore(await this.#states.metadataBytes(stream), revision)
    const event = data === undefined ? undefined : metadataEvent(data)
    return event && { stream: metastreamOf(stream), revision: control.revision, event }
  }

  /** Metadata that are set for a deleted stream make it anew, without events. */
  #appendMetadata(
    stream: string,
    expectation: Expectation,
    events: readonly ProposedEvent[],
  ): Promise<Append> {
    const metastream = metastreamOf(stream)
    if (isSystemName(stream)) return Promise.resolve(E.left(SYSTEM_STREAM))
    const narrowed = events
      .map(({ isJson, data }) => (isJson ? narrowedRight(data) : undefined))
      .find(isStated)
    if (narrowed !== undefined) return Promise.resolve(E.left(notKept(narrowed)))
    return this.#gate.hold(stream, async (drained) => {
      const control = await this.#states.controlOf(stream)
      if (control?.isTombstone === true) return STREAM_DELETED
      const [last] = events.slice(-1)
      const data =
        last === undefined || control?.metadata.truncateBefore !== 'deleted'
          ? undefined
          : cutBefore(last.data, await this.#nextRevision(stream, drained))
      if (data === undefined) return this.#backend.append(metastream, expectation, events)
      const done = await this.#backend.append(metastream, expectation, [...events, metadataEvent(data)])
      return isWrong(done) ? this.#backend.append(metastream, expectation, events) : done
    })
  }

  async #nextRevision(stream: string, drained: () => Promise<void>): Promise<number> {
    await drained()
    const head = await this.#backend.streamHead(stream)
    return head === undefined ? 0 : head.revision + 1
  }

  /** Hides all that there is; the stream can be written again. Answers where the log says so. */
  delete(stream: string, expectation: Expectation): Promise<Append> {
    return this.#remove(stream, expectation, (head, control) =>
      head === undefined && control === undefined ? undefined : metadataEvent(DELETED_METADATA),
    )
  }

  /** Ends the stream for ever, whether it was ever written or not. */
  tombstone(stream: string, expectation: Expectation): Promise<Append> {
    return this.#remove(stream, expectation, () => ({
      ...{ id: randomUUID(), type: DELETED_TYPE, isJson: false },
      ...{ data: NO_METADATA, metadata: NO_METADATA },
    }))
  }

  /** `eventOf`: what says so; undefined: there is nothing to be removed. */
  #remove(
    stream: string,
    expectation: Expectation,
    eventOf: (head: Appended, control: Control | undefined) => ProposedEvent | undefined,
  ): Promise<Append> {
    if (isSystemName(stream)) return Promise.resolve(E.left(SYSTEM_STREAM))
    return this.#gate.hold(stream, async (drained) => {
      await drained()
      const control = await this.#states.controlOf(stream)
      if (control?.isTombstone === true) return STREAM_DELETED
      const head = await this.#backend.streamHead(stream)
      const isDeleted = control !== undefined && (await this.#states.isDeleted(stream, control))
      const failure = unmet(expectation, head, control !== undefined, isDeleted)
      if (failure !== undefined) return E.left(failure)
      const event = eventOf(head, control)
      if (event === undefined) return E.left({ _tag: 'WrongExpectedVersion', current: undefined })
      const done = await this.#backend.append(metastreamOf(stream), expected(control), [event])
      if (!isWrong(done)) return done
      return E.left({ _tag: 'Unavailable', reason: "the stream's metadata were changed meanwhile" })
    })
  }

  async *readAll(read: AllRead): AsyncGenerator<readonly EsdbRecord[]> {
    for await (const batch of this.#backend.readAll(read))
      yield batch.some(isTombstone) ? batch.map(asShown) : batch
  }

  async *follow(follow: Follow): AsyncGenerator<readonly Followed[]> {
    const accepts = (stream: string, type: string): boolean => follow.accepts(shownStream(stream, type), type)
    // Asked of the same names that are matched afterwards.
    const prepare: Follow['prepare'] = async (events) =>
      follow.prepare?.(events.map(({ stream, type }) => ({ stream: shownStream(stream, type), type })))
    for await (const batch of this.#backend.follow({ ...follow, accepts, prepare }))
      yield batch.some(({ record }) => record !== undefined && isTombstone(record))
        ? batch.map(({ position, record }) => ({ position, record: record && asShown(record) }))
        : batch
  }
}

const ANY: Expectation = { kind: 'any' }
const SYSTEM_STREAM: AppendFailure = {
  _tag: 'Refused',
  reason: 'system streams are not kept here, nor are their metadata',
}

function notKept(right: string): AppendFailure {
  const reason = `${right} can't be kept: whoever has the credentials to read may read every stream, and so with writing; an $acl may give $all alone`
  return { _tag: 'Refused', reason }
}

function isStated(right: string | undefined): right is string {
  return right !== undefined
}

/** What a deletion expects that isn't so; undefined: nothing. After EventStoreDB's check of a commit. */
function unmet(
  expectation: Expectation,
  head: Appended,
  hasMetadata: boolean,
  isDeleted: boolean,
): AppendFailure | undefined {
  const wrong: AppendFailure = { _tag: 'WrongExpectedVersion', current: head?.revision }
  switch (expectation.kind) {
    case 'any':
      return undefined
    case 'no_stream':
      return head === undefined || isDeleted ? undefined : wrong
    case 'stream_exists':
      if (isDeleted) return { _tag: 'StreamDeleted' }
      return head === undefined && !hasMetadata ? wrong : undefined
    case 'revision':
      return head?.revision === expectation.revision ? undefined : wrong
  }
}

function expected(control: Control | undefined): Expectation {
  return control === undefined ? { kind: 'no_stream' } : { kind: 'revision', revision: control.revision }
}

function isWrong(done: Append): boolean {
  return E.isLeft(done) && done.left._tag === 'WrongExpectedVersion'
}

function metadataEvent(data: Uint8Array): ProposedEvent {
  return { id: randomUUID(), type: METADATA_TYPE, isJson: true, data, metadata: NO_METADATA }
}

function isTombstone({ type, stream }: EsdbRecord): boolean {
  return type === DELETED_TYPE && originalOf(stream) !== undefined
}

/** A tombstone stands in the metastream; clients know it as the stream's own last event. */
function asShown(record: EsdbRecord): EsdbRecord {
  if (!isTombstone(record)) return record
  return { ...record, stream: shownStream(record.stream, record.type), revision: TOMBSTONE_REVISION }
}

function shownStream(stream: string, type: string): string {
  return type === DELETED_TYPE ? (originalOf(stream) ?? stream) : stream
}
