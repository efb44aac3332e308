import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as E from 'fp-ts/lib/Either.js'
import { isRecord } from '../../engine/intake/envelope.ts'
import { parseValue } from '../../engine/intake/parse.ts'
import type { Incoming, IntakeResult } from '../../engine/intake/result.ts'
import type { ApiDeps } from '../deps.ts'
import { preflightSchema } from '../openapi-engine.ts'
import { batchSchema, callSchema, settingsSchema } from '../openapi-tracking.ts'
import { Problem, sendProblem } from '../problem.ts'
import {
  secretMatcher,
  setPreflightHeaders,
  trackingChecker,
  trackingHeaderMatcher,
  trackingKey,
} from '../security.ts'
import type { SegmentCall } from './segment-message.ts'
import { readBatch, readCall, SEGMENT_CALLS } from './segment-message.ts'
import { trackerSettings } from './tracker-settings.ts'
import type { Submit, Unparsable } from './way-in.ts'
import { lastPosition, problemOfRefusal, readBody, unparsableBody } from './way-in.ts'

type Call = SegmentCall | 'batch'

/** What analytics.js calls them. */
const SHORT: Readonly<Record<SegmentCall, string>> = {
  identify: 'i',
  track: 't',
  page: 'p',
  screen: 's',
  group: 'g',
  alias: 'a',
}

/** Where a tracker's key names no source. */
const DEFAULT_SOURCE = 'segment'

/**
 * Where the header has no key the body must be read to find one. This bounds what somebody without any makes us do, and is
 * twice what trackers that write their key there send.
 */
const KEYLESS_BODY_BYTES = 1024 * 1024

/** Of a batch's quarantined messages so many are named in the answer; the view `quarantine` has them all. */
const SHOWN_QUARANTINED = 100

/** The Segment tracking API, for its clients as they are. A parent parses bodies as bytes. */
export function registerSegment(app: FastifyInstance, deps: ApiDeps, submit: Submit): void {
  for (const call of SEGMENT_CALLS) {
    registerCall(app, deps, submit, { call, path: `/v1/${call}`, shown: true })
    registerCall(app, deps, submit, { call, path: `/v1/${SHORT[call]}`, shown: false })
  }
  for (const name of ['batch', 'import', 'b'])
    registerCall(app, deps, submit, { call: 'batch', path: `/v1/${name}`, shown: name !== 'b' })
  registerSettings(app, deps)
}

interface CallRoute {
  readonly call: Call
  readonly path: string
  /** In the documentation. */
  readonly shown: boolean
}

function registerCall(app: FastifyInstance, deps: ApiDeps, submit: Submit, route: CallRoute): void {
  const { call, path, shown } = route
  const check = trackingChecker(deps.credentials)
  const headerFits = trackingHeaderMatcher(deps.credentials)
  const { bodyLimitBytes } = deps.configuration
  const documented = call === 'batch' ? batchSchema() : callSchema(call)
  const schema = shown ? documented : preflightSchema()
  const options = { config: { access: 'tracking', cors: true }, schema, onRequest: asAnyType } as const
  app.post(path, options, async (request, reply) => {
    const keyless = Math.min(KEYLESS_BODY_BYTES, bodyLimitBytes)
    const limitBytes = headerFits(request.headers.authorization) ? bodyLimitBytes : keyless
    const body = await readJson(deps, request, limitBytes)
    const inBody = E.isRight(body) && isRecord(body.right) ? body.right['writeKey'] : undefined
    const { source = DEFAULT_SOURCE } = check(request.headers.authorization, inBody)
    const incoming = E.isLeft(body) ? [body.left] : readMessages(deps, call, body.right, source)
    return answer(reply, incoming, await submit(incoming, source, 'report'))
  })
  app.options(
    path,
    { config: { access: 'open', cors: true }, schema: preflightSchema() },
    async (_, reply) => {
      setPreflightHeaders(reply)
      return reply.code(204).send()
    },
  )
}

/** The framework refuses a body whose Content-Type is none; here no type is better than another. */
async function asAnyType(request: FastifyRequest): Promise<void> {
  request.headers['content-type'] = 'application/octet-stream'
}

/** Whatever Content-Type says: trackers send `text/plain` to spare a preflight, and one labels gzipped JSON as a form. */
async function readJson(
  deps: ApiDeps,
  request: FastifyRequest,
  limitBytes: number,
): Promise<E.Either<Unparsable, unknown>> {
  const body = await readBody(deps, request, limitBytes)
  if (E.isLeft(body)) return body
  const parsed = parseValue(body.right)
  return E.isRight(parsed) ? parsed : E.left({ unparsable: body.right, ...parsed.left })
}

function readMessages(deps: ApiDeps, call: Call, body: unknown, source: string): readonly Incoming[] {
  // Not derived from the content: a hash of it in the log could be guessed after an erasure.
  const reading = { source, newId: () => randomUUID() }
  if (call !== 'batch') return [readCall(call, body, reading)]
  const read = readBatch(body, deps.configuration.bodyLimitBytes, reading)
  if (E.isRight(read)) return read.right
  throw new Problem('too_large', "The batch's context, repeated in every message, exceeds the limit.")
}

/**
 * 200 once every message is durable, in the log or in quarantine. If one is refused the client repeats all, and those
 * that were taken are recognised by their ids: its protocol has no answer message by message.
 */
function answer(
  reply: FastifyReply,
  incoming: readonly Incoming[],
  results: readonly IntakeResult[],
): FastifyReply {
  const refused = results.find((result) => result.status === 'refused')
  if (refused !== undefined) return sendProblem(reply, problemOfRefusal(refused.refusal))
  const position = lastPosition(results)
  if (position > 0) reply.header('headwater-position', String(position))
  const [only] = incoming
  if (only !== undefined && 'unparsable' in only)
    return sendProblem(reply, unparsableBody(only.message, results))
  const quarantined = results.filter((result) => result.status === 'quarantined')
  const shown = quarantined
    .slice(0, SHOWN_QUARANTINED)
    .map(({ id, quarantineId, reason, message }) => ({ messageId: id, quarantineId, reason, message }))
  return reply
    .code(200)
    .send({ success: true, position, ...(shown.length === 0 ? {} : { quarantined: shown }) })
}

/** What analytics.js asks for before it sends anything. */
function registerSettings(app: FastifyInstance, deps: ApiDeps): void {
  const fits = secretMatcher(deps.credentials.writeKey)
  const options = { config: { access: 'open', cors: true }, schema: settingsSchema() } as const
  app.get<{ Params: { key: string } }>('/v1/projects/:key/settings', options, async (request) => {
    const { key } = request.params
    if (!fits(trackingKey(key).secret)) throw new Problem('not_found', 'There is no project of this key.')
    const forwarded = request.headers['x-forwarded-proto']
    const protocol = forwarded === 'https' || forwarded === 'http' ? forwarded : request.protocol
    return trackerSettings(key, protocol, request.headers.host ?? '')
  })
}
