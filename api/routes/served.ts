import { strict as assert } from 'node:assert'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import type { BuildName } from '../../engine/store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problem.ts'
import type { Served } from '../served-projections.ts'

/** Read models as the requests that read them need them: with the columns that the workspace has defined. */

/** As it is served now, by all that is known. */
export function projectionOf(deps: Pick<ApiDeps, 'projections'>, name: string): AnyProjection {
  const projection = deps.projections.get(name)
  assert(projection !== undefined, `routes of ${name} are offered where it is`)
  return projection
}

/** What made a build that has answered; undefined: it is gone meanwhile, ask again. */
export async function servedBy(
  deps: Pick<ApiDeps, 'projections' | 'serving' | 'publishedConfiguration'>,
  name: string,
  build: BuildName | undefined,
): Promise<Served | undefined> {
  if (deps.serving !== undefined) {
    const found = await deps.serving.of(name, build)
    if (found !== undefined || build !== undefined) return found
  }
  return { projection: projectionOf(deps, name), config: await deps.publishedConfiguration() }
}

/** The projection to show a build's rows by: of one that is gone, columns that it lacked are null. */
export async function shownBy(
  deps: Pick<ApiDeps, 'projections' | 'serving' | 'publishedConfiguration'>,
  name: string,
  build: BuildName | undefined,
): Promise<AnyProjection> {
  if (deps.serving === undefined) return projectionOf(deps, name)
  return (await deps.serving.of(name, build))?.projection ?? projectionOf(deps, name)
}

/** What a request says in terms of the view's columns; where it makes no sense, another build may have come to serve. */
export async function readBy<T>(
  deps: Pick<ApiDeps, 'projections' | 'serving'>,
  name: string,
  read: (projection: AnyProjection) => T,
): Promise<T> {
  const before = projectionOf(deps, name)
  try {
    return read(before)
  } catch (error) {
    if (!(error instanceof Problem) || deps.serving === undefined) throw error
    await deps.serving.refresh()
    const now = projectionOf(deps, name)
    if (now === before) throw error
    return read(now)
  }
}

/** As the code has it, without what a workspace has defined. */
export function baseOf(deps: Pick<ApiDeps, 'projections' | 'catalogue'>, name: string): AnyProjection {
  const base = deps.catalogue?.get(name)
  return base ?? projectionOf(deps, name)
}

/** The same deps for whoever reads tables that were all made under one configuration, of a past moment say. */
export function under(deps: ApiDeps, config: Configuration): ApiDeps {
  const all = [...(deps.catalogue ?? deps.projections)]
  return {
    ...deps,
    publishedConfiguration: async () => config,
    serving: undefined,
    projections: new Map(all.map(([name, projection]) => [name, projectionUnder(projection, config)])),
  }
}
