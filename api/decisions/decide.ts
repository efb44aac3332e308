import { strict as assert } from 'node:assert'
import { randomUUID } from 'node:crypto'
import { systemClock } from '../../engine/clock.ts'
import { namespaceOf } from '../../engine/events/identity.ts'
import { parseInstant } from '../../engine/events/instant.ts'
import { inspect } from '../../engine/intake/inspect.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import type { Candidate } from '../../engine/reducers/rule.ts'
import type { GovernedView } from '../../projections/governed-views.ts'
import type { ApiDeps } from '../deps.ts'
import { invalidBody, Problem } from '../problem.ts'
import { awaitPosition } from '../routes/answer.ts'
import type { ShownExplanation } from '../routes/explain.ts'
import { findIdentity, findStated, resolveIdentity } from '../routes/identities.ts'
import { ask, type ShownRow } from '../routes/rows.ts'
import { problemOfRefusal } from '../routes/way-in.ts'
import { decisionData, type StatedDecision, statedValue } from './decision.ts'
import { after, type Change, changesOf, explanationOf, type HeldState, heldState, rowsOf } from './preview.ts'

/** The system that stewards' decisions come from; `headwater` is the engine's own. */
const SOURCE = 'steward'

/** What a decision does, or did. */
export interface Decision {
  readonly position: number
  readonly received: number
  readonly dryRun: boolean
  /** Position is null where nothing was appended. */
  readonly event: { readonly id: string; readonly type: string; readonly position: number | null }
  readonly view: string
  readonly id: string
  readonly field: string
  readonly from: FieldThen
  readonly to: FieldThen
  /** Other columns of the row that change with it. */
  readonly changes: readonly Change[]
}

interface FieldThen {
  readonly value: unknown
  readonly explanation: ShownExplanation | null
  /** The row of the view of conflicts; null: nobody contradicts anybody, and nothing was decided. */
  readonly conflict: ShownRow | null
}

interface Target {
  readonly held: HeldState
  readonly conflicts: HeldState | undefined
  /** Identities that the event names: one, so that it links nobody. Its value is sealed under it, and erased with it. */
  readonly identities: readonly { readonly id: string; readonly stated: string; readonly namespace: string }[]
}

/** Tries a decision on the rows as they are, and, unless it is a dry run, appends it through the intake. */
export async function decide(
  deps: ApiDeps,
  view: GovernedView,
  about: { readonly id: string; readonly stated: StatedDecision; readonly dryRun: boolean },
): Promise<Decision> {
  // What stands is locked, and not what stood before a write that the views don't show yet.
  if (about.stated.type === 'field.locked' && about.stated.value === undefined) {
    await awaitPosition(deps, deps.log.head().position)
  }
  const target = await targetOf(deps, view, about.id, about.stated.field)
  const stated = withValue(deps, view, about.stated, target.held)
  const { held } = target
  const key = held.projection.table.grain === 'profile' ? undefined : held.key
  const id = `decision-${randomUUID()}`
  const data = decisionData(stated, key)
  const now = Math.max((deps.clock ?? systemClock).nowMs(), held.received)
  refuseUnacceptable(stated, data, now)
  const ahead = timeAhead(held, stated.field, now)
  const time = ahead ?? now
  const proposed = asDecoded(id, stated.type, data, target, time)
  const from = await fieldIn(deps, target, stated.field)
  const then = thenOf(target, proposed)
  const to = await fieldIn(deps, then, stated.field)
  const changes = changesOf(await rowsOf(deps, held, ''), await rowsOf(deps, then.held, ''))
  const position = about.dryRun
    ? null
    : await append(deps, { id, type: stated.type, data, target, time: ahead })
  return {
    position: held.position,
    received: held.received,
    dryRun: about.dryRun,
    event: { id, type: stated.type, position },
    view: view.view,
    id: held.key,
    field: stated.field,
    from,
    to,
    changes,
  }
}

