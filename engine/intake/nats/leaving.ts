import type { NatsConnection } from 'nats'

/** A server that is away must not keep us from stopping: what it still had to hear, its clients will ask again. */
export const DRAIN_MS = 5_000

export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work.catch(() => undefined), timeout])
  clearTimeout(timer)
}

/** Sends what is written and closes; a connection that is away would go on reconnecting for ever. */
export async function leave(connection: NatsConnection): Promise<void> {
  await within(DRAIN_MS, connection.drain())
  await connection.close()
}
