import { strict as assert } from 'node:assert'
import { Unpackr } from 'msgpackr'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import type { Candidate, Decided, Explanation } from '../../engine/reducers/rule.ts'
import type { Answer, StoreReader } from '../../engine/store/store.ts'
import type { ColumnType } from '../../engine/store/table.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problem.ts'
import type { Served } from '../served-projections.ts'
import type { ProfileOf } from './cells.ts'
import { formatInstant, presentCell } from './cells.ts'
import { ask, type People } from './rows.ts'
import { projectionOf, servedBy } from './served.ts'

/** Why a row says what it says: per field the write that won, its rule, and what it overruled. */

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' })

interface ShownWrite {
  readonly value: unknown
  readonly event: string
  readonly source: string
  readonly position: number
  readonly time: string
  readonly sequence?: number | undefined
  readonly basedOn?: number | undefined
}

interface ShownDecision {
  readonly act: 'locked' | 'resolved'
  readonly by: string
  readonly reason: string | null
  /** null: until somebody lifts it. */
  readonly until: string | null
}

export interface ShownExplanation {
  readonly value: unknown
  readonly rule: string
  readonly winners: readonly ShownWrite[]
  readonly overruled: readonly ShownWrite[]
  /** The steward's decision that the value follows from. */
  readonly decided?: ShownDecision | undefined
  /** Priorities of the sources above, as registered or in the field's own order, the lower the more trusted; absent where none is. */
  readonly priorities?: Readonly<Record<string, number>> | undefined
}

/** Field (a column, or `column.member`) → explanation; undefined where the projection explains nothing. */
export async function explain(
  deps: ApiDeps,
  name: string,
  key: string,
): Promise<Answer<Readonly<Record<string, ShownExplanation>>> | undefined> {
  if (projectionOf(deps, name).explain === undefined) return undefined
  const { states, projection, config } = await statesOf(deps, name, key)
  // Of a row that another build had: this one may know nothing of the object that the key is of.
  if (states.value.length === 0) return { ...states, value: {} }
  const state = joined(projection, key, states.value, config)
  return { ...states, value: (await explainState(deps, projection, state, config)) ?? {} }
}

/** Builds that are switched away while one explanation asks for them; more are a fault. */
const MAX_TRIES = 10

/** The states behind a key's rows, and what reads them: whatever made the build that they are of. */
export async function statesOf(
  deps: ApiDeps,
  name: string,
  key: string,
): Promise<Served & { readonly states: Awaited<ReturnType<StoreReader['states']>> }> {
  for (let i = 0; i < MAX_TRIES; i++) {
    const states = await ask(() => deps.store.states(name, key))
    const served = await servedBy(deps, name, states.build)
    if (served !== undefined) return { ...served, states }
  }
  throw new Problem('projection_unavailable', `The builds of the view ${name} keep changing.`)
}

/** The same of each key, in their order; null where the projection explains nothing. */
export async function explainRows(
  deps: ApiDeps,
  name: string,
  keys: readonly string[],
): Promise<readonly (Readonly<Record<string, ShownExplanation>> | null)[]> {
  const explained = new Map<string, Readonly<Record<string, ShownExplanation>> | null>()
  for (const key of keys) {
    if (explained.has(key)) continue
    explained.set(key, (await explain(deps, name, key))?.value ?? null)
  }
  return keys.map((key) => explained.get(key) ?? null)
}

/** The same of a state at hand, which belongs to one row. */
export async function explainState(
  deps: People,
  projection: AnyProjection,
  state: unknown,
  configuration: Configuration,
): Promise<Readonly<Record<string, ShownExplanation>> | undefined> {
  if (projection.explain === undefined) return undefined
  const fields = Object.entries(projection.explain(state, configuration))
  const profileOf = await profilesIn(deps, projection, fields)
  const priorities = prioritiesFrom(configuration)
  const shown = fields.map(([field, explanation]) => {
    const show = (value: unknown) => presentField(typeOf(projection, field), value, profileOf)
    return [field, { ...showExplanation(explanation, show), ...ranked(explanation, priorities) }] as const
  })
  return Object.fromEntries(shown)
}

function prioritiesFrom(configuration: Configuration): ReadonlyMap<string, number> {
  const priorities = new Map<string, number>()
  for (const { data } of configuration.all('source.registered')) {
    if (data.priority !== undefined && data.priority !== null) priorities.set(data.source, data.priority)
    else priorities.delete(data.source)
  }
  return priorities
}

function ranked(
  { winners, overruled, sources: own }: Explanation<unknown>,
  priorities: ReadonlyMap<string, number>,
): Pick<ShownExplanation, 'priorities'> {
  const sources = new Set([...winners, ...overruled].map(([, , source]) => source))
  const known = [...sources].flatMap((source) => {
    const place = own?.indexOf(source) ?? -1
    const priority = own === undefined ? priorities.get(source) : place < 0 ? undefined : place + 1
    return priority === undefined ? [] : [[source, priority] as const]
  })
  return known.length === 0 ? {} : { priorities: Object.fromEntries(known) }
}

function joined(
  projection: AnyProjection,
  key: string,
  parts: readonly { readonly state: Uint8Array }[],
  configuration: Configuration,
): unknown {
  let state = projection.initial(key)
  for (const part of parts) state = projection.join(state, unpackr.unpack(part.state), configuration)
  return state
}

function typeOf(projection: AnyProjection, field: string): ColumnType {
  return projection.table.columns[field]?.type ?? 'json'
}

async function profilesIn(
  deps: People,
  projection: AnyProjection,
  fields: readonly (readonly [string, Explanation<unknown>])[],
): Promise<ProfileOf> {
  const ids = new Set<string>()
  for (const [field, { value, winners, overruled }] of fields) {
    if (typeOf(projection, field) !== 'identity') continue
    for (const written of [value, ...winners.map(([v]) => v), ...overruled.map(([v]) => v)]) {
      if (typeof written === 'string') ids.add(written)
    }
  }
  if (ids.size === 0) return (id) => id
  const members = await ask(() => deps.store.members([...ids]))
  return (id) => members.value.get(id)?.profile ?? id
}

function showExplanation(
  explanation: Explanation<unknown>,
  show: (value: unknown) => unknown,
): ShownExplanation {
  return {
    value: show(explanation.value),
    rule: explanation.rule,
    winners: explanation.winners.map((winner) => showWrite(winner, show)),
    overruled: explanation.overruled.map((write) => showWrite(write, show)),
    ...(explanation.decided === undefined ? {} : { decided: showDecision(explanation.decided) }),
  }
}

function showDecision({ act, by, reason, until }: Decided): ShownDecision {
  return { act, by, reason, until: until === null ? null : formatInstant(until) }
}

function showWrite(candidate: Candidate<unknown>, show: (value: unknown) => unknown): ShownWrite {
  const [value, time, source, sequence, event, position, basedOn] = candidate
  return {
    value: show(value),
    event,
    source,
    position,
    time: formatInstant(time),
    ...(sequence === 0 ? {} : { sequence }),
    ...(basedOn === 0 ? {} : { basedOn }),
  }
}

/** A write's value may be more than a cell holds: a rule's own write (`together`, `union`) is shown as it is. */
export function presentField(type: ColumnType, value: unknown, profileOf: ProfileOf): unknown {
  if (value === undefined || value === null) return null
  if (typeof value === 'number' && (type === 'money' || type === 'instant')) {
    assert.ok(Number.isFinite(value))
    return presentCell(type, value, profileOf)
  }
  return type === 'identity' && typeof value === 'string' ? profileOf(value) : value
}
