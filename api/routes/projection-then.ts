import type { AnyProjection } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import type { ApiDeps } from '../deps.ts'
import { configurationAt } from '../history/configuration.ts'
import { type PastQuery, requestedMoment } from './past.ts'

/** A read model with the columns that it had at the moment that a query names. */
export async function projectionThen(
  deps: ApiDeps,
  base: AnyProjection,
  query: PastQuery,
): Promise<AnyProjection> {
  return projectionUnder(base, await configurationAt(deps, await requestedMoment(deps, query)))
}
