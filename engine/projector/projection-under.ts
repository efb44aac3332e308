import assert from 'node:assert/strict'
import type { AnyProjection, Configuration } from './projection.ts'

/** The read model with what the workspace has defined under this configuration; asked again of its answer, the answer. */
export function projectionUnder(projection: AnyProjection, config: Configuration): AnyProjection {
  if (projection.under === undefined) return projection
  const defined = projection.under(config)
  const isSame = defined.name === projection.name && defined.version === projection.version
  assert(isSame, `${projection.name} becomes another read model under a configuration`)
  return defined
}
