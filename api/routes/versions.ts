import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { registry } from '../../engine/events/registry.ts'
import type { ApiDeps } from '../deps.ts'
import {
  diffSchema,
  digestSchema,
  jobSchema,
  jobsSchema,
  rebuildSchema,
  switchSchema,
  trySchema,
} from '../openapi-versions.ts'
import { invalidBody, Problem } from '../problem.ts'
import { readCandidate } from '../versions/candidate.ts'
import type { OrderFailure } from '../versions/orders.ts'
import { explainOrder, type VersionJob, type Versions } from '../versions/versions.ts'
import { standing } from './answer.ts'
import { decodeQuery, queryPairs, wholeNumber } from './query.ts'
import { showJob } from './version-job.ts'
import { idOf } from './views.ts'

const JOBS = '/v1/version-jobs'
const DEFAULT_WAIT_MS = 300
const DEFAULT_SAMPLE = 10
const wait = wholeNumber(0, 60_000)
const sample = wholeNumber(0, 1_000)

const READ = { access: 'read' } as const
const ADMIN = { access: 'admin' } as const

/** Builds of read models: their digests, what would change, making them anew, switching. */
export function registerVersions(app: FastifyInstance, deps: ApiDeps): void {
  const { versions } = deps
  if (versions === undefined) return
  registerComparisons(app, deps, versions)
  registerOrders(app, deps, versions)
  app.get(JOBS, { config: READ, schema: jobsSchema() }, async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const shown = await Promise.all(versions.jobs().map((job) => showJob(deps, job)))
    return { ...standing(reply, deps.log.head()), data: shown.map((job) => ({ ...job, result: null })) }
  })
  app.get(`${JOBS}/:id`, { config: READ, schema: jobSchema() }, async (request, reply) => {
    const { wait: waitMs = 0 } = decodeQuery(queryPairs(request.url), { wait })
    const job = versions.job(idOf(request))
    if (job === undefined) throw new Problem('not_found', 'There is no such job; the last ones are kept.')
    return answerJob(deps, versions, reply, job, waitMs)
  })
}

function registerComparisons(app: FastifyInstance, deps: ApiDeps, versions: Versions): void {
  const one = '/v1/projections/:name'
  app.get(`${one}/digest`, { config: READ, schema: digestSchema() }, async (request, reply) => {
    const { wait: waitMs } = decodeQuery(queryPairs(request.url), { wait })
    return answerJob(deps, versions, reply, versions.digest(nameOf(deps, request)), waitMs)
  })
  app.get(`${one}/diff`, { config: READ, schema: diffSchema() }, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), { wait, sample })
    const job = versions.diff(nameOf(deps, request), query.sample ?? DEFAULT_SAMPLE)
    return answerJob(deps, versions, reply, job, query.wait)
  })
  app.post('/v1/rules/try', { config: READ, schema: trySchema() }, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), { wait, sample })
    const candidate = readCandidate(request.body, {
      registry,
      projections: deps.projections.values(),
      configuration: await deps.publishedConfiguration(),
      received: deps.log.head().received,
      nowMs: deps.log.head().received,
    })
    if (E.isLeft(candidate))
      throw new Problem('invalid_body', 'These rules could not be published.', { errors: candidate.left })
    const { projections, events } = candidate.right
    const job = versions.tryOut(projections, events, query.sample ?? DEFAULT_SAMPLE)
    return answerJob(deps, versions, reply, job, query.wait)
  })
}

const rebuildBody = t.partial({ projections: t.array(t.string) })
const switchBody = t.partial({ by: t.string })

function registerOrders(app: FastifyInstance, deps: ApiDeps, versions: Versions): void {
  const rebuild = { config: ADMIN, schema: rebuildSchema() }
  app.post('/v1/projections/rebuild', rebuild, async (request, reply) => {
    const { wait: waitMs } = decodeQuery(queryPairs(request.url), { wait })
    const body = request.body ?? {}
    // Misspelt it would be taken for nothing, and everything be folded anew.
    if (!rebuildBody.is(body) || Object.keys(body).some((name) => name !== 'projections'))
      throw invalidBody('', 'The body is {"projections": ["<name>", …]}, or nothing.')
    const names = [...new Set(body.projections ?? deps.projections.keys())]
    const unknown = names.findIndex((name) => !deps.projections.has(name))
    if (unknown !== -1) throw invalidBody(`/projections/${unknown}`, 'This is the name of no projection.')
    deps.logger.info({ projections: names }, 'read models are folded anew')
    return answerJob(deps, versions, reply, versions.rebuild(names), waitMs)
  })
  for (const [kind, summary] of [
    ['switch', 'Lets the build that waits serve'],
    ['rollback', 'Lets the build before serve again'],
  ] as const) {
    const options = { config: ADMIN, schema: switchSchema(summary) }
    app.post(`/v1/projections/:name/${kind}`, options, async (request, reply) => {
      decodeQuery(queryPairs(request.url), {})
      const body = request.body ?? {}
      if (!switchBody.is(body)) throw invalidBody('', 'The body is {"by": "<who>"}, or nothing.')
      const switched = await versions.switchTo(kind, nameOf(deps, request), body.by)
      if (E.isLeft(switched)) throw problemOf(switched.left)
      deps.logger.info(switched.right, 'another build serves')
      return { ...standing(reply, deps.log.head()), data: switched.right }
    })
  }
}

async function answerJob(
  deps: ApiDeps,
  versions: Versions,
  reply: FastifyReply,
  job: VersionJob | undefined,
  waitMs: number = DEFAULT_WAIT_MS,
): Promise<unknown> {
  if (job === undefined) {
    const headers = { 'retry-after': '10' }
    throw new Problem('overloaded', 'Too much is asked of the read models already.', { headers })
  }
  await settledWithin(versions.settled(job.id), waitMs)
  const now = versions.job(job.id) ?? job
  if (now.ended === undefined) reply.code(202).header('location', `${JOBS}/${now.id}`)
  return { ...standing(reply, deps.log.head()), data: await showJob(deps, now) }
}

async function settledWithin(settled: Promise<unknown> | undefined, waitMs: number): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, waitMs)
  await Promise.race([settled, over])
  clearTimeout(timer)
}

function nameOf(deps: ApiDeps, request: FastifyRequest): string {
  const name = t.type({ name: t.string }).is(request.params) ? request.params.name : ''
  if (!deps.projections.has(name)) throw new Problem('not_found', 'There is no projection of this name.')
  return name
}

function problemOf(failure: OrderFailure): Problem {
  const detail = explainOrder(failure)
  switch (failure._tag) {
    case 'UnknownProjection':
    case 'Ended':
      return new Problem('projection_unavailable', detail, { headers: { 'retry-after': '2' } })
    case 'NothingWaits':
    case 'NoBuildBefore':
    case 'BuildWaits':
      return new Problem('nothing_to_switch', detail)
  }
}
