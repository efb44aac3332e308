import type { RecordedEvent } from '../../engine/events/event.ts'
import { evidenceOf } from '../../engine/identity/evidence.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import type { Row } from '../../engine/store/table.ts'

type Open = (event: RecordedEvent) => DecodedEvent

/**
 * What a read model's rows must be as of an occurred moment, written down as plainly as can be: every key by itself,
 * one event after the other in the order of their time, no caches and no commits. `key part` → row.
 */
export function plainRows(
  projection: AnyProjection,
  events: readonly RecordedEvent[],
  time: number,
  open: Open,
): ReadonlyMap<string, Row> {
  const config = new ConfigurationState()
  for (const event of events)
    if ((projection.configuredBy as readonly string[]).includes(event.type)) config.apply(open(event))
  const byTime = events.toSorted((a, b) => a.time - b.time || a.position - b.position)
  const states = new Map<string, unknown>()
  const fallDue = (key: string, now: number): void => {
    for (;;) {
      const state = states.get(key)
      const due = state === undefined ? undefined : projection.due?.(state)
      if (due === undefined || due > now || projection.tick === undefined) return
      states.set(key, projection.tick(state, { type: 'tick', at: due }))
    }
  }
  for (const event of byTime) {
    if (projection.handles !== 'every' && !projection.handles.includes(event.type)) continue
    const opened = open(event)
    for (const key of projection.keys(opened)) {
      fallDue(key, event.time)
      const before = states.get(key)
      const after = projection.reduce(before ?? projection.initial(key), opened, config, key)
      if (before !== undefined || after !== projection.initial(key)) states.set(key, after)
      fallDue(key, event.time)
    }
  }
  for (const key of states.keys()) fallDue(key, time)
  return rowsOf(projection, states, events, config)
}

function rowsOf(
  projection: AnyProjection,
  states: ReadonlyMap<string, unknown>,
  events: readonly RecordedEvent[],
  config: ConfigurationState,
): ReadonlyMap<string, Row> {
  const { profiles } = partition(events.flatMap(evidenceOf), DEFAULT_RULES)
  const profileOf = new Map(
    profiles.flatMap(({ id, members }) => members.map((member) => [member, id] as const)),
  )
  const joined = new Map<string, unknown>()
  for (const [key, state] of states) {
    const into = projection.table.grain === 'profile' ? (profileOf.get(key) ?? key) : key
    const before = joined.get(into)
    joined.set(into, before === undefined ? state : projection.join(before, state, config))
  }
  const rows = new Map<string, Row>()
  for (const [key, state] of joined)
    for (const [part, row] of projection.table.rows(state, config, key)) rows.set(`${key} ${part}`, row)
  return rows
}
