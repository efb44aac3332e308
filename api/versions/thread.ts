import { Worker } from 'node:worker_threads'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { workerUrl } from '../../engine/worker-url.ts'
import { failureText } from '../failure-place.ts'
import { type CompareProgress, ComparingAborted, type Differences } from './compare.ts'

/** What is compared on a thread of its own. */
export type Comparison =
  /** What serves and what the log would come to by today's code, with `published` as if it were so. */
  | {
      readonly kind: 'anew'
      readonly projections: readonly string[]
      readonly published: readonly RecordedEvent[]
      readonly sample: number
    }
  /** What serves and what waits beside it, or would take its place. */
  | { readonly kind: 'wanted'; readonly projection: string; readonly sample: number }
  | { readonly kind: 'digest'; readonly projection: string }

export interface ServedDigest {
  readonly position: number
  readonly received: number
  /** undefined: no build serves. */
  readonly served: { readonly build: string; readonly rows: number; readonly digest: string } | undefined
}

export type ComparisonResult =
  | ({ readonly kind: 'differences' } & Differences)
  | ({ readonly kind: 'digest' } & ServedDigest)

export interface ComparingPaths {
  readonly data: string
  readonly headSignal: SharedArrayBuffer
  readonly masterKey: Uint8Array | undefined
}

export interface ComparisonWorkerData extends ComparingPaths {
  readonly comparison: Comparison
}

export type ComparisonMessage =
  | { readonly kind: 'progress'; readonly progress: CompareProgress }
  | { readonly kind: 'result'; readonly result: ComparisonResult }
  | { readonly kind: 'failed'; readonly message: string }

export interface RunningComparison {
  /** Rejects with `ComparingAborted`, or with what went wrong inside. */
  readonly result: Promise<ComparisonResult>
  /** Resolves once nothing of it is left. */
  abort(): Promise<void>
}

/** Starts comparing; the engine goes on beside it. */
export function startComparison(
  { data, headSignal, masterKey }: ComparingPaths,
  comparison: Comparison,
  onProgress: (progress: CompareProgress) => void,
): RunningComparison {
  const workerData: ComparisonWorkerData = { data, headSignal, masterKey, comparison }
  const worker = new Worker(workerUrl('worker', import.meta.url), { workerData, name: 'versions' })
  // Nobody's last will: it doesn't keep the process from ending.
  worker.unref()
  const { promise, resolve, reject } = Promise.withResolvers<ComparisonResult>()
  const ended = new Promise<void>((settle) => worker.once('exit', () => settle()))
  worker.on('message', (message: ComparisonMessage) => {
    switch (message.kind) {
      case 'progress':
        onProgress(message.progress)
        break
      case 'result':
        resolve(message.result)
        break
      case 'failed':
        reject(new Error(message.message))
        break
    }
  })
  worker.on('error', (error: unknown) => reject(new Error(failureText(error))))
  // After its last message.
  void ended.then(() => reject(new ComparingAborted()))
  promise.catch(() => undefined)
  return {
    result: promise,
    async abort() {
      worker.postMessage('abort')
      await ended
    },
  }
}
