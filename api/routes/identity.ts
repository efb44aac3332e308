import type { FastifyInstance } from 'fastify'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { Groups } from '../../engine/identity/groups.ts'
import { DEFAULT_RULES, type IdentityRules } from '../../engine/identity/identity.ts'
import { Limits } from '../../engine/identity/limits.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsOf, HISTORY_LIMITS } from '../history/component.ts'
import { bridgesOf, type Linked, linksOf, type ProfileLinks, type Witness } from '../history/links.ts'
import { cutsFor } from '../history/undo.ts'
import { identitySchema } from '../openapi-history.ts'
import { Problem } from '../problem.ts'
import { awaitPosition, standing } from './answer.ts'
import { formatInstant } from './cells.ts'
import { tooMuchHistory } from './history.ts'
import { resolveIdentity, revealAll } from './identities.ts'
import { decodeQuery, position, queryPairs } from './query.ts'
import { ask } from './rows.ts'
import { idOf } from './views.ts'

/** Links with outsiders that are shown; all are counted. */
const MAX_REFUSED = 50
/** Identities of other profiles that are looked at to say why not: as many as the largest has, and no more. */
const MAX_OUTSIDERS = 10_000
/** Events read for each identity, even where there are many identities. */
const LEAST_PER_IDENTITY = 20

/** `GET /v1/profiles/:id/identity`: which identities make up a profile, and which events say so. */
export function registerIdentity(app: FastifyInstance, deps: ApiDeps): void {
  const schema = identitySchema()
  app.get('/v1/profiles/:id/identity', { config: { access: 'read' }, schema }, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), { after: position })
    await awaitPosition(deps, query.after)
    const id = resolveIdentity(deps, idOf(request))
    if (id === undefined) throw nobody()
    const answer = await ask(() => deps.store.members([id]))
    const { profile, members } = answer.value.get(id) ?? { profile: id, members: [id] }
    if (members.length > HISTORY_LIMITS.identities) {
      throw tooMuchHistory({ _tag: 'TooMuchHistory', what: 'identities', limit: HISTORY_LIMITS.identities })
    }
    const { events, complete } = await eventsNaming(deps, members, answer)
    if (events.size === 0) throw nobody()
    const rules = identityRulesOf(await deps.publishedConfiguration(), DEFAULT_RULES)
    const links = linksOf(members, events.values(), rules)
    const data = {
      id: profile,
      rules: shownRules(rules),
      complete,
      identities: revealAll(deps, members).map((shown) => ({
        namespace: links.namespaces.get(shown.id),
        ...shown,
      })),
      links: links.made.map(showLink),
      cuts: links.cuts.map(({ cut, event }) => ({ a: cut.a, b: cut.b, event: showWitness(event) })),
      bridges: bridgesOf(members, links).map((bridge) => ({
        ...bridge,
        cuts: cutsFor(bridge, links, rules) ?? null,
      })),
      refused: await showRefused(deps, members, links, rules),
      refusedCount: links.refused.length,
    }
    return { ...standing(reply, answer), data }
  })
}

/** Why links over some namespaces or identities aren't followed. */
const BLOCKED = { reason: 'blocked', detail: 'by the rules' } as const

function shownRules({ version, limits, periods, namespaces, blocked, maxComponent }: IdentityRules) {
  return { version, limits, periods, namespaces, blocked, maxIdentities: maxComponent }
}

function nobody(): Problem {
  return new Problem('not_found', 'Nobody is known by this id.')
}

/** By position, up to where membership is known; incomplete where an identity has more than its share. */
async function eventsNaming(
  deps: ApiDeps,
  members: readonly IdentityId[],
  at: { readonly position: number; readonly received: number },
): Promise<{ readonly events: ReadonlyMap<number, RecordedEvent>; readonly complete: boolean }> {
  const moment: Moment = { by: 'received', position: at.position, received: at.received }
  const share = Math.max(LEAST_PER_IDENTITY, Math.floor(HISTORY_LIMITS.events / members.length))
  const events = new Map<number, RecordedEvent>()
  let complete = true
  for (const id of members) {
    let read = 0
    for await (const event of eventsOf(deps.log, id, moment, { limit: share + 1 })) {
      read += 1
      if (read <= share) events.set(event.position, event)
    }
    if (read > share) complete = false
  }
  return { events, complete }
}

function showLink({ link, event, stated }: Linked) {
  return { a: link.a, b: link.b, rule: link.rule, stated, event: showWitness(event) }
}

function showWitness({ id, source, type, time, position: at }: Witness) {
  return { id, source, type, time: formatInstant(time), position: at }
}

/** Links that weren't followed, with what stands in their way now. */
async function showRefused(
  deps: ApiDeps,
  members: readonly IdentityId[],
  links: ProfileLinks,
  rules: IdentityRules,
) {
  const limits = new Limits(rules)
  const own = new Set(members)
  const shown = links.refused.slice(0, MAX_REFUSED)
  const outside = shown.map(({ link }) => (own.has(link.a) ? link.b : link.a))
  const profiles = outside.length === 0 ? undefined : await ask(() => deps.store.members(outside))
  const obstacles = new Map<IdentityId, ReturnType<typeof obstacleBetween>>()
  let left = MAX_OUTSIDERS
  return shown.map((each, i) => {
    const other = outside[i] ?? ''
    const { profile, members: theirs } = profiles?.value.get(other) ?? { profile: other, members: [other] }
    if (!obstacles.has(profile) && theirs.length <= left) {
      left -= theirs.length
      obstacles.set(profile, obstacleBetween(deps, members, theirs, links, rules))
    }
    const obstacle = limits.isBlocked(each.link) ? BLOCKED : obstacles.get(profile)
    const { namespace, value } = deps.directory.reveal(other) ?? { namespace: links.namespaces.get(other) }
    return {
      ...showLink(each),
      other: { id: other, namespace, value },
      reason: obstacle?.reason,
      detail: obstacle?.detail,
    }
  })
}

function obstacleBetween(
  deps: ApiDeps,
  members: readonly IdentityId[],
  theirs: readonly IdentityId[],
  { cuts, namespaces, since }: ProfileLinks,
  rules: IdentityRules,
) {
  const groups = new Groups(rules)
  for (const { cut } of cuts) groups.setCut(cut.a, cut.b, true)
  const [mine, other] = [members, theirs].map((ids) =>
    ids
      .map((id) =>
        groups.place(id, namespaces.get(id) ?? deps.directory.reveal(id)?.namespace, since.get(id)),
      )
      .reduce((all, group) => groups.merge(all, group, undefined)),
  )
  return mine === undefined || other === undefined || mine === other
    ? undefined
    : groups.obstacle(mine, other)
}
