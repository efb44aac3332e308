import assert from 'node:assert/strict'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../clock.ts'
import { type CommitOrder, Committer } from './committer.ts'
import { systemFiles } from './files.ts'
import type { HeadSignal } from './head-signal.ts'
import { OrderPatience } from './order-patience.ts'
import { SegmentWriter, type SegmentWriterOptions, type WriterStart } from './segment-writer.ts'
import { countedFiles, type SyncTimes } from './sync-times.ts'

/** The thread that writes and syncs; everything it does blocks it, and nobody else. */

export interface WriterThreadData {
  readonly options: SegmentWriterOptions
  readonly start: WriterStart | undefined
  readonly signal: HeadSignal
  readonly syncTimes: SyncTimes
  /** How many orders were sent: the thread sleeps on it, which takes less time to wake from than its event loop does. */
  readonly orders: Int32Array<SharedArrayBuffer>
}

assert.ok(parentPort !== null, 'this module is started as a worker')
const port = parentPort
const { options, start, signal, syncTimes, orders }: WriterThreadData = workerData
const files = countedFiles(systemFiles, systemClock, syncTimes)
const committer = new Committer(new SegmentWriter(files, options, start), signal)

/** True once the log is closed. */
function takeOrders(): boolean {
  for (let sent = receiveMessageOnPort(port); sent !== undefined; sent = receiveMessageOnPort(port)) {
    const order: CommitOrder = sent.message
    const report = committer.handle(order)
    if (report !== undefined) port.postMessage(report, [report.memory])
    if (order.kind === 'close') return true
  }
  return false
}

const patience = new OrderPatience(orders, systemClock)
for (let seen = 0, closed = false; !closed; closed = takeOrders()) seen = patience.beyond(seen)
