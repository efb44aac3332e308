import type { RecordedEvent } from '../../engine/events/event.ts'
import type { LogReader } from '../../engine/log/log.ts'
import { counts, type Moment } from '../../engine/projector/asof.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import type { AnyProjection, Configuration, DecodedEvent } from '../../engine/projector/projection.ts'

/**
 * Published configuration at any moment. Its events are few and are kept; each call reads on from where the last one
 * ended.
 */
export function configurationHistory(
  log: LogReader,
  projections: Iterable<AnyProjection>,
  open: (event: RecordedEvent) => DecodedEvent,
): (moment: Moment) => Promise<Configuration> {
  const types = new Set<string>([...projections].flatMap(({ configuredBy }) => configuredBy))
  const published: DecodedEvent[] = []
  let from = 1
  let reading: Promise<unknown> = Promise.resolve()
  const readOn = async (): Promise<void> => {
    const head = log.head().position
    const found: DecodedEvent[] = []
    for await (const batch of log.read({ from, types })) {
      for (const event of batch) found.push(...opened(event, open))
    }
    for (const event of found) {
      published.push(event)
      from = Math.max(from, event.position + 1)
    }
    from = Math.max(from, head + 1)
  }
  return async (moment) => {
    // One after the other: two readers would race for `from`.
    reading = reading.then(readOn, readOn)
    await reading
    const state = new ConfigurationState()
    for (const event of published) if (counts(moment, event)) state.apply(event)
    return state
  }
}

/** What can't be opened configures nothing. */
function opened(event: RecordedEvent, open: (event: RecordedEvent) => DecodedEvent): readonly DecodedEvent[] {
  try {
    return [open(event)]
  } catch {
    return []
  }
}
