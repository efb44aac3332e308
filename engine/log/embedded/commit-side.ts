import { Worker } from 'node:worker_threads'
import { workerUrl } from '../../worker-url.ts'
import { type CommitOrder, type CommitReport, Committer } from './committer.ts'
import type { Files } from './files.ts'
import type { HeadSignal } from './head-signal.ts'
import { SegmentWriter, type SegmentWriterOptions, type WriterStart } from './segment-writer.ts'
import type { SyncTimes } from './sync-times.ts'
import type { WriterThreadData } from './writer-thread.ts'

/** The committing side, wherever it runs. Every block that is sent gets one report, in order. */
export interface CommitSide {
  send(order: CommitOrder): void
  /** Call when nothing is under way. */
  close(): Promise<void>
}

export interface CommitListener {
  onReport(report: CommitReport): void
  /** The committing side is gone. */
  onLost(cause: string): void
}

export function startWriterThread(
  options: SegmentWriterOptions,
  start: WriterStart | undefined,
  signal: HeadSignal,
  syncTimes: SyncTimes,
  listener: CommitListener,
): CommitSide {
  const orders = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const workerData: WriterThreadData = { options, start, signal, syncTimes, orders }
  const worker = new Worker(workerUrl('writer-thread', import.meta.url), { workerData, name: 'log-writer' })
  let underWay = 0
  let closing = false
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  worker.on('message', (report: CommitReport) => {
    // An idle log doesn't keep the process alive; one with a commit under way does.
    if (--underWay === 0 && !closing) worker.unref()
    listener.onReport(report)
  })
  worker.on('error', (error) => listener.onLost(error instanceof Error ? error.message : String(error)))
  worker.on('exit', () => {
    if (!closing) listener.onLost('the writing thread ended')
  })
  worker.unref()
  const post = (order: CommitOrder): void => {
    worker.postMessage(order, order.kind === 'block' ? [order.memory] : [])
    Atomics.add(orders, 0, 1)
    Atomics.notify(orders, 0)
  }
  return {
    send: (order) => {
      if (order.kind === 'block' && underWay++ === 0) worker.ref()
      post(order)
    },
    close: async () => {
      closing = true
      worker.ref()
      post({ kind: 'close' })
      await exited
    },
  }
}

/** Does what it is given when its turn comes, in the order in which it is given. */
export type InTurn = (act: () => void) => void

/** Commits on the calling thread, by default at once: deterministic, for tests with a disk of their own. */
export function commitInline(
  files: Files,
  options: SegmentWriterOptions,
  start: WriterStart | undefined,
  signal: HeadSignal,
  listener: CommitListener,
  inTurn: InTurn = (act) => act(),
): CommitSide {
  const committer = new Committer(new SegmentWriter(files, options, start), signal)
  return {
    send: (order) =>
      inTurn(() => {
        const report = committer.handle(order)
        if (report !== undefined) queueMicrotask(() => listener.onReport(report))
      }),
    close: async () => {
      committer.handle({ kind: 'close' })
    },
  }
}
