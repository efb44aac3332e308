import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import { BoundedCache } from '../../engine/bounded-cache.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { AtomicIntake, IntakeResult, Refusal } from '../../engine/intake/result.ts'
import { personalName } from '../../engine/intake/stream-name.ts'
import type { Expected, Log } from '../../engine/log/log.ts'
import type { Opener } from '../../engine/privacy/privacy.ts'
import {
  type AllRead,
  type Appended,
  type AppendedBeside,
  type AppendFailure,
  type Direction,
  type EsdbBackend,
  type EsdbRecord,
  type Expectation,
  type Follow,
  type Followed,
  holds,
  type ProposedEvent,
  type StreamRead,
} from './backend.ts'
import { incomingOf } from './headwater-event.ts'
import { recordOf } from './headwater-record.ts'
import { keptStream, shownName } from './log-names.ts'
import { positionOf } from './place-search.ts'
import { isSystemName, originalOf } from './system-names.ts'

export interface HeadwaterOptions {
  readonly log: Pick<Log, 'head' | 'streamHead' | 'read' | 'readBackwards' | 'readStream' | 'subscribe'>
  readonly intake: AtomicIntake
  readonly opener: Opener
}

/** Speaks for writers whose metadata name no source. */
const DEFAULT_SOURCE = 'esdb'
const MAX_NAME_BYTES = 512
/** Whoever sets metadata states no identities. */
const NOBODY = { stated: [], defaults: {} }
/** Where reads of streams ended, so that reading in pages doesn't begin anew with each. */
const REMEMBERED_PLACES = 10_000

export function headwaterBackend(options: HeadwaterOptions): EsdbBackend {
  return new HeadwaterBackend(options)
}

class HeadwaterBackend implements EsdbBackend {
  readonly #options: HeadwaterOptions
  /** Direction, revision and stream → position. */
  readonly #places = new BoundedCache<string, number>(REMEMBERED_PLACES)

  constructor(options: HeadwaterOptions) {
    this.#options = options
  }

  head(): number {
    return this.#options.log.head().position
  }

  async streamHead(stream: string): Promise<Appended> {
    return this.#options.log.streamHead(keptStream(stream))
  }

  async append(
    stream: string,
    expectation: Expectation,
    events: readonly ProposedEvent[],
    beside?: AppendedBeside,
  ): Promise<E.Either<AppendFailure, Appended>> {
    const refusal = nameRefusal(stream)
    if (refusal !== undefined) return E.left({ _tag: 'Refused', reason: refusal })
    const head = this.#options.log.streamHead(keptStream(stream))
    if (events.length === 0 || (expectation.kind === 'stream_exists' && head === undefined))
      return holds(expectation, head)
        ? E.right(head)
        : E.left({ _tag: 'WrongExpectedVersion', current: head?.revision })
    const incoming = events.map((event, index) =>
      incomingOf(stream, event, index === 0 ? expectedOf(expectation) : undefined),
    )
    if (beside !== undefined)
      incoming.push(incomingOf(beside.stream, beside.event, { revision: beside.revision ?? -1 }))
    const results = await this.#options.intake.submitAtomic(incoming, { defaultSource: DEFAULT_SOURCE })
    const last = results[events.length - 1]
    assert(last !== undefined, 'each event has a result')
    return answerOf(last)
  }

