import type { RecordedEvent } from '../engine/events/event.ts'
import type { LogReader } from '../engine/log/log.ts'
import { ConfigurationState } from '../engine/projector/configuration.ts'
import type { AnyProjection, Configuration, DecodedEvent } from '../engine/projector/projection.ts'

/**
 * What was published up to now and that some projection depends on, for explanations outside the projector. Each call
 * reads on from where the last one ended.
 */
export function publishedConfiguration(
  log: LogReader,
  projections: readonly AnyProjection[],
  open: (event: RecordedEvent) => DecodedEvent,
): () => Promise<Configuration> {
  const types = new Set<string>(projections.flatMap((projection) => projection.configuredBy))
  const state = new ConfigurationState()
  let from = 1
  let reading: Promise<unknown> = Promise.resolve()
  const readOn = async (): Promise<void> => {
    const head = log.head().position
    for await (const batch of log.read({ from, types })) {
      for (const recorded of batch) state.apply(open(recorded))
    }
    from = head + 1
  }
  return async () => {
    // One after the other: two readers would race for `from`.
    reading = reading.then(readOn, readOn)
    await reading
    return state.snapshot()
  }
}
