import type { RecordedEvent } from '../events/event.ts'

/**
 * A copy with plain properties. Events that a log hands out have `data`, `normalised` and `sealed` outside their
 * enumerable properties (they may be decoded when first asked for), so spreading, `structuredClone` and comparing miss
 * them; this doesn't.
 */
export function toPlain(event: RecordedEvent): RecordedEvent {
  const { data, normalised, sealed } = event
  return { ...event, data, normalised, sealed }
}

/** Makes an event look as one that is decoded lazily: what works with it then works with any log's. */
export function lazily(event: RecordedEvent): RecordedEvent {
  const hidden = { enumerable: false }
  return Object.defineProperties(event, {
    data: hidden,
    normalised: hidden,
    sealed: hidden,
    toJSON: { enumerable: false, value: () => toPlain(event) },
  })
}
