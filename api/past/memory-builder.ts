import type { Clock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { LogReader } from '../../engine/log/log.ts'
import { foldPast } from '../../engine/projector/past-fold.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { configurationHistory } from '../history/configuration.ts'
import { readSpecs } from '../served-projections.ts'
import type { Building, BuildOrder, BuildOutcome, PastBuilder } from './past.ts'

interface MemoryBuilderOptions {
  readonly log: LogReader
  readonly projections: readonly AnyProjection[]
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly clock: Clock
}

/** Builds on the calling thread and in memory, for tests and simulations. */
export function memoryPastBuilder(options: MemoryBuilderOptions): PastBuilder {
  return {
    build(order): Building {
      const stopping = new AbortController()
      const outcome = build(options, order, stopping.signal)
      return {
        outcome,
        async stop() {
          stopping.abort()
          await outcome
        },
      }
    },
  }
}

async function build(
  { log, projections, open, clock }: MemoryBuilderOptions,
  { moment, projections: names, onProgress }: BuildOrder,
  signal: AbortSignal,
): Promise<BuildOutcome> {
  const wanted = projections.filter(({ name }) => names.includes(name))
  const config = await configurationHistory(log, wanted, open)(moment)
  const store = createMemoryStore()
  const folding = { log, store: store.writer, projections: wanted, rules: DEFAULT_RULES, open, clock, signal }
  const isWhole = await foldPast({ ...folding, moment, config, onProgress })
  if (!isWhole) return { _tag: 'Failed', failure: { _tag: 'Dropped' } }
  const reader = () => store.reader(readSpecs(wanted))
  return { _tag: 'Built', built: { sizeBytes: 0, open: reader, remove: async () => undefined } }
}
