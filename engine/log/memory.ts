import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import type { NewEvent, RecordedEvent } from '../events/event.ts'
import type { IdentityId } from '../events/identity.ts'
import { checkExpected, nextPlace } from './expected.ts'
import { follow, LocalHead } from './follow.ts'
import type {
  AppendEvent,
  Appended,
  Head,
  Log,
  LogFailure,
  ReadOptions,
  StreamReadOptions,
  SubscribeOptions,
} from './log.ts'
import { copyFields } from './plain-data.ts'
import { selectPositions } from './positions.ts'
import { lazily } from './recorded.ts'

type AppendResult = E.Either<LogFailure, Appended>

export interface MemoryLogOptions {
  /** Awaited before an append becomes durable: a simulation decides when that is. Default: at once. */
  readonly commit?: (() => Promise<void>) | undefined
  /** Asked after each `commit`; a failure fails everything under way, as a disk's would. */
  readonly fail?: (() => Extract<LogFailure, { _tag: 'DiskFull' | 'WriterStopped' }> | undefined) | undefined
}

const MAX_EVENT_BYTES = 1024 * 1024
const MAX_BATCH_BYTES = 8 * MAX_EVENT_BYTES
const BATCH_EVENTS = 256

/** A log without a disk, for tests and simulations. It uses no timers and no clock; one append is one commit. */
export function createMemoryLog(options: MemoryLogOptions = {}): Log {
  return new MemoryLog(options)
}

interface UnderWay {
  readonly results: AppendResult[]
  /** Events that are assigned once it is durable. */
  readonly upTo: number
  readonly resolve: (results: readonly AppendResult[]) => void
}

class MemoryLog implements Log {
  readonly #options: MemoryLogOptions
  /** Those under way included; `#durable` of them are durable. */
  readonly #events: RecordedEvent[] = []
  readonly #streams = new Map<string, RecordedEvent[]>()
  readonly #identities = new Map<IdentityId, number[]>()
  readonly #ids = new Map<string, number[]>()
  readonly #head = new LocalHead({ position: 0, received: 0 })
  readonly #closing = new AbortController()
  #durable = 0
  #underWay: UnderWay[] = []
  #committing: Promise<void> = Promise.resolve()
  #ended: LogFailure | undefined

  constructor(options: MemoryLogOptions) {
    this.#options = options
  }

  async append(
    appends: readonly AppendEvent[],
    options: { readonly atomic?: boolean } = {},
  ): Promise<readonly AppendResult[]> {
    const ended = this.#ended
    if (ended !== undefined) return appends.map(() => E.left(ended))
    this.#assertReceived(appends)
    const before = this.#events.length
    const results: AppendResult[] = []
    try {
      for (const append of appends) {
        const result = this.#assign(append)
        results.push(result)
        if (options.atomic === true && E.isLeft(result)) break
      }
    } catch (error) {
      this.#takeBack(before)
      throw error
    }
    const failed = options.atomic === true ? (results.find(E.isLeft) ?? tooLarge(appends)) : undefined
    if (failed !== undefined) {
      this.#takeBack(before)
      return appends.map(() => failed)
    }
    if (this.#events.length === before) return results
    return this.#commit(results)
  }

  #assertReceived(appends: readonly AppendEvent[]): void {
    let received = this.#events.at(-1)?.received ?? 0
    for (const { event } of appends) {
      assert.ok(event.received >= received, `received ${event.received} is before ${received}`)
      received = event.received
    }
  }

  #assign({ event, expected }: AppendEvent): AppendResult {
    const head = this.streamHead(event.stream)
    const wrong = checkExpected(event.stream, expected, head)
    if (wrong !== undefined) return E.left(wrong)
    const sizeBytes = sizeOf(event)
    if (sizeBytes > MAX_EVENT_BYTES) {
      return E.left({ _tag: 'EventTooLarge', sizeBytes, limitBytes: MAX_EVENT_BYTES })
    }
    const place = nextPlace(head, this.#events.length + 1)
    const stored: RecordedEvent = { ...copy(event), ...place }
    this.#events.push(stored)
    const stream = this.#streams.get(stored.stream)
    if (stream === undefined) this.#streams.set(stored.stream, [stored])
    else stream.push(stored)
    return E.right(place)
  }

