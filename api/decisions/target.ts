import { namespaceOf } from '../../engine/events/identity.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { Candidate } from '../../engine/reducers/rule.ts'
import type { GovernedView } from '../../projections/governed-views.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { isView } from '../routes/fields.ts'
import { findIdentity, findStated, resolveIdentity } from '../routes/identities.ts'
import { CUSTOM_RECORDS, keyOf } from '../routes/object-rows.ts'
import { ask } from '../routes/rows.ts'
import { columnOf, type HeldState, heldState } from './preview.ts'

/** What a decision is about, as the read models hold it, and whom its event names. */

export interface Target {
  readonly held: HeldState
  readonly conflicts: HeldState | undefined
  /** Identities that the event names: one, so that it links nobody. Its value is sealed under it, and erased with it. */
  readonly identities: readonly { readonly id: string; readonly stated: string; readonly namespace: string }[]
}

export async function targetOf(
  deps: ApiDeps,
  view: GovernedView,
  id: string,
  field: string,
): Promise<Target> {
  const isOfObject = !isView(view.view)
  const projection = projectionOf(deps, isOfObject ? CUSTOM_RECORDS : view.view)
  const conflicts = deps.projections.has(view.conflicts) ? view.conflicts : undefined
  if (projection.table.grain === 'profile') return profileTarget(deps, projection, conflicts, id)
  if (isOfObject) return objectTarget(deps, view, conflicts, id, field)
  const keys = [
    id,
    findStated(deps, id),
    view.namespace === undefined ? undefined : findIdentity(deps, view.namespace, id),
  ]
  for (const key of new Set(keys)) {
    const held = key === undefined ? undefined : await heldState(deps, projection.name, key)
    if (key === undefined || held === undefined) continue
    const own = conflicts === undefined ? undefined : await heldState(deps, conflicts, `${view.view} ${key}`)
    const identities =
      view.namespace === undefined ? await concernedBy(deps, held, field) : namedBy(deps, [key])
    return { held, conflicts: own, identities }
  }
  throw nothing()
}

/** A record of a defined object: all objects share one view. */
async function objectTarget(
  deps: ApiDeps,
  { view }: GovernedView,
  conflicts: string | undefined,
  id: string,
  field: string,
): Promise<Target> {
  const key = keyOf(view, id)
  const held = await heldState(deps, CUSTOM_RECORDS, key)
  if (held === undefined) throw nothing()
  const own = { ...held, prefix: `${view}__` }
  const identities = await concernedBy(deps, own, field)
  refuseNaming(deps, id, identities)
  return {
    held: own,
    conflicts: conflicts === undefined ? undefined : await heldState(deps, conflicts, `${view} ${key}`),
    identities,
  }
}

const ADDRESS = /@|^\+\d{7,15}$/

/** In the events of such records everything is sealed, their ids too; a decision would write the id into the log in clear. */
function refuseNaming(deps: ApiDeps, id: string, identities: Target['identities']): void {
  const isOne = ({ namespace, stated }: Target['identities'][number]) =>
    stated === `${namespace}:${deps.normaliseIdentity(namespace, id)}`
  if (!ADDRESS.test(id.normalize('NFKC')) && !identities.some(isOne)) return
  const detail =
    'The record’s id is an address or an identity of the person concerned, and the decision would keep it in the log for ever.'
  throw new Problem('cannot_decide', detail)
}

async function profileTarget(
  deps: ApiDeps,
  projection: AnyProjection,
  conflicts: string | undefined,
  id: string,
): Promise<Target> {
  const identity = resolveIdentity(deps, id)
  if (identity === undefined) throw nothing()
  const answer = await ask(() => deps.store.members([identity]))
  const { profile = identity, members = [identity] } = answer.value.get(identity) ?? {}
  const held = await heldState(deps, projection.name, profile)
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

/** The writes that a field's value was chosen from, decisions among them; the winner first. */
export function writesBehind(held: HeldState, field: string): readonly Write[] {
  const { projection, state, config } = held
  const explained = projection.explain?.(state, config)[columnOf(held, field)]
  return [...(explained?.winners ?? []), ...(explained?.overruled ?? [])]
}

type Write = Candidate<unknown>

function projectionOf(deps: ApiDeps, name: string): AnyProjection {
  const projection = deps.projections.get(name)
  if (projection !== undefined) return projection
  throw new Problem('not_found', 'That view is not offered here.')
}

function nothing(): Problem {
  return new Problem('not_found', 'There is nothing of this id.')
}
