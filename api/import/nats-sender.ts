import * as t from 'io-ts'
import { messageOf } from './input-file.ts'
import type { Sender, SendOutcome } from './sender.ts'
import { resultsOf } from './sender.ts'

/** What is needed of a NATS client: a publish that awaits the PubAck. Rejects when no answer comes. */
interface NatsPublisher {
  publish(subject: string, payload: Uint8Array): Promise<unknown>
  close(): Promise<void>
}

const ackError = t.type({
  error: t.intersection([t.type({ code: t.number }), t.partial({ description: t.string })]),
})
const ack = t.type({ stream: t.string, seq: t.number })

const encoder = new TextEncoder()

/** Publishes batches as JSON arrays to `events.<workspace>.<source>`; events name their own source. */
export function createNatsSender(
  publisher: NatsPublisher,
  options: { readonly source: string; readonly workspace?: string | undefined; readonly target: string },
): Sender {
  const subject = `events.${options.workspace ?? 'default'}.${options.source}`
  return {
    target: `${options.target} ${subject}`,
    close: () => publisher.close(),
    send: async (events) => {
      const payload = encoder.encode(`[${events.map((event) => event.json).join(',')}]`)
      try {
        return outcomeOf(await publisher.publish(subject, payload), events.length)
      } catch (error) {
        const why = messageOf(error)
        return codeOf(error) === 'MAX_PAYLOAD_EXCEEDED'
          ? { _tag: 'TooLarge', why }
          : { _tag: 'Unavailable', why }
      }
    },
  }
}

function outcomeOf(answer: unknown, count: number): SendOutcome {
  // Results say more than the error beside them, which stands for the first refused event.
  const results = resultsOf(answer, count)
  if (results !== undefined) return { _tag: 'Sent', results }
  const failed = ackError.decode(answer)
  if (failed._tag === 'Right') {
    const { code, description } = failed.right.error
    const why = `${code} ${description ?? ''}`.trim()
    return code === 400 || code === 401 || code === 403
      ? { _tag: 'Rejected', why }
      : { _tag: 'Unavailable', why }
  }
  if (ack.is(answer)) {
    return { _tag: 'Sent', results: Array.from({ length: count }, () => ({ status: 'accepted' })) }
  }
  return { _tag: 'Rejected', why: 'the answer is no PubAck' }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
