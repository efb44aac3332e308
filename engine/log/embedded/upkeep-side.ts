import { Worker } from 'node:worker_threads'
import { workerUrl } from '../../worker-url.ts'
import type { Files } from './files.ts'
import type { IndexKeys } from './index/index-keys.ts'
import { carryOut, type UpkeepOrder, type UpkeepReport } from './upkeep.ts'
import type { UpkeepMessage, UpkeepThreadData } from './upkeep-thread.ts'

/** The side that looks after sealed segments, wherever it runs. */
export interface UpkeepSide {
  /** Of one kind, merging or not, one after another: the next when the one before was reported. */
  send(order: UpkeepOrder): void
  /** Whether its work is as urgent as everything else's. */
  hurry(hurry: boolean): void
  /** Waits for the step under way, and gives the rest up. */
  close(): Promise<void>
}

export type StartUpkeep = (onReport: (report: UpkeepReport) => void) => UpkeepSide

/** Starts its thread with the first order, and anew with the first one after it ended: what it hadn't done has failed. */
export function upkeepThread(
  logDirectory: string,
  keys: IndexKeys,
  module = workerUrl('upkeep-thread', import.meta.url),
): StartUpkeep {
  return (onReport) => new UpkeepThread(module, { logDirectory, secret: keys.secret }, onReport)
}

class UpkeepThread implements UpkeepSide {
  readonly #module: URL
  readonly #data: UpkeepThreadData
  readonly #onReport: (report: UpkeepReport) => void
  /** Sent and not reported yet. */
  #orders: UpkeepOrder[] = []
  #worker: Worker | undefined
  #exited = Promise.resolve()
  #hurry = false
  #closing = false

  constructor(module: URL, data: UpkeepThreadData, onReport: (report: UpkeepReport) => void) {
    this.#module = module
    this.#data = data
    this.#onReport = onReport
  }

  send(order: UpkeepOrder): void {
    if (this.#closing) return
    this.#orders.push(order)
    this.#worker ??= this.#start()
    this.#post(order)
  }

  hurry(hurry: boolean): void {
    // Whoever closes it waits for its end, which must keep the process alive.
    if (hurry === this.#hurry || this.#closing) return
    this.#hurry = hurry
    this.#post({ kind: 'hurry', hurry })
    // Appends may wait for it.
    if (hurry) this.#worker?.ref()
    else this.#worker?.unref()
  }

  #post(message: UpkeepMessage): void {
    this.#worker?.postMessage(message)
  }

  #start(): Worker {
    const worker = new Worker(this.#module, { workerData: this.#data, name: 'log-upkeep' })
    let cause = 'its thread has ended'
    worker.on('message', (report: UpkeepReport) => this.#take(report))
    worker.on('error', (error) => (cause = error instanceof Error ? error.message : String(error)))
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve(this.#ended(cause))))
    // What it does can be done at the next start: it keeps no process alive.
    if (this.#hurry) worker.postMessage({ kind: 'hurry', hurry: true } satisfies UpkeepMessage)
    else worker.unref()
    return worker
  }

  #take(report: UpkeepReport): void {
    const merge = report.kind === 'merged' || (report.kind === 'failed' && report.order.kind === 'merge')
    this.#orders = this.#orders.filter((order) => (order.kind === 'merge') !== merge)
    this.#onReport(report)
  }

  #ended(cause: string): void {
    this.#worker = undefined
    if (this.#closing) return
    for (const order of this.#orders.splice(0)) {
      this.#onReport({ kind: 'failed', order, cause, damaged: undefined, again: true })
    }
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#worker?.ref()
    this.#post({ kind: 'close' })
    await this.#exited
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
      hurry: () => {},
      close: async () => {},
    }
  }
}
