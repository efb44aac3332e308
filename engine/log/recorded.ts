import type { RecordedEvent } from '../events/event.ts'

/**
 * A copy with plain properties. Events that a log hands out compute `data`, `normalised` and `sealed` when they are
 * first asked for, so spreading, `structuredClone` and `toEqual` miss them; this doesn't.
 */
export function toPlain(event: RecordedEvent): RecordedEvent {
  const { data, normalised, sealed } = event
  return { ...event, data, normalised, sealed }
}