  async *readStream(asked: string, read: StreamRead): AsyncGenerator<readonly EsdbRecord[]> {
    const { direction, from, limit } = read
    const stream = keptStream(asked)
    const head = this.#options.log.streamHead(stream)
    if (head === undefined || limit <= 0) return
    const isForwards = direction === 'forwards'
    if (isForwards && (from ?? 0) > head.revision) return
    const revision = Math.min(from ?? (isForwards ? 0 : head.revision), head.revision)
    const start = await this.#placeOf(stream, revision, head, direction)
    const wanted = (event: RecordedEvent): boolean =>
      isForwards ? event.revision >= revision : event.revision <= revision
    const events = this.#options.log.readStream(stream, { direction, from: start, limit })
    let left = limit
    for await (const batch of events) {
      const taken = batch.filter(wanted).slice(0, left)
      left -= taken.length
      const last = taken.at(-1)
      if (last !== undefined) {
        // The next page goes on behind it, and the log takes any position between two events.
        const next = isForwards ? last.revision + 1 : last.revision - 1
        this.#places.set(
          placeKey(stream, next, direction),
          isForwards ? last.position + 1 : last.position - 1,
        )
        yield this.#records(taken)
      }
      if (left === 0) return
    }
  }

  /** A position that reading in this direction may begin at to find the revision first; undefined: the near end. */
  async #placeOf(
    stream: string,
    revision: number,
    head: NonNullable<Appended>,
    direction: Direction,
  ): Promise<number | undefined> {
    const known = this.#places.get(placeKey(stream, revision, direction))
    if (known !== undefined) return known
    const isNear = revision === (direction === 'forwards' ? 0 : head.revision)
    if (isNear) return undefined
    const found = await positionOf(this.#options.log, stream, revision, head)
    // What is under way isn't there yet.
    return found ?? (direction === 'forwards' ? head.position : undefined)
  }

  async *readAll({ direction, from, limit }: AllRead): AsyncGenerator<readonly EsdbRecord[]> {
    if (limit <= 0) return
    const { log } = this.#options
    if (direction === 'forwards') yield* this.#inBatches(log.read({ from, limit }))
    else if (from === undefined) yield* this.#inBatches(log.readBackwards({ limit }))
    else if (from > 1)
      yield* this.#inBatches(log.readBackwards({ from: Math.min(from - 1, this.head()), limit }))
  }

  async *follow({ after, accepts, prepare, signal }: Follow): AsyncGenerator<readonly Followed[]> {
    const { log, opener } = this.#options
    for await (const batch of log.subscribe({ from: after + 1, signal })) {
      await prepare?.(batch.map(shownName))
      yield batch.map((event): Followed => {
        const { position } = event
        const { stream, type } = shownName(event)
        return { position, record: accepts(stream, type) ? recordOf(event, opener) : undefined }
      })
    }
  }

  async *#inBatches(batches: AsyncIterable<readonly RecordedEvent[]>): AsyncGenerator<readonly EsdbRecord[]> {
    for await (const batch of batches) yield this.#records(batch)
  }

  #records(events: readonly RecordedEvent[]): readonly EsdbRecord[] {
    return events.map((event) => recordOf(event, this.#options.opener))
  }
}

function placeKey(stream: string, revision: number, direction: Direction): string {
  return `${direction} ${revision} ${stream}`
}

/** Of system streams the metadata of others are kept. What those may not be called, the streams of their metadata may not either. */
function nameRefusal(stream: string): string | undefined {
  const original = originalOf(stream)
  const name = original ?? stream
  if (isSystemName(name)) return 'system streams are not kept here, nor are their metadata'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `a stream's name has at most ${MAX_NAME_BYTES} bytes`
  return original === undefined ? undefined : personalName(original, NOBODY)
}

function expectedOf(expectation: Expectation): Expected | undefined {
  switch (expectation.kind) {
    case 'any':
    case 'stream_exists':
      return undefined
    case 'no_stream':
      return { revision: -1 }
    case 'revision':
      return { revision: expectation.revision }
  }
}

function answerOf(result: IntakeResult): E.Either<AppendFailure, Appended> {
  switch (result.status) {
    case 'appended':
    case 'duplicate':
      return E.right({ revision: result.revision, position: result.position })
    case 'refused':
      return E.left(failureOf(result.refusal))
    case 'quarantined':
      assert.fail('an atomic batch keeps nothing in quarantine')
  }
}

function failureOf(refusal: Refusal): AppendFailure {
  switch (refusal.code) {
    case 'wrong_expected': {
      const { actualRevision } = refusal
      return { _tag: 'WrongExpectedVersion', current: actualRevision < 0 ? undefined : actualRevision }
    }
    case 'forbidden':
      return { _tag: 'Refused', reason: refusal.message }
    case 'overloaded':
    case 'clock_jumped':
    case 'read_only':
    case 'stopped':
    case 'log_damaged':
      return { _tag: 'Unavailable', reason: refusal.message }
  }
}
