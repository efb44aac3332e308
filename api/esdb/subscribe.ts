import { randomUUID } from 'node:crypto'
import * as E from 'fp-ts/lib/Either.js'
import type { EsdbRecord, Followed } from './backend.ts'
import type { CallFailure } from './errors.ts'
import { FilterTooSlow } from './filter-matching.ts'
import { resolved } from './links.ts'
import { messages } from './protocol.ts'
import type { AskedSubscription } from './read-request.ts'
import type { Streams } from './streams.ts'
import { DELETED_TYPE } from './system-names.ts'
import { eventResponse, sizeBytesOf } from './wire.ts'

type Respond = (response: messages.ReadResp, sizeBytes?: number) => Promise<void>
type Ended = E.Either<CallFailure, void>

const OVER: Ended = E.right(undefined)
const DELETED: Ended = E.left({ _tag: 'StreamDeleted' })

/** Confirms, catches up, says so, and goes on live until `over` aborts. */
export async function subscribe(
  backend: Streams,
  asked: AskedSubscription,
  over: AbortSignal,
  respond: Respond,
): Promise<Ended> {
  // Before it is confirmed: whatever is appended afterwards is live.
  const start = backend.head()
  const confirmation = new messages.ReadResp.SubscriptionConfirmation()
  confirmation.setSubscriptionId(randomUUID())
  const confirmed = new messages.ReadResp()
  confirmed.setConfirmation(confirmation)
  await respond(confirmed)
  const subscription = new Subscription(backend, asked, over, respond)
  switch (asked.kind) {
    case 'subscribe_all':
      return subscription.all(asked.after ?? start)
    case 'subscribe_stream':
      return subscription.stream(asked.stream, asked.after, start)
  }
}

class Subscription {
  readonly #backend: Streams
  readonly #asked: AskedSubscription
  readonly #over: AbortSignal
  readonly #respond: Respond
  #caughtUp = false
  #sinceCheckpoint = 0

  constructor(backend: Streams, asked: AskedSubscription, over: AbortSignal, respond: Respond) {
    this.#backend = backend
    this.#asked = asked
    this.#over = over
    this.#respond = respond
  }

  async all(after: number): Promise<Ended> {
    const filter = this.#asked.kind === 'subscribe_all' ? this.#asked.filter : undefined
    await this.#tellCaughtUp(after)
    const { accepts = () => true, prepare } = filter ?? {}
    try {
      for await (const batch of this.#backend.follow({ after, accepts, prepare, signal: this.#over })) {
        for (const one of batch) {
          if (this.#over.aborted) return OVER
          await this.#pass(one, filter?.checkpointEvents)
        }
      }
    } catch (error) {
      if (!(error instanceof FilterTooSlow)) throw error
      return E.left({ _tag: 'InvalidArgument', reason: error.message })
    }
    return OVER
  }

  /** `after`: a revision; undefined: from now on. What stands in the log up to `start` is read stream by stream. */
  async stream(stream: string, after: number | undefined, start: number): Promise<Ended> {
    const view = await this.#backend.view(stream)
    if (view.kind === 'deleted') return DELETED
    if (after !== undefined && view.kind === 'visible') {
      const past = { direction: 'forwards', from: after + 1, limit: Number.MAX_SAFE_INTEGER } as const
      for await (const batch of view.read(past)) {
        for (const record of batch) {
          // What was appended meanwhile comes with the rest.
          if (record.position > start || this.#over.aborted) break
          await this.#event(record)
        }
      }
    }
    await this.#tellCaughtUp(start)
    return this.#live(stream, after, start)
  }

  async #live(stream: string, after: number | undefined, start: number): Promise<Ended> {
    const accepts = (name: string): boolean => name === stream
    for await (const batch of this.#backend.follow({ after: start, accepts, signal: this.#over })) {
      for (const one of batch) {
        if (this.#over.aborted) return OVER
        if (one.record?.type === DELETED_TYPE) return DELETED
        // Whoever begins ahead of the stream's end hears of nothing before that.
        if (one.record !== undefined && one.record.revision <= (after ?? -1)) continue
        await this.#pass(one, undefined)
      }
    }
    return OVER
  }

  async #pass({ record, position }: Followed, checkpointEvents: number | undefined): Promise<void> {
    if (record !== undefined) await this.#event(record)
    this.#sinceCheckpoint += 1
    if (checkpointEvents !== undefined && this.#sinceCheckpoint >= checkpointEvents) {
      this.#sinceCheckpoint = 0
      await this.#checkpoint(position)
    }
    await this.#tellCaughtUp(position)
  }

  async #event(record: EsdbRecord): Promise<void> {
    const told = this.#asked.resolvesLinks ? await resolved(this.#backend, record) : { event: record }
    await this.#respond(eventResponse(told, this.#asked.structuredIds), sizeBytesOf(told))
  }

  async #checkpoint(position: number): Promise<void> {
    const checkpoint = new messages.ReadResp.Checkpoint()
    checkpoint.setCommitPosition(String(position))
    checkpoint.setPreparePosition(String(position))
    const response = new messages.ReadResp()
    response.setCheckpoint(checkpoint)
    await this.#respond(response)
  }

  /** Once, when the subscription has seen all that there is. */
  async #tellCaughtUp(position: number): Promise<void> {
    if (this.#caughtUp || position < this.#backend.head()) return
    this.#caughtUp = true
    const response = new messages.ReadResp()
    response.setCaughtUp(new messages.ReadResp.CaughtUp())
    await this.#respond(response)
  }
}
