import { strict as assert } from 'node:assert'
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import * as t from 'io-ts'
import type { Configuration } from '../../engine/projector/projection.ts'
import { governedViews } from '../../projections/governed-views.ts'
import {
  checkSurvivorship,
  overridesOf,
  publishedSurvivorship,
  type RuleProblem,
} from '../../projections/survivorship.ts'
import type { ApiDeps } from '../deps.ts'
import { configurationAt } from '../history/configuration.ts'
import { publishRulesSchema, rulesSchema } from '../openapi-conflicts.ts'
import { withPast } from '../openapi-history.ts'
import { invalidBody, Problem } from '../problem.ts'
import { standing } from './answer.ts'
import { AS_OF, asksForPast, BY, type PastQuery, requestedMoment, shownMoment } from './past.ts'
import { decodeQuery, flag, queryPairs } from './query.ts'
import { problemOfRefusal } from './way-in.ts'

/** Survivorship rules: which are in force, and publishing others. */

const PATH = '/v1/rules/survivorship'
const SOURCE = 'steward'

export function registerSurvivorship(app: FastifyInstance, deps: ApiDeps): void {
  const schema = withPast(rulesSchema(), { isBuilt: false })
  app.get(PATH, { config: { access: 'read' }, schema }, async (request, reply) => {
    const query: PastQuery = decodeQuery(queryPairs(request.url), { asOf: AS_OF, by: BY })
    const moment = asksForPast(query) ? await requestedMoment(deps, query) : undefined
    const config = await (moment === undefined
      ? deps.publishedConfiguration()
      : configurationAt(deps, moment))
    const problems = checkSurvivorship(publishedSurvivorship(config), governedViews(config)).map(shown)
    const history = moment === undefined ? {} : { history: shownMoment(moment, query.asOf) }
    return { ...standing(reply, moment ?? deps.log.head()), ...history, data: inForce(config), problems }
  })
  const publish = { config: { access: 'admin' }, schema: publishRulesSchema() } as const
  app.post(PATH, publish, async (request, reply) => {
    const { dryRun = false } = decodeQuery(queryPairs(request.url), { dryRun: flag })
    const { rules, by, version } = readBody(request.body)
    const problems = checkSurvivorship(rules, governedViews(await deps.publishedConfiguration()))
    if (problems.length > 0 && !dryRun) throw refused(problems)
    const event = dryRun ? null : await append(deps, { kind: 'survivorship', rules, by, version })
    return { ...standing(reply, deps.log.head()), data: { dryRun, problems: problems.map(shown), event } }
  })
}

function inForce(config: Configuration) {
  return governedViews(config).flatMap((view) => {
    const overrides = overridesOf(config, view)
    const windowMs = overrides.get('')?.windowMs ?? view.windowMs
    return [...view.fields].map(([field, spec]) => ({
      view: view.view,
      field,
      type: spec.type,
      default: spec.rule,
      rule: overrides.get(field)?.rule ?? spec.rule,
      sources: overrides.get(field)?.sources ?? null,
      window_seconds: Math.floor((overrides.get(field)?.windowMs ?? windowMs) / 1_000),
      overridable: spec.isRulable,
    }))
  })
}

function shown({ entry, _tag, message }: RuleProblem) {
  return { entry, code: _tag, message }
}

const bodyCodec = t.intersection([
  t.type({ rules: t.UnknownRecord }),
  t.partial({ by: t.string, version: t.string }),
])

function readBody(body: unknown): t.TypeOf<typeof bodyCodec> {
  const decoded = bodyCodec.decode(body)
  const known = ['rules', 'by', 'version']
  // Misspelt, a property would be taken for one that was left out.
  if (decoded._tag === 'Right' && Object.keys(decoded.right).every((name) => known.includes(name))) {
    return decoded.right
  }
  throw invalidBody('', 'The body is {"rules": {"<view>.<field>": {…}}, …}; besides it knows by and version.')
}

function refused(problems: readonly RuleProblem[]): Problem {
  return new Problem('invalid_body', 'These rules can’t be published.', {
    errors: problems.map(({ entry, message }) => ({ path: pointer(entry), message })),
  })
}

/** RFC 6901. */
function pointer(entry: string): string {
  return entry === '' ? '/rules' : `/rules/${entry.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

async function append(
  deps: ApiDeps,
  {
    kind,
    rules,
    by,
    version,
  }: { kind: string; rules: unknown; by: string | undefined; version: string | undefined },
): Promise<{ readonly id: string; readonly position: number }> {
  const id = `rules-${randomUUID()}`
  const data = {
    kind,
    rules,
    ...(by === undefined ? {} : { by }),
    ...(version === undefined ? {} : { version }),
  }
  const event = { id, source: SOURCE, type: 'rules.published', data }
  const [result] = await deps.intake.submit([{ value: event }], { defaultSource: SOURCE })
  assert(result !== undefined, 'one result for each event')
  switch (result.status) {
    case 'appended':
    case 'duplicate':
      return { id, position: result.position }
    case 'quarantined':
      throw invalidBody('', `The rules were put into quarantine: ${result.message}.`)
    case 'refused':
      throw problemOfRefusal(result.refusal)
  }
}