function thenOf(target: Target, proposed: DecodedEvent): Target {
  const { held, conflicts } = target
  return {
    ...target,
    held: after(held, proposed),
    conflicts: conflicts === undefined ? undefined : after(conflicts, proposed),
  }
}

/** What the intake would refuse, or what would come to nothing, a dry run must not promise. */
function refuseUnacceptable({ expiresAt }: StatedDecision, data: object, now: number): void {
  const { finding } = inspect(data, Number.POSITIVE_INFINITY)
  if (finding !== undefined) throw invalidBody('/value', `The decision can't be kept: ${finding.message}.`)
  const expires = expiresAt === undefined ? undefined : parseInstant(expiresAt)
  if (expires !== undefined && expires <= now) {
    throw invalidBody('/expires_at', 'That has passed: the lock would hold nothing.')
  }
}

/**
 * A source's clock may be some minutes ahead. A decision is never older than the claims that it is about, or it would
 * change nothing; of decisions of one instant `sequence` says which is newer. undefined: all of them are older than now.
 */
function timeAhead(held: HeldState, field: string, now: number): number | undefined {
  const claims = writesBehind(held, field).filter(([, , source]) => source !== SOURCE)
  const newest = Math.max(...claims.map(([, time]) => time))
  return newest <= now ? undefined : newest
}

/** The writes that a field's value was chosen from, decisions among them; the winner first. */
function writesBehind({ projection, state, config }: HeldState, field: string): readonly Write[] {
  const explained = projection.explain?.(state, config)[field]
  return [...(explained?.winners ?? []), ...(explained?.overruled ?? [])]
}

type Write = Candidate<unknown>

async function targetOf(deps: ApiDeps, view: GovernedView, id: string, field: string): Promise<Target> {
  const projection = projectionOf(deps, view.view)
  const conflicts = deps.projections.get(view.conflicts)
  if (projection.table.grain === 'profile') return profileTarget(deps, projection, conflicts, id)
  const keys = [
    id,
    findStated(deps, id),
    view.namespace === undefined ? undefined : findIdentity(deps, view.namespace, id),
  ]
  for (const key of new Set(keys)) {
    const held = key === undefined ? undefined : await heldState(deps, projection, key)
    if (key === undefined || held === undefined) continue
    const own = conflicts === undefined ? undefined : await heldState(deps, conflicts, `${view.view} ${key}`)
    const identities =
      view.namespace === undefined ? await concernedBy(deps, held, field) : namedBy(deps, [key])
    return { held, conflicts: own, identities }
  }
  throw nothing()
}

async function profileTarget(
  deps: ApiDeps,
  projection: AnyProjection,
  conflicts: AnyProjection | undefined,
  id: string,
): Promise<Target> {
  const identity = resolveIdentity(deps, id)
  if (identity === undefined) throw nothing()
  const answer = await ask(() => deps.store.members([identity]))
  const { profile = identity, members = [identity] } = answer.value.get(identity) ?? {}
  const held = await heldState(deps, projection, profile)
  const [leading] = namedBy(deps, members)
  if (held === undefined || leading === undefined) throw nothing()
  return {
    held,
    conflicts: conflicts === undefined ? undefined : await heldState(deps, conflicts, profile),
    identities: [leading],
  }
}

/** Events that are looked at to find one that names somebody. */
const MAX_EVENTS = 50

/**
 * Whose data a record holds that is no person's or company's own: who leads the event behind the field's value, else one
 * behind what it overruled or behind another field.
 */
async function concernedBy(deps: ApiDeps, held: HeldState, field: string): Promise<Target['identities']> {
  const others = Object.keys(held.projection.explain?.(held.state, held.config) ?? {})
  const writes = [field, ...others].flatMap((name) => writesBehind(held, name))
  const positions = [...new Set(writes.map(([, , , , , position]) => position))].slice(0, MAX_EVENTS)
  for (const position of positions) {
    const leading = (await deps.log.at(position))?.identities[0]
    const named = leading === undefined ? [] : namedBy(deps, [leading.id])
    if (named.length > 0) return named
  }
  return []
}

