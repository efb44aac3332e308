import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import * as t from 'io-ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { ApiDeps } from '../deps.ts'
import { HISTORY_LIMITS, profileAt } from '../history/component.ts'
import { configurationAt } from '../history/configuration.ts'
import { timelineSchema } from '../openapi.ts'
import { withPast } from '../openapi-history.ts'
import { invalidQuery, Problem } from '../problem.ts'
import { awaitPosition, standing } from './answer.ts'
import { showEvent } from './events.ts'
import { tooMuchHistory } from './history.ts'
import { resolveIdentity } from './identities.ts'
import {
  asksForPast,
  inThePast,
  PAST_QUERY,
  type PastQuery,
  requestedMoment,
  type ShownMoment,
  shownMoment,
} from './past.ts'
import { decodeQuery, parsed, position, queryPairs, wholeNumber } from './query.ts'
import { ask } from './rows.ts'
import { pageOf, readPastTimeline, readTimeline, type TimelinePlace } from './timeline.ts'
import { idOf } from './views.ts'

/** `GET /v1/profiles/:id/timeline`: a person's events, now or of whoever belonged together at a moment. */

const DEFAULT_LIMIT = 50

const cursorCodec = t.intersection([
  t.type({ position: t.number, fingerprint: t.string }),
  t.partial({ time: t.number }),
])

/** Opaque to callers; the place to go on from (inclusive), and whose timeline of which moment it is of. */
type TimelineCursor = t.TypeOf<typeof cursorCodec>

const CURSOR = parsed('a cursor of an earlier answer', cursorCodec.is, (text): TimelineCursor | undefined => {
  const plain = Buffer.from(text, 'base64url').toString('latin1')
  const [, place, instant, fingerprint] = /^t(\d{1,16})(?:@(-?\d{1,16}))?\.([\w-]{16})$/.exec(plain) ?? []
  const [at, time] = [Number(place), Number(instant ?? 0)]
  if (fingerprint === undefined || !Number.isSafeInteger(at) || at < 1 || !Number.isSafeInteger(time))
    return undefined
  return { position: at, fingerprint, ...(instant === undefined ? {} : { time }) }
})

function writeCursor({ position: at, time, fingerprint }: TimelineCursor): string {
  const place = time === undefined ? String(at) : `${at}@${time}`
  return Buffer.from(`t${place}.${fingerprint}`, 'latin1').toString('base64url')
}

/** Who makes up a profile, and when, 96 bits: pages of different people don't add up to anybody's timeline. */
function fingerprintOf(members: readonly string[], history?: ShownMoment | undefined): string {
  const hash = createHash('sha256').update([...members].sort().join())
  if (history !== undefined) hash.update(` ${history.by} ${history.until}`)
  return hash.digest('base64url').slice(0, 16)
}

interface Query extends PastQuery {
  readonly limit?: number | undefined
  readonly cursor?: TimelineCursor | undefined
}

export function registerTimeline(app: FastifyInstance, deps: ApiDeps): void {
  const { pageLimit } = deps.configuration
  const fallback = Math.min(DEFAULT_LIMIT, pageLimit)
  const past = deps.past === undefined ? {} : PAST_QUERY
  const codecs = { limit: wholeNumber(1, pageLimit), cursor: CURSOR, after: position, ...past }
  const documented = timelineSchema({ maximum: pageLimit, fallback })
  const schema = deps.past === undefined ? documented : withPast(documented)
  const options = { config: { access: 'read' }, schema } as const
  app.get('/v1/profiles/:id/timeline', options, async (request, reply) => {
    const query: Query = decodeQuery(queryPairs(request.url), codecs)
    await awaitPosition(deps, query.after)
    const id = resolveIdentity(deps, idOf(request))
    if (id === undefined) throw nobody()
    const asked = { id, limit: query.limit ?? fallback, cursor: query.cursor }
    return asksForPast(query) ? pastPage(deps, reply, asked, query) : presentPage(deps, reply, asked)
  })
}

