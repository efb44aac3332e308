import type { RecordedEvent } from '../../events/event.ts'
import type { Appended } from '../log.ts'
import { type Envelope, recordedOf } from './codec.ts'
import type { StoredEvent } from './connection.ts'

/** An event of the log, read whole. */
export interface Settled {
  readonly event: StoredEvent
  readonly envelope: Envelope
  readonly place: Appended
}

interface Kept extends Settled {
  readonly sizeBytes: number
}

const MOST_EVENTS = 4_096
const MOST_BYTES = 16 * 1024 * 1024
/** Of an event's envelope and places, about. */
const OVERHEAD_BYTES = 1_024

/**
 * The newest events of the log as they were read when they settled, without a gap, so that whoever follows the log needn't read them
 * again. Bounded in number and in bytes; kept only while somebody follows.
 */
export class Recent {
  #followers = 0
  /** By position, in order. */
  readonly #kept = new Map<number, Kept>()
  #first = 0
  #next = 0
  #sizeBytes = 0

  /** Until the follower leaves, events are kept. */
  join(): () => void {
    this.#followers++
    return () => {
      if (--this.#followers === 0) this.#clear()
    }
  }

  /** In order of their positions. */
  add(settled: readonly Settled[]): void {
    if (this.#followers === 0) return
    for (const each of settled) {
      const { position } = each.place
      if (position !== this.#next) {
        this.#clear()
        this.#first = position
      }
      const sizeBytes = sizeOf(each)
      this.#kept.set(position, { ...each, sizeBytes })
      this.#next = position + 1
      this.#sizeBytes += sizeBytes
      while (this.#kept.size > MOST_EVENTS || this.#sizeBytes > MOST_BYTES) this.#drop()
    }
  }

  /** Position of the first one; undefined: there is none. */
  first(): number | undefined {
    return this.#kept.size === 0 ? undefined : this.#first
  }

  /** Events from a position on, `until` inclusive, at most so many of all types, only of some types where these are given. */
  take(
    from: number,
    until: number,
    most: number,
    types: ReadonlySet<string> | undefined,
  ): { readonly events: readonly RecordedEvent[]; readonly next: number } {
    const events: RecordedEvent[] = []
    let next = from
    for (; next <= until && next < from + most; next++) {
      const kept = this.#kept.get(next)
      if (kept === undefined) break
      const { event, envelope, place } = kept
      if (types === undefined || types.has(event.type)) events.push(recordedOf(event, envelope, place))
    }
    return { events, next }
  }

  #drop(): void {
    this.#sizeBytes -= this.#kept.get(this.#first)?.sizeBytes ?? 0
    this.#kept.delete(this.#first++)
  }

  #clear(): void {
    this.#kept.clear()
    this.#sizeBytes = 0
    this.#next = 0
  }
}

/** In memory, about. */
function sizeOf({ event, envelope }: Settled): number {
  const sealed = envelope.sealed.reduce((sum, { blob }) => sum + blob.length, 0)
  return OVERHEAD_BYTES + sealed + textBytes(event.data) + textBytes(envelope.normalised)
}

/** Of what was JSON. */
function textBytes(value: unknown): number {
  if (typeof value === 'string') return 16 + value.length
  if (typeof value !== 'object' || value === null) return 16
  let sizeBytes = 16
  for (const [key, item] of Object.entries(value)) sizeBytes += key.length + textBytes(item)
  return sizeBytes
}
