import * as t from 'io-ts'
import type { OutgoingEvent } from './mapper.ts'

/** One event's fate, as the engine answered. `accepted`: kept by a queue in front of the engine, its fate not known yet. */
export interface EventResult {
  readonly status: 'appended' | 'duplicate' | 'quarantined' | 'refused' | 'accepted'
  readonly id?: string | undefined
  readonly position?: number | undefined
  readonly reason?: string | undefined
  readonly message?: string | undefined
}

export type SendOutcome =
  /** One result for each event, in order. */
  | { readonly _tag: 'Sent'; readonly results: readonly EventResult[] }
  /** Nothing is known of the batch; sending it again does no harm, because repeated events are duplicates. */
  | { readonly _tag: 'Unavailable'; readonly why: string; readonly retryAfterMs?: number | undefined }
  | { readonly _tag: 'TooLarge'; readonly why: string }
  /** Sending it again would get the same answer. */
  | { readonly _tag: 'Rejected'; readonly why: string }

/** The way to an engine. Implementations hold no events: whoever calls keeps a batch until it is acknowledged. */
export interface Sender {
  /** For people: where events go. */
  readonly target: string
  send(events: readonly OutgoingEvent[], signal?: AbortSignal): Promise<SendOutcome>
  close(): Promise<void>
}

const refusal = t.type({ code: t.string, message: t.string })
const eventResult = t.intersection([
  t.type({
    status: t.keyof({ appended: null, duplicate: null, quarantined: null, refused: null, accepted: null }),
  }),
  t.partial({
    id: t.union([t.string, t.null]),
    position: t.number,
    reason: t.string,
    message: t.string,
    refusal,
  }),
])
const answer = t.type({ results: t.array(eventResult) })

/** The results in an answer; undefined if there aren't as many as events were sent. */
export function resultsOf(body: unknown, count: number): readonly EventResult[] | undefined {
  const decoded = answer.decode(body)
  if (decoded._tag === 'Left' || decoded.right.results.length !== count) return undefined
  return decoded.right.results.map(({ status, id, position, reason, message, refusal: refused }) => ({
    status,
    id: id ?? undefined,
    position,
    reason: reason ?? refused?.code,
    message: message ?? refused?.message,
  }))
}
