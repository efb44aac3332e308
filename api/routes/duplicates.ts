import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import * as t from 'io-ts'
import { MATCH_PROBABILITY } from '../../engine/identity/linkage/model.ts'
import type { ApiDeps } from '../deps.ts'
import { LINK_PROBABILITY, MOST_LINKS } from '../duplicates/automatic.ts'
import { decideAbout, type StatedDecision } from '../duplicates/decide.ts'
import { type Duplicates, explainFindFailure, type Results } from '../duplicates/duplicates.ts'
import { MODEL_VERSION } from '../duplicates/fields.ts'
import { listDuplicates } from '../duplicates/listing.ts'
import {
  duplicatesDecisionSchema,
  duplicatesRunSchema,
  duplicatesSchema,
  duplicatesStatusSchema,
} from '../openapi-duplicates.ts'
import { invalidBody, invalidQuery, Problem } from '../problem.ts'
import { awaitPosition, standing } from './answer.ts'
import { formatInstant } from './cells.ts'
import { decodeQuery, flag, parsed, position, queryPairs, wholeNumber } from './query.ts'

/** Probable duplicates: what was found and why, looking anew, and what stewards answer. */

const DEFAULT_LIMIT = 20
const READ = { access: 'read' } as const
const ADMIN = { access: 'admin' } as const

const wait = wholeNumber(0, 60_000)
const kind = t.keyof({ person: null, company: null }, 'person or company')
const share = parsed('a number from 0 to 1', t.number.is, (text) => {
  const number = /^\d{1,2}(\.\d{1,16})?$/.test(text) ? Number(text) : Number.NaN
  return number >= 0 && number <= 1 ? number : undefined
})

interface Cursor {
  readonly run: number
  readonly from: number
}
const isCursor = (value: unknown): value is Cursor =>
  typeof value === 'object' && value !== null && 'run' in value && 'from' in value
const cursor = parsed('`next` of an answer before', isCursor, (text): Cursor | undefined => {
  const [, run, from] = /^(\d{1,9})-(\d{1,9})$/.exec(text) ?? []
  return run === undefined || from === undefined ? undefined : { run: Number(run), from: Number(from) }
})

export function registerDuplicates(app: FastifyInstance, deps: ApiDeps): void {
  const { duplicates } = deps
  if (duplicates === undefined) return
  registerList(app, deps, duplicates)
  registerRuns(app, deps, duplicates)
  registerDecision(app, deps, duplicates)
}

/** Throws the problem that says that nobody looks. */
function looking(duplicates: Duplicates | 'off'): Duplicates {
  if (duplicates !== 'off') return duplicates
  throw new Problem('duplicates_off', 'Set HEADWATER_DUPLICATES to suggest, and start again.')
}

function registerList(app: FastifyInstance, deps: ApiDeps, offered: Duplicates | 'off'): void {
  const maximum = deps.configuration.pageLimit
  const fallback = Math.min(DEFAULT_LIMIT, maximum)
  const codecs = { kind, minProbability: share, limit: wholeNumber(1, maximum), cursor, after: position }
  const options = { config: READ, schema: duplicatesSchema({ maximum, fallback }) }
  app.get('/v1/duplicates', options, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), codecs)
    const duplicates = looking(offered)
    await awaitPosition(deps, query.after)
    const results = duplicates.results()
    const run = results === undefined ? null : showRun(results)
    if (results === undefined) return { ...standing(reply, deps.log.head()), data: [], next: null, run }
    if (query.cursor !== undefined && query.cursor.run !== results.number)
      throw invalidQuery([{ parameter: 'cursor', message: 'is of a run that another one followed' }])
    const found = await listDuplicates(deps, results, await duplicates.decided(), {
      kind: query.kind,
      minProbability: query.minProbability ?? 0,
      from: query.cursor?.from ?? 0,
      limit: query.limit ?? fallback,
    })
    const { shown, next } = found.value
    const following = next === undefined ? null : `${results.number}-${next}`
    return { ...standing(reply, found), data: shown, next: following, run }
  })
}

