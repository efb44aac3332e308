import assert from 'node:assert/strict'
import type { RecordedEvent } from '../engine/events/event.ts'
import type { LogReader } from '../engine/log/log.ts'
import { ConfigurationState } from '../engine/projector/configuration.ts'
import type { AnyProjection, Configuration, DecodedEvent } from '../engine/projector/projection.ts'

/**
 * What was published up to now and that some projection, or who is who, depends on, for explanations outside the projector. Each call
 * reads on from where the last one ended. As for the projector, what can't be opened configures nothing.
 */
export function publishedConfiguration(
  log: LogReader,
  projections: readonly Pick<AnyProjection, 'configuredBy'>[],
  open: (event: RecordedEvent) => DecodedEvent,
): () => Promise<Configuration> {
  const configuring = projections.flatMap((projection) => projection.configuredBy)
  const types = new Set<string>([...configuring, 'rules.published'])
  const state = new ConfigurationState()
  let from = 1
  let reading: Promise<unknown> = Promise.resolve()
  const configure = (recorded: RecordedEvent): void => {
    try {
      const event = open(recorded)
      // Events may be opened only when their data is asked for: here is where that may fail.
      assert(event.data !== undefined)
      state.apply(event)
    } catch {
      // Who publishes it again mends it.
    }
  }
  const readOn = async (): Promise<void> => {
    const head = log.head().position
    for await (const batch of log.read({ from, types })) {
      for (const recorded of batch) configure(recorded)
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
