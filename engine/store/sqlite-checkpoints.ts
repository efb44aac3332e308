import { Worker } from 'node:worker_threads'
import { workerUrl } from '../worker-url.ts'

/**
 * 120 MB: pages that are written often reach the file once for several commits. Once all is copied the next commit begins at
 * the WAL's beginning; what comes meanwhile, a commit or two, should find room in the size that the WAL's file keeps.
 */
const FROM_PAGES = 30_000

/**
 * Copies what the WAL of a store's file holds into the file, on a thread of its own. On the thread that commits, that would
 * stop everything else there for as long: some 300 ms for each 40,000 pages.
 */
export interface Checkpoints {
  /** Not worth it before the WAL holds so many pages. */
  readonly fromPages: number
  /** Begins soon, once what was asked for before is done. A copy that fails changes nothing; the next one may work. */
  ask(): void
  /** What is under way is completed. */
  close(): Promise<void>
}

export interface CheckpointWorkerData {
  readonly path: string
}

/** The thread begins when it is first needed; on Linux it has the priority of the one that asks. */
export function startCheckpoints(path: string, fromPages = FROM_PAGES): Checkpoints {
  let thread: CheckpointThread | undefined
  return {
    fromPages,
    ask() {
      thread ??= startThread(path)
      thread.worker.postMessage('checkpoint')
    },
    async close() {
      thread?.worker.ref()
      thread?.worker.postMessage('close')
      await thread?.ended
    },
  }
}

interface CheckpointThread {
  readonly worker: Worker
  readonly ended: Promise<void>
}

function startThread(path: string): CheckpointThread {
  const workerData: CheckpointWorkerData = { path }
  const worker = new Worker(workerUrl('sqlite-checkpoint-worker', import.meta.url), {
    workerData,
    name: 'checkpoints',
  })
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  worker.once('exit', () => resolve())
  // Without it the writer does the work itself, later.
  worker.on('error', () => undefined)
  worker.unref()
  return { worker, ended }
}
