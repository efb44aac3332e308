import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import * as t from 'io-ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { ApiDeps } from '../deps.ts'
import { lookupSchema, timelineSchema } from '../openapi.ts'
import { withPast } from '../openapi-history.ts'
import { invalidBody, invalidQuery, Problem } from '../problem.ts'
import { awaitPosition, standing } from './answer.ts'
import { registerDecisions } from './decisions.ts'
import { showEvent } from './events.ts'
import { profileHistory } from './history.ts'
import { resolveIdentity, revealAll } from './identities.ts'
import { registerIdentity } from './identity.ts'
import { registerReview } from './identity-review.ts'
import { asksForPast, inThePast, PAST_QUERY, type PastQuery } from './past.ts'
import { decodeQuery, parsed, position, queryPairs, wholeNumber } from './query.ts'
import type { ShownRow } from './rows.ts'
import { ask, showRows } from './rows.ts'
import { readTimeline } from './timeline.ts'
import type { View } from './views.ts'
import { idOf, registerView } from './views.ts'

const MAX_LOOKUPS = 1000
const DEFAULT_LIMIT = 50

const PROFILES: View = {
  path: '/v1/profiles',
  projection: 'profile',
  tag: 'Profiles',
  items: true,
  history: profileHistory,
  detail: (deps, { members }) => ({ identities: revealAll(deps, members) }),
}

export function registerProfiles(app: FastifyInstance, deps: ApiDeps): void {
  registerView(app, deps, PROFILES)
  const projection = deps.projections.get(PROFILES.projection)
  if (projection === undefined) return
  registerLookup(app, deps, projection)
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
      const { find, ...at } = await profilesById(then, projection, ids)
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

async function profilesById(deps: ApiDeps, projection: AnyProjection, ids: readonly (string | undefined)[]) {
  const known = [...new Set(ids.filter((id) => id !== undefined))]
  const members = await ask(() => deps.store.members(known))
  const profileOf = (id: string) => members.value.get(id)?.profile ?? id
  const profiles = [...new Set(known.map(profileOf))]
  const rows = new Map<string, ShownRow>()
  let at = { position: members.position, received: members.received }
  if (profiles.length > 0) {
    const filters = [{ column: 'key', operator: 'in', value: profiles }] as const
    const answer = await ask(() =>
      deps.store.list({ projection: projection.name, filters, limit: profiles.length }),
    )
    const shown = await showRows(deps, projection, answer.value.rows)
    for (const row of shown) rows.set(String(row.id), row)
    at = {
      position: Math.min(at.position, answer.position),
      received: Math.min(at.received, answer.received),
    }
  }
  return { ...at, find: (id: string) => rows.get(profileOf(id)) ?? null }
}

const timelineCursor = t.type({ at: t.number, fingerprint: t.string })

/** Opaque to callers; the position to go on from (inclusive), and whose timeline it is of. */
type TimelineCursor = t.TypeOf<typeof timelineCursor>

const cursorCodec = parsed('a cursor of an earlier answer', timelineCursor.is, (text) => {
  const found = /^t(\d{1,16})\.([\w-]{16})$/.exec(Buffer.from(text, 'base64url').toString('latin1'))
  const [at, fingerprint] = [Number(found?.[1] ?? Number.NaN), found?.[2]]
  return Number.isSafeInteger(at) && at > 0 && fingerprint !== undefined ? { at, fingerprint } : undefined
})

function writeCursor({ at, fingerprint }: TimelineCursor): string {
  return Buffer.from(`t${at}.${fingerprint}`, 'latin1').toString('base64url')
}

/** Who makes up a profile, 96 bits: pages of different people don't add up to anybody's timeline. */
function fingerprintOf(members: readonly string[]): string {
  return createHash('sha256')
    .update([...members].sort().join())
    .digest('base64url')
    .slice(0, 16)
}

function registerTimeline(app: FastifyInstance, deps: ApiDeps): void {
  const { pageLimit } = deps.configuration
  const fallback = Math.min(DEFAULT_LIMIT, pageLimit)
  const codecs = { limit: wholeNumber(1, pageLimit), cursor: cursorCodec, after: position }
  const schema = timelineSchema({ maximum: pageLimit, fallback })
  app.get(`${PROFILES.path}/:id/timeline`, { config: { access: 'read' }, schema }, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), codecs)
    await awaitPosition(deps, query.after)
    const id = resolveIdentity(deps, idOf(request))
    if (id === undefined) throw nobody()
    const answer = await ask(() => deps.store.members([id]))
    const at = standing(reply, answer)
    if (answer.position === 0) throw nobody()
    // Who belongs together is known up to this position; events beyond it wait for the next answer.
    const from = Math.min(query.cursor?.at ?? answer.position, answer.position)
    const members = answer.value.get(id)?.members ?? [id]
    const fingerprint = fingerprintOf(members)
    if (query.cursor !== undefined && query.cursor.fingerprint !== fingerprint) throw foreignCursor()
    const page = await readTimeline(deps.log, members, { from, limit: query.limit ?? fallback })
    if (page.events.length === 0 && query.cursor === undefined) throw nobody()
    const data = page.events.map((event) => showEvent(deps.openEvent(event)))
    const next = page.next === undefined ? null : writeCursor({ at: page.next, fingerprint })
    return { ...at, data, next }
  })
}

function foreignCursor(): Problem {
  const message = 'belongs to no earlier answer of this profile as it is now; start without it'
  return invalidQuery([{ parameter: 'cursor', message }])
}

/** An id that the log knows has events. */
function nobody(): Problem {
  return new Problem('not_found', 'Nobody is known by this id.')
}
