import type { FastifyReply, FastifyRequest } from 'fastify'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import type { ApiDeps } from '../deps.ts'
import { HISTORY_LIMITS, type Region, type TooMuchHistory } from '../history/component.ts'
import { configurationAt } from '../history/configuration.ts'
import { type PastProfiles, pastProfiles } from '../history/past-profile.ts'
import { recordAt } from '../history/past-record.ts'
import { PastPeople } from '../history/people.ts'
import { Problem } from '../problem.ts'
import { sendContent, standing } from './answer.ts'
import { type Asked, builtProfile, builtRow, orBuilt } from './built-history.ts'
import { employmentThen } from './employer.ts'
import { showEvent } from './events.ts'
import { explainState } from './explain.ts'
import { resolveIdentity, revealAll } from './identities.ts'
import { PAST_QUERY, type PastQuery, requestedMoment, shownMoment } from './past.ts'
import { flag, position, wholeNumber } from './query.ts'
import { candidateKeys, type Keyed, type People, showRows } from './rows.ts'
import { pageOf } from './timeline.ts'

/** `?asOf=` of one row: what it was at a moment, folded from the log's index at once; a profile's with more. */

const DEFAULT_EVENTS = 5
const MAX_EVENTS = 100

/** Answers a request for a single row whose query asks for the past. */
export interface ItemHistory {
  /** What its query may name. */
  readonly query: typeof ENTITY_QUERY | typeof PROFILE_QUERY
  answer(request: FastifyRequest, reply: FastifyReply, id: string, query: ItemQuery): Promise<unknown>
}

const ENTITY_QUERY = { explain: flag, after: position, ...PAST_QUERY }
const PROFILE_QUERY = { ...ENTITY_QUERY, events: wholeNumber(0, MAX_EVENTS) }

interface ItemQuery extends PastQuery {
  readonly explain?: boolean | undefined
  readonly events?: number | undefined
}

/** One profile, with what it had bought and its latest events then. */
export function profileHistory(deps: ApiDeps, projection: AnyProjection): ItemHistory {
  const past = pastProfiles(deps)
  return {
    query: PROFILE_QUERY,
    answer(request, reply, id, { events = DEFAULT_EVENTS, ...query }) {
      const asked = { request, reply, id }
      return orBuilt(
        deps,
        () => profileFromIndex(deps, past, projection, asked, { ...query, events }),
        () => builtProfile(deps, projection, asked, { ...query, events }),
      )
    },
  }
}

async function profileFromIndex(
  deps: ApiDeps,
  past: PastProfiles,
  projection: AnyProjection,
  { request, reply, id }: Asked,
  query: ItemQuery & { readonly events: number },
): Promise<unknown> {
  const moment = await requestedMoment(deps, query)
  const then = await profileThen(deps, past, id, moment)
  const own = then.fold(projection)
  const [row] = own.rows
  if (row === undefined) throw nobodyThen()
  const people = peopleAt(deps, moment)
  const [shown] = await showRows(people, own.projection, [row])
  const content = {
    history: shownMoment(moment, query.asOf),
    data: {
      ...shown,
      ...(await employmentThen(deps, past, projection, own, {
        ...{ moment, people, config: then.config },
        isExplained: query.explain === true,
      })),
      identities: revealAll(deps, then.members),
    },
    ...(await explained(people, own.projection, own.state, then.config, query)),
    orders: await ordersThen(deps, people, then),
    timeline: pageOf(then.events, moment, { from: undefined, limit: query.events }).events.map((event) =>
      showEvent(deps.openEvent(event)),
    ),
  }
  return sendContent(request, reply, standing(reply, moment), content)
}

/**
 * One row of a view whose keys the log has an index by: of people, and records that an identity names. undefined: it has
 * none, and the past of the whole view is built instead.
 */
export function entityHistory(
  deps: ApiDeps,
  view: Keyed,
  projection: AnyProjection,
): ItemHistory | undefined {
  const isOfPeople = projection.table.grain === 'profile'
  if (!isOfPeople && view.namespace === undefined) return undefined
  const past = pastProfiles(deps)
  const rowsThen = async (id: string, moment: Moment) =>
    isOfPeople
      ? (await profileThen(deps, past, id, moment)).fold(projection)
      : recordThen(deps, view, projection, id, moment)
  return {
    query: ENTITY_QUERY,
    answer(request, reply, id, query) {
      const asked = { request, reply, id }
      return orBuilt(
        deps,
        () => rowFromIndex(deps, asked, query, rowsThen),
        () => builtRow(deps, view, projection, asked, query),
      )
    },
  }
}

