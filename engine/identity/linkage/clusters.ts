import type { LinkageModel, LinkageRecord } from './model.ts'
import { type Candidate, surestFirst } from './weights.ts'

/**
 * Records that belong together if every proposal is followed: its transitive closure, groups of at least two, ids sorted. Where
 * sources hold each thing once, surer proposals go first, and one that would put two records of a source together is dropped.
 */
export function clusters(
  candidates: readonly Candidate[],
  records: Iterable<LinkageRecord>,
  model: LinkageModel,
): readonly (readonly string[])[] {
  const sources = new Map<string, string | undefined>()
  if (model.onePerSource) for (const { id, source } of records) sources.set(id, source)
  const groups = new Map<string, readonly string[]>()
  for (const { a, b } of [...candidates].sort(surestFirst)) {
    const left = groups.get(a) ?? [a]
    const right = groups.get(b) ?? [b]
    if (left === right || (model.onePerSource && haveCommonSource(left, right, sources))) continue
    const joined = [...left, ...right].sort()
    for (const id of joined) groups.set(id, joined)
  }
  return [...new Set(groups.values())].sort((one, other) => ((one[0] ?? '') < (other[0] ?? '') ? -1 : 1))
}

function haveCommonSource(
  a: readonly string[],
  b: readonly string[],
  sources: ReadonlyMap<string, string | undefined>,
): boolean {
  const held = new Set(a.map((id) => sources.get(id)))
  return b.some((id) => sources.get(id) !== undefined && held.has(sources.get(id)))
}