interface Asked {
  readonly id: IdentityId
  readonly limit: number
  readonly cursor: TimelineCursor | undefined
}

async function presentPage(deps: ApiDeps, reply: FastifyReply, { id, limit, cursor }: Asked) {
  const answer = await ask(() => deps.store.members([id]))
  const at = standing(reply, answer)
  if (answer.position === 0) throw nobody()
  // Who belongs together is known up to this position; events beyond it wait for the next answer.
  const from = Math.min(cursor?.position ?? answer.position, answer.position)
  const members = answer.value.get(id)?.members ?? [id]
  const fingerprint = fingerprintOf(members)
  if (cursor !== undefined && cursor.fingerprint !== fingerprint) throw foreignCursor()
  const page = await readTimeline(deps.log, members, { from, limit })
  if (page.events.length === 0 && cursor === undefined) throw nobody()
  const next = page.next === undefined ? null : writeCursor({ position: page.next, fingerprint })
  return { ...at, data: showEvents(deps, page.events), next }
}

/** From the log's index; of whoever has more history than that answers, who belonged together is built. */
async function pastPage(deps: ApiDeps, reply: FastifyReply, asked: Asked, query: PastQuery) {
  const moment = await requestedMoment(deps, query)
  const rules = identityRulesOf(await configurationAt(deps, moment), DEFAULT_RULES)
  const found = await profileAt(deps.log, asked.id, moment, { rules, limits: HISTORY_LIMITS })
  if (found._tag === 'Right') {
    const { members, events } = found.right
    const history = shownMoment(moment, query.asOf)
    const page = pageOf(events, moment, { from: startOf(asked, members, history), limit: asked.limit })
    return showPast(deps, asked, moment, { at: standing(reply, moment), history, members, page })
  }
  const people = deps.projections.get('profile')
  if (deps.past === undefined || people === undefined) throw tooMuchHistory(found.left)
  return inThePast(deps, reply, people, query, async (then, at, history, built) => {
    const known = await ask(() => then.store.members([asked.id]))
    const members = known.value.get(asked.id)?.members ?? [asked.id]
    const from = startOf(asked, members, history)
    const page = await readPastTimeline(deps.log, members, built, { from, limit: asked.limit })
    return showPast(deps, asked, built, { at, history, members, page })
  })
}

function startOf(
  { cursor }: Asked,
  members: readonly IdentityId[],
  history: ShownMoment,
): TimelinePlace | undefined {
  if (cursor === undefined) return undefined
  if (cursor.fingerprint !== fingerprintOf(members, history)) throw foreignCursor()
  return { position: cursor.position, time: cursor.time ?? 0 }
}

interface PastPage {
  readonly at: ReturnType<typeof standing>
  readonly history: ShownMoment
  readonly members: readonly IdentityId[]
  readonly page: Awaited<ReturnType<typeof readPastTimeline>>
}

function showPast(
  deps: ApiDeps,
  { cursor }: Asked,
  { by }: Moment,
  { at, history, members, page }: PastPage,
) {
  if (page.events.length === 0 && cursor === undefined)
    throw new Problem('not_found', 'Nobody was known by this id at that moment.')
  const fingerprint = fingerprintOf(members, history)
  const { next } = page
  const place = by === 'occurred' ? next : next && { position: next.position }
  return {
    ...at,
    history,
    data: showEvents(deps, page.events),
    next: place === undefined ? null : writeCursor({ ...place, fingerprint }),
  }
}

function showEvents(deps: ApiDeps, events: readonly RecordedEvent[]): readonly unknown[] {
  return events.map((event) => showEvent(deps.openEvent(event)))
}

function foreignCursor(): Problem {
  const message = 'belongs to no earlier answer of this profile as it is; start without it'
  return invalidQuery([{ parameter: 'cursor', message }])
}

/** An id that the log knows has events. */
function nobody(): Problem {
  return new Problem('not_found', 'Nobody is known by this id.')
}
