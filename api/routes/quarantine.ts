import type { FastifyInstance } from 'fastify'
import * as t from 'io-ts'
import { parseValue } from '../../engine/intake/parse.ts'
import type { ApiDeps, QuarantinedBody } from '../deps.ts'
import { resubmitSchema } from '../openapi-engine.ts'
import { Problem } from '../problem.ts'
import { standing } from './answer.ts'
import { problemOfRefusal } from './ingest.ts'
import { decodeQuery, queryPairs } from './query.ts'
import type { View } from './views.ts'
import { idOf, registerView } from './views.ts'

const QUARANTINE: View = {
  path: '/v1/quarantine',
  projection: 'quarantine',
  tag: 'Governance',
  items: true,
  detail: async (deps, key) => ({ body: showBody(await deps.quarantine.open(key)) }),
}

/** What the intake refused: the list, each with its body while that is kept, and a second try. */
export function registerQuarantine(app: FastifyInstance, deps: ApiDeps): void {
  registerView(app, deps, QUARANTINE)
  registerResubmit(app, deps)
}

/** Parsed where it can be, for whoever corrects it; null once its key is gone. */
function showBody(body: QuarantinedBody | undefined): unknown {
  if (body === undefined) return null
  const parsed = parseValue(body.bytes)
  if (parsed._tag === 'Right') return { value: parsed.right }
  return { base64: Buffer.from(body.bytes).toString('base64') }
}

const resubmitCodec = t.union([t.undefined, t.null, t.partial({ event: t.UnknownRecord })])

function registerResubmit(app: FastifyInstance, deps: ApiDeps): void {
  const options = { config: { access: 'write' }, schema: resubmitSchema() } as const
  app.post(`${QUARANTINE.path}/:id/resubmit`, options, async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const body = resubmitCodec.decode(request.body)
    if (body._tag === 'Left') throw new Problem('invalid_body', 'The body is {"event": {…}}, or empty.')
    const result = await deps.quarantine.resubmit(idOf(request), body.right?.event)
    if (result === undefined) {
      throw new Problem(
        'not_found',
        'Nothing is kept under this id that can be submitted; correct it in the body.',
      )
    }
    if (result.status === 'refused') throw problemOfRefusal(result.refusal, [result])
    const head = deps.log.head()
    standing(reply, { position: result.position, received: head.received })
    return { position: result.position, results: [result] }
  })
}
