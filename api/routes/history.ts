import type { FastifyReply, FastifyRequest } from 'fastify'
import * as t from 'io-ts'
import type { Moment } from '../../engine/projector/asof.ts'
import type { ApiDeps } from '../deps.ts'
import type { TooMuchHistory } from '../history/component.ts'
import { type AsOf, momentOf, parseAsOf } from '../history/moment.ts'
import { type PastProfiles, pastProfiles } from '../history/past-profile.ts'
import { invalidQuery, Problem } from '../problem.ts'
import { sendContent, standing } from './answer.ts'
import { formatInstant } from './cells.ts'
import { showEvent } from './events.ts'
import { explainState } from './explain.ts'
import { resolveIdentity, revealAll } from './identities.ts'
import { flag, parsed, position, wholeNumber } from './query.ts'
import { showRows } from './rows.ts'

/** `?asOf=`: one profile as it was at a moment, with what it had bought and its latest events then. */

const isAsOf = (value: unknown): value is AsOf =>
  typeof value === 'object' && value !== null && '_tag' in value

const DEFAULT_EVENTS = 5
const MAX_EVENTS = 100

export const HISTORY_QUERY = {
  explain: flag,
  after: position,
  asOf: parsed('a position, a day or an RFC 3339 instant', isAsOf, parseAsOf),
  by: t.keyof({ received: null, occurred: null }, 'received or occurred'),
  events: wholeNumber(0, MAX_EVENTS),
}

interface PastQuery {
  readonly explain?: boolean | undefined
  readonly asOf?: AsOf | undefined
  readonly by?: Moment['by'] | undefined
  readonly events?: number | undefined
}

/** Answers a request for a single row whose query asks for the past. */
export type ItemHistory = (
  request: FastifyRequest,
  reply: FastifyReply,
  id: string,
  query: PastQuery,
) => Promise<unknown>

/** True if a query asks for the past, well or badly. */
export function asksForPast({ asOf, by, events }: PastQuery): boolean {
  return asOf !== undefined || by !== undefined || events !== undefined
}

export function profileHistory(deps: ApiDeps, projection: string): ItemHistory {
  const past = pastProfiles(deps)
  return async (request, reply, id, query) => {
    const moment = await requestedMoment(deps, query)
    const then = await profileThen(deps, past, id, moment)
    const answered = deps.projections.get(projection)
    const own = answered === undefined ? undefined : then.fold(answered)
    const [row] = own?.rows ?? []
    if (answered === undefined || own === undefined || row === undefined) throw nobodyThen()
    const [shown] = await showRows(deps, answered, [row])
    const explain =
      query.explain === true ? await explainState(deps, answered, own.state, then.config) : undefined
    const content = {
      history: { by: moment.by, until: untilOf(moment, query.asOf) },
      data: { ...shown, identities: revealAll(deps, then.members) },
      ...(explain === undefined ? {} : { explain }),
      orders: await ordersThen(deps, then),
      timeline: latest(then.events, moment, query.events ?? DEFAULT_EVENTS).map((event) =>
        showEvent(deps.openEvent(event)),
      ),
    }
    const at = standing(reply, moment)
    return sendContent(request, reply, at, content)
  }
}

type ProfileThen = NonNullable<Extract<Awaited<ReturnType<PastProfiles>>, { _tag: 'Right' }>['right']>

async function requestedMoment(deps: ApiDeps, { asOf, by = 'received' }: PastQuery): Promise<Moment> {
  if (asOf === undefined) {
    throw invalidQuery([{ parameter: 'asOf', message: 'is needed with by and events' }])
  }
  if (asOf._tag === 'Position' && by === 'occurred') {
    throw invalidQuery([
      { parameter: 'by', message: 'occurred needs an instant; a position is what was received' },
    ])
  }
  const moment = await momentOf(deps.log, asOf, by)
  if (moment !== undefined) return moment
  const message = `lies behind the log's last position, ${deps.log.head().position}`
  throw invalidQuery([{ parameter: 'asOf', message }])
}

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

async function ordersThen(deps: ApiDeps, then: ProfileThen): Promise<readonly unknown[]> {
  const orders = deps.projections.get('customer_orders')
  return orders === undefined ? [] : showRows(deps, orders, then.fold(orders).rows)
}

/** Newest first, by the order that the moment goes by. */
function latest<E extends { readonly time: number; readonly position: number }>(
  events: readonly E[],
  { by }: Moment,
  limit: number,
): readonly E[] {
  const newest = (a: E, b: E) =>
    by === 'occurred' ? b.time - a.time || b.position - a.position : b.position - a.position
  return [...events].sort(newest).slice(0, limit)
}

function untilOf(moment: Moment, asOf: AsOf | undefined): string | number {
  return asOf?._tag === 'Instant' ? formatInstant(asOf.time) : moment.position
}
