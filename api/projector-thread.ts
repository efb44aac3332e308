import { Worker } from 'node:worker_threads'
import type { BuildState, BuildsMode } from '../engine/projector/builds.ts'
import type { Erased } from '../engine/projector/erasing.ts'
import type { LiveAnswer } from '../engine/projector/live-reads.ts'
import type { Progress } from '../engine/projector/projector.ts'
import { workerUrl } from '../engine/worker-url.ts'
import { failureText } from './failure-place.ts'
import type { VersionAnswer, VersionOrderMessage } from './versions/orders.ts'

export interface ProjectorWorkerData {
  readonly logDirectory: string
  readonly headSignal: SharedArrayBuffer
  readonly storePath: string
  readonly keysDirectory: string
  readonly masterKey: Uint8Array | undefined
  /** Of `freshParts`: what the intake sealed lately need not be decrypted. */
  readonly fresh: SharedArrayBuffer
  /** Of `watchPressure`: folding gives way while the main thread is saturated. */
  readonly pressure: SharedArrayBuffer
  readonly builds: BuildsMode
}

export type ProjectorMessage =
  | { readonly kind: 'progress' | 'building'; readonly progress: Progress }
  /** How far it has read the log, for builds that are folded from its beginning; only now and then. */
  | { readonly kind: 'reading'; readonly position: number }
  | { readonly kind: 'build'; readonly build: string; readonly state: BuildState }
  | { readonly kind: 'notice'; readonly message: string }
  | { readonly kind: 'read'; readonly id: number; readonly found: LiveAnswer | undefined }
  /** Nothing of theirs is opened from here on. */
  | { readonly kind: 'forgot'; readonly id: number }
  | { readonly kind: 'erased'; readonly id: number; readonly erased: Erased }
  | VersionAnswer
  | { readonly kind: 'failed'; readonly message: string }

export interface ReadOrder {
  readonly kind: 'read'
  readonly id: number
  readonly projections: readonly string[]
  readonly key: string
  readonly after: number
  readonly withinMs: number
}

interface HurryOrder {
  readonly kind: 'hurry'
  /** Somebody waits for it to be committed. */
  readonly position: number
}

/** Keys of these owners are destroyed: what is cached of them goes. */
interface ForgetOrder {
  readonly kind: 'forget'
  readonly id: number
  readonly owners: readonly string[]
}

/** What events at these positions left in the read models is to be folded anew. */
interface EraseOrder {
  readonly kind: 'erase'
  readonly id: number
  readonly positions: readonly number[]
}

export type ErasingOrder = ForgetOrder | EraseOrder

export type ProjectorOrder =
  | { readonly kind: 'stop' }
  | ErasingOrder
  | HurryOrder
  | ReadOrder
  | VersionOrderMessage

interface ProjectorThread {
  tell(order: ReadOrder | HurryOrder | ErasingOrder | VersionOrderMessage): void
  /** Commits what is folded and ends the thread. */
  stop(): Promise<void>
}

/**
 * States live for some commits: a young generation that is large enough to let most of them die there. Some 16 kB are
 * allocated an event; a third of this made 1.8 times as many collections, which paused folding 1.6 times as long.
 */
const YOUNG_GENERATION_MB = 96

/** Starts the projector on its own thread; `onMessage` hears of every commit, build and of its end by failure. */
export function startProjector(
  data: ProjectorWorkerData,
  onMessage: (message: ProjectorMessage) => void,
): ProjectorThread {
  const worker = new Worker(workerUrl('projector-worker', import.meta.url), {
    workerData: data,
    name: 'projector',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  })
  // Not `once` of events: that would reject, unheard, when the thread fails.
  const ended = new Promise((resolve) => worker.once('exit', resolve))
  worker.on('message', onMessage)
  worker.on('error', (error: unknown) => {
    onMessage({ kind: 'failed', message: failureText(error) })
  })
  return {
    tell: (order) => worker.postMessage(order),
    async stop() {
      worker.postMessage({ kind: 'stop' } satisfies ProjectorOrder)
      await ended
    },
  }
}
