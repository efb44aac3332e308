import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { GOVERNED_VIEWS, type GovernedView, governedViews } from '../../projections/governed-views.ts'
import { decide } from '../decisions/decide.ts'
import { checkDecision, type StatedDecision } from '../decisions/decision.ts'
import type { ApiDeps } from '../deps.ts'
import { lockSchema, resolutionSchema } from '../openapi-conflicts.ts'
import { invalidBody, Problem } from '../problem.ts'
import { standing } from './answer.ts'
import { isView } from './fields.ts'
import { CUSTOM_RECORDS } from './object-rows.ts'
import { decodeQuery, flag, queryPairs } from './query.ts'
import { servedBy } from './served.ts'
import { statedText } from './stated-text.ts'
import { registerView } from './views.ts'

/** What sources contradict each other about, and what stewards decide about it. */

const PROFILE = 'profile'
const QUERY = { dryRun: flag }

export function registerConflicts(app: FastifyInstance, deps: ApiDeps): void {
  const view = { tag: 'Governance', items: false } as const
  registerView(app, deps, { path: '/v1/conflicts', projection: 'conflict', ...view })
  registerView(app, deps, { path: '/v1/record-conflicts', projection: 'record_conflict', ...view })
  const resolve = { config: { access: 'admin' }, schema: resolutionSchema(PROFILE) } as const
  app.post('/v1/conflicts/:id/:field/resolution', resolve, (request, reply) => {
    const { id, field } = parameters(request, profileField)
    return answer(deps, request, reply, { id, view: PROFILE, ...resolutionOf(request), field })
  })
  const resolveRecord = { config: { access: 'admin' }, schema: resolutionSchema('record') } as const
  app.post('/v1/record-conflicts/:view/:id/:field/resolution', resolveRecord, (request, reply) =>
    answer(deps, request, reply, { ...resolutionOf(request), ...parameters(request, recordField) }),
  )
  const lock = { config: { access: 'admin' }, schema: lockSchema(PROFILE) } as const
  app.post('/v1/profiles/:id/locks', lock, (request, reply) =>
    answer(deps, request, reply, { view: PROFILE, ...lockOf(request), ...parameters(request, someId) }),
  )
  const lockRecord = { config: { access: 'admin' }, schema: lockSchema('record') } as const
  app.post('/v1/records/:view/:id/locks', lockRecord, (request, reply) =>
    answer(deps, request, reply, { ...lockOf(request), ...parameters(request, recordId) }),
  )
}

async function answer(
  deps: ApiDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  { id, ...stated }: StatedDecision & { readonly id: string },
): Promise<unknown> {
  const { dryRun = false } = decodeQuery(queryPairs(request.url), QUERY)
  const view = await checked(deps, stated)
  if (E.isLeft(view)) throw problemOf(view.left._tag, view.left.message)
  const { position, received, ...data } = await decide(deps, view.right, { id, stated, dryRun })
  if (!dryRun) deps.logger.info({ type: stated.type, position: data.event.position }, 'a steward decided')
  return { ...standing(reply, { position, received }), data }
}

/** What is refused by all that is known is looked at once more by what serves now. */
async function checked(deps: ApiDeps, stated: StatedDecision): Promise<ReturnType<typeof checkDecision>> {
  const view = checkDecision(stated, await viewsServed(deps, stated.view))
  if (E.isRight(view) || deps.serving === undefined) return view
  await deps.serving.refresh()
  return checkDecision(stated, await viewsServed(deps, stated.view))
}

/** Fields are decided about as they are served: of one that is only just being built, nobody sees the value. */
async function viewsServed(deps: ApiDeps, view: string): Promise<readonly GovernedView[]> {
  const projection = isView(view) ? view : CUSTOM_RECORDS
  // Where the api offers no such view, who asks is told so later.
  const served = deps.projections.has(projection) ? await servedBy(deps, projection, undefined) : undefined
  return served === undefined ? GOVERNED_VIEWS : governedViews(served.config)
}

function problemOf(tag: string, message: string): Problem {
  return tag === 'UnknownView' ? new Problem('not_found', message) : invalidBody('', message)
}

const someId = t.type({ id: t.string })
const profileField = t.type({ id: t.string, field: t.string })
const recordId = t.type({ view: t.string, id: t.string })
const recordField = t.type({ view: t.string, id: t.string, field: t.string })

function parameters<A extends object>(request: FastifyRequest, codec: t.Decoder<unknown, A>): A {
  const decoded = codec.decode(request.params)
  const sound = (value: unknown) => typeof value === 'string' && value.isWellFormed()
  if (decoded._tag === 'Right' && Object.values(decoded.right).every(sound)) return decoded.right
  throw new Problem('not_found', 'There is nothing of this id.')
}

const decided = { value: t.unknown, reason: t.union([statedText, t.null]) }
const resolution = t.intersection([t.type({ steward: statedText }), t.partial(decided)])
const lock = t.intersection([
  t.type({ steward: statedText, field: statedText }),
  t.partial({
    ...decided,
    act: t.keyof({ lock: null, unlock: null }),
    expires_at: t.union([statedText, t.null]),
  }),
])

function resolutionOf(request: FastifyRequest): Omit<StatedDecision, 'view' | 'field'> {
  const { steward, value, reason } = body(request, resolution, ['steward', 'value', 'reason'])
  return { type: 'conflict.resolved', steward, value, reason: reason ?? undefined, expiresAt: undefined }
}

function lockOf(request: FastifyRequest): Omit<StatedDecision, 'view'> {
  const known = ['steward', 'field', 'act', 'value', 'reason', 'expires_at']
  const { steward, field, act, value, reason, expires_at } = body(request, lock, known)
  const type = act === 'unlock' ? 'field.unlocked' : 'field.locked'
  return { type, field, steward, value, reason: reason ?? undefined, expiresAt: expires_at ?? undefined }
}

/** Misspelt, a property would be taken for one that was left out. */
function body<A extends object>(
  { body: sent }: FastifyRequest,
  codec: t.Decoder<unknown, A>,
  known: readonly string[],
): A {
  const decoded = codec.decode(sent)
  if (decoded._tag === 'Left') {
    const at = decoded.left[0]?.context.at(-1)?.key ?? ''
    throw invalidBody(
      at === '' ? '' : `/${at}`,
      `The body is an object of ${known.join(', ')}; steward is needed.`,
    )
  }
  if (Object.keys(decoded.right).some((name) => !known.includes(name))) {
    throw invalidBody('', `The body knows ${known.join(', ')}.`)
  }
  return decoded.right
}
