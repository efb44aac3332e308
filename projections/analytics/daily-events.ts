import type { AnyEvent } from '../../engine/events/catalogue.ts'
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

/** So many types and sources are remembered: senders may make up any number of them. */
const MAX_REMEMBERED = 1_000
/** Of each type and source the keys of the day last asked for: they are slow to write. */
const lately = new Map<string, Map<string, { readonly day: string; readonly keys: readonly string[] }>>()

function keysOf({ time, type, source }: Pick<AnyEvent, 'time' | 'type' | 'source'>): readonly string[] {
  const day = utcDay(time)
  const known = lately.get(type)?.get(source)
  if (known?.day === day) return known.keys
  const keys = [JSON.stringify([day, type, source])]
  let sources = lately.get(type)
  if (sources === undefined || sources.size >= MAX_REMEMBERED) {
    if (lately.size >= MAX_REMEMBERED) lately.clear()
    sources = new Map()
    lately.set(type, sources)
  }
  sources.set(source, { day, keys })
  return keys
}

/** How many events of each type each source sent on each day (UTC, by event time); custom types too. */
export const dailyEvents: EnvelopeProjection<State> = {
  name: 'daily_events',
  version: 1,
  handles: 'every',
  configuredBy: [],
  keys: keysOf,
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
