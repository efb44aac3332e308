import type { BuildDiff } from '../../engine/projector/diff.ts'
import type { ApiDeps } from '../deps.ts'
import { showDifferences } from '../versions/show-differences.ts'
import type { VersionJob, VersionResult } from '../versions/versions.ts'
import { formatInstant, type ProfileOf } from './cells.ts'
import { ask } from './rows.ts'

/** Identities that one look-up takes. */
const MOST_LOOKED_UP = 500

/** A job as routes answer it: values as rows show them. */
export async function showJob(deps: ApiDeps, { asked, ended, ...job }: VersionJob) {
  return {
    id: job.id,
    what: job.what,
    state: job.state,
    asked: formatInstant(asked),
    ended: ended === undefined ? null : formatInstant(ended),
    progress: job.progress ?? null,
    failure: job.failure ?? null,
    result: job.result === undefined ? null : await showResult(deps, job.result),
  }
}

async function showResult(deps: ApiDeps, result: VersionResult) {
  switch (result.kind) {
    case 'rebuilt': {
      const builds = result.builds.map((build) => ({ ...build, equal: build.before === build.after }))
      return { kind: result.kind, builds }
    }
    case 'digest': {
      const { kind, position, served } = result
      return { kind, position, build: served?.build, rows: served?.rows, digest: served?.digest }
    }
    case 'differences': {
      return showDifferences(result, await profilesIn(deps, result.diffs))
    }
  }
}

async function profilesIn(deps: ApiDeps, diffs: readonly BuildDiff[]): Promise<ProfileOf> {
  const fields = diffs.flatMap(({ sample }) => sample.flatMap((row) => row.fields))
  const ids = fields
    .filter(({ type }) => type === 'identity')
    .flatMap(({ from, to }) => [from, to].filter((value) => typeof value === 'string'))
  const profiles = new Map<string, string>()
  const distinct = [...new Set(ids)]
  for (let at = 0; at < distinct.length; at += MOST_LOOKED_UP) {
    const { value } = await ask(() => deps.store.members(distinct.slice(at, at + MOST_LOOKED_UP)))
    for (const [id, { profile }] of value) profiles.set(id, profile)
  }
  return (id) => profiles.get(id) ?? id
}
