import { strict as assert } from 'node:assert'
import { randomUUID } from 'node:crypto'
import * as E from 'fp-ts/lib/Either.js'
import { checkDefinition } from '../../projections/custom-fields.ts'
import type { ApiDeps } from '../deps.ts'
import { invalidBody, Problem, type ProblemDetail } from '../problem.ts'
import { problemOfRefusal } from '../routes/way-in.ts'
import { type Affected, affectedBy, type DefinitionType, publishedNow } from './affected.ts'

/** Definitions of fields and objects: checked, tried, and appended through the intake. */

/** The system that stewards' decisions come from. */
const SOURCE = 'steward'

type Data = Readonly<Record<string, unknown>>

interface Published {
  readonly dryRun: boolean
  /** What speaks against it; only of a dry run. */
  readonly problems: readonly ProblemDetail[]
  /** Views that are folded anew because of it. */
  readonly views: readonly Affected[]
  readonly event: { readonly id: string; readonly type: DefinitionType; readonly position: number } | null
}

/** Throws a problem with all that is wrong, unless it is a dry run. */
export async function publish(
  deps: ApiDeps,
  type: DefinitionType,
  data: Data,
  dryRun: boolean,
): Promise<Published> {
  const problems = checkDefinition(type, data, await publishedNow(deps)).map(({ path, message }) => ({
    path: path === '' ? '' : `/${path.replaceAll('.', '/')}`,
    message,
  }))
  const affected = await affectedBy(deps, type, data)
  const wrong = [...problems, ...(E.isLeft(affected) ? affected.left.map(inData) : [])]
  const views = E.isRight(affected) && wrong.length === 0 ? affected.right : []
  if (dryRun) return { dryRun, problems: wrong, views, event: null }
  if (wrong.length > 0) throw new Problem('invalid_body', 'This can’t be defined.', { errors: wrong })
  const event = await append(deps, type, data)
  return { dryRun, problems: [], views, event }
}

/** Paths as `checkDefinition` gives them. */
function inData({ path, message }: ProblemDetail): ProblemDetail {
  return { path: path ?? '', message }
}

async function append(
  deps: ApiDeps,
  type: DefinitionType,
  data: Data,
): Promise<NonNullable<Published['event']>> {
  const id = `definition-${randomUUID()}`
  const value = { id, source: SOURCE, type, data }
  const [result] = await deps.intake.submit([{ value }], { defaultSource: SOURCE })
  assert(result !== undefined, 'one result for each event')
  switch (result.status) {
    case 'appended':
    case 'duplicate':
      return { id, type, position: result.position }
    case 'quarantined':
      throw invalidBody('', `The definition was put into quarantine: ${result.message}.`)
    case 'refused':
      throw problemOfRefusal(result.refusal)
  }
}
