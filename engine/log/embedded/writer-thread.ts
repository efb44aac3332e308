import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../clock.ts'
import { type CommitOrder, Committer } from './committer.ts'
import { systemFiles } from './files.ts'
import type { HeadSignal } from './head-signal.ts'
import { SegmentWriter, type SegmentWriterOptions, type WriterStart } from './segment-writer.ts'
import { countedFiles, type SyncTimes } from './sync-times.ts'

/** The thread that writes and syncs; everything it does blocks it, and nobody else. */

export interface WriterThreadData {
  readonly options: SegmentWriterOptions
  readonly start: WriterStart | undefined
  readonly signal: HeadSignal
  readonly syncTimes: SyncTimes
}

assert.ok(parentPort !== null, 'this module is started as a worker')
const port = parentPort
const { options, start, signal, syncTimes }: WriterThreadData = workerData
const files = countedFiles(systemFiles, systemClock, syncTimes)
const committer = new Committer(new SegmentWriter(files, options, start), signal)

port.on('message', (order: CommitOrder) => {
  const report = committer.handle(order)
  if (report !== undefined) port.postMessage(report, [report.memory])
  if (order.kind === 'close') port.close()
})
