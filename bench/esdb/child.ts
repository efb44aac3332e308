import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Found, Order } from './orders.ts'

export interface Child {
  readonly pid: number
  stop(): Promise<void>
}

export interface ServerChild extends Child {
  readonly port: number
}

export interface ClientChild extends Child {
  /** One order at a time. Rejects when the client fails, ends, or takes longer than `withinMs`. */
  obey(order: Order, withinMs: number): Promise<Exclude<Found, { kind: 'failed' }>>
}

const START_WITHIN_MS = 20_000

/** A script here that tells the port on which it serves. */
export async function startServer(script: 'noop-server.ts' | 'kept-server.ts'): Promise<ServerChild> {
  const child = started(script, [])
  const port = await messageOf<number>(child, script, START_WITHIN_MS)
  return { pid: child.pid ?? 0, port, stop: () => stop(child) }
}

export function startClient(port: number): ClientChild {
  const child = started('client.ts', [String(port)])
  return {
    pid: child.pid ?? 0,
    async obey(order, withinMs) {
      const found = messageOf<Found>(child, 'client.ts', withinMs)
      child.send(order)
      const answer = await found
      if (answer.kind === 'failed') throw new Error(`the client failed: ${answer.message}`)
      return answer
    },
    stop: () => stop(child),
  }
}

function started(script: string, args: readonly string[]): ChildProcess {
  const url = new URL(script, import.meta.url)
  return fork(url, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
}

function messageOf<Message>(child: ChildProcess, name: string, withinMs: number): Promise<Message> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      clearTimeout(timer)
      child.removeListener('message', onMessage)
      child.removeListener('exit', onExit)
      then()
    }
    const fail = (what: string): void => settle(() => reject(new Error(`${name} ${what}`)))
    const onMessage = (message: unknown): void => settle(() => resolve(message as Message))
    const onExit = (code: number | null): void => fail(`ended (${code ?? 'by a signal'})`)
    const timer = setTimeout(() => fail(`did not answer within ${withinMs} ms`), withinMs)
    child.once('message', onMessage)
    child.once('exit', onExit)
    if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode)
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
