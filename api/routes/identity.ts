import assert from 'node:assert/strict'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { Groups } from '../../engine/identity/groups.ts'
import { DEFAULT_RULES, type IdentityRules } from '../../engine/identity/identity.ts'
import { Limits } from '../../engine/identity/limits.ts'
import { partition } from '../../engine/identity/partition.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsNaming, eventsOf, HISTORY_LIMITS, regionAt } from '../history/component.ts'
import { configurationAt } from '../history/configuration.ts'
import { bridgesOf, type Linked, linksOf, type ProfileLinks, type Witness } from '../history/links.ts'
import { cutsFor } from '../history/undo.ts'
import { identitySchema, withPast } from '../openapi-history.ts'
import { Problem } from '../problem.ts'
import { awaitPosition, standing } from './answer.ts'
import { orBuilt } from './built-history.ts'
import { formatInstant } from './cells.ts'
import { peopleAt, tooMuchHistory } from './history.ts'
import { resolveIdentity, revealAll } from './identities.ts'
import { asksForPast, inThePast, PAST_QUERY, type PastQuery, requestedMoment, shownMoment } from './past.ts'
import { decodeQuery, position, queryPairs } from './query.ts'
import { ask, type People } from './rows.ts'
import { idOf } from './views.ts'

/** Links with outsiders that are shown; all are counted. */
const MAX_REFUSED = 50
/** Identities of other profiles that are looked at to say why not: as many as the largest has, and no more. */
const MAX_OUTSIDERS = 10_000
/** Events read for each identity, even where there are many identities. */
const LEAST_PER_IDENTITY = 20

/** `GET /v1/profiles/:id/identity`: which identities make up a profile, and which events say so; now or at a moment. */
export function registerIdentity(app: FastifyInstance, deps: ApiDeps): void {
  const codecs = { after: position, ...(deps.past === undefined ? {} : PAST_QUERY) }
  const schema = deps.past === undefined ? identitySchema() : withPast(identitySchema())
  app.get('/v1/profiles/:id/identity', { config: { access: 'read' }, schema }, async (request, reply) => {
    const query: PastQuery = decodeQuery(queryPairs(request.url), codecs)
    await awaitPosition(deps, query.after)
    const id = resolveIdentity(deps, idOf(request))
    if (id === undefined) throw nobody()
    if (asksForPast(query)) {
      const fromTables = () => fromPastTables(deps, reply, id, query)
      return orBuilt(deps, () => fromIndex(deps, reply, id, query), fromTables)
    }
    const { at, whole } = await fromStore(deps, id)
    return { ...standing(reply, at), data: await showWhole(deps, deps, whole) }
  })
}

/** A profile, and what its events say of it. */
interface Whole {
  readonly profile: IdentityId
  /** Sorted. */
  readonly members: readonly IdentityId[]
  /** Those that name a member, by position. */
  readonly events: ReadonlyMap<number, RecordedEvent>
  /** False: some member has more events than these. */
  readonly complete: boolean
  readonly rules: IdentityRules
}

/** As read models tell who belongs together: those that serve, or those of a moment. */
async function fromStore(deps: ApiDeps, id: IdentityId, moment?: Moment | undefined) {
  const answer = await ask(() => deps.store.members([id]))
  const { profile, members } = answer.value.get(id) ?? { profile: id, members: [id] }
  if (members.length > HISTORY_LIMITS.identities) {
    throw tooMuchHistory({ _tag: 'TooMuchHistory', what: 'identities', limit: HISTORY_LIMITS.identities })
  }
  const { position: at, received } = answer
  const { events, complete } = await eventsRead(
    deps,
    members,
    moment ?? { by: 'received', position: at, received },
  )
  if (events.size === 0) throw nobody()
  const rules = identityRulesOf(await deps.publishedConfiguration(), DEFAULT_RULES)
  return { at: answer, whole: { profile, members, events, complete, rules } satisfies Whole }
}

async function fromIndex(deps: ApiDeps, reply: FastifyReply, id: IdentityId, query: PastQuery) {
  const moment = await requestedMoment(deps, query)
  const rules = identityRulesOf(await configurationAt(deps, moment), DEFAULT_RULES)
  const region = await regionAt(deps.log, [id], moment, HISTORY_LIMITS)
  if (region._tag === 'Left') throw tooMuchHistory(region.left)
  const { events, evidence } = region.right
  if (events.size === 0) throw nobodyThen()
  const { profiles } = partition(evidence, rules)
  const own = profiles.find(({ members }) => members.includes(id)) ?? { id, members: [id] }
  const named = new Map(eventsNaming(own.members, events.values()).map((event) => [event.position, event]))
  const whole: Whole = { profile: own.id, members: own.members, events: named, complete: true, rules }
  const history = shownMoment(moment, query.asOf)
  return {
    ...standing(reply, moment),
    history,
    data: await showWhole(deps, peopleAt(deps, moment, region.right), whole),
  }
}

/** Of whoever has too much history for the index. */
async function fromPastTables(deps: ApiDeps, reply: FastifyReply, id: IdentityId, query: PastQuery) {
  const profiles = deps.projections.get('profile')
  assert(profiles !== undefined, 'the route is offered where profiles are')
  return inThePast(deps, reply, profiles, query, async (then, at, history, moment) => {
    const { whole } = await fromStore(then, id, moment)
    return { ...at, history, data: await showWhole(deps, then, whole) }
  })
}

/** `people` knows the profiles of those outside that links were refused with. */
async function showWhole(deps: ApiDeps, people: People, whole: Whole) {
  const { profile, members, events, complete, rules } = whole
  const links = linksOf(members, events.values(), rules)
  return {
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
    refused: await showRefused(deps, people, members, links, rules),
    refusedCount: links.refused.length,
  }
}

/** Why links over some namespaces or identities aren't followed. */
const BLOCKED = { reason: 'blocked', detail: 'by the rules' } as const

function shownRules({ version, limits, periods, namespaces, blocked, maxComponent }: IdentityRules) {
  return { version, limits, periods, namespaces, blocked, maxIdentities: maxComponent }
}

function nobody(): Problem {
  return new Problem('not_found', 'Nobody is known by this id.')
}

function nobodyThen(): Problem {
  return new Problem('not_found', 'Nobody was known by this id at that moment.')
}

/** By position, up to where membership is known; incomplete where an identity has more than its share. */
async function eventsRead(
  deps: ApiDeps,
  members: readonly IdentityId[],
  moment: Moment,
): Promise<{ readonly events: ReadonlyMap<number, RecordedEvent>; readonly complete: boolean }> {
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

/** Links that weren't followed, with what stood in their way at the answer's moment. */
async function showRefused(
  deps: ApiDeps,
  people: People,
  members: readonly IdentityId[],
  links: ProfileLinks,
  rules: IdentityRules,
) {
  const limits = new Limits(rules)
  const own = new Set(members)
  const shown = links.refused.slice(0, MAX_REFUSED)
  const outside = shown.map(({ link }) => (own.has(link.a) ? link.b : link.a))
  const profiles = outside.length === 0 ? undefined : await ask(() => people.store.members(outside))
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
