import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Registry } from '../../engine/events/registry.ts'
import { parseIdentityRules } from '../../engine/identity/rules.ts'
import { NORMALISER_VERSION, normalise } from '../../engine/intake/normalise.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import { governedViews } from '../../projections/governed-views.ts'
import { checkSurvivorship } from '../../projections/survivorship.ts'
import type { ProblemDetail } from '../problem.ts'

/** Events that would be published, and the read models that would change by it. */
export interface Candidate {
  readonly events: readonly RecordedEvent[]
  readonly projections: readonly string[]
}

interface Known {
  readonly registry: Registry
  readonly projections: Iterable<AnyProjection>
  /** As published now. */
  readonly configuration: Configuration
  /** now(P) and the wall clock (ms). */
  readonly received: number
  readonly nowMs: number
}

type Data = Readonly<Record<string, unknown>>

interface Stated {
  readonly type: string
  readonly data: Data
}

const rulesBody = t.type({ kind: t.string, rules: t.unknown })
const eventBody = t.type({ type: t.string, data: t.UnknownRecord })
const prioritiesBody = t.record(t.string, t.number)

/**
 * What a body proposes: `{kind, rules}` is the data of `rules.published`, of the kind `priorities` `{"<source>": number}`
 * registers each source anew with that priority; `{type, data}` is any other event that configures, `stages.published` say.
 */
export function readCandidate(body: unknown, known: Known): E.Either<readonly ProblemDetail[], Candidate> {
  const stated = readStated(body, known.configuration)
  if (E.isLeft(stated)) return stated
  const wrong = stated.right.flatMap((each) => problemsOf(each, known))
  if (wrong.length > 0) return E.left(wrong)
  const projections = [...known.projections]
    .filter((projection) => stated.right.some((each) => concerns(each, projection)))
    .map(({ name }) => name)
  if (projections.length === 0) return E.left([{ path: '', message: 'configures no read model' }])
  return E.right({ events: stated.right.map((each) => recorded(each, known)), projections })
}

function readStated(
  body: unknown,
  configuration: Configuration,
): E.Either<readonly ProblemDetail[], readonly Stated[]> {
  if (eventBody.is(body)) return E.right([{ type: body.type, data: body.data }])
  if (!rulesBody.is(body)) {
    const message = 'must be {"kind": …, "rules": …} or {"type": …, "data": …}'
    return E.left([{ path: '', message }])
  }
  if (body.kind !== 'priorities') return E.right([{ type: 'rules.published', data: { ...body } }])
  const { rules } = body
  if (!prioritiesBody.is(rules))
    return E.left([{ path: '/rules', message: 'must be {"<source>": number, …}' }])
  const registered = new Map(configuration.all('source.registered').map(({ data }) => [data.source, data]))
  return E.right(
    Object.entries(rules).map(([source, priority]) => ({
      type: 'source.registered',
      data: { ...registered.get(source), source, priority },
    })),
  )
}

function problemsOf({ type, data }: Stated, { registry, configuration }: Known): readonly ProblemDetail[] {
  const definition = registry.find(type)
  if (definition === undefined) return [{ path: '/type', message: 'is no type of the catalogue' }]
  const decoded = registry.decode(type, definition.schema, data)
  if (E.isLeft(decoded) && decoded.left._tag === 'invalid_data')
    return decoded.left.errors.map(({ path, message }) => ({
      path: `/${path.replaceAll('.', '/')}`,
      message,
    }))
  return type === 'rules.published' ? problemsOfRules(data['kind'], data['rules'], configuration) : []
}

function problemsOfRules(
  kind: unknown,
  rules: unknown,
  configuration: Configuration,
): readonly ProblemDetail[] {
  switch (kind) {
    case 'survivorship':
      return checkSurvivorship(rules, governedViews(configuration)).map(({ entry, message }) => ({
        path: entry === '' ? '/rules' : `/rules/${entry.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        message,
      }))
    case 'identity': {
      const parsed = parseIdentityRules(rules, 'candidate')
      return E.isRight(parsed)
        ? []
        : parsed.left.map(({ path, message }) => ({ path: `/rules${path}`, message }))
    }
    default:
      return []
  }
}

/** Who belongs together decides about the rows of people and companies, whatever configures their fields. */
function concerns({ type, data }: Stated, { configuredBy, table }: AnyProjection): boolean {
  if (type === 'rules.published' && data['kind'] === 'identity') return table.grain === 'profile'
  return configuredBy.some((configures) => configures === type)
}

function recorded({ type, data }: Stated, { registry, received, nowMs }: Known): RecordedEvent {
  const definition = registry.find(type)
  const record = definition?.record === undefined ? undefined : data[definition.record]
  return {
    stream: `${definition?.category ?? 'custom'}-${typeof record === 'string' && record !== '' ? record : 'none'}`,
    ...{ id: 'candidate', source: 'headwater', type, schema: definition?.schema ?? 1 },
    ...{ time: nowMs, received, identities: [], sealed: [] },
    data,
    normalised: normalise(definition, data, {}),
    normaliser: NORMALISER_VERSION,
    // Behind whatever is appended.
    position: Number.MAX_SAFE_INTEGER,
    revision: 0,
  }
}
