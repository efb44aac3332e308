import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ApiDeps, EngineStatus } from '../deps.ts'
import {
  clockSchema,
  healthSchema,
  metricsSchema,
  projectionsSchema,
  readySchema,
} from '../openapi-engine.ts'
import { awaitPosition, standing } from './answer.ts'
import { decodeQuery, position, queryPairs } from './query.ts'
import { ask } from './rows.ts'

/** Operators' routes: is it alive, is it ready, how is it doing, which views are there. */
export function registerOperations(app: FastifyInstance, deps: ApiDeps): void {
  registerHealth(app, deps)
  registerProjections(app, deps)
  registerMetrics(app, deps)
  app.post(
    '/v1/clock/confirm',
    { config: { access: 'admin' }, schema: clockSchema() },
    async (request, reply) => {
      decodeQuery(queryPairs(request.url), {})
      deps.confirmClock()
      deps.logger.warn({}, 'an operator confirmed the wall clock')
      return { ...standing(reply, deps.log.head()), clockTrusted: deps.status().clockTrusted }
    },
  )
}

function registerHealth(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/healthz', { config: { access: 'open' }, schema: healthSchema() }, async () => ({ status: 'ok' }))
  app.get(
    '/readyz',
    { config: { access: 'open' }, schema: readySchema() },
    async (_, reply: FastifyReply) => {
      const status = deps.status()
      const reasons = reasonsAgainst(status)
      reply.code(reasons.length === 0 ? 200 : 503)
      return { ready: reasons.length === 0, reasons, ...status }
    },
  )
}

/** What only an operator's hand or time ends; a full disk is told by `writer`, and queries are answered meanwhile. */
function reasonsAgainst(status: EngineStatus): readonly string[] {
  const reasons: string[] = []
  if (status.viewsStopped === true)
    reasons.push("the views have stopped following the log; the engine's log says why")
  else if (!status.caughtUp) reasons.push(behind(status))
  if (status.writer === 'stopped') reasons.push("the log's writer has stopped")
  if (!status.clockTrusted) reasons.push('the wall clock jumped, and nobody has confirmed it')
  return reasons
}

function behind({ reading, head }: EngineStatus): string {
  const progress =
    reading === undefined
      ? ''
      : `: they are made from it, and it is read up to position ${reading} of ${head}`
  return `the views haven't caught up with the log yet${progress}`
}

function registerMetrics(app: FastifyInstance, deps: ApiDeps): void {
  const { metrics, status } = deps
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.gauge(`headwater_${name}`, help, read)
  gauge('ready', '1 when the engine is ready.', () => (reasonsAgainst(status()).length === 0 ? 1 : 0))
  gauge('writer_running', '1 while the log can be written.', () => (status().writer === 'running' ? 1 : 0))
  gauge('clock_trusted', '0 while an operator has to confirm the clock.', () =>
    status().clockTrusted ? 1 : 0,
  )
  app.get(
    '/metrics',
    { config: { access: 'open' }, schema: metricsSchema() },
    async (_, reply: FastifyReply) =>
      reply.header('content-type', metrics.contentType).send(await metrics.render()),
  )
}

const MAX_POISON = 100

function registerProjections(app: FastifyInstance, deps: ApiDeps): void {
  const schema = projectionsSchema()
  app.get('/v1/projections', { config: { access: 'read' }, schema }, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), { after: position })
    await awaitPosition(deps, query.after)
    const [builds, poison] = await Promise.all([
      ask(() => deps.store.builds()),
      ask(() => deps.store.poison(MAX_POISON)),
    ])
    const data = [...deps.projections.values()].map(
      ({ name, version, handles, configuredBy, table, explain }) => ({
        name,
        version,
        grain: table.grain,
        handles,
        configuredBy,
        explains: explain !== undefined,
        columns: table.columns,
        builds: builds.value.filter((build) => build.projection === name),
      }),
    )
    return { ...standing(reply, builds), data, poison: poison.value }
  })
}
