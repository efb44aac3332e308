import * as t from 'io-ts'
import type { Publisher } from '../../engine/intake/nats/publisher.ts'
import { openPublisher } from '../../engine/intake/nats/publisher.ts'
import type { Delivery } from './noise.ts'

/** What the engine answered for one event. `refused`: it isn't kept, and is to be sent again. */
export interface Fate {
  readonly status: 'appended' | 'duplicate' | 'quarantined' | 'refused'
  /** Where it is in the log; of a quarantined one, where the log tells of it. 0 for a refused one. */
  readonly position: number
}

/** A way in. Rejects when there was no answer: nothing is known of the batch then, and sending it again does no harm. */
export interface Sender {
  /** One fate for each, in order. */
  send(batch: readonly Delivery[]): Promise<readonly Fate[]>
  close(): Promise<void>
}

const answer = t.type({
  results: t.array(
    t.intersection([
      t.type({ status: t.keyof({ appended: null, duplicate: null, quarantined: null, refused: null }) }),
      t.partial({ position: t.number }),
    ]),
  ),
})

function fatesOf(body: unknown, count: number): readonly Fate[] {
  const decoded = answer.decode(body)
  if (decoded._tag === 'Left' || decoded.right.results.length !== count) {
    throw new Error("the answer doesn't say what became of each event")
  }
  return decoded.right.results.map(({ status, position }) => ({ status, position: position ?? 0 }))
}

const ANSWER_WITHIN_MS = 5_000

interface Keys {
  readonly writeKey: string
  /** Needed too for what a company defines, its sources above all. */
  readonly readToken: string
}

/** `POST /v1/events`, in CloudEvents' batch form. */
export function httpSender(url: string, { writeKey, readToken }: Keys): Sender {
  const headers = {
    authorization: `Bearer ${readToken}`,
    'headwater-write-key': writeKey,
    'content-type': 'application/cloudevents-batch+json',
  }
  return {
    async send(batch) {
      const response = await fetch(new URL('/v1/events', url), {
        method: 'POST',
        headers,
        body: bodyOf(batch),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      })
      if (response.ok) return fatesOf(await response.json(), batch.length)
      await response.body?.cancel()
      throw new Error(`HTTP ${response.status}`)
    },
    close: async () => {},
  }
}

/** A request to the subject that the intake answers itself, as any JetStream publisher sends it. */
export async function natsSender(url: string): Promise<Sender> {
  const publisher: Publisher = await openPublisher(url, ANSWER_WITHIN_MS)
  const encoder = new TextEncoder()
  return {
    async send(batch) {
      const ack = await publisher.publish('events.default.simulator', encoder.encode(bodyOf(batch)))
      return fatesOf(ack, batch.length)
    },
    close: () => publisher.close(),
  }
}

function bodyOf(batch: readonly Delivery[]): string {
  return `[${batch.map(({ json }) => json).join(',')}]`
}
