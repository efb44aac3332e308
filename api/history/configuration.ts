import assert from 'node:assert/strict'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { LogReader } from '../../engine/log/log.ts'
import { counts, type Moment } from '../../engine/projector/asof.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import type { ApiDeps } from '../deps.ts'

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
  return async (moment) => stateOf(await publishedAt(moment))
}

type Histories = WeakMap<ApiDeps['projections'], ReturnType<typeof publishedHistory>>
const histories = new WeakMap<ApiDeps['log'], Histories>()

/** The same for all who ask about an engine: its log is read for it once. */
export function publishedOf({
  log,
  projections,
  catalogue = projections,
  openEvent,
}: Pick<ApiDeps, 'log' | 'projections' | 'catalogue' | 'openEvent'>): ReturnType<typeof publishedHistory> {
  const ofLog: Histories = histories.get(log) ?? new WeakMap()
  histories.set(log, ofLog)
  const known = ofLog.get(catalogue) ?? publishedHistory(log, catalogue.values(), openEvent)
  ofLog.set(catalogue, known)
  return known
}

/** Published configuration at a moment, from the history that all share. */
export async function configurationAt(
  deps: Pick<ApiDeps, 'log' | 'projections' | 'catalogue' | 'openEvent'>,
  moment: Moment,
): Promise<ConfigurationState> {
  return stateOf(await publishedOf(deps)(moment))
}

function stateOf(published: readonly DecodedEvent[]): ConfigurationState {
  const state = new ConfigurationState()
  for (const event of published) state.apply(event)
  return state
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
  // What stands up to a place of the log never changes: only what is beyond all that was read costs anything.
  const readUntil = async (position: number): Promise<void> => {
    if (position < from) return
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
    const readOn = () => readUntil(moment.position)
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
