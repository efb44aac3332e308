import type { Configuration } from '../engine/projector/projection.ts'
import { UNRANKED } from '../engine/reducers/candidate.ts'
import type { Ranking } from '../engine/reducers/rule.ts'

/** For `configuredBy` of every projection whose rules look at source priorities. */
export const RANKED_BY = ['source.registered'] as const

const rankings = new WeakMap<Configuration, Ranking>()

/** Source priorities as registered: the lower number wins, a source without one comes last. */
export function rankingFrom(config: Configuration): Ranking {
  const known = rankings.get(config)
  if (known !== undefined) return known
  const priorities = new Map<string, number>()
  for (const { data } of config.all('source.registered')) {
    priorities.set(data.source, data.priority ?? UNRANKED)
  }
  const ranking: Ranking = (source) => priorities.get(source) ?? UNRANKED
  rankings.set(config, ranking)
  return ranking
}
