import type { FastifyInstance } from 'fastify'
import type { ApiDeps } from '../deps.ts'
import { pullsSchema } from '../openapi-pull.ts'
import type { PullStatus } from '../pull/pulls.ts'
import { standing } from './answer.ts'
import { formatInstant } from './cells.ts'
import { decodeQuery, queryPairs } from './query.ts'

/** `GET /v1/pulls`: the scheduled pulls, how far they have got and what became of their last run. */
export function registerPulls(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/v1/pulls', { config: { access: 'read' }, schema: pullsSchema() }, async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const status = (await deps.pulls?.status()) ?? []
    return { ...standing(reply, deps.log.head()), data: status.map(showPull) }
  })
}

function showPull(status: PullStatus) {
  const { name, kind, everyMs, running, failures, mark, lastRun } = status
  return {
    ...{ name, kind, everySeconds: everyMs / 1000, running, failures },
    lastSuccess: instant(status.lastSuccessMs),
    nextRun: instant(status.nextRunMs),
    mark,
    lastRun: lastRun === undefined ? null : showRun(lastRun),
  }
}

function showRun({
  startedMs,
  finishedMs,
  tally,
  retryAfterMs: _,
  ...run
}: NonNullable<PullStatus['lastRun']>) {
  return { started: formatInstant(startedMs), finished: formatInstant(finishedMs), ...run, events: tally }
}

function instant(ms: number | undefined): string | null {
  return ms === undefined ? null : formatInstant(ms)
}
