import type { NatsConnection } from 'nats'
import { connect } from 'nats'
import { serveDirect } from './direct.ts'
import type { NatsIntake, NatsOptions } from './options.ts'
import { consumeStream } from './stream.ts'

export async function openNatsIntake(options: NatsOptions): Promise<NatsIntake> {
  const connection = await connect({
    servers: options.url,
    name: 'headwater',
    maxReconnectAttempts: -1,
    waitOnFirstConnect: false,
  })
  void reportStatus(connection, options.onStatus)
  try {
    return options.mode === 'direct'
      ? await serveDirect(connection, options)
      : await consumeStream(connection, options)
  } catch (error) {
    await connection.close()
    throw error
  }
}

async function reportStatus(connection: NatsConnection, onStatus: (status: string) => void): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type !== 'pingTimer') onStatus(String(status.type))
  }
}

/**
 * Publishes a text on a connection that is there already; resolves when the server has it. While the server is away it
 * waits, so the caller keeps few of them under way.
 */
export async function publishText({ connection }: NatsIntake, subject: string, text: string): Promise<void> {
  connection.publish(subject, new TextEncoder().encode(text))
  await connection.flush()
}