/** What these identities are called, the steadiest namespace first; erased ones have no name. */
function namedBy(deps: ApiDeps, ids: readonly string[]): Target['identities'] {
  const named = ids.flatMap((id) => {
    const found = deps.directory.reveal(id)
    return found === undefined
      ? []
      : [{ id, namespace: found.namespace, stated: `${found.namespace}:${found.value}` }]
  })
  const priority = (namespace: string) => namespaceOf(namespace).priority
  return named.sort((a, b) => priority(a.namespace) - priority(b.namespace) || (a.id < b.id ? -1 : 1))
}

/**
 * A lock holds what it states: where nothing is stated, that is what stands now. A phone number or mail address is
 * written as the intake writes those that sources send.
 */
function withValue(
  deps: ApiDeps,
  view: GovernedView,
  stated: StatedDecision,
  { projection, state, config }: HeldState,
): StatedDecision {
  const { value, field } = stated
  if (typeof value === 'string' && value !== '' && (field === 'phone' || field === 'email')) {
    return { ...stated, value: deps.normaliseIdentity(field, value) }
  }
  if (value !== undefined || stated.type !== 'field.locked') return stated
  const held = projection.explain?.(state, config)[stated.field]?.value ?? null
  return { ...stated, value: statedValue(view, stated.field, held) }
}

function asDecoded(
  id: string,
  type: string,
  data: Readonly<Record<string, unknown>>,
  { held, identities }: Target,
  time: number,
): DecodedEvent {
  return {
    stream: `decision-${id}`,
    id,
    source: SOURCE,
    type,
    schema: 1,
    time,
    received: time,
    identities: identities.map((each) => ({ id: each.id, namespace: each.namespace })),
    basedOn: held.position,
    sequence: Number.MAX_SAFE_INTEGER,
    data,
    normalised: {},
    position: held.position + 1,
    revision: 0,
  }
}

async function fieldIn(deps: ApiDeps, { held, conflicts }: Target, field: string): Promise<FieldThen> {
  const explanation = (await explanationOf(deps, held, field)) ?? null
  const row = await rowsOf(deps, held, '')
  return {
    value: explanation?.value ?? row?.[field] ?? null,
    explanation,
    conflict: conflicts === undefined ? null : ((await rowsOf(deps, conflicts, field)) ?? null),
  }
}

interface Proposed {
  readonly id: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  readonly target: Target
  /** ms; undefined: when it arrives. */
  readonly time: number | undefined
}

/** Where it stands in the log. */
async function append(deps: ApiDeps, { id, type, data, target, time }: Proposed): Promise<number> {
  const identities = target.identities.map(({ stated }) => stated)
  const event = {
    ...{ id, source: SOURCE, type, identities, data },
    // The views may be behind: of two decisions of one instant the later in the log is the newer.
    ...{ basedon: target.held.position, sequence: deps.log.head().position },
    ...(time === undefined ? {} : { time: new Date(time).toISOString() }),
  }
  const [result] = await deps.intake.submit([{ value: event }], { defaultSource: SOURCE })
  assert(result !== undefined, 'one result for each event')
  switch (result.status) {
    case 'appended':
    case 'duplicate':
      return result.position
    case 'quarantined':
      throw new Problem('invalid_body', `The decision was put into quarantine: ${result.message}.`)
    case 'refused':
      throw problemOfRefusal(result.refusal)
  }
}

function projectionOf(deps: ApiDeps, name: string): AnyProjection {
  const projection = deps.projections.get(name)
  if (projection !== undefined) return projection
  throw new Problem('not_found', 'That view is not offered here.')
}

function nothing(): Problem {
  return new Problem('not_found', 'There is nothing of this id.')
}
