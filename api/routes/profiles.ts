import type { FastifyInstance } from 'fastify'
import * as t from 'io-ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { ApiDeps } from '../deps.ts'
import { lookupSchema } from '../openapi.ts'
import { withPast } from '../openapi-history.ts'
import { EMPLOYMENT } from '../openapi-identity.ts'
import { invalidBody } from '../problem.ts'
import { awaitPosition, standing } from './answer.ts'
import { registerDecisions } from './decisions.ts'
import { employment } from './employer.ts'
import { profileHistory } from './history.ts'
import { resolveIdentity, revealAll } from './identities.ts'
import { registerIdentity } from './identity.ts'
import { registerReview } from './identity-review.ts'
import { asksForPast, inThePast, PAST_QUERY, type PastQuery } from './past.ts'
import { registerTimeline } from './profile-timeline.ts'
import { decodeQuery, position, queryPairs } from './query.ts'
import type { ShownRow } from './rows.ts'
import { ask, showRows } from './rows.ts'
import { baseOf, shownBy } from './served.ts'
import type { View } from './views.ts'
import { registerView } from './views.ts'

const MAX_LOOKUPS = 1000

export const PROFILES: View = {
  path: '/v1/profiles',
  projection: 'profile',
  tag: 'Profiles',
  items: true,
  history: profileHistory,
  detail: async (deps, found, isExplained) => ({
    ...(await employment(deps, found, isExplained)),
    identities: revealAll(deps, found.members),
  }),
  detailSchema: EMPLOYMENT,
}

export function registerProfiles(app: FastifyInstance, deps: ApiDeps): void {
  registerView(app, deps, PROFILES)
  if (!deps.projections.has(PROFILES.projection)) return
  registerLookup(app, deps, baseOf(deps, PROFILES.projection))
  registerTimeline(app, deps)
  registerIdentity(app, deps)
  registerReview(app, deps)
  registerDecisions(app, deps)
}

const lookupCodec = t.type({ identities: t.array(t.string) })

/** Many look-ups in one request whose address names nobody. */
function registerLookup(app: FastifyInstance, deps: ApiDeps, projection: AnyProjection): void {
  const codecs = { after: position, ...(deps.past === undefined ? {} : PAST_QUERY) }
  const documented = lookupSchema(projection, MAX_LOOKUPS)
  const schema = deps.past === undefined ? documented : withPast(documented)
  const options = { config: { access: 'read' }, schema } as const
  app.post(`${PROFILES.path}/lookup`, options, async (request, reply) => {
    const query: PastQuery = decodeQuery(queryPairs(request.url), codecs)
    const body = lookupCodec.decode(request.body)
    if (body._tag === 'Left') throw invalidBody('/identities', 'identities must be a list of namespace:value')
    const { identities } = body.right
    if (identities.length > MAX_LOOKUPS) throw invalidBody('/identities', `must be at most ${MAX_LOOKUPS}`)
    await awaitPosition(deps, query.after)
    const ids = identities.map((stated) => resolveIdentity(deps, stated))
    const found = async (then: ApiDeps) => {
      const { find, ...at } = await profilesById(then, ids)
      return { at, data: ids.map((id) => (id === undefined ? null : find(id))) }
    }
    const known = { ids: ids.map((id) => id ?? null) }
    if (!asksForPast(query)) {
      const { at, data } = await found(deps)
      return { ...standing(reply, at), data, ...known }
    }
    return inThePast(deps, reply, projection, query, async (then, at, history) => {
      const { data } = await found(then)
      return { ...at, history, data, ...known }
    })
  })
}

async function profilesById(deps: ApiDeps, ids: readonly (string | undefined)[]) {
  const known = [...new Set(ids.filter((id) => id !== undefined))]
  const members = await ask(() => deps.store.members(known))
  const profileOf = (id: string) => members.value.get(id)?.profile ?? id
  const profiles = [...new Set(known.map(profileOf))]
  const rows = new Map<string, ShownRow>()
  let at = { position: members.position, received: members.received }
  if (profiles.length > 0) {
    const filters = [{ column: 'key', operator: 'in', value: profiles }] as const
    const answer = await ask(() =>
      deps.store.list({ projection: PROFILES.projection, filters, limit: profiles.length }),
    )
    const projection = await shownBy(deps, PROFILES.projection, answer.build)
    const shown = await showRows(deps, projection, answer.value.rows)
    for (const row of shown) rows.set(String(row.id), row)
    at = {
      position: Math.min(at.position, answer.position),
      received: Math.min(at.received, answer.received),
    }
  }
  return { ...at, find: (id: string) => rows.get(profileOf(id)) ?? null }
}
