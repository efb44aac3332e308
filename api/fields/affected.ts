import { strict as assert } from 'node:assert'
import * as E from 'fp-ts/lib/Either.js'
import { registry } from '../../engine/events/registry.ts'
import type { ConfigurationState } from '../../engine/projector/configuration.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import type { ApiDeps } from '../deps.ts'
import { configurationAt } from '../history/configuration.ts'
import type { ProblemDetail } from '../problem.ts'
import { ask } from '../routes/rows.ts'
import { readCandidate } from '../versions/candidate.ts'

/** Which read models a definition would have folded anew. */

export type DefinitionType = 'field.defined' | 'object.defined'

export interface Affected {
  readonly view: string
  /** That it has now. */
  readonly rows: number
  readonly columns: { readonly added: readonly string[]; readonly removed: readonly string[] }
}

/** What was published up to now; nobody else's, so it may be changed. */
export function publishedNow(deps: ApiDeps): Promise<ConfigurationState> {
  return configurationAt(deps, { by: 'received', ...deps.log.head() })
}

/** Left: the data are none of an event of that type. */
export async function affectedBy(
  deps: ApiDeps,
  type: DefinitionType,
  data: Readonly<Record<string, unknown>>,
): Promise<E.Either<readonly ProblemDetail[], readonly Affected[]>> {
  const catalogue = [...(deps.catalogue ?? deps.projections).values()]
  const [before, after] = [await publishedNow(deps), await publishedNow(deps)]
  const { received } = deps.log.head()
  const known = { registry, projections: catalogue, configuration: before, received, nowMs: received }
  const candidate = readCandidate({ type, data }, known)
  if (E.isLeft(candidate)) return candidate
  for (const event of candidate.right.events) after.apply(deps.openEvent(event))
  const changed = catalogue.filter((projection) => hashOf(before, projection) !== hashOf(after, projection))
  const affected: Affected[] = []
  for (const projection of changed) {
    const [had, has] = [before, after].map((config) => columnsOf(projectionUnder(projection, config)))
    assert(had !== undefined && has !== undefined)
    const columns = {
      added: has.filter((name) => !had.includes(name)),
      removed: had.filter((name) => !has.includes(name)),
    }
    affected.push({ view: projection.name, rows: await countOf(deps, projection.name), columns })
  }
  return E.right(affected)
}

function hashOf(config: ConfigurationState, projection: AnyProjection): string {
  return config.hash(projection)
}

function columnsOf({ table }: AnyProjection): readonly string[] {
  return Object.keys(table.columns)
}

async function countOf(deps: ApiDeps, projection: string): Promise<number> {
  const figures = [{ name: 'rows', of: 'count' }] as const
  const answer = await ask(() => deps.store.aggregate({ projection, by: [], figures, limit: 1 }))
  return Number(answer.value[0]?.['rows'] ?? 0)
}
