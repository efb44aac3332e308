import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { giveWay, takeTurns } from '../../give-way.ts'
import { withCompressed } from './compressed-files.ts'
import { systemFiles } from './files.ts'
import { indexKeys } from './index/index-keys.ts'
import { carryOut, type UpkeepOrder, type UpkeepReport } from './upkeep.ts'

/** The thread that looks after sealed segments. A merge, which takes long, waits while there is anything else to do. */

export interface UpkeepThreadData {
  readonly logDirectory: string
  readonly secret: Uint8Array
}

export type UpkeepMessage =
  | UpkeepOrder
  /** Whether it is as urgent as everything else. */
  | { readonly kind: 'hurry'; readonly hurry: boolean }
  | { readonly kind: 'close' }

assert.ok(parentPort !== null, 'this module is started as a worker')
const port = parentPort
const { logDirectory, secret }: UpkeepThreadData = workerData
const files = withCompressed(systemFiles)
const keys = indexKeys(secret)
const urgent: UpkeepOrder[] = []
const patient: UpkeepOrder[] = []
let merge: ReturnType<typeof carryOut> | undefined
let running = false
let closing = false

giveWay()

port.on('message', (message: UpkeepMessage) => {
  if (message.kind === 'close') {
    closing = true
    // Frees what a merge holds; what it wrote so far is removed.
    merge?.return({
      kind: 'failed',
      order: { kind: 'merge', runs: [] },
      cause: 'the log is closed',
      again: false,
    })
    port.close()
    return
  }
  if (message.kind === 'hurry') {
    if (message.hurry) takeTurns()
    else giveWay()
    return
  }
  const queue = message.kind === 'merge' ? patient : urgent
  queue.push(message)
  if (!running) void run()
})

async function run(): Promise<void> {
  running = true
  while (step()) await setImmediate()
  running = false
}

/** False when there is nothing to do. */
function step(): boolean {
  if (closing) return false
  const order = urgent.shift()
  if (order !== undefined) {
    const work = begin(order)
    let done = work.next()
    while (done.done !== true) done = work.next()
    report(done.value)
    return true
  }
  const next = merge === undefined ? patient.shift() : undefined
  if (next !== undefined) merge = begin(next)
  if (merge === undefined) return false
  const done = merge.next()
  if (done.done === true) {
    merge = undefined
    report(done.value)
  }
  return true
}

function begin(order: UpkeepOrder): ReturnType<typeof carryOut> {
  return carryOut(files, logDirectory, keys, order)
}

function report(done: UpkeepReport): void {
  const filters = 'filters' in done ? Object.values(done.filters) : []
  port.postMessage(
    done,
    filters.map((filter) => filter.buffer),
  )
}
