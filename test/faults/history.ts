import * as E from 'fp-ts/lib/Either.js'
import { expect } from 'vitest'
import type { NewEvent, RecordedEvent } from '../../engine/events/event.ts'
import type { EmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import type { AppendEvent, Appended, LogFailure } from '../../engine/log/log.ts'
import { collect, present } from '../log/events.ts'

export type Outcome = 'unanswered' | 'appended' | LogFailure['_tag']

interface Submitted {
  readonly append: AppendEvent
  /** Of an atomic batch; undefined for an event that stands for itself. */
  readonly batch: number | undefined
  outcome: Outcome
  /** The place that was acknowledged. */
  place: Appended | undefined
}

/**
 * What was asked of a log over all its lives, what it answered, and whether what it holds agrees: every acknowledged
 * event is there once, at its place, as it was submitted, in the order of appending; no other event but such as were
 * submitted and not refused; of an atomic batch all or none; and streams and identities lead to exactly those.
 */
export class History {
  readonly #submitted = new Map<string, Submitted>()
  #batches = 0

  /** Another one, that goes on by itself. */
  fork(): History {
    const fork = new History()
    for (const [id, entry] of this.#submitted) fork.#submitted.set(id, { ...entry })
    fork.#batches = this.#batches
    return fork
  }

  /** Whether the writer stopped in the life of the last event. */
  stopped(): boolean {
    return [...this.#submitted.values()].at(-1)?.outcome === 'WriterStopped'
  }

  get acknowledged(): number {
    return [...this.#submitted.values()].filter(({ outcome }) => outcome === 'appended').length
  }

  async append(
    log: EmbeddedLog,
    appends: readonly AppendEvent[],
    atomic: boolean,
  ): Promise<readonly Outcome[]> {
    const batch = atomic ? this.#batches++ : undefined
    const entries = appends.map((append): Submitted => {
      const entry: Submitted = { append, batch, outcome: 'unanswered', place: undefined }
      this.#submitted.set(append.event.id, entry)
      return entry
    })
    const results = await log.append(appends, { atomic })
    for (const [i, result] of results.entries()) {
      const entry = entries[i]
      if (entry === undefined) throw new Error('an answer to nothing')
      entry.outcome = E.isRight(result) ? 'appended' : result.left._tag
      entry.place = E.isRight(result) ? result.right : undefined
    }
    expect(results).toHaveLength(appends.length)
    return entries.map(({ outcome }) => outcome)
  }

  /** After events of an earlier life that weren't acknowledged turned out to be there, they are acknowledged. */
  async check(log: EmbeddedLog): Promise<void> {
    const events = await collect(log.read())
    const positions = events.map(({ position }) => position)
    expect(positions).toEqual(events.map((_, i) => i + 1))
    expect(log.head().position).toBe(events.length)
    this.#checkEach(events)
    this.#checkOrder(events)
    await checkWays(log, events)
    for (const { id, position, revision } of events) this.#found(id, { position, revision })
  }

  #checkEach(events: readonly RecordedEvent[]): void {
    const held = new Map(events.map((event) => [event.id, event]))
    expect(held.size, 'no event is there twice').toBe(events.length)
    for (const event of events) {
      const entry = this.#submitted.get(event.id)
      if (entry === undefined) throw new Error(`${event.id} was invented`)
      const { position, revision } = event
      expect(event).toEqual(present({ ...entry.append.event, position, revision }))
      expect(['unanswered', 'appended', 'WriterStopped', 'LogClosed'], `${event.id} was refused`).toContain(
        entry.outcome,
      )
      const { expected } = entry.append
      if (expected !== undefined) expect(expected).toEqual({ revision: revision - 1 })
    }
    for (const [id, { outcome, place }] of this.#submitted) {
      if (outcome !== 'appended') continue
      const event = held.get(id)
      if (event === undefined) throw new Error(`${id} was acknowledged at ${place?.position} and is lost`)
      expect({ position: event.position, revision: event.revision }, id).toEqual(place)
    }
  }

  #checkOrder(events: readonly RecordedEvent[]): void {
    const order = [...this.#submitted.keys()]
    const at = new Map(order.map((id, i) => [id, i]))
    const numbers = events.map(({ id }) => at.get(id) ?? -1)
    expect(numbers, 'in the order of appending').toEqual(numbers.toSorted((a, b) => a - b))
    const held = new Set(events.map(({ id }) => id))
    const batches = new Map<number, boolean>()
    for (const [id, { batch }] of this.#submitted) {
      if (batch === undefined) continue
      expect(batches.get(batch) ?? held.has(id), `all or nothing of the batch of ${id}`).toBe(held.has(id))
      batches.set(batch, held.has(id))
    }
  }

  /** What a log was opened with is durable, whoever was told of it. */
  #found(id: string, place: Appended): void {
    const entry = this.#submitted.get(id)
    if (entry !== undefined) Object.assign(entry, { outcome: 'appended', place })
  }
}

/** Streams and identities lead to exactly the events that the log holds. */
async function checkWays(log: EmbeddedLog, events: readonly RecordedEvent[]): Promise<void> {
  const streams = Map.groupBy(events, ({ stream }) => stream)
  for (const [stream, own] of streams) {
    const last = own.at(-1)
    expect(await collect(log.readStream(stream))).toEqual(own)
    expect(own.map(({ revision }) => revision)).toEqual(own.map((_, i) => i))
    expect(log.streamHead(stream)).toEqual({ position: last?.position, revision: last?.revision })
  }
  const identities = new Set(events.flatMap((event) => event.identities.map(({ id }) => id)))
  for (const id of identities) {
    const own = events.filter((event) => event.identities.some((identity) => identity.id === id))
    expect(await collect(log.readIdentity(id))).toEqual(own)
  }
  expect(log.streamHead('nobody-1')).toBeUndefined()
  for (const { source, id, position } of events) expect(log.idCandidates(source, id)).toContain(position)
}

/** An event whose bytes follow from its number. */
export function numberedEvent(number: number, shape: EventShape): NewEvent {
  const { stream, identity, sizeBytes } = shape
  return {
    stream: `s-${stream}`,
    id: `e-${number}`,
    source: stream % 2 === 0 ? 'crm' : 'web',
    type: identity % 2 === 0 ? 'deal.created' : 'deal.won',
    schema: 1,
    time: BASE_MS - 1000,
    received: BASE_MS + number,
    identities: identity === 0 ? [] : [{ id: String(identity).padStart(32, '0'), namespace: 'user' }],
    data: { n: number, text: String.fromCharCode(97 + (number % 26)).repeat(sizeBytes) },
    normalised: {},
    normaliser: 1,
    sealed: [],
  }
}

export interface EventShape {
  readonly stream: number
  /** 0: none. */
  readonly identity: number
  readonly sizeBytes: number
}

const BASE_MS = Date.UTC(2024, 0, 1)