async function rowFromIndex(
  deps: ApiDeps,
  { request, reply, id }: Asked,
  query: ItemQuery,
  rowsThen: (id: string, moment: Moment) => Promise<ReturnType<ProfileThen['fold']>>,
): Promise<unknown> {
  const moment = await requestedMoment(deps, query)
  const found = await rowsThen(id, moment)
  const [row] = found.rows
  if (row === undefined) throw nothingThen()
  const people = peopleAt(deps, moment)
  const [data] = await showRows(people, found.projection, [row])
  const config = await configurationAt(deps, moment)
  const content = {
    history: shownMoment(moment, query.asOf),
    data,
    ...(await explained(people, found.projection, found.state, config, query)),
  }
  return sendContent(request, reply, standing(reply, moment), content)
}

async function explained(
  people: People,
  projection: AnyProjection,
  state: unknown,
  config: Configuration,
  query: ItemQuery,
): Promise<Readonly<Record<string, unknown>>> {
  const explain = query.explain === true ? await explainState(people, projection, state, config) : undefined
  return explain === undefined ? {} : { explain }
}

/** The record that an id named then; of those that it may mean the first that was there. */
async function recordThen(
  deps: ApiDeps,
  view: Keyed,
  projection: AnyProjection,
  id: string,
  moment: Moment,
): Promise<ReturnType<ProfileThen['fold']>> {
  const config = await configurationAt(deps, moment)
  for (const key of candidateKeys(deps, view, projection, id)) {
    const found = await recordAt(deps, { projection, key, config }, moment)
    if (found._tag === 'Left') throw tooMuchHistory(found.left)
    if (found.right.rows.length > 0) return found.right
  }
  throw nothingThen()
}

/** Who belonged together at a moment, for rows that mention people. `known` was read already. */
export function peopleAt(deps: ApiDeps, moment: Moment, known?: Pick<Region, 'evidence'>): People {
  let people: Promise<PastPeople> | undefined
  const open = async () => {
    const rules = identityRulesOf(await configurationAt(deps, moment), DEFAULT_RULES)
    const opened = new PastPeople(deps.log, moment, { rules, limits: HISTORY_LIMITS })
    if (known !== undefined) opened.learn(known)
    return opened
  }
  return {
    store: {
      async members(ids) {
        people ??= open()
        const value = new Map<string, { readonly profile: string; readonly members: readonly string[] }>()
        for (const id of ids) {
          const found = await (await people).profileOf(id)
          if (found._tag === 'Left') throw tooMuchHistory(found.left)
          value.set(id, { profile: found.right.id, members: found.right.members })
        }
        return { position: moment.position, received: moment.received, value }
      },
    },
  }
}

type ProfileThen = NonNullable<Extract<Awaited<ReturnType<PastProfiles>>, { _tag: 'Right' }>['right']>

async function profileThen(
  deps: ApiDeps,
  past: PastProfiles,
  id: string,
  moment: Moment,
): Promise<ProfileThen> {
  const identity = resolveIdentity(deps, id)
  const found = identity === undefined ? undefined : await past(identity, moment)
  if (found?._tag === 'Left') throw tooMuchHistory(found.left)
  if (found?.right === undefined) throw nobodyThen()
  return found.right
}

export function tooMuchHistory({ what, limit }: TooMuchHistory): Problem {
  const detail = `More than ${limit} ${what} hang together here: too much for one answer.`
  return new Problem('history_too_large', detail, { extensions: { what, limit } })
}

function nobodyThen(): Problem {
  return new Problem('not_found', 'Nobody was known by this id at that moment.')
}

function nothingThen(): Problem {
  return new Problem('not_found', 'There was nothing of this id at that moment.')
}

async function ordersThen(deps: ApiDeps, people: People, then: ProfileThen): Promise<readonly unknown[]> {
  const orders = deps.projections.get('customer_orders')
  return orders === undefined ? [] : showRows(people, orders, then.fold(orders).rows)
}
