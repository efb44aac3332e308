import assert from 'node:assert/strict'
import type { RecordedEvent } from '../events/event.ts'
import type { LogReader } from '../log/log.ts'
import { ConfigurationState, type Configured } from './configuration.ts'
import type { AnyProjection, DecodedEvent } from './projection.ts'

type Open = (event: RecordedEvent) => DecodedEvent

/** What a log has published of these types, as far as it goes. */
export async function publishedIn(
  log: Pick<LogReader, 'read'>,
  types: AnyProjection['configuredBy'],
  open: Open,
): Promise<ConfigurationState> {
  const state = new ConfigurationState()
  if (types.length === 0) return state
  for await (const batch of log.read({ types: new Set(types) }))
    for (const recorded of batch) applied(state, recorded, open)
  return state
}

/** Configuration as it stood when its hash for this read model was this one; undefined: it never was, or can't be opened any more. */
export async function configurationOfHash(
  log: Pick<LogReader, 'read'>,
  configured: Configured,
  open: Open,
  hash: string,
): Promise<ConfigurationState | undefined> {
  const state = new ConfigurationState()
  const types = configured.configuredBy
  if (state.hash(configured) === hash) return state
  if (types.length === 0) return undefined
  for await (const batch of log.read({ types: new Set(types) }))
    for (const recorded of batch)
      if (applied(state, recorded, open) && state.hash(configured) === hash) return state.snapshot()
  return undefined
}

/** True if it changed something; what can't be opened configures nothing. */
function applied(state: ConfigurationState, recorded: RecordedEvent, open: Open): boolean {
  try {
    const event = open(recorded)
    // Events may be opened only when their data is asked for: here is where that may fail.
    assert(event.data !== undefined)
    return state.apply(event)
  } catch {
    return false
  }
}
