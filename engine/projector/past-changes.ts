import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import type { IdentityId } from '../events/identity.ts'
import { counts, type Moment } from './asof.ts'
import { type Cell, cellsOf, isSameValue, keyOf } from './past-cells.ts'
import { type CausingEvent, type ChangingEntity, PastEntity, type Step } from './past-entity.ts'

/** What made a value another one: an event, or a deadline (ms) that passed. */
export type Cause =
  | { readonly _tag: 'Event'; readonly event: CausingEvent }
  | { readonly _tag: 'Deadline'; readonly at: number }

export interface FieldChange extends Omit<Cell, 'value'> {
  /** undefined: there was no row, or no such member. */
  readonly from: unknown
  readonly to: unknown
  /** How often it changed in between; `because` holds what did it, the newest 20 in their order. */
  readonly times: number
  readonly because: readonly Cause[]
}

export interface Changes {
  /** By part, column and member; what is again as it was isn't among them. */
  readonly fields: readonly FieldChange[]
  /** Who belonged to the profile; a record is its own only member. */
  readonly members: {
    readonly from: readonly IdentityId[]
    readonly to: readonly IdentityId[]
    readonly because: readonly Cause[]
  }
}

const MAX_CAUSES = 20
/** Events folded in all: a new configuration folds them anew. */
const MAX_FOLDED = 200_000
/** Events between turns of whoever else is on this thread. */
const TURN = 256

/**
 * What changed between two moments of one kind, field by field, and what did it: the entity is folded event by event, in
 * the order that the moments go by, and looked at after each. undefined: it would take too long, because configuration
 * changed too often for so many events.
 */
export async function changesBetween(
  entity: ChangingEntity,
  from: Moment,
  to: Moment,
  maxFolded = MAX_FOLDED,
): Promise<Changes | undefined> {
  assert(from.by === to.by, 'two moments of one kind')
  const past = new PastEntity(entity, to.by)
  const steps = inOrder(entity, to)
  const isBefore = ({ place }: Step) => counts(from, place)
  for (const step of steps.filter(isBefore)) past.take(step)
  past.fallDue(timeOf(from), () => undefined)
  const watch = new Watch(past)
  let taken = 0
  for (const step of steps) {
    if (isBefore(step)) continue
    past.fallDue(past.timeOf(step), watch.deadline)
    past.take(step)
    watch.note({ _tag: 'Event', event: causeOf(step.place) })
    taken += 1
    if (past.folded > maxFolded) return undefined
    if (taken % TURN === 0) await setImmediate()
  }
  past.fallDue(timeOf(to), watch.deadline)
  return watch.changes()
}

function timeOf(moment: Moment): number {
  return moment.by === 'occurred' ? moment.time : moment.received
}

function causeOf({ id, source, type, time, position }: CausingEvent): CausingEvent {
  return { id, source, type, time, position }
}

function inOrder({ events, published }: ChangingEntity, to: Moment): readonly Step[] {
  const steps = new Map<number, Step>()
  for (const recorded of events)
    steps.set(recorded.position, { place: recorded, recorded, published: undefined })
  for (const event of published) {
    const recorded = steps.get(event.position)?.recorded
    steps.set(event.position, { place: event, recorded, published: event })
  }
  const counted = [...steps.values()].filter(({ place }) => counts(to, place))
  const inLog = counted.sort((a, b) => a.place.position - b.place.position)
  // Stable: events of one instant keep the order of the log.
  return to.by === 'received' ? inLog : inLog.sort((a, b) => a.place.time - b.place.time)
}

interface Noted {
  times: number
  readonly because: Cause[]
}

/** Looks at an entity after everything that may have changed it. */
class Watch {
  readonly #past: PastEntity
  readonly #first: ReadonlyMap<string, Cell>
  readonly #firstMembers: readonly IdentityId[]
  #cells: ReadonlyMap<string, Cell>
  #members: readonly IdentityId[]
  readonly #noted = new Map<string, Noted>()
  readonly #regrouped: Noted = { times: 0, because: [] }

  constructor(past: PastEntity) {
    this.#past = past
    this.#first = cellsOf(past.rows())
    this.#firstMembers = past.members
    this.#cells = this.#first
    this.#members = past.members
  }

  readonly deadline = (at: number): void => this.note({ _tag: 'Deadline', at })

  note(cause: Cause): void {
    if (!this.#past.takeTouched()) return
    const { members } = this.#past
    if (members !== this.#members) add(this.#regrouped, cause)
    this.#members = members
    const cells = cellsOf(this.#past.rows())
    for (const key of new Set([...this.#cells.keys(), ...cells.keys()])) {
      if (isSameValue(this.#cells.get(key), cells.get(key))) continue
      const noted = this.#noted.get(key) ?? { times: 0, because: [] }
      this.#noted.set(key, noted)
      add(noted, cause)
    }
    this.#cells = cells
  }

  changes(): Changes {
    const fields: FieldChange[] = []
    for (const [key, { times, because }] of this.#noted) {
      const [from, to] = [this.#first.get(key), this.#cells.get(key)]
      const cell = to ?? from
      if (cell === undefined || isSameValue(from, to)) continue
      const { part, column, member } = cell
      fields.push({ part, column, member, from: from?.value, to: to?.value, times, because })
    }
    fields.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    const members = { from: this.#firstMembers, to: this.#members, because: this.#regrouped.because }
    return { fields, members }
  }
}

function add(noted: Noted, cause: Cause): void {
  noted.times += 1
  noted.because.push(cause)
  if (noted.because.length > MAX_CAUSES) noted.because.shift()
}
