import assert from 'node:assert/strict'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { LogReader } from '../../engine/log/log.ts'
import { counts, type Moment } from '../../engine/projector/asof.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'

/**
 * Published configuration at any moment. Its events are few and are kept; each call reads on from where the last one
 * ended.
 */
export function configurationHistory(
  log: Pick<LogReader, 'head' | 'read'>,
  projections: Iterable<AnyProjection>,
  open: (event: RecordedEvent) => DecodedEvent,
): (moment: Moment) => Promise<ConfigurationState> {
  const publishedAt = publishedHistory(log, projections, open)
  return async (moment) => {
    const state = new ConfigurationState()
    for (const event of await publishedAt(moment)) state.apply(event)
    return state
  }
}

/** The events that configuration at a moment follows from, in log order. */
export function publishedHistory(
  log: Pick<LogReader, 'head' | 'read'>,
  projections: Iterable<AnyProjection>,
  open: (event: RecordedEvent) => DecodedEvent,
): (moment: Moment) => Promise<readonly DecodedEvent[]> {
  const types = new Set<string>([
    ...[...projections].flatMap(({ configuredBy }) => configuredBy),
    'rules.published',
  ])
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
    return published.filter((event) => counts(moment, event))
  }
}

/** What can't be opened configures nothing. */
function opened(event: RecordedEvent, open: (event: RecordedEvent) => DecodedEvent): readonly DecodedEvent[] {
  try {
    const found = open(event)
    // Events may be opened only when their data is asked for: here is where that may fail.
    assert(found.data !== undefined)
    return [found]
  } catch {
    return []
  }
}
