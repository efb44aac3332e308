import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Order, Reply } from '../load/protocol.ts'

export type Notice = Extract<Reply, { kind: 'progress' | 'measuring' | 'measured' }>
type Answer = Exclude<Reply, Notice>

/** The load generator in its process. */
export interface GeneratorProcess {
  readonly pid: number
  /** One order at a time. Rejects when the generator fails, ends, or takes longer than `withinMs`. */
  obey(order: Order, withinMs: number, onNotice?: (notice: Notice) => void): Promise<Answer>
  stop(): Promise<void>
}

const GENERATOR = new URL('../load/generator.ts', import.meta.url)

export function startGeneratorProcess(): GeneratorProcess {
  const child = fork(GENERATOR, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  return {
    pid: child.pid ?? 0,
    obey: (order, withinMs, onNotice) => obey(child, order, withinMs, onNotice),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

function obey(
  child: ChildProcess,
  order: Order,
  withinMs: number,
  onNotice: ((notice: Notice) => void) | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      clearTimeout(timer)
      child.removeListener('message', onMessage)
      child.removeListener('exit', onExit)
      then()
    }
    const fail = (message: string): void => settle(() => reject(new Error(message)))
    const onExit = (code: number | null): void => fail(`the load generator ended (${code ?? 'by a signal'})`)
    const onMessage = (reply: Reply): void => {
      switch (reply.kind) {
        case 'progress':
        case 'measuring':
        case 'measured':
          onNotice?.(reply)
          return
        case 'failed':
          fail(`the load generator failed: ${reply.message}`)
          return
        case 'recorded':
        case 'done':
        case 'report':
          settle(() => resolve(reply))
      }
    }
    const timer = setTimeout(() => fail(`the load generator did not answer within ${withinMs} ms`), withinMs)
    child.on('message', onMessage)
    child.once('exit', onExit)
    if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode)
    else child.send(order)
  })
}
