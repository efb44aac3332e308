import type { EventOf, EventType } from '../../engine/events/catalogue.ts'

/** The systems that report to Headwater, each under a source of its own. */
export type SourceName = 'web' | 'crm' | 'erp' | 'marketing' | 'support'

/** An event as its source sends it. */
export interface SimulatedEvent {
  readonly id: string
  readonly source: SourceName
  readonly type: EventType
  /** When it happened, ms UTC. */
  readonly time: number
  readonly data: object
}

/** What the event's codec takes. Held to it here, so that the catalogue can't change unnoticed. */
export type DataOf<T extends EventType> = EventOf<T>['data']

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** The simulated year, ms UTC; the end belongs to it no more. */
export interface Calendar {
  readonly start: number
  readonly end: number
}

/**
 * What happened to one person, record or campaign. Ids are numbered under a prefix of its own, so that one journal
 * more or less leaves the ids of all others as they are.
 */
export class Journal {
  readonly events: SimulatedEvent[] = []
  readonly #prefix: string
  readonly #calendar: Calendar
  #count = 0

  constructor(prefix: string, calendar: Calendar) {
    this.#prefix = prefix
    this.#calendar = calendar
  }

  /** What would happen after the year's end hasn't happened yet: that is why deals and cases are open. */
  add<T extends EventType>(source: SourceName, time: number, type: T, data: DataOf<T>): void {
    this.#count += 1
    if (time < this.#calendar.start || time >= this.#calendar.end) return
    const id = `${this.#prefix}-${this.#count}`
    this.events.push({ id, source, type, time: Math.floor(time), data })
  }
}

/** CloudEvents 1.0 in JSON. */
export function toJson({ id, source, type, time, data }: SimulatedEvent): string {
  return JSON.stringify({ specversion: '1.0', id, source, type, time: new Date(time).toISOString(), data })
}

/** `YYYY-MM-DD`, UTC. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}
