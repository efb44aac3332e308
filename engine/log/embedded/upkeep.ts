import { LogDamaged } from '../log.ts'
import { compressSegment } from './compress-segment.ts'
import type { Files } from './files.ts'
import { gatherSegment } from './index/build-segment-index.ts'
import { IndexDamaged } from './index/index-file.ts'
import type { IndexKeys } from './index/index-keys.ts'
import { KeyRun } from './index/key-run.ts'
import { mergeRuns } from './index/merge-runs.ts'
import type { SegmentFilters } from './index/segment-index-builder.ts'

/** What is done for sealed segments, in the background. Each order gets one report. */
export type UpkeepOrder =
  | { readonly kind: 'index'; readonly first: number; readonly last: number; readonly anew: boolean }
  | { readonly kind: 'compress'; readonly first: number }
  /** Neighbouring runs of keys, by name, oldest first. */
  | { readonly kind: 'merge'; readonly runs: readonly string[] }

export type UpkeepReport =
  | {
      readonly kind: 'indexed'
      readonly first: number
      readonly last: number
      readonly filters: SegmentFilters
    }
  | { readonly kind: 'compressed'; readonly first: number }
  | {
      readonly kind: 'merged'
      readonly runs: readonly string[]
      readonly filters: Pick<SegmentFilters, 'ids' | 'heads'>
    }
  /** Things are as before. */
  | {
      readonly kind: 'failed'
      readonly order: UpkeepOrder
      readonly cause: string
      /** The index file that was found damaged. */
      readonly damaged?: string | undefined
      /** Whether it may succeed another time: not where the log itself is damaged. */
      readonly again: boolean
    }

/** Carries one order out, step by step, so that its thread can look for a more urgent one in between. */
export function* carryOut(
  files: Files,
  logDirectory: string,
  keys: IndexKeys,
  order: UpkeepOrder,
): Generator<undefined, UpkeepReport> {
  try {
    switch (order.kind) {
      case 'index': {
        const { builder, cover } = gatherSegment(files, logDirectory, keys, order)
        const filters = builder.write(files, logDirectory, cover)
        return { kind: 'indexed', first: order.first, last: order.last, filters }
      }
      case 'compress':
        return compressed(files, logDirectory, order)
      case 'merge':
        return yield* merged(files, logDirectory, keys, order)
    }
  } catch (error) {
    const damaged = error instanceof IndexDamaged ? error.path : undefined
    const cause = error instanceof Error ? error.message : String(error)
    return { kind: 'failed', order, cause, damaged, again: !(error instanceof LogDamaged) }
  }
}

function compressed(
  files: Files,
  logDirectory: string,
  order: Extract<UpkeepOrder, { readonly kind: 'compress' }>,
): UpkeepReport {
  const outcome = compressSegment(files, logDirectory, order.first)
  switch (outcome._tag) {
    case 'Compressed':
    case 'AlreadyCompressed':
    case 'NotWorthwhile':
    case 'NotSealed':
      return { kind: 'compressed', first: order.first }
    case 'Damaged':
      return { kind: 'failed', order, cause: outcome.damage.message, again: false }
    case 'Failed':
      return { kind: 'failed', order, cause: outcome.cause, again: true }
  }
}

function* merged(
  files: Files,
  logDirectory: string,
  keys: IndexKeys,
  order: Extract<UpkeepOrder, { readonly kind: 'merge' }>,
): Generator<undefined, UpkeepReport> {
  const runs: KeyRun[] = []
  try {
    for (const name of order.runs) runs.push(KeyRun.open(files, logDirectory, name))
    const { ids, heads } = yield* mergeRuns(files, logDirectory, runs, keys.check)
    return { kind: 'merged', runs: order.runs, filters: { ids, heads } }
  } finally {
    for (const run of runs) run.close()
  }
}