  /** All events from the index on. */
  #takeBack(from: number): void {
    for (const event of this.#events.splice(from).reverse()) {
      const stream = this.#streams.get(event.stream)
      stream?.pop()
      if (stream?.length === 0) this.#streams.delete(event.stream)
    }
  }

  #commit(results: AppendResult[]): Promise<readonly AppendResult[]> {
    const { promise, resolve } = Promise.withResolvers<readonly AppendResult[]>()
    const underWay: UnderWay = { results, upTo: this.#events.length, resolve }
    this.#underWay.push(underWay)
    this.#committing = this.#committing.then(() => this.#commitNext(underWay))
    return promise
  }

  async #commitNext(underWay: UnderWay): Promise<void> {
    await this.#options.commit?.()
    // Given up with one before it.
    if (this.#underWay[0] !== underWay) return
    const failure = this.#options.fail?.()
    if (failure !== undefined) {
      this.#giveUp(failure)
      return
    }
    this.#underWay.shift()
    for (const event of this.#events.slice(this.#durable, underWay.upTo)) this.#index(event)
    this.#durable = underWay.upTo
    const last = this.#events[underWay.upTo - 1]
    assert.ok(last !== undefined)
    this.#head.move({ position: last.position, received: last.received })
    underWay.resolve(underWay.results)
  }

  #index({ source, id, identities, position }: RecordedEvent): void {
    addPosition(this.#ids, idKey(source, id), position)
    for (const each of new Set(identities.map((identity) => identity.id)))
      addPosition(this.#identities, each, position)
  }

  #giveUp(failure: LogFailure): void {
    if (failure._tag === 'WriterStopped') this.#ended = failure
    this.#takeBack(this.#durable)
    for (const { results, resolve } of this.#underWay.splice(0)) {
      resolve(results.map((result) => (E.isRight(result) ? E.left(failure) : result)))
    }
  }

  streamHead(stream: string): Appended | undefined {
    const last = this.#streams.get(stream)?.at(-1)
    return last === undefined ? undefined : { position: last.position, revision: last.revision }
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw new Error('the log is closed')
  }

  head(): Head {
    this.#assertOpen()
    return this.#head.head()
  }

  read(options: ReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    const { from = 1, limit } = options
    const durable = this.#events.slice(0, this.head().position)
    return batches(durable.slice(Math.max(1, from) - 1).filter(hasType(options.types)), limit)
  }

  readBackwards(options: ReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    const head = this.head().position
    const durable = this.#events.slice(0, Math.max(0, Math.min(head, options.from ?? head)))
    return batches(durable.filter(hasType(options.types)).reverse(), options.limit)
  }

  async at(position: number): Promise<RecordedEvent | undefined> {
    const event = position > this.head().position ? undefined : this.#events[position - 1]
    return event === undefined ? undefined : lazily(copied(event))
  }

  idCandidates(source: string, id: string): readonly number[] {
    return [...(this.#ids.get(idKey(source, id)) ?? [])]
  }

  readStream(stream: string, options: StreamReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    const positions = (this.#streams.get(stream) ?? []).map((event) => event.position)
    return this.#readPositions(positions, options)
  }

  readIdentity(id: IdentityId, options: StreamReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    return this.#readPositions(this.#identities.get(id) ?? [], options)
  }

  #readPositions(
    positions: readonly number[],
    options: StreamReadOptions,
  ): AsyncIterable<readonly RecordedEvent[]> {
    const head = this.head().position
    const durable = positions.filter((position) => position <= head)
    const events = selectPositions(durable, options).map((position) => this.#events[position - 1])
    return batches(
      events.filter((event) => event !== undefined),
      undefined,
    )
  }

  subscribe(options: SubscribeOptions): AsyncIterable<readonly RecordedEvent[]> {
    this.#assertOpen()
    const signal = AbortSignal.any([options.signal, this.#closing.signal])
    return follow(
      this.#head,
      (from, until, types) => batches(this.#events.slice(from - 1, until).filter(hasType(types)), undefined),
      { ...options, signal },
    )
  }

  async close(): Promise<void> {
    this.#ended ??= { _tag: 'LogClosed' }
    await this.#committing
    this.#closing.abort()
  }
}

function addPosition(positions: Map<string, number[]>, key: string, position: number): void {
  const known = positions.get(key)
  if (known === undefined) positions.set(key, [position])
  else known.push(position)
}

function idKey(source: string, id: string): string {
  return `${source.length} ${source}${id}`
}

function hasType(types: ReadonlySet<string> | undefined): (event: RecordedEvent) => boolean {
  return (event) => types === undefined || types.has(event.type)
}

async function* batches(
  events: readonly RecordedEvent[],
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly RecordedEvent[]> {
  const count = Math.min(events.length, Math.max(0, limit))
  for (let start = 0; start < count; start += BATCH_EVENTS) {
    yield events.slice(start, Math.min(count, start + BATCH_EVENTS)).map((event) => lazily(copied(event)))
  }
}

function copied(event: RecordedEvent): RecordedEvent {
  return { ...copy(event), position: event.position, revision: event.revision }
}

/** Deep, so that nobody outside can change what is stored. */
function copy(event: NewEvent): NewEvent {
  return {
    ...event,
    identities: event.identities.map(({ id, namespace }) => ({ id, namespace })),
    data: copyFields(event.data),
    normalised: copyFields(event.normalised),
    sealed: event.sealed.map(({ keyId, blob }) => ({ keyId, blob: new Uint8Array(blob) })),
  }
}

/** An atomic batch as a whole. */
function tooLarge(appends: readonly AppendEvent[]): E.Left<LogFailure> | undefined {
  const sizeBytes = appends.reduce((sum, { event }) => sum + sizeOf(event), 0)
  if (sizeBytes <= MAX_BATCH_BYTES) return undefined
  return { _tag: 'Left', left: { _tag: 'EventTooLarge', sizeBytes, limitBytes: MAX_BATCH_BYTES } }
}

function sizeOf({ sealed, ...event }: NewEvent): number {
  const blobBytes = sealed.reduce((sum, part) => sum + part.blob.length, 0)
  return Buffer.byteLength(JSON.stringify(event)) + blobBytes
}
