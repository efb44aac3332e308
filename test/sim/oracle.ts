import type { EventOf, EventType } from '../../engine/events/catalogue.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { evidenceOf } from '../../engine/identity/evidence.ts'
import { partition } from '../../engine/identity/partition.ts'
import type { AnyProjection, Configuration, DecodedEvent } from '../../engine/projector/projection.ts'
import { columnList, compareText, decodeRow, encodeRow } from '../../engine/store/cells.ts'
import type { Row } from '../../engine/store/table.ts'
import { plainRules } from './plain-rules.ts'

/**
 * The engine's meaning, said plainly: one event after the other from the first, no caches, no commits, no batches, nothing
 * shared with the projector but the projections themselves and the pure partition.
 */

/** An event as it opens now; undefined: it doesn't. */
export interface Reading {
  readonly recorded: RecordedEvent
  readonly event: DecodedEvent | undefined
}

/** What was published up to a position: of each type the newest event of each stream. */
export function configurationOf(readings: readonly Reading[]): Configuration {
  const newest = new Map<string, DecodedEvent>()
  for (const { event } of readings)
    if (event !== undefined) newest.set(`${event.type} ${event.stream}`, event)
  const inOrder = [...newest.values()].sort((a, b) => compareText(a.stream, b.stream))
  return {
    all: <T extends EventType>(type: T) =>
      // Of that type only: what it is asked for by is what it was filtered by.
      inOrder.filter((each) => each.type === type) as readonly DecodedEvent[] as readonly EventOf<T>[],
  }
}

export interface Folded {
  readonly states: ReadonlyMap<string, unknown>
  /** Positions of the events that can't be opened or folded. */
  readonly poison: ReadonlySet<number>
}

/** What time it is for a fold. */
interface FoldClock {
  readonly now: (event: RecordedEvent) => number
  /** After the last event; absent: no later than that. */
  readonly end?: number | undefined
}

const RECEIVED: FoldClock = { now: ({ received }) => received }

export function foldPlainly(
  projection: AnyProjection,
  readings: readonly Reading[],
  config: Configuration,
  clock: FoldClock = RECEIVED,
): Folded {
  const states = new Map<string, unknown>()
  const poison = new Set<number>()
  for (const { recorded, event } of readings) {
    const now = clock.now(recorded)
    fallDue(projection, states, now)
    if (projection.handles !== 'every' && !projection.handles.includes(recorded.type)) continue
    const read = projection.handles === 'every' ? recorded : event
    const changed = read === undefined ? undefined : reduced(projection, states, read, config)
    if (changed === undefined) poison.add(recorded.position)
    for (const [key, state] of changed ?? []) states.set(key, state)
    fallDue(projection, states, now)
  }
  if (clock.end !== undefined) fallDue(projection, states, clock.end)
  return { states, poison }
}

/** undefined: it can't be folded, and so changes nothing. */
function reduced(
  projection: AnyProjection,
  states: ReadonlyMap<string, unknown>,
  event: RecordedEvent | DecodedEvent,
  config: Configuration,
): readonly (readonly [key: string, state: unknown])[] | undefined {
  const changed: [string, unknown][] = []
  try {
    for (const key of projection.keys(event)) {
      const before = states.has(key) ? states.get(key) : projection.initial(key)
      const after = projection.reduce(before, event, config, key)
      if (after !== before) changed.push([key, after])
    }
    return changed
  } catch {
    return undefined
  }
}

function fallDue(projection: AnyProjection, states: Map<string, unknown>, now: number): void {
  if (projection.due === undefined || projection.tick === undefined) return
  for (const [key, before] of states) {
    let state = before
    for (let at = projection.due(state); at !== undefined && at <= now; at = projection.due(state))
      state = projection.tick(state, { type: 'tick', at })
    states.set(key, state)
  }
}

/** Identity → its profile's members, sorted; whoever isn't in it stands alone. */
export type Groups = ReadonlyMap<string, readonly string[]>

/** `ruled`: the events whose identity rules count. */
export function groupsOf(readings: readonly Reading[], ruled = readings): Groups {
  const evidence = readings.flatMap(({ recorded }) => [...evidenceOf(recorded)])
  const groups = new Map<string, readonly string[]>()
  for (const { members } of partition(evidence, plainRules(ruled)).profiles)
    for (const member of members) groups.set(member, members)
  return groups
}

/** Key and part → row, in the form that a store answers in. */
export function plainRows(
  projection: AnyProjection,
  states: ReadonlyMap<string, unknown>,
  config: Configuration,
  groups: Groups,
): ReadonlyMap<string, Row> {
  const rows = new Map<string, Row>()
  const show = (key: string, state: unknown): void => {
    for (const [part, row] of shown(projection, state, config, key))
      rows.set(JSON.stringify([key, part]), row)
  }
  if (projection.table.grain !== 'profile') {
    for (const [key, state] of states) show(key, state)
    return rows
  }
  const profiles = new Map<string, unknown[]>()
  for (const [atom, state] of states) {
    const profile = groups.get(atom)?.[0] ?? atom
    profiles.set(profile, [...(profiles.get(profile) ?? []), state])
  }
  for (const [profile, parts] of profiles) {
    const joined = parts.reduce((a, b) => projection.join(a, b, config))
    show(profile, joined)
  }
  return rows
}

/** None where one of a key's rows can't be made or stored. */
function shown(
  projection: AnyProjection,
  state: unknown,
  config: Configuration,
  key: string,
): readonly (readonly [part: string, row: Row])[] {
  const columns = columnList(projection.table)
  try {
    return Array.from(projection.table.rows(state, config, key), ([part, row]) => {
      return [part, decodeRow(columns, encodeRow(columns, row), 0)] as const
    })
  } catch {
    return []
  }
}