function registerRuns(app: FastifyInstance, deps: ApiDeps, offered: Duplicates | 'off'): void {
  const read = { config: READ, schema: duplicatesStatusSchema() }
  app.get('/v1/duplicates/status', read, async (request, reply) => {
    const { wait: waitMs = 0 } = decodeQuery(queryPairs(request.url), { wait })
    if (offered !== 'off') await settledWithin(offered, waitMs)
    return { ...standing(reply, deps.log.head()), data: showStatus(offered) }
  })
  const run = { config: ADMIN, schema: duplicatesRunSchema() }
  app.post('/v1/duplicates/run', run, async (request, reply) => {
    const { wait: waitMs = 0 } = decodeQuery(queryPairs(request.url), { wait })
    const duplicates = looking(offered)
    const begun = duplicates.run()
    await settledWithin(duplicates, waitMs)
    return { ...standing(reply, deps.log.head()), begun, data: showStatus(duplicates) }
  })
  if (offered === 'off') return
  const { metrics } = deps
  metrics.gauge('headwater_duplicates_candidates', 'Probable duplicates that the last run kept.', () => {
    return offered.results()?.candidates.length ?? 0
  })
  metrics.readCounter(
    'headwater_duplicates_runs_total',
    'Runs that came to an end.',
    () => offered.status().runs,
  )
  metrics.readCounter('headwater_duplicates_linked_total', 'Pairs linked without asking.', () => {
    return offered.status().linked
  })
}

async function settledWithin(duplicates: Duplicates, waitMs: number): Promise<void> {
  if (waitMs === 0) return
  const stopping = new AbortController()
  const waiting = sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined)
  await Promise.race([duplicates.settled(), waiting])
  stopping.abort()
}

function showStatus(duplicates: Duplicates | 'off') {
  if (duplicates === 'off') return { mode: 'off', state: 'off' }
  const { mode, state, everyHours, startedMs, progress, failure, limits } = duplicates.status()
  const results = duplicates.results()
  return {
    ...{ mode, state, everyHours },
    started: startedMs === undefined ? null : formatInstant(startedMs),
    progress: progress === undefined ? null : { ...progress, kind: progress.kind ?? null },
    failure: failure === undefined ? null : explainFindFailure(failure),
    thresholds: { propose: MATCH_PROBABILITY, link: LINK_PROBABILITY },
    limits: { ...limits, links: MOST_LINKS },
    run: results === undefined ? null : showRun(results),
  }
}

function showRun({ position: at, received, doneMs, tookMs, candidates, linked, kinds }: Results) {
  return {
    ...{ position: at, asOf: formatInstant(received), done: formatInstant(doneMs), tookMs },
    ...{ model: MODEL_VERSION, candidates: candidates.length, linked, kinds },
  }
}

const MAX_TEXT_LENGTH = 1_000
const text = parsed('a text', t.string.is, (value) => {
  return value !== '' && value.length <= MAX_TEXT_LENGTH && value.isWellFormed() ? value : undefined
})
const decisionBody = t.intersection([
  t.type({ a: text, b: text, decision: t.keyof({ link: null, keep_apart: null }) }),
  t.partial({ steward: text, reason: t.union([text, t.null]) }),
])
const DECISION_PROPERTIES = ['a', 'b', 'decision', 'steward', 'reason']

function registerDecision(app: FastifyInstance, deps: ApiDeps, offered: Duplicates | 'off'): void {
  const help = 'Decisions that stewards made about probable duplicates.'
  const decisions = deps.metrics.counter('headwater_duplicates_decisions_total', help, ['decision'])
  const options = { config: ADMIN, schema: duplicatesDecisionSchema() }
  app.post('/v1/duplicates/decision', options, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), { dryRun: flag, after: position })
    looking(offered)
    const stated = decisionIn(request.body)
    await awaitPosition(deps, query.after)
    const { position: at, received, ...data } = await decideAbout(deps, stated, query.dryRun ?? false)
    if (!data.dryRun) {
      decisions.inc({ decision: data.decision })
      deps.logger.info({ decision: data.decision, position: at }, 'a steward decided about two profiles')
    }
    return { ...standing(reply, { position: at, received }), data }
  })
}

/** Misspelt, a property would be taken for one that was left out. */
function decisionIn(body: unknown): StatedDecision {
  const decoded = decisionBody.decode(body)
  const known = `The body is {"a", "b", "decision": "link" or "keep_apart", "steward", "reason"}.`
  if (decoded._tag === 'Left') {
    const at = decoded.left[0]?.context.at(-1)?.key ?? ''
    throw invalidBody(DECISION_PROPERTIES.includes(at) ? `/${at}` : '', known)
  }
  const { a, b, decision, steward = 'steward', reason } = decoded.right
  if (Object.keys(decoded.right).some((name) => !DECISION_PROPERTIES.includes(name)))
    throw invalidBody('', known)
  return { a, b, decision, steward, reason: reason ?? undefined }
}
