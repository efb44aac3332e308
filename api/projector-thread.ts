import { Worker } from 'node:worker_threads'
import type { Progress } from '../engine/projector/projector.ts'
import { workerUrl } from '../engine/worker-url.ts'

export interface ProjectorWorkerData {
  readonly logDirectory: string
  readonly headSignal: SharedArrayBuffer
  readonly storePath: string
  readonly keysDirectory: string
  readonly masterKey: Uint8Array | undefined
}

export type ProjectorMessage =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'build'; readonly build: string; readonly state: 'building' | 'serving' | 'foreign' }
  | { readonly kind: 'notice'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string }

export type ProjectorOrder = { readonly kind: 'stop' } | { readonly kind: 'forget'; readonly owner: string }

interface ProjectorThread {
  /** Commits what is folded and ends the thread. */
  stop(): Promise<void>
}

/** Starts the projector on its own thread; `onMessage` hears of every commit, build and of its end by failure. */
export function startProjector(
  data: ProjectorWorkerData,
  onMessage: (message: ProjectorMessage) => void,
): ProjectorThread {
  const worker = new Worker(workerUrl('projector-worker', import.meta.url), { workerData: data })
  // Not `once` of events: that would reject, unheard, when the thread fails.
  const ended = new Promise((resolve) => worker.once('exit', resolve))
  worker.on('message', onMessage)
  worker.on('error', (error: unknown) => {
    onMessage({
      kind: 'failed',
      message: error instanceof Error ? `${error.name}: ${error.message}` : 'unknown error',
    })
  })
  return {
    async stop() {
      worker.postMessage({ kind: 'stop' } satisfies ProjectorOrder)
      await ended
    },
  }
}
