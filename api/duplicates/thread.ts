import { Worker } from 'node:worker_threads'
import { workerUrl } from '../../engine/worker-url.ts'
import { failureText } from '../failure-place.ts'
import { FIND_LIMITS, type FindLimits, type FindProgress, type Found, type FoundCandidate } from './find.ts'
import type { Finder, FindFailure, FindOutcome, Search, SearchOrder } from './finder.ts'
import type { Decided } from './verdicts.ts'

export interface DuplicatesWorkerData {
  readonly storePath: string
  readonly decided: Decided
  readonly limits: FindLimits
}

/** Candidates come in parts: taking over all at once would keep the main thread from everything else. */
export type DuplicatesMessage =
  | { readonly kind: 'progress'; readonly progress: FindProgress }
  | {
      readonly kind: 'part'
      readonly candidates: readonly FoundCandidate[]
      readonly members: Found['members']
    }
  | { readonly kind: 'found'; readonly found: Omit<Found, 'candidates' | 'members'> }
  | { readonly kind: 'failed'; readonly message: string }

/** Some three times what 50,000 profiles of many fields take. */
const HEAP_MB = 768

/** Looks on a thread of its own, of low priority, in the file of the read models. */
export function threadFinder(storePath: string, limits: FindLimits = FIND_LIMITS): Finder {
  return { limits, start: (order) => startSearch(storePath, limits, order) }
}

function startSearch(storePath: string, limits: FindLimits, { decided, onProgress }: SearchOrder): Search {
  const workerData: DuplicatesWorkerData = { storePath, decided, limits }
  const worker = new Worker(workerUrl('worker', import.meta.url), {
    workerData,
    name: 'duplicates',
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  })
  // Nobody's last will: it doesn't keep the process from ending.
  worker.unref()
  const candidates: FoundCandidate[] = []
  const members = new Map<string, readonly string[]>()
  let found: Found | undefined
  let failure: FindFailure = { _tag: 'Dropped' }
  const { promise: outcome, resolve } = Promise.withResolvers<FindOutcome>()
  worker.on('message', (message: DuplicatesMessage) => {
    switch (message.kind) {
      case 'progress':
        return onProgress(message.progress)
      case 'part':
        candidates.push(...message.candidates)
        for (const [profile, ids] of message.members) members.set(profile, ids)
        return
      case 'found':
        found = { ...message.found, candidates, members }
        return
      case 'failed':
        failure = { _tag: 'Broken', message: message.message }
    }
  })
  worker.on('error', (error: unknown) => {
    failure = failureOf(error)
  })
  // After its last message.
  worker.on('exit', () => {
    resolve(found === undefined ? { _tag: 'Failed', failure } : { _tag: 'Found', found })
  })
  return {
    outcome,
    async stop() {
      await worker.terminate()
      await outcome
    },
  }
}

function failureOf(error: unknown): FindFailure {
  const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
  return isTooLarge ? { _tag: 'TooLarge', limitMb: HEAP_MB } : { _tag: 'Broken', message: failureText(error) }
}
