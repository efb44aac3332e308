import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as E from 'fp-ts/lib/Either.js'
import type { Incoming, IntakeResult, Refusal } from '../../engine/intake/result.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsSchema, preflightSchema } from '../openapi-engine.ts'
import { sendProblem } from '../problem.ts'
import { accessToken, adminMatcher, secretMatcher, setPreflightHeaders } from '../security.ts'
import { readEvents } from './cloud-events.ts'
import { registerSegment } from './segment.ts'
import type { Submit } from './way-in.ts'
import { lastPosition, problemOfRefusal, readBody, submitter, unparsableBody } from './way-in.ts'
import { deliveryGrant } from './webhook.ts'

const PATH = '/v1/events'
/** Where an event names no source. */
const DEFAULT_SOURCE = 'http'

/** The ways in over HTTP: CloudEvents, and the Segment tracking API. */
export async function registerIngest(parent: FastifyInstance, deps: ApiDeps): Promise<void> {
  const submit = submitter(deps)
  // A scope of its own: here, and only here, every body is taken as bytes and parsed by us.
  await parent.register(async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: deps.configuration.bodyLimitBytes },
      asBytes,
    )
    registerEvents(app, deps, submit)
    registerHandshake(app, deps)
    registerSegment(app, deps, submit)
  })
}

function asBytes(_: FastifyRequest, body: Buffer, done: (error: null, body: Buffer) => void): void {
  done(null, body)
}

function registerEvents(app: FastifyInstance, deps: ApiDeps, submit: Submit): void {
  const config = { access: 'write', cors: true, accessToken: true } as const
  const mayDecide = adminMatcher(deps.credentials)
  app.post(PATH, { config, schema: eventsSchema() }, async (request, reply) => {
    const incoming = await readRequest(deps, request)
    const rights = mayDecide(request) ? 'decide' : 'report'
    return answer(reply, incoming, await submit(incoming, DEFAULT_SOURCE, rights))
  })
}

/** OPTIONS asks two things here: browsers whether a page may post, webhook senders whether they may deliver. */
function registerHandshake(app: FastifyInstance, deps: ApiDeps): void {
  const fits = secretMatcher(deps.credentials.writeKey)
  const config = { access: 'open', cors: true } as const
  app.options(PATH, { config, schema: preflightSchema() }, async ({ headers, url }, reply) => {
    setPreflightHeaders(reply)
    reply.header('allow', 'POST')
    const token = accessToken(url)
    // An address with a wrong key in it would never deliver anything: better said at registration than by 401s later.
    const grant = token === undefined || fits(token) ? deliveryGrant(headers) : undefined
    if (grant !== undefined) reply.headers(grant)
    return reply.code(grant === undefined ? 204 : 200).send()
  })
}

async function readRequest(deps: ApiDeps, request: FastifyRequest): Promise<readonly Incoming[]> {
  const body = await readBody(deps, request)
  return E.isLeft(body) ? [body.left] : readEvents(request.headers, body.right)
}

/** Sending these again would get the same answer. */
const LASTING: ReadonlySet<Refusal['code']> = new Set(['wrong_expected', 'forbidden'])

/**
 * Event by event, but where some couldn't be taken now the status says so: many senders read nothing else, and repeat all
 * of them, which is harmless. What would be refused again is no reason to repeat the others.
 */
function answer(
  reply: FastifyReply,
  incoming: readonly Incoming[],
  results: readonly IntakeResult[],
): FastifyReply {
  const position = lastPosition(results)
  if (position > 0) reply.header('headwater-position', String(position))
  const refusals = results.flatMap((result) => (result.status === 'refused' ? [result.refusal] : []))
  const again = refusals.find(({ code }) => !LASTING.has(code))
  const refusal = again ?? (refusals.length === results.length ? refusals[0] : undefined)
  if (refusal !== undefined) return sendProblem(reply, problemOfRefusal(refusal, results))
  const [only] = incoming
  if (only !== undefined && 'unparsable' in only)
    return sendProblem(reply, unparsableBody(only.message, results))
  return reply.code(200).send({ position, results })
}
