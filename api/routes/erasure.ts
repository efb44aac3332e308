import type { FastifyInstance } from 'fastify'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { ApiDeps } from '../deps.ts'
import { certificateCodec } from '../erasure/certificate.ts'
import type { Erasure, ErasureRefusal, Erasures } from '../erasure/erasures.ts'
import {
  cancelErasureSchema,
  erasureSchema,
  listErasuresSchema,
  requestErasureSchema,
  verifyErasureSchema,
} from '../openapi-erasure.ts'
import { invalidBody, Problem } from '../problem.ts'
import { standing } from './answer.ts'
import { formatInstant } from './cells.ts'
import { resolveIdentity } from './identities.ts'
import { decodeQuery, queryPairs } from './query.ts'
import { idOf } from './views.ts'

const PATH = '/v1/erasures'
const HOUR_MS = 3_600_000
const DEFAULT_WAIT_HOURS = 24
const MAX_WAIT_HOURS = 720
const MAX_REASON_LENGTH = 1_000

/** Forgetting people: `/v1/erasures`. */
export function registerErasures(app: FastifyInstance, deps: ApiDeps): void {
  const { erasures } = deps
  if (erasures === undefined) return
  registerRequest(app, deps, erasures)
  registerReads(app, deps, erasures)
  const cancel = { config: { access: 'admin' }, schema: cancelErasureSchema() } as const
  app.delete(`${PATH}/:id`, cancel, async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const cancelled = erasures.cancel(idOf(request))
    if (cancelled === undefined) throw noSuch()
    if (E.isLeft(cancelled)) throw problemOf(cancelled.left)
    deps.logger.info({ number: cancelled.right.number }, 'an erasure was cancelled')
    return { ...standing(reply, deps.log.head()), data: shown(cancelled.right) }
  })
}

function registerRequest(app: FastifyInstance, deps: ApiDeps, erasures: Erasures): void {
  const options = { config: { access: 'admin' }, schema: requestErasureSchema() } as const
  app.post(PATH, options, async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const { identity: stated, waitHours, reason } = readRequest(request.body)
    const identity = resolveIdentity(deps, stated)
    if (identity === undefined) throw nobody()
    const waitMs = (waitHours ?? deps.erasureWaitHours ?? DEFAULT_WAIT_HOURS) * HOUR_MS
    const asked = await erasures.request({ identity, waitMs, reason })
    if (E.isLeft(asked)) throw problemOf(asked.left)
    const { number, state } = asked.right
    deps.logger.info({ number }, 'an erasure was asked for')
    reply.code(state === 'done' ? 200 : 202).header('location', `${PATH}/${number}`)
    return { ...standing(reply, deps.log.head()), data: shown(asked.right) }
  })
}

const requestCodec = t.intersection([
  t.type({ identity: t.string }),
  t.partial({ wait: t.number, reason: t.union([t.string, t.null]) }),
])
const KNOWN_FIELDS = ['identity', 'wait', 'reason']

function readRequest(body: unknown): {
  readonly identity: string
  readonly waitHours: number | undefined
  readonly reason: string | undefined
} {
  const decoded = requestCodec.decode(body)
  if (decoded._tag === 'Left') throw invalidBody('', 'The body is {"identity": "namespace:value or id", …}.')
  const { identity, wait, reason } = decoded.right
  // Misspelt, a wait would be taken for the default.
  if (Object.keys(decoded.right).some((name) => !KNOWN_FIELDS.includes(name)))
    throw invalidBody('', `The body knows ${KNOWN_FIELDS.join(', ')}.`)
  if (wait !== undefined && !(wait >= 0 && wait <= MAX_WAIT_HOURS))
    throw invalidBody('/wait', `wait is a number of hours from 0 to ${MAX_WAIT_HOURS}.`)
  const text = reason ?? undefined
  if (text !== undefined && (text.length > MAX_REASON_LENGTH || !text.isWellFormed()))
    throw invalidBody('/reason', `reason is a text of at most ${MAX_REASON_LENGTH} characters.`)
  return { identity, waitHours: wait, reason: text === '' ? undefined : text }
}

function registerReads(app: FastifyInstance, deps: ApiDeps, erasures: Erasures): void {
  const read = (schema: ReturnType<typeof erasureSchema>) => ({ config: { access: 'read' }, schema }) as const
  app.get(PATH, read(listErasuresSchema()), async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    return { ...standing(reply, deps.log.head()), data: erasures.list().map(shown) }
  })
  app.get(`${PATH}/:id`, read(erasureSchema()), async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const found = await erasures.get(idOf(request))
    if (found === undefined) throw noSuch()
    return { ...standing(reply, deps.log.head()), data: shown(found) }
  })
  app.post(`${PATH}/verify`, read(verifyErasureSchema()), async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const decoded = t.type({ certificate: certificateCodec }).decode(request.body)
    if (decoded._tag === 'Left') throw invalidBody('/certificate', 'This is no certificate of an erasure.')
    const findings = await erasures.verify(decoded.right.certificate)
    const holds = findings.every(({ ok }) => ok)
    return { ...standing(reply, deps.log.head()), data: { holds, findings } }
  })
}

function shown(erasure: Erasure) {
  const { number, state, identity, requested, due, finished, reason, identities } = erasure
  return {
    ...{ number, state, identity, identities },
    requested: formatInstant(requested),
    due: formatInstant(due),
    finished: finished === undefined ? null : formatInstant(finished),
    reason: reason ?? null,
    heldUp: erasure.heldUp ?? null,
    certificate: erasure.certificate ?? null,
  }
}

function noSuch(): Problem {
  return new Problem('not_found', 'There is no erasure of this number.')
}

function nobody(): Problem {
  return new Problem('not_found', 'Nobody is known by this identity.')
}

function problemOf(refusal: ErasureRefusal): Problem {
  switch (refusal._tag) {
    case 'Unknown':
      return nobody()
    case 'NamesPerson':
      return invalidBody(
        '/reason',
        'The reason names the person, or holds an address: it is kept for ever, and must name nobody.',
      )
    case 'HeldUp':
      return new Problem('erasure_held_up', `It can't be asked for now: ${refusal.why}.`, {
        headers: { 'retry-after': '30' },
      })
    case 'Begun':
      return new Problem('erasure_begun', 'It has begun: what is destroyed can’t be brought back.')
  }
}
