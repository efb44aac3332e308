import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Counter } from 'prom-client'
import type { Incoming, IntakeResult, Refusal } from '../../engine/intake/result.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsSchema, preflightSchema } from '../openapi-engine.ts'
import { Problem, sendProblem } from '../problem.ts'
import { setPreflightHeaders } from '../security.ts'
import { readEvents } from './cloud-events.ts'
import type { DecodingFailure } from './content-encoding.ts'
import { ACCEPTED_ENCODINGS, decodeContent } from './content-encoding.ts'

const PATH = '/v1/events'
/** Where an event names no source. */
const DEFAULT_SOURCE = 'http'

/** `POST /v1/events`: the way in over HTTP. */
export async function registerIngest(parent: FastifyInstance, deps: ApiDeps): Promise<void> {
  const counted = deps.metrics.counter(
    'headwater_http_events_total',
    'Events received over HTTP, by their fate.',
    ['fate'],
  )
  // A scope of its own: here, and only here, every body is taken as bytes and parsed by us.
  await parent.register(async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: deps.configuration.bodyLimitBytes },
      asBytes,
    )
    const config = { access: 'write', cors: true } as const
    app.post(PATH, { config, schema: eventsSchema() }, async (request, reply) => {
      const incoming = await readRequest(deps, request)
      const results =
        incoming.length === 0 ? [] : await deps.intake.submit(incoming, { defaultSource: DEFAULT_SOURCE })
      count(counted, results)
      return answer(reply, incoming, results)
    })
    app.options(
      PATH,
      { config: { access: 'open', cors: true }, schema: preflightSchema() },
      async (_, reply) => {
        setPreflightHeaders(reply)
        return reply.code(204).send()
      },
    )
  })
}

function asBytes(_: FastifyRequest, body: Buffer, done: (error: null, body: Buffer) => void): void {
  done(null, body)
}

async function readRequest(deps: ApiDeps, request: FastifyRequest): Promise<readonly Incoming[]> {
  const { body, headers } = request
  const bytes = body instanceof Buffer ? body : Buffer.alloc(0)
  const decoded = await decodeContent(bytes, headers['content-encoding'], deps.configuration.bodyLimitBytes)
  if (decoded._tag === 'Right') return readEvents(headers, decoded.right)
  if (decoded.left._tag !== 'Damaged') throw refusedBody(decoded.left)
  return [{ unparsable: bytes, reason: 'not_json', message: 'the body is not what Content-Encoding says' }]
}

function refusedBody(failure: Exclude<DecodingFailure, { _tag: 'Damaged' }>): Problem {
  switch (failure._tag) {
    case 'TooLarge':
      return new Problem('too_large', 'The decompressed body exceeds the limit.')
    case 'UnsupportedEncoding':
      return new Problem('unsupported_encoding', `Use one of ${ACCEPTED_ENCODINGS}, or none.`, {
        headers: { 'accept-encoding': ACCEPTED_ENCODINGS },
      })
  }
}

function count(counter: Counter<'fate'>, results: readonly IntakeResult[]): void {
  for (const result of results) {
    const fate = result.status === 'refused' ? `refused_${result.refusal.code}` : result.status
    counter.inc({ fate })
  }
}

/** 200 as soon as one event is acknowledged, for a sender would repeat all of them otherwise. */
function answer(
  reply: FastifyReply,
  incoming: readonly Incoming[],
  results: readonly IntakeResult[],
): FastifyReply {
  const position = lastPosition(results)
  if (position > 0) reply.header('headwater-position', String(position))
  const refused = results.every((result) => result.status === 'refused') ? results[0] : undefined
  if (refused?.status === 'refused') return sendProblem(reply, problemOfRefusal(refused.refusal, results))
  const [only] = incoming
  if (only !== undefined && 'unparsable' in only)
    return sendProblem(reply, unparsableBody(only.message, results))
  return reply.code(200).send({ position, results })
}

function lastPosition(results: readonly IntakeResult[]): number {
  let last = 0
  for (const result of results) if (result.status !== 'refused') last = Math.max(last, result.position)
  return last
}

/** The sender is told to drop it (400), and may: we keep it. */
function unparsableBody(message: string, results: readonly IntakeResult[]): Problem {
  const detail = `${message}; it is kept in quarantine.`
  return new Problem('unparsable_body', detail, { errors: [{ path: '', message }], extensions: { results } })
}

const RETRY_SECONDS = { overloaded: '1', read_only: '10', clock_jumped: '30', stopped: '30' } as const

export function problemOfRefusal(refusal: Refusal, results: readonly IntakeResult[]): Problem {
  const extensions = { results }
  switch (refusal.code) {
    case 'wrong_expected':
      return new Problem('wrong_expected', refusal.message, { extensions })
    case 'overloaded':
    case 'read_only':
    case 'clock_jumped':
    case 'stopped':
      return new Problem(refusal.code, refusal.message, {
        extensions,
        headers: { 'retry-after': RETRY_SECONDS[refusal.code] },
      })
  }
}
