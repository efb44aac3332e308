import { namespaceOf } from '../../engine/events/identity.ts'
import type { Projection } from '../../engine/projector/projection.ts'
import { leadingOf, utcDay } from '../values.ts'
import { ACTS } from '../vocabulary.ts'

/** Days since 1970-01-01 (UTC) on which the person acted; ascending, none twice. */
type State = readonly number[]

const DAY_MS = 86_400_000

/**
 * Who acted on which day: a row for each person and UTC day, so that distinct people are counted after identities
 * have been merged. An adjustment of a bill is nothing that a customer does.
 */
export const activePeople: Projection<State, (typeof ACTS)[number]> = {
  name: 'active_people',
  version: 1,
  handles: ACTS,
  configuredBy: [],
  keys(event) {
    const leading = leadingOf(event)
    if (leading === undefined || namespaceOf(leading.namespace).kind !== 'person') return []
    if (event.type === 'erp.invoice_issued' && event.data.kind === 'adjustment') return []
    return [leading.id]
  },
  initial: () => NEVER,
  reduce: (state, event) => withDay(state, Math.floor(event.time / DAY_MS)),
  join(a, b) {
    let joined = a
    for (const day of b) joined = withDay(joined, day)
    return joined
  },
  table: {
    grain: 'profile',
    columns: { day: { type: 'day', about: 'UTC day on which the person did something.' } },
    indexes: [['day']],
    rows: (state) =>
      new Map(state.map((day) => [utcDay(day * DAY_MS), { day: utcDay(day * DAY_MS) }] as const)),
  },
}

const NEVER: State = []

function withDay(state: State, day: number): State {
  let at = state.length
  while (at > 0 && (state[at - 1] as number) > day) at -= 1
  return state[at - 1] === day ? state : [...state.slice(0, at), day, ...state.slice(at)]
}
