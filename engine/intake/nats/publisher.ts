import type { NatsConnection } from 'nats'
import { connect, createInbox, headers as natsHeaders } from 'nats'
import { leave } from './leaving.ts'
import type { PubAck } from './pub-ack.ts'

export interface Publisher {
  /** Publishes and awaits the answer; rejects when the answer is an error or doesn't come. */
  publish(
    subject: string,
    payload: Uint8Array,
    options?: { readonly msgId?: string | undefined },
  ): Promise<PubAck>
  /**
   * For thousands under way at once: neither a promise nor a timer each. `onAnswer` gets the answer's bytes as they came;
   * an answer that never comes is never told. `payload` must not change until then.
   */
  post(subject: string, payload: Uint8Array, onAnswer: (answer: Uint8Array) => void): void
  close(): Promise<void>
}

/** A connection that sends events, as `headwater import --nats` uses it. */
export async function openPublisher(url: string, timeoutMs = 30_000): Promise<Publisher> {
  const connection = await connect({ servers: url, name: 'headwater import', maxReconnectAttempts: -1 })
  return {
    async publish(subject, payload, options) {
      const headers = natsHeaders()
      if (options?.msgId !== undefined) headers.set('Nats-Msg-Id', options.msgId)
      const reply = await connection.request(subject, payload, { timeout: timeoutMs, headers })
      return reply.json<PubAck>()
    },
    post: postingOn(connection),
    close: () => leave(connection),
  }
}

/** One inbox for all answers, told apart by the last token of their subject. Subscribed when first needed. */
function postingOn(connection: NatsConnection): Publisher['post'] {
  const awaited = new Map<string, (answer: Uint8Array) => void>()
  let inbox: string | undefined
  let posted = 0
  const listen = (): string => {
    const prefix = `${createInbox()}.`
    connection.subscribe(`${prefix}*`, {
      callback: (error, message) => {
        if (error !== null) return
        const token = message.subject.slice(prefix.length)
        awaited.get(token)?.(message.data)
        awaited.delete(token)
      },
    })
    return prefix
  }
  return (subject, payload, onAnswer) => {
    inbox ??= listen()
    const token = (posted++).toString(36)
    awaited.set(token, onAnswer)
    connection.publish(subject, payload, { reply: inbox + token })
  }
}
