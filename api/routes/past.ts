import type { FastifyInstance, FastifyReply } from 'fastify'
import * as t from 'io-ts'
import type { Moment } from '../../engine/projector/asof.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { ApiDeps } from '../deps.ts'
import { configurationAt } from '../history/configuration.ts'
import { type AsOf, momentOf, parseAsOf } from '../history/moment.ts'
import { pastSchema } from '../openapi-history.ts'
import type { PastFailure, PastOutcome, PastStatus } from '../past/past.ts'
import { invalidQuery, Problem } from '../problem.ts'
import { standing } from './answer.ts'
import { formatInstant } from './cells.ts'
import { decodeQuery, parsed, queryPairs, wholeNumber } from './query.ts'
import { under } from './served.ts'

/** `?asOf=` of whole read models: the same routes, answered from read models of that moment. */

const isAsOf = (value: unknown): value is AsOf =>
  typeof value === 'object' && value !== null && '_tag' in value

/** How long a build is waited for where nothing is said, ms. */
const WAIT_MS = 300
const MAX_WAIT_MS = 60_000
const RETRY_SECONDS = '1'

export const AS_OF = parsed('a position, a day or an RFC 3339 instant', isAsOf, parseAsOf)
export const BY = t.keyof({ received: null, occurred: null }, 'received or occurred')

/** What every route that can be asked for the past knows. */
export const PAST_QUERY = { asOf: AS_OF, by: BY, wait: wholeNumber(0, MAX_WAIT_MS) }
export const PAST_PARAMETERS = Object.keys(PAST_QUERY)

export interface PastQuery {
  readonly asOf?: AsOf | undefined
  readonly by?: Moment['by'] | undefined
  readonly wait?: number | undefined
  readonly after?: number | undefined
}

/** True if a query asks for the past, well or badly. */
export function asksForPast({ asOf, by, wait }: PastQuery): boolean {
  return asOf !== undefined || by !== undefined || wait !== undefined
}

/** The moment as answers name it. */
export interface ShownMoment {
  readonly by: Moment['by']
  readonly until: string | number
}

export function shownMoment(moment: Moment, asOf: AsOf | undefined): ShownMoment {
  return { by: moment.by, until: asOf?._tag === 'Instant' ? formatInstant(asOf.time) : moment.position }
}

/** The moment that a query names; throws a problem where it names none. */
export async function requestedMoment(
  deps: Pick<ApiDeps, 'log'>,
  { asOf, by = 'received' }: PastQuery,
  name = 'asOf',
): Promise<Moment> {
  if (asOf === undefined)
    throw invalidQuery([{ parameter: name, message: 'is needed with whatever says how' }])
  if (asOf._tag === 'Position' && by === 'occurred') {
    throw invalidQuery([
      { parameter: 'by', message: 'occurred needs an instant; a position is what was received' },
    ])
  }
  const moment = await momentOf(deps.log, asOf, by)
  if (moment !== undefined) return moment
  const message = `lies behind the log's last position, ${deps.log.head().position}`
  throw invalidQuery([{ parameter: name, message }])
}

type Standing = ReturnType<typeof standing>

/**
 * Answers from read models of the moment that a query names: `answer` is handed what stands in place of the present
 * ones. While they are built it isn't called, and the reply is a 202 that says how far they have come.
 */
export async function inThePast<T>(
  deps: ApiDeps,
  reply: FastifyReply,
  projection: AnyProjection | readonly AnyProjection[],
  query: PastQuery,
  answer: (then: ApiDeps, at: Standing, history: ShownMoment, moment: Moment) => Promise<T>,
): Promise<T | Readonly<Record<string, unknown>>> {
  const { past } = deps
  if (past === undefined)
    throw new Problem('projection_unavailable', 'The past of whole views is not kept here.')
  const moment = await requestedMoment(deps, query)
  const history = shownMoment(moment, query.asOf)
  const waitMs = Math.min(query.wait ?? WAIT_MS, deps.configuration.afterWaitMs)
  const names = [projection].flat().map(({ name }) => name)
  const asked = { moment, projections: names, after: query.after, waitMs }
  const outcome = await past.use(asked, async ({ reader, at, moment: built }) => {
    const then = under({ ...deps, store: reader }, await configurationAt(deps, built))
    return answer(then, standing(reply, at), history, { ...built, ...at })
  })
  return answered(outcome, reply, history)
}

function answered<T>(
  outcome: PastOutcome<T>,
  reply: FastifyReply,
  history: ShownMoment,
): T | Readonly<Record<string, unknown>> {
  switch (outcome._tag) {
    case 'Answered':
      return outcome.value
    case 'Building': {
      const { state, position, of, startedMs } = outcome
      reply.code(202).header('retry-after', RETRY_SECONDS)
      return { state, position, of, startedAt: formatInstant(startedMs), history }
    }
    case 'Busy':
      throw new Problem('overloaded', `${outcome.limit} moments wait to be built already.`, {
        headers: { 'retry-after': '5' },
      })
    case 'Failed':
      throw problemOf(outcome.failure)
  }
}

function problemOf(failure: PastFailure): Problem {
  const again = { headers: { 'retry-after': '5' } }
  switch (failure._tag) {
    case 'TooLarge': {
      const { limitBytes: limit } = failure
      const detail = `The view of that moment takes more than the ${limit} bytes that the past may take here.`
      return new Problem('history_too_large', detail, { extensions: { what: 'bytes', limit } })
    }
    case 'DiskFull':
      return new Problem('store_unavailable', 'The disk is full: the past can not be built.', again)
    case 'Dropped':
      return new Problem(
        'store_unavailable',
        'What was built was dropped in between, as an erasure does.',
        again,
      )
    case 'Broken':
      return new Problem('store_unavailable', `The past could not be built: ${failure.message}`, again)
  }
}

/** `GET /v1/past`: what is kept of the past, and what is being built. */
export function registerPast(app: FastifyInstance, deps: ApiDeps): void {
  const { past } = deps
  if (past === undefined) return
  const gauge = (name: string, help: string, read: (all: readonly PastStatus[]) => number) =>
    deps.metrics.gauge(`headwater_past_${name}`, help, () => read(past.status()))
  gauge('kept', 'Moments whose read models are kept.', (all) => countOf(all, 'ready'))
  gauge('pending', 'Moments whose read models are being built or wait for it.', (all) => {
    return countOf(all, 'queued') + countOf(all, 'building')
  })
  gauge('size_bytes', 'Disk that read models of past moments take.', (all) =>
    all.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0),
  )
  app.get('/v1/past', { config: { access: 'read' }, schema: pastSchema() }, async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    return { ...standing(reply, deps.log.head()), data: past.status().map(showStatus) }
  })
}

function countOf(all: readonly PastStatus[], state: PastStatus['state']): number {
  return all.filter((each) => each.state === state).length
}

function showStatus({ moment, projections, state, position, startedMs, ...ready }: PastStatus) {
  const { usedMs, sizeBytes, failure } = ready
  return {
    history: {
      by: moment.by,
      until: moment.by === 'occurred' ? formatInstant(moment.time) : moment.position,
    },
    ...{ projections, state, position, of: moment.position, startedAt: formatInstant(startedMs) },
    ...(usedMs === undefined ? {} : { usedAt: formatInstant(usedMs) }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(failure === undefined ? {} : { failure }),
  }
}
