import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { sendContent } from './answer.ts'
import { employment } from './employer.ts'
import { showEvent } from './events.ts'
import { explain } from './explain.ts'
import { resolveIdentity, revealAll } from './identities.ts'
import { inThePast, type PastQuery } from './past.ts'
import { ask, candidateKeys, type Keyed, showRows } from './rows.ts'
import { projectionOf } from './served.ts'
import { readPastTimeline } from './timeline.ts'

/** Single rows of the past of whoever has too much history for the log's index: from whole read models of that moment. */

/** Answers from the index or, where that has too much to read and read models of the past are built, from those. */
export async function orBuilt<T, U>(
  deps: Pick<ApiDeps, 'past'>,
  fromIndex: () => Promise<T>,
  fromTables: () => Promise<U>,
): Promise<T | U> {
  try {
    return await fromIndex()
  } catch (error) {
    const isTooMuch = error instanceof Problem && error.code === 'history_too_large'
    if (!isTooMuch || deps.past === undefined) throw error
    return fromTables()
  }
}

/** A request for a single row, and whose. */
export interface Asked {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly id: string
}

interface BuiltQuery extends PastQuery {
  readonly explain?: boolean | undefined
}

/** Events that a profile's answer brings along. */
interface ProfileQuery extends BuiltQuery {
  readonly events: number
}

export async function builtProfile(
  deps: ApiDeps,
  projection: AnyProjection,
  { request, reply, id }: Asked,
  query: ProfileQuery,
): Promise<unknown> {
  const orders = deps.projections.get('customer_orders')
  const wanted = orders === undefined ? [projection] : [projection, orders]
  return inThePast(deps, reply, wanted, query, async (then, at, history, moment) => {
    const key = resolveIdentity(deps, id) ?? id
    const names = wanted.map(({ name }) => name)
    const { members, rows } = (await ask(() => then.store.get(names, key))).value
    const row = rows.get(projection.name)?.[0]
    if (row === undefined) throw nothingThen()
    const [shown] = await showRows(then, projectionOf(then, projection.name), [row])
    const page = await readPastTimeline(deps.log, members, moment, { from: undefined, limit: query.events })
    const content = {
      history,
      data: {
        ...shown,
        ...(await employment(then, { stored: row }, query.explain === true)),
        identities: revealAll(deps, members),
      },
      ...(await explained(then, projection, row, query)),
      orders: orders === undefined ? [] : await showRows(then, orders, rows.get(orders.name) ?? []),
      timeline: page.events.map((event) => showEvent(deps.openEvent(event))),
    }
    return sendContent(request, reply, at, content)
  })
}

export async function builtRow(
  deps: ApiDeps,
  view: Keyed,
  projection: AnyProjection,
  { request, reply, id }: Asked,
  query: BuiltQuery,
): Promise<unknown> {
  return inThePast(deps, reply, projection, query, async (then, at, history) => {
    for (const key of candidateKeys(deps, view, projection, id)) {
      const { rows } = (await ask(() => then.store.get([projection.name], key))).value
      const row = rows.get(projection.name)?.[0]
      if (row === undefined) continue
      const [data] = await showRows(then, projectionOf(then, projection.name), [row])
      const content = { history, data, ...(await explained(then, projection, row, query)) }
      return sendContent(request, reply, at, content)
    }
    throw nothingThen()
  })
}

async function explained(
  then: ApiDeps,
  projection: AnyProjection,
  { key }: StoredRow,
  query: BuiltQuery,
): Promise<Readonly<Record<string, unknown>>> {
  const answer = query.explain === true ? await explain(then, projection.name, key) : undefined
  return answer === undefined ? {} : { explain: answer.value }
}

function nothingThen(): Problem {
  return new Problem('not_found', 'There was nothing of this id at that moment.')
}
