import type { Head } from '../../engine/log/log.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import type { StoreReader } from '../../engine/store/store.ts'
import type { Building, Built, PastFailure, PastStatus } from './past.ts'

/** What a cache of pasts keeps of each, and how much of it. */

export interface PastLimits {
  /** Builds that wait; whoever asks for one more is told to come again. */
  readonly queued: number
  /** Moments kept; the least recently used one goes first. */
  readonly kept: number
  /** Of all that is kept together, and of one build. */
  readonly sizeBytes: number
  /** What nobody has asked for so long goes, ms. */
  readonly unusedMs: number
  /** What nobody reads for so long is read by no thread any more, ms. */
  readonly idleMs: number
  /**
   * `occurred`: late news make a build outdated; for so long after it was made it is answered from all the same, ms. A log
   * that history is imported into would otherwise never be answered from.
   */
  readonly outdatedMs: number
  /** A build that failed isn't tried again before, ms. */
  readonly failedMs: number
}

const GIB = 1024 ** 3

export const PAST_LIMITS: PastLimits = {
  queued: 8,
  kept: 16,
  sizeBytes: 4 * GIB,
  unusedMs: 600_000,
  idleMs: 30_000,
  outdatedMs: 60_000,
  failedMs: 5_000,
}

type Phase =
  | { readonly _tag: 'Queued' }
  | { readonly _tag: 'Building'; readonly building: Building }
  | { readonly _tag: 'Ready'; readonly built: Built; readonly doneMs: number }
  | { readonly _tag: 'Failed'; readonly failure: PastFailure; readonly doneMs: number }

/** Read models of one moment, from when they are first asked for until they are dropped. */
export interface Past {
  readonly moment: Moment
  readonly projections: Set<string>
  readonly startedMs: number
  phase: Phase
  position: number
  usedMs: number
  users: number
  /** Open as long as somebody reads, and a little longer. */
  reader: StoreReader | undefined
  closing: NodeJS.Timeout | undefined
  isDropped: boolean
  /** Nothing that happened by the moment came in up to here. */
  checked: Head
  readonly settled: PromiseWithResolvers<void>
}

export function statusOf({ moment, projections, phase, position, startedMs, usedMs }: Past): PastStatus {
  const common = { moment, projections: [...projections], position, startedMs }
  switch (phase._tag) {
    case 'Queued':
      return { ...common, state: 'queued' }
    case 'Building':
      return { ...common, state: 'building' }
    case 'Ready':
      return { ...common, state: 'ready', usedMs, sizeBytes: phase.built.sizeBytes }
    case 'Failed':
      return { ...common, state: 'failed', failure: phase.failure._tag }
  }
}

export function isDone({ phase }: Past): boolean {
  return phase._tag === 'Ready' || phase._tag === 'Failed'
}

export function sizeOf({ phase }: Past): number {
  return phase._tag === 'Ready' ? phase.built.sizeBytes : 0
}

/** What was begun holds what was asked of it by then. */
export function holdsAll({ projections }: Past, wanted: readonly string[]): boolean {
  return wanted.every((name) => projections.has(name))
}

/** Moments by `occurred` are told apart by their instant: how much of the log they know, the caller looks at. */
export function isOf(built: Moment, asked: Moment): boolean {
  if (built.by === 'received') return asked.by === 'received' && built.position === asked.position
  return asked.by === 'occurred' && built.time === asked.time
}

export async function settledWithin({ settled }: Past, waitMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, waitMs)
  void settled.promise.then(resolve)
  await promise
  clearTimeout(timer)
}
