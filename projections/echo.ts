import type { AnyEvent } from '../engine/events/catalogue.ts'
import type { Configuration } from '../engine/projector/projection.ts'

/** What the engine calls itself where a system says that a change came from here. */
const ENGINE = 'headwater'

const known = new WeakMap<Configuration, ReadonlySet<string>>()

/**
 * True of an event by which a system hands on what another one told it: its `origin` is another registered source,
 * or this engine. The origin's own event says what was written; the echo would only make it look newer, and
 * confirmed. So it writes no field; it still happened, and counts where events are counted. An origin that
 * nobody registered (a web form, a country office) is a source's own way of naming where it got something.
 */
export function isEcho(
  { origin, source }: Pick<AnyEvent, 'origin' | 'source'>,
  config: Configuration,
): boolean {
  if (origin === undefined || origin === source) return false
  return origin === ENGINE || registered(config).has(origin)
}

function registered(config: Configuration): ReadonlySet<string> {
  const cached = known.get(config)
  if (cached !== undefined) return cached
  const sources = new Set(config.all('source.registered').map(({ data }) => data.source))
  known.set(config, sources)
  return sources
}
