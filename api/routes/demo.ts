import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'
import { demoSchema, loadDemoSchema } from '../openapi-engine.ts'
import { Problem } from '../problem.ts'
import { decodeQuery, queryPairs } from './query.ts'

/** `/v1/demo`: a made-up company's year for an engine that holds nothing yet. */
export function registerDemo(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/v1/demo', { config: { access: 'read' }, schema: demoSchema() }, async (request) => {
    decodeQuery(queryPairs(request.url), {})
    return loaderOf(deps).status()
  })
  const options = { config: { access: 'write' }, schema: loadDemoSchema() } as const
  app.post('/v1/demo', options, async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const loader = loaderOf(deps)
    const { state } = loader.status()
    // While it is under way, and where it stopped midway, what the log holds is its own.
    if (state === 'loaded' || (state === 'absent' && deps.log.head().position > 0)) throw notEmpty()
    loader.start()
    deps.logger.info({}, 'loading the demo company')
    return reply.code(202).header('location', '/v1/demo').send(loader.status())
  })
}

function loaderOf(deps: ApiDeps): NonNullable<ApiDeps['demo']> {
  if (deps.demo !== undefined) return deps.demo
  throw new Problem('demo_unavailable', 'This installation comes without the simulator.')
}

function notEmpty(): Problem {
  const detail =
    'The log holds events; the demo company is for an empty one. Start with another HEADWATER_DATA.'
  return new Problem('log_not_empty', detail)
}
