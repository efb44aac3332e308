import type { EnvelopeProjection } from '../../engine/projector/projection.ts'
import { type Column, oneRow } from '../../engine/store/table.ts'
import { utcDay } from '../values.ts'

/** The key's dimensions, and how many events there were. */
interface State {
  readonly day: string
  readonly type: string
  readonly source: string
  readonly events: number
}

const columns = {
  day: { type: 'day', about: 'UTC day on which the events happened.' },
  type: { type: 'text', about: 'Type of the events.' },
  source: { type: 'text', about: 'Source that sent them.' },
  events: { type: 'integer', about: 'How many there were.' },
} as const satisfies Readonly<Record<string, Column>>

/** How many events of each type each source sent on each day (UTC, by event time); custom types too. */
export const dailyEvents: EnvelopeProjection<State> = {
  name: 'daily_events',
  version: 1,
  handles: 'every',
  configuredBy: [],
  keys: (event) => [JSON.stringify([utcDay(event.time), event.type, event.source])],
  initial(key) {
    const [day, type, source]: [string, string, string] = JSON.parse(key)
    return { day, type, source, events: 0 }
  },
  reduce: (state) => ({ ...state, events: state.events + 1 }),
  join: (a, b) => ({ ...a, events: a.events + b.events }),
  table: {
    grain: 'bucket',
    columns,
    indexes: [['day'], ['type', 'day']],
    rows: (state) => oneRow(state.events === 0 ? undefined : { ...state }),
  },
}
