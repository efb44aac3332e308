import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { removeSqliteStore } from '../../engine/store/sqlite-failure.ts'
import { openSqliteReader } from '../../engine/store/sqlite-reader.ts'
import { workerUrl } from '../../engine/worker-url.ts'
import { failureText } from '../failure-place.ts'
import { readSpecs } from '../served-projections.ts'
import type { Building, BuildOrder, BuildOutcome, Built, PastBuilder, PastFailure } from './past.ts'

export interface PastWorkerData {
  readonly logDirectory: string
  readonly headSignal: SharedArrayBuffer
  readonly keysDirectory: string
  readonly masterKey: Uint8Array | undefined
  readonly storePath: string
  readonly moment: BuildOrder['moment']
  readonly projections: readonly string[]
  readonly limitBytes: number
}

export type PastMessage =
  | { readonly kind: 'progress'; readonly position: number }
  | { readonly kind: 'built' }
  | { readonly kind: 'failed'; readonly failure: PastFailure }

interface ThreadBuilderOptions extends Pick<PastWorkerData, 'logDirectory' | 'headSignal' | 'keysDirectory'> {
  readonly masterKey: Uint8Array | undefined
  /** Of the files, which are nothing but a cache: emptied at once. */
  readonly directory: string
  readonly projections: readonly AnyProjection[]
}

/** Builds each on a thread of its own, into a SQLite file of its own. */
export function threadPastBuilder(options: ThreadBuilderOptions): PastBuilder {
  rmSync(options.directory, { recursive: true, force: true })
  let number = 0
  return {
    build(order): Building {
      mkdirSync(options.directory, { recursive: true })
      number += 1
      return start(options, order, join(options.directory, `${number}.sqlite`))
    },
  }
}

function start(options: ThreadBuilderOptions, order: BuildOrder, storePath: string): Building {
  const { logDirectory, headSignal, keysDirectory, masterKey } = options
  const { moment, projections, limitBytes, onProgress } = order
  const shared = { logDirectory, headSignal, keysDirectory, masterKey }
  const workerData: PastWorkerData = { ...shared, storePath, moment, projections, limitBytes }
  const worker = new Worker(workerUrl('past-worker', import.meta.url), { workerData, name: 'past' })
  // A build is nobody's last will: it doesn't keep the process from ending.
  worker.unref()
  let failure: PastFailure = { _tag: 'Dropped' }
  let isBuilt = false
  const { promise: outcome, resolve } = Promise.withResolvers<BuildOutcome>()
  worker.on('message', (message: PastMessage) => {
    switch (message.kind) {
      case 'progress':
        return onProgress(message.position)
      case 'built':
        isBuilt = true
        return
      case 'failed':
        failure = message.failure
    }
  })
  worker.on('error', (error: unknown) => {
    failure = { _tag: 'Broken', message: failureText(error) }
  })
  // Its connection is closed by then.
  worker.on('exit', () => {
    if (isBuilt)
      return resolve({ _tag: 'Built', built: builtAt(storePath, options.projections, projections) })
    removeSqliteStore(storePath)
    resolve({ _tag: 'Failed', failure })
  })
  return {
    outcome,
    async stop() {
      await worker.terminate()
      await outcome
    },
  }
}

function builtAt(path: string, catalogue: readonly AnyProjection[], names: readonly string[]): Built {
  const specs = readSpecs(catalogue.filter(({ name }) => names.includes(name)))
  return {
    sizeBytes: sizeBytesOf(path),
    open: () => openSqliteReader(path, { specs, threads: 1 }),
    remove: async () => removeSqliteStore(path),
  }
}

/** With what SQLite keeps beside it. */
export function sizeBytesOf(path: string): number {
  const sizes = ['', '-wal'].map((suffix) => statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0)
  return sizes.reduce((sum, size) => sum + size, 0)
}
