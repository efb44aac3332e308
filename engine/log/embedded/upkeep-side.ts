import { Worker } from 'node:worker_threads'
import { workerUrl } from '../../worker-url.ts'
import type { Files } from './files.ts'
import type { IndexKeys } from './index/index-keys.ts'
import { carryOut, type UpkeepOrder, type UpkeepReport } from './upkeep.ts'
import type { UpkeepMessage, UpkeepThreadData } from './upkeep-thread.ts'

/** The side that looks after sealed segments, wherever it runs. */
export interface UpkeepSide {
  send(order: UpkeepOrder): void
  /** Waits for the step under way, and gives the rest up. */
  close(): Promise<void>
}

export type StartUpkeep = (onReport: (report: UpkeepReport) => void) => UpkeepSide

/** Starts its thread with the first order. `onLost`: it has ended, and nothing is done any more. */
export function upkeepThread(
  logDirectory: string,
  keys: IndexKeys,
  onLost: (cause: string) => void,
): StartUpkeep {
  return (onReport) => {
    let worker: Worker | undefined
    let exited = Promise.resolve()
    let closing = false
    const start = (): Worker => {
      const workerData: UpkeepThreadData = { logDirectory, secret: keys.secret }
      const started = new Worker(workerUrl('upkeep-thread', import.meta.url), {
        workerData,
        name: 'log-upkeep',
      })
      started.on('message', onReport)
      started.on('error', (error) => onLost(error instanceof Error ? error.message : String(error)))
      exited = new Promise((resolve) => started.once('exit', () => resolve()))
      // What it does can be done at the next start: it keeps no process alive.
      started.unref()
      return started
    }
    return {
      send: (order) => {
        if (closing) return
        worker ??= start()
        worker.postMessage(order satisfies UpkeepMessage)
      },
      close: async () => {
        closing = true
        worker?.ref()
        worker?.postMessage({ kind: 'close' } satisfies UpkeepMessage)
        await exited
      },
    }
  }
}

/** On the calling thread, each order at once: deterministic, for tests with a disk of their own. */
export function upkeepInline(files: Files, logDirectory: string, keys: IndexKeys): StartUpkeep {
  return (onReport) => {
    const orders: UpkeepOrder[] = []
    let draining = false
    const carry = (order: UpkeepOrder): UpkeepReport => {
      const work = carryOut(files, logDirectory, keys, order)
      let step = work.next()
      while (step.done !== true) step = work.next()
      return step.value
    }
    return {
      send: (order) => {
        orders.push(order)
        if (draining) return
        draining = true
        for (let next = orders.shift(); next !== undefined; next = orders.shift()) onReport(carry(next))
        draining = false
      },
      close: async () => {},
    }
  }
}
