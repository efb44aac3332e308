import { Unpackr } from 'msgpackr'
import type { AnyProjection, Configuration, DecodedEvent } from '../../engine/projector/projection.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { explainState, type ShownExplanation, statesOf } from '../routes/explain.ts'
import { type ShownRow, showRows } from '../routes/rows.ts'

/** What an event would make of one row, tried on the state that the read models hold, by the projection itself. */

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' })

/** A row's state as the read models hold it, at a position. */
export interface HeldState {
  readonly projection: AnyProjection
  readonly key: string
  readonly state: unknown
  readonly config: Configuration
  /** Before the names of its fields in the view, where several objects share it. */
  readonly prefix?: string | undefined
  readonly position: number
  readonly received: number
}

/** undefined: no event has touched it. */
export async function heldState(deps: ApiDeps, name: string, key: string): Promise<HeldState | undefined> {
  const { states, projection, config } = await statesOf(deps, name, key)
  if (states.value.length === 0) return undefined
  let state = projection.initial(key)
  for (const part of states.value) state = projection.join(state, unpackr.unpack(part.state), config)
  return { projection, key, state, config, position: states.position, received: states.received }
}

/** The same after an event; the join of a profile's parts is what it would be if the event were in one of them. */
export function after(held: HeldState, event: DecodedEvent): HeldState {
  const { projection, state, config, key } = held
  const next = projection.keys(event).length === 0 ? state : projection.reduce(state, event, config, key)
  return { ...held, state: next }
}

/** A field's column. */
export function columnOf({ projection, prefix = '' }: HeldState, field: string): string {
  const own = `${prefix}${field}`
  return Object.hasOwn(projection.table.columns, own) ? own : field
}

/** The field that a column is of: the inverse of `columnOf`. */
export function fieldOf({ prefix = '' }: HeldState, column: string): string {
  return prefix !== '' && column.startsWith(prefix) ? column.slice(prefix.length) : column
}

/** Its rows as readers see them; `part`: that one alone. */
export async function rowsOf(
  deps: ApiDeps,
  { projection, state, config, key }: HeldState,
  part: string,
): Promise<ShownRow | undefined> {
  const row = projection.table.rows(state, config, key).get(part)
  const stored: StoredRow | undefined = row === undefined ? undefined : { key, part, row }
  return stored === undefined ? undefined : (await showRows(deps, projection, [stored]))[0]
}

export async function explanationOf(
  deps: ApiDeps,
  held: HeldState,
  field: string,
): Promise<ShownExplanation | undefined> {
  const { projection, state, config } = held
  return (await explainState(deps, projection, state, config))?.[columnOf(held, field)]
}

export interface Change {
  readonly column: string
  readonly from: unknown
  readonly to: unknown
}

/** Columns that differ. */
export function changesOf(from: ShownRow | undefined, to: ShownRow | undefined): readonly Change[] {
  const names = new Set([...Object.keys(from ?? {}), ...Object.keys(to ?? {})])
  return [...names].flatMap((column) => {
    const [before, now] = [from?.[column] ?? null, to?.[column] ?? null]
    return JSON.stringify(before) === JSON.stringify(now) ? [] : [{ column, from: before, to: now }]
  })
}
