import { setTimeout as timer } from 'node:timers/promises'
import { ConnectionFailed } from './connection.ts'

/** The longest wait for a client to let go of its calls. */
const DISPOSE_MS = 2_000

/** What the client promises comes to, or `ConnectionFailed` where it doesn't within so many milliseconds, or the signal aborts before. */
export function answered<Answer>(
  asked: Promise<Answer>,
  withinMs: number,
  signal: AbortSignal,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const fail = (cause: string): void => reject(new ConnectionFailed({ _tag: 'Away', cause }))
  const stop = (): void => fail('the connection was closed')
  // Not unreferenced: a process that waits for nothing else must not end before it has been told.
  const late = setTimeout(() => fail(`no answer within ${withinMs} ms`), withinMs)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  asked.then(resolve, reject)
  const over = (): void => {
    clearTimeout(late)
    signal.removeEventListener('abort', stop)
  }
  promise.then(over, over)
  return promise
}

/** A call that is over, or was never made, may not say so. */
export async function letGo(going: Promise<unknown>): Promise<void> {
  const patience = new AbortController()
  const late = timer(DISPOSE_MS, undefined, patience).catch(() => undefined)
  await Promise.race([going.catch(() => undefined), late])
  patience.abort()
}
