import type { Clock } from '../clock.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { IdentityRules } from '../identity/identity.ts'
import type { Head, LogReader } from '../log/log.ts'
import type { StoreWriter } from '../store/store.ts'
import type { AnyProjection, DecodedEvent } from './projection.ts'
import { createProjector } from './projector.ts'
import { prefixOf } from './versions-log.ts'

export interface FoldingAnew {
  readonly log: LogReader
  /** A store of its own: empty, or what an earlier call with a smaller head has left. */
  readonly store: StoreWriter
  readonly projections: readonly AnyProjection[]
  /** Where none are published. */
  readonly rules: IdentityRules
  readonly clock: Clock
  readonly open: (event: RecordedEvent) => DecodedEvent
  /** Configuration that was never appended and counts as if it were: see `prefixOf`. */
  readonly published?: readonly RecordedEvent[] | undefined
  readonly signal: AbortSignal
  readonly onProgress: (position: number) => void
}

/**
 * Folds the log up to and including `head` from its beginning, by the projector itself and the configuration that it ends
 * with. False: aborted on the way. Throws `LogDamaged` and what the store throws.
 */
export async function foldAnew(folding: FoldingAnew, head: Head): Promise<boolean> {
  const { signal, onProgress, published } = folding
  const projector = createProjector({
    ...folding,
    log: prefixOf(folding.log, head, published),
    onCommit: ({ position }) => onProgress(position),
    onBuild: () => undefined,
  })
  await projector.run(signal)
  return !signal.aborted
}
