import { Unpackr } from 'msgpackr'
import type { RecordedEvent } from '../events/event.ts'
import type { Row } from '../store/table.ts'
import { BuildFold, type StoredStates } from './build-fold.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'

/**
 * A moment of the log's history. `received`: what the log held up to and including `position`; now(P) is `received`.
 * `occurred`: what of that prefix had happened by `time` (event time, ms), late news included.
 */
export type Moment =
  | { readonly by: 'received'; readonly position: number; readonly received: number }
  | { readonly by: 'occurred'; readonly position: number; readonly received: number; readonly time: number }

type Placed = Pick<RecordedEvent, 'position' | 'time' | 'received'>

/** True if an event counts at that moment. */
export function counts(moment: Moment, event: Placed): boolean {
  return event.position <= moment.position && (moment.by === 'received' || event.time <= moment.time)
}

/** One entity of one projection: a profile with its atoms, or a record or bucket, which is its own only atom. */
interface Entity {
  readonly projection: AnyProjection
  /** Key of its rows. */
  readonly key: string
  /** Keys of its states, in the order in which they are joined. */
  readonly atoms: readonly string[]
  /** Published configuration at that moment. */
  readonly config: Configuration
}

interface EntityState {
  /** The join of the atoms' states; undefined: no event changed any. */
  readonly state: unknown
  readonly rows: ReadonlyMap<string, Row>
}

/** Nothing is stored: everything is folded from the start. */
const NOTHING: StoredStates = { state: () => undefined, due: () => [] }
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' })

/**
 * Folds one entity up to a moment, in memory, as the projector would: an event that can't be opened or folded changes
 * nothing, and deadlines up to the moment fall due in their order. `events` must hold, in log order, every event up to
 * the moment that touches an atom; others change nothing. For `occurred` events are taken in the order of their time,
 * as if each had been received when it happened.
 */
export function foldEntity(
  entity: Entity,
  events: readonly RecordedEvent[],
  moment: Moment,
  open: (event: RecordedEvent) => DecodedEvent,
): EntityState {
  const { projection, key, atoms } = entity
  const fold = new BuildFold(projection, projection.name, entity.config, NOTHING)
  const occurred = moment.by === 'occurred'
  for (const event of inOrder(events, moment)) {
    const now = occurred ? event.time : event.received
    fold.tick(now)
    if (fold.handles(event.type)) take(fold, event, open)
    fold.tick(now)
  }
  fold.tick(moment.by === 'occurred' ? moment.time : moment.received)
  const own = new Set(atoms)
  const grouping = {
    profileOf: (atom: string) => (own.has(atom) ? key : atom),
    membersOf: (profile: string) => (profile === key ? atoms : [profile]),
  }
  const { write } = fold.freeze(grouping, new Set())
  const states = new Map<string, unknown>()
  for (const { key: atom, state } of write.states)
    if (state !== undefined) states.set(atom, unpackr.unpack(state))
  let joined: unknown
  for (const atom of atoms) {
    const state: unknown = states.get(atom)
    if (state === undefined) continue
    joined = joined === undefined ? state : fold.projection.join(joined, state, entity.config)
  }
  return { state: joined, rows: fold.rowsNow(key, grouping) }
}

function inOrder(events: readonly RecordedEvent[], moment: Moment): readonly RecordedEvent[] {
  const counted = events.filter((event) => counts(moment, event))
  // Stable: events of one instant keep the order of the log.
  return moment.by === 'received' ? counted : counted.sort((a, b) => a.time - b.time)
}

function take(fold: BuildFold, event: RecordedEvent, open: (event: RecordedEvent) => DecodedEvent): void {
  let decoded: DecodedEvent
  try {
    decoded = open(event)
  } catch (error) {
    fold.setAside(event, error)
    return
  }
  fold.fold(decoded)
}
