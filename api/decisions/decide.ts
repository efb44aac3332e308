import { strict as assert } from 'node:assert'
import { randomUUID } from 'node:crypto'
import { systemClock } from '../../engine/clock.ts'
import { parseInstant } from '../../engine/events/instant.ts'
import { inspect } from '../../engine/intake/inspect.ts'
import type { DecodedEvent } from '../../engine/projector/projection.ts'
import type { GovernedView } from '../../projections/governed-views.ts'
import type { ApiDeps } from '../deps.ts'
import { invalidBody, Problem } from '../problem.ts'
import { awaitPosition } from '../routes/answer.ts'
import type { ShownExplanation } from '../routes/explain.ts'
import { recordIdOf } from '../routes/object-rows.ts'
import type { ShownRow } from '../routes/rows.ts'
import { problemOfRefusal } from '../routes/way-in.ts'
import { decisionData, type StatedDecision, statedValue } from './decision.ts'
import {
  after,
  type Change,
  changesOf,
  columnOf,
  explanationOf,
  fieldOf,
  type HeldState,
  rowsOf,
} from './preview.ts'
import { type Target, targetOf, writesBehind } from './target.ts'

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
  const changes = changesOf(await rowsOf(deps, held, ''), await rowsOf(deps, then.held, '')).map(
    (change) => ({
      ...change,
      column: fieldOf(held, change.column),
    }),
  )
  const position = about.dryRun
    ? null
    : await append(deps, { id, type: stated.type, data, target, time: ahead })
  return {
    position: held.position,
    received: held.received,
    dryRun: about.dryRun,
    event: { id, type: stated.type, position },
    view: view.view,
    id: held.prefix === undefined ? held.key : recordIdOf(view.view, held.key),
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

/**
 * A lock holds what it states: where nothing is stated, that is what stands now. A phone number or mail address is
 * written as the intake writes those that sources send.
 */
function withValue(
  deps: ApiDeps,
  view: GovernedView,
  stated: StatedDecision,
  held: HeldState,
): StatedDecision {
  const { value, field } = stated
  if (typeof value === 'string' && value !== '' && (field === 'phone' || field === 'email')) {
    return { ...stated, value: deps.normaliseIdentity(field, value) }
  }
  if (value !== undefined || stated.type !== 'field.locked') return stated
  const { projection, state, config } = held
  const standing = projection.explain?.(state, config)[columnOf(held, field)]?.value ?? null
  return { ...stated, value: statedValue(view, field, standing) }
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
    value: explanation?.value ?? row?.[columnOf(held, field)] ?? null,
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
