import { randomUUID } from 'node:crypto'
import * as E from 'fp-ts/lib/Either.js'
import { type IdentityId, namespaceOf } from '../../engine/events/identity.ts'
import { DEFAULT_RULES, type Profile } from '../../engine/identity/identity.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import { foldEntity, type Moment } from '../../engine/projector/asof.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsNaming, HISTORY_LIMITS, type Region, regionAt } from '../history/component.ts'
import { storedRows } from '../history/past-profile.ts'
import { DECISION_EVENTS, type Pair, type Preview, previewOf } from '../history/preview.ts'
import { invalidBody, Problem } from '../problem.ts'
import { tooMuchHistory } from '../routes/history.ts'
import { resolveIdentity, revealAll } from '../routes/identities.ts'
import { ask, type ShownRow, showRows } from '../routes/rows.ts'
import { lastPosition, problemOfRefusal } from '../routes/way-in.ts'
import { type Named, steadiestOf } from './steadiest.ts'

/** A steward's answer to a proposal, tried on what the log holds and, unless it is a dry run, appended. */

/** The system that stewards' decisions come from; `headwater` is the engine's own. */
const SOURCE = 'steward'

export interface StatedDecision {
  /** A profile's id, any of its identities' ids, or `namespace:value`. */
  readonly a: string
  readonly b: string
  readonly decision: 'link' | 'keep_apart'
  readonly steward: string
  readonly reason: string | undefined
}

interface ShownProfile {
  readonly id: IdentityId
  readonly identities: ReturnType<typeof revealAll>
  readonly events: number
  /** Of the view of profiles alone. */
  readonly views: { readonly profile: readonly ShownRow[] }
}

export interface DuplicateDecision {
  readonly position: number
  readonly received: number
  readonly dryRun: boolean
  readonly decision: StatedDecision['decision']
  readonly pairs: readonly ReturnType<typeof revealAll>[]
  readonly before: readonly ShownProfile[]
  readonly after: readonly ShownProfile[]
  readonly refused: Preview['refused']
  readonly results: readonly IntakeResult[] | null
}

export async function decideAbout(
  deps: ApiDeps,
  stated: StatedDecision,
  dryRun: boolean,
): Promise<DuplicateDecision> {
  const pair = await pairOf(deps, stated)
  const ids: Pair = [pair[0].id, pair[1].id]
  const moment: Moment = { by: 'received', ...deps.log.head() }
  const region = await regionAt(deps.log, ids, moment, HISTORY_LIMITS)
  if (E.isLeft(region)) throw tooMuchHistory(region.left)
  const config = await deps.publishedConfiguration()
  const namespaces = new Map(pair.map(({ id, namespace }) => [id, namespace]))
  const rules = identityRulesOf(config, DEFAULT_RULES)
  const preview = previewOf(region.right, stated.decision, [ids], (id) => namespaces.get(id), rules)
  const show = (profile: Profile) => showProfile(deps, profile, region.right, moment)
  const [before, after] = [await each(preview.before, show), await each(preview.after, show)]
  const results = dryRun ? null : await append(deps, stated, pair)
  return {
    position: results === null ? moment.position : lastPosition(results),
    received: moment.received,
    ...{ dryRun, decision: stated.decision, pairs: [revealAll(deps, ids)], before, after },
    ...{ refused: preview.refused, results },
  }
}

/** The two identities that it is best said of. */
async function pairOf(deps: ApiDeps, { a, b }: StatedDecision): Promise<readonly [Named, Named]> {
  const [one, other] = [resolveIdentity(deps, a), resolveIdentity(deps, b)]
  if (one === undefined) throw nobodyAt('/a')
  if (other === undefined) throw nobodyAt('/b')
  const { value } = await ask(() => deps.store.members([one, other]))
  const [mine, theirs] = [one, other].map((id) => value.get(id) ?? { profile: id, members: [id] })
  if (mine?.profile === theirs?.profile)
    throw new Problem('nothing_to_decide', 'These two are of one profile already.')
  const [left, right] = [mine, theirs].map((side) => steadiestOf(deps.directory, side?.members ?? []))
  if (left === undefined) throw nobodyAt('/a')
  if (right === undefined) throw nobodyAt('/b')
  if (namespaceOf(left.namespace).kind !== namespaceOf(right.namespace).kind)
    throw invalidBody('/b', 'A person and a company are never one.')
  return [left, right]
}

function nobodyAt(path: string): Problem {
  return new Problem('not_found', 'Nobody is known by this id.', {
    errors: [{ path, message: 'is nobody, or was erased' }],
  })
}

async function each<A, B>(all: readonly A[], work: (one: A) => Promise<B>): Promise<readonly B[]> {
  const done: B[] = []
  for (const one of all) done.push(await work(one))
  return done
}

async function showProfile(
  deps: ApiDeps,
  { id, members }: Profile,
  region: Region,
  moment: Moment,
): Promise<ShownProfile> {
  const config = await deps.publishedConfiguration()
  const base = (deps.catalogue ?? deps.projections).get('profile')
  const projection = base && projectionUnder(base, config)
  const events = eventsNaming(members, region.events.values())
  const shown = { id, identities: revealAll(deps, members), events: events.length }
  if (projection === undefined) return { ...shown, views: { profile: [] } }
  const entity = { projection, key: id, atoms: members, config }
  const { rows } = foldEntity(entity, events, moment, deps.openEvent)
  return {
    ...shown,
    views: { profile: await showRows(deps, projection, storedRows(projection, id, rows)) },
  }
}

async function append(
  deps: ApiDeps,
  { decision, steward, reason }: StatedDecision,
  pair: readonly Named[],
): Promise<readonly IntakeResult[]> {
  const event = {
    id: `${decision}-${randomUUID()}`,
    source: SOURCE,
    type: DECISION_EVENTS[decision],
    identities: pair.map(({ namespace, value }) => ({ namespace, value })),
    data: { steward, ...(reason === undefined ? {} : { reason }) },
  }
  const results = await deps.intake.submit([{ value: event }], { defaultSource: SOURCE })
  for (const result of results) {
    if (result.status === 'refused') throw problemOfRefusal(result.refusal, results)
    if (result.status === 'quarantined')
      throw new Problem('invalid_body', `The decision was put into quarantine: ${result.message}.`)
  }
  return results
}
